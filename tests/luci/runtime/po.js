/**
 * Translations: reads a gettext catalogue (.po) and looks texts up, with context and plural forms.
 */

const QUOTED = /"((?:[^"\\]|\\.)*)"\s*$/;
const ESCAPES = { n: '\n', t: '\t', r: '\r' };

function unquote(line) {
	const m = QUOTED.exec(line);
	return m ? m[1].replace(/\\(.)/g, (all, c) => ESCAPES[c] || c) : '';
}

/** White space counts as one blank, as in LuCI's own catalogues. */
function squeeze(text) {
	return String(text).replace(/\s+/g, ' ').trim();
}

function keyOf(context, text) {
	return context == null ? squeeze(text) : `${context}\u0001${squeeze(text)}`;
}

/** The `plural=` expression of the header as a function of n; only C's arithmetic and comparisons are let through. */
export function pluralRule(header) {
	const m = /plural=([^;\n]+)/.exec(header || '');
	const text = m ? m[1].trim() : 'n != 1';
	if (!/^[n0-9\s()?:!=<>&|%+*/-]+$/.test(text))
		throw new Error(`po: cannot read the plural rule "${text}"`);
	return new Function('n', `return Number(${text});`);
}

/**
 * @param {string} text a .po file
 * @returns {{texts: Map<string, string[]>, plural: function(number): number}}
 */
export function parsePo(text) {
	const texts = new Map();
	let header = '';
	let entry = {};
	let field = null;
	const finish = () => {
		const forms = entry.msgstr || [];
		if (entry.msgid === '')
			header = forms[0] || '';
		else if (entry.msgid != null && forms.some((form) => form))
			texts.set(keyOf(entry.msgctxt, entry.msgid), forms);
		entry = {};
		field = null;
	};
	for (const line of text.split(/\r?\n/)) {
		const m = /^(msgctxt|msgid|msgid_plural|msgstr)(?:\[(\d+)\])?\s+"/.exec(line);
		if (m) {
			if (m[1] === 'msgctxt' || (m[1] === 'msgid' && field !== 'msgctxt'))
				finish();
			field = m[1];
			if (field === 'msgstr')
				entry.msgstr = (entry.msgstr || []).concat([unquote(line)]);
			else
				entry[field] = unquote(line);
		}
		else if (/^\s*"/.test(line) && field === 'msgstr')
			entry.msgstr[entry.msgstr.length - 1] += unquote(line);
		else if (/^\s*"/.test(line) && field)
			entry[field] += unquote(line);
		else if (!line.trim())
			finish();
	}
	finish();
	return { texts, plural: pluralRule(header) };
}

/** `_` and `N_` over catalogues, the first that knows a text wins. */
export function translator(catalogues) {
	const find = (text, context) => {
		for (const catalogue of catalogues) {
			const forms = catalogue.texts.get(keyOf(context, text));
			if (forms)
				return { forms, plural: catalogue.plural };
		}
		return null;
	};
	return {
		_(text, context) {
			const found = find(text, context);
			return found && found.forms[0] || text;
		},
		N_(n, singular, plural, context) {
			const found = find(singular, context);
			return found && found.forms[found.plural(n)] || (n === 1 ? singular : plural);
		}
	};
}
