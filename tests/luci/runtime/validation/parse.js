/** Reads datatype expressions: `or(port,"auto")`, `list(range(1,5))`. */

const TOKEN = /\s*(?:([A-Za-z_][\w-]*)|(-?\d+(?:\.\d+)?)|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([(),]))/y;

function tokens(code) {
	const found = [];
	TOKEN.lastIndex = 0;
	while (TOKEN.lastIndex < code.length) {
		const at = TOKEN.lastIndex;
		const m = TOKEN.exec(code);
		if (!m) {
			if (!code.slice(at).trim())
				break;
			throw new SyntaxError(`stand-in: cannot read the datatype "${code}"`);
		}
		found.push(m[1] !== undefined ? { name: m[1] } : m[2] !== undefined ? { value: Number(m[2]) }
			: m[5] !== undefined ? { sign: m[5] } : { value: (m[3] === undefined ? m[4] : m[3]).replace(/\\(.)/g, '$1') });
	}
	return found;
}

/**
 * @param {string} code a datatype expression
 * @returns {{name: string, args: (object|number|string)[]}} a type with its arguments, which are types again, numbers or texts
 */
export function parseDatatype(code) {
	const list = tokens(String(code));
	let at = 0;
	const fail = () => { throw new SyntaxError(`stand-in: cannot read the datatype "${code}"`); };
	function term() {
		const token = list[at++];
		if (!token || token.sign)
			return fail();
		if (token.name === undefined)
			return token.value;
		const type = { name: token.name, args: [] };
		if (list[at] && list[at].sign === '(') {
			at++;
			while (list[at] && list[at].sign !== ')') {
				type.args.push(term());
				if (list[at] && list[at].sign === ',')
					at++;
				else if (!list[at] || list[at].sign !== ')')
					fail();
			}
			if (!list[at++])
				fail();
		}
		return type;
	}
	const type = term();
	return at === list.length && typeof type === 'object' ? type : fail();
}
