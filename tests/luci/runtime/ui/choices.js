/** What fields with choices share: the order of choices, and values as a list. */

function natural(a, b) {
	return String(a).localeCompare(String(b), undefined, { numeric: true, sensitivity: 'base' });
}

/** The keys of `choices`: by `sort` (true: natural order, an array: that order), or as they stand. */
export function keysOf(choices, sort) {
	const keys = Object.keys(choices || {});
	if (Array.isArray(sort))
		return sort.filter((key) => keys.includes(String(key))).map(String);
	return sort === true ? keys.sort(natural) : keys;
}

/** Values as a list of texts: `null` is none. */
export function listOf(value) {
	return (Array.isArray(value) ? value : value == null || value === '' ? [] : [value]).map(String);
}

export { natural };
