// UCI files: written from a plain object, read to see what a page wrote.
import { readFileSync, writeFileSync } from 'node:fs';

/**
 * @param {Record<string, object | object[]>} settings section type → {option: value or list}, or an array of such for anonymous ones
 */
export function text(settings) {
	let out = '';
	for (const [type, sections] of Object.entries(settings)) {
		for (const section of [sections].flat()) {
			out += Array.isArray(sections) ? `config ${type}\n` : `config ${type} '${type}'\n`;
			for (const [name, value] of Object.entries(section)) {
				for (const one of [value].flat()) out += `\t${Array.isArray(value) ? 'list' : 'option'} ${name} '${one}'\n`;
			}
		}
	}
	return out;
}

export function write(path, settings) {
	writeFileSync(path, text(settings), { mode: 0o640 });
}

/** All sections of a file: [{type, name, options: {option: value or list}}]. Reads what the program and libuci write. */
export function read(path) {
	const sections = [];
	for (const line of readFileSync(path, 'utf8').split('\n')) {
		const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"#]+)/g)].map(m => m[1] ?? m[2] ?? m[3]);
		const at = sections[sections.length - 1];
		if (words[0] === 'config') sections.push({ type: words[1], name: words[2], options: {} });
		else if (words[0] === 'option') at.options[words[1]] = words[2];
		else if (words[0] === 'list') (at.options[words[1]] ??= []).push(words[2]);
	}
	return sections;
}
