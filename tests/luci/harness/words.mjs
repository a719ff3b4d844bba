// The app's texts: as the scripts hold them, as the catalogues do.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { APP, GROUP, MENU, scripts } from './sources.mjs';

/** A JavaScript string literal's value. */
const unquoted = literal => JSON.parse(`"${literal.slice(1, -1).replace(/\\'/g, "'").replace(/\\([^"\\/bfnrtu])/g, '$1').replace(/(^|[^\\])"/g, '$1\\"')}"`);

/** The code of a script without comments: their place keeps its line breaks. */
export function bare(code) {
	const tokens = /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/(?![*/\s=])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*)|\/\*[^]*?\*\/|\/\/.*/g;
	return code.replace(tokens, (all, kept) => kept ?? all.replace(/[^\n]/g, ' '));
}

/** Calls of `_`, and N_, in a script: [{line, texts}] with texts null where an argument is not a literal by itself. */
export function calls(code) {
	const found = [];
	const text = bare(code);
	for (const match of text.matchAll(/(?<![\w.$])(N_|_)\(\s*/g)) {
		const rest = text.slice(match.index + match[0].length);
		const literal = /^('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")\s*/;
		const line = text.slice(0, match.index).split('\n').length;
		const one = match[1] === '_' ? literal.exec(rest) : null;
		const plural = match[1] === 'N_' ? /^[^,]+,\s*('(?:\\.|[^'\\])*')\s*,\s*('(?:\\.|[^'\\])*')\s*/.exec(rest) : null;
		const hit = one ?? plural;
		const alone = hit && /^[,)]/.test(rest.slice(hit[0].length));
		found.push({ line, texts: alone ? hit.slice(1).map(unquoted) : null });
	}
	return found;
}

/** Every text that is shown in a reader's language: of scripts, menu and access group. text → where from. */
export function texts() {
	const all = new Map();
	for (const path of scripts()) calls(readFileSync(path, 'utf8')).forEach(({ texts, line }) => texts?.forEach(text => all.set(text, `${path}:${line}`)));
	Object.entries(MENU).forEach(([path, node]) => all.set(node.title, path));
	all.set(GROUP.description, 'acl.d');
	return all;
}

/** A catalogue: msgid → {msgstr: string[], flags: string}; empty where there is no such file. */
export function catalogue(name) {
	const path = join(APP, 'po', name);
	const entries = new Map();
	if (!existsSync(path)) return entries;
	for (const block of readFileSync(path, 'utf8').split(/\n\s*\n/)) {
		const entry = { msgstr: [], flags: '', ids: [] };
		let at = null;
		for (const line of block.split('\n')) {
			const said = /^(?:(msgid|msgid_plural|msgstr(?:\[\d\])?|msgctxt)\s+)?"(.*)"\s*$/.exec(line);
			if (line.startsWith('#,')) entry.flags += line;
			if (!said) continue;
			const text = JSON.parse(`"${said[2]}"`);
			if (said[1]) {
				at = said[1].startsWith('msgstr') ? entry.msgstr : said[1] === 'msgctxt' ? [] : entry.ids;
				at.push(text);
			} else {
				at[at.length - 1] += text;
			}
		}
		entry.ids.forEach(id => { if (id !== '') entries.set(id, entry); });
	}
	return entries;
}

/** The places of a format string, sorted. */
export const places = text => (text.match(/%(?:\d+\$)?[-+0 ]?\d*(?:\.\d+)?[a-zA-Z%]/g) ?? []).sort().join(' ');
