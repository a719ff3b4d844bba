/** Numbers and addresses out of text; null or NaN where it is none. */

export function parseInteger(x) {
	return /^-?\d+$/.test(x) ? Number(x) : NaN;
}

export function parseDecimal(x) {
	return /^-?\d+(?:\.\d+)?$/.test(x) ? Number(x) : NaN;
}

/** @returns {number[]|null} four octets */
export function parseIPv4(x) {
	const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(x);
	const octets = m && m.slice(1).map(Number);
	return octets && octets.every((octet) => octet <= 255) ? octets : null;
}

/** @returns {number[]|null} eight groups of 16 bits */
export function parseIPv6(x) {
	let text = String(x);
	const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
	if (tail) {
		const four = parseIPv4(tail[2]);
		if (!four)
			return null;
		text = `${tail[1]}${(four[0] * 256 + four[1]).toString(16)}:${(four[2] * 256 + four[3]).toString(16)}`;
	}
	const halves = text.split('::');
	if (halves.length > 2)
		return null;
	const groups = halves.map((half) => (half ? half.split(':') : []));
	const count = groups.reduce((sum, half) => sum + half.length, 0);
	if (!groups.every((half) => half.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) || (halves.length === 2 ? count > 7 : count !== 8))
		return null;
	const zeros = new Array(halves.length === 2 ? 8 - count : 0).fill('0');
	return groups[0].concat(zeros, groups[1] || []).map((group) => parseInt(group, 16));
}
