// The app's texts.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { APP } from './sources.mjs';

/** The code of a script without comments: their place keeps its line breaks. */
export function bare(code) {
	const tokens = /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/(?![*/\s=])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*)|\/\*[^]*?\*\/|\/\/.*/g;
	return code.replace(tokens, (all, kept) => kept ?? all.replace(/[^\n]/g, ' '));
}

/** A catalogue: msgid → {msgstr: string[]}; empty where there is no such file. */
export function catalogue(name) {
	const path = join(APP, 'po', name);
	const entries = new Map();
	if (!existsSync(path)) return entries;
	for (const block of readFileSync(path, 'utf8').split(/\n\s*\n/)) {
		const entry = { msgstr: [], ids: [] };
		let at = null;
		for (const line of block.split('\n')) {
			const said = /^(?:(msgid|msgid_plural|msgstr(?:\[\d\])?|msgctxt)\s+)?"(.*)"\s*$/.exec(line);
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

/** The template as a catalogue in which every text is marked, so that what is not of it is seen. */
export function marked() {
	const quoted = text => JSON.stringify(text);
	const entries = [...catalogue('templates/echomesh.pot').keys()].map(text => `msgid ${quoted(text)}\nmsgstr ${quoted(`⟦${text}⟧`)}\n`);
	return `msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n${entries.join('\n')}`;
}
