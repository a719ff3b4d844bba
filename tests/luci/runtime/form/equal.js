/** Values of options, compared as LuCI does: lists by their members, all else as text. */

export function isEqual(a, b) {
	if (Array.isArray(a) || Array.isArray(b)) {
		const [x, y] = [a, b].map((value) => (Array.isArray(value) ? value : value == null || value === '' ? [] : [value]));
		return x.length === y.length && x.every((one, i) => String(one) === String(y[i]));
	}
	if (b instanceof RegExp)
		return b.test(a == null ? '' : a);
	return (a == null ? '' : String(a)) === (b == null ? '' : String(b));
}

/** Whether list (or text) `a` has `b` among its members. */
export function isContained(a, b) {
	return a != null && (Array.isArray(a) ? a.map(String).includes(String(b)) : String(a).includes(String(b)));
}
