/**
 * `'%d of %s'.format(…)`: the placeholders of LuCI.
 *
 * `%[0|'x| ][-][width][.precision]TYPE` with TYPE one of b c d u f o s x X h q j t m and %%. `%1024.1mB` takes the width for the base: 1536 gives `1.5 KiB`.
 */

const PLACE = /%('.|0|\x20)?(-)?(\d+)?(\.\d+)?(%|b|c|d|u|f|o|s|x|X|q|h|j|t|m)/g;
const PREFIXES = ['', 'K', 'M', 'G', 'T', 'P', 'E'];

export function escapeHtml(text) {
	return String(text).replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function whole(value) {
	return Math.trunc(Number(value)) || 0;
}

function fixed(value, precision) {
	return precision === null ? String(parseFloat(value)) : parseFloat(value).toFixed(precision);
}

/** Seconds as `1d 2h 3m 4s`. */
function duration(value) {
	const total = whole(value);
	const [d, h, m, s] = [Math.floor(total / 86400), Math.floor(total / 3600) % 24, Math.floor(total / 60) % 60, total % 60];
	return d ? `${d}d ${h}h ${m}m ${s}s` : h ? `${h}h ${m}m ${s}s` : m ? `${m}m ${s}s` : `${s}s`;
}

/** A number with its SI (base 1000) or binary (base 1024) prefix; the unit follows in the format. */
function metric(value, base, precision) {
	let number = Number(value) || 0;
	let step = 0;
	for (; step < PREFIXES.length - 1 && number > base; step++)
		number /= base;
	return step ? `${number.toFixed(precision)} ${PREFIXES[step]}${base === 1024 ? 'i' : ''}` : `${number} `;
}

function substitute(type, value, width, precision) {
	switch (type) {
	case 'b': return whole(value).toString(2);
	case 'c': return String.fromCharCode(whole(value));
	case 'd': return String(whole(value));
	case 'u': return String(whole(value) >>> 0);
	case 'f': return fixed(value, precision);
	case 'o': return whole(value).toString(8);
	case 's': return String(value);
	case 'x': return whole(value).toString(16);
	case 'X': return whole(value).toString(16).toUpperCase();
	case 'h': return escapeHtml(value);
	case 'q': return escapeHtml(value);
	case 'j': return JSON.stringify(value);
	case 't': return duration(value);
	default: return metric(value, width || 1000, precision === null ? 2 : precision);
	}
}

/** Fills in; too few arguments throw, where LuCI would show something wrong. */
export function format(text, ...args) {
	let next = 0;
	return String(text).replace(PLACE, (all, pad, left, widthText, precisionText, type) => {
		if (type === '%')
			return '%';
		if (next >= args.length)
			throw new TypeError(`stand-in: no argument for "${all}" in "${text}"`);
		const width = widthText ? Number(widthText) : 0;
		const precision = precisionText ? Number(precisionText.slice(1)) : null;
		const filled = substitute(type, args[next++], width, precision);
		if (!width || type === 'm')
			return filled;
		const filler = !pad ? ' ' : pad.length === 2 ? pad[1] : pad;
		return left ? filled.padEnd(width, filler) : filled.padStart(width, filler);
	});
}

/** Gives strings their method, as LuCI does. */
export function install(StringClass) {
	Object.defineProperty(StringClass.prototype, 'format', { value(...args) { return format(this, ...args); }, configurable: true, writable: true });
	StringClass.format = (text, ...args) => format(text, ...args);
}
