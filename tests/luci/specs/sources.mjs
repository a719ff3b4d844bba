// What can be read off the sources, without a browser.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { group } from '../harness/runner.mjs';
import { bare, calls, catalogue, places, texts } from '../harness/words.mjs';
import { GROUP, PAGES, TILE, closure, scripts, view } from '../harness/sources.mjs';

/** Bytes of script that a page may load, as it stands in the sources: LuCI's build makes it smaller. */
const MOST_BYTES = 60_000;

group('sources', null, check => {
	check('the menu has the pages that the issue names', () => {
		assert.deepEqual([...PAGES].sort(), ['identity', 'log', 'overview', 'policy', 'sessions', 'settings', 'update', 'wizard']);
	});

	for (const [name, path] of [...PAGES.map(name => [name, view(name)]), ['tile', TILE]]) {
		check(`${name}: its view and modules are below 60 kB`, ({ note }) => {
			const bytes = [...closure(path)].reduce((sum, file) => sum + statSync(file).size, 0);
			note(`${bytes} bytes`);
			assert.ok(bytes < MOST_BYTES, `${bytes} bytes`);
		});
	}

	check('the access group lists each method that is called, once, and no other', () => {
		const called = new Set();
		for (const path of scripts()) {
			const code = bare(readFileSync(path, 'utf8'));
			for (const [, name] of code.matchAll(/\.(?:ask|call|work)\(\s*'(\w+)'/g)) called.add(name);
			if (/\.follow\(/.test(code)) called.add('job');
			for (const [, object, method] of code.matchAll(/object:\s*'(\w+)',\s*method:\s*'(\w+)'/g)) {
				assert.equal(object, 'echomesh', `${path} asks another object`);
				called.add(method);
			}
		}
		const listed = ['read', 'write'].flatMap(side => GROUP[side].ubus.echomesh);
		assert.deepEqual([...listed].sort(), [...called].sort());
		assert.equal(new Set(listed).size, listed.length, 'a method is listed twice');
	});

	check('scripts make no markup of strings, and run nothing', () => {
		for (const path of scripts()) {
			const code = bare(readFileSync(path, 'utf8'));
			const found = code.match(/\.(inner|outer)HTML\b|insertAdjacentHTML|document\.write\b|\beval\(|new Function\b|fs\.exec|'require fs'|https?:\/\/(?!www\.w3\.org)/);
			assert.equal(found, null, `${basename(path)}: ${found?.[0]}`);
		}
	});

	check('style sheets and scripts name no colour of their own', () => {
		const sheets = ['echomesh/echomesh.css'].map(name => view('overview').replace(/view\/.*/, name)).filter(existsSync);
		assert.ok(sheets.length);
		for (const path of [...sheets, ...scripts()]) {
			const code = bare(readFileSync(path, 'utf8')).replace(/url\([^)]*\)/g, '');
			const found = code.match(/(?<![\w&'"(\[.])#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\b(?![\w-])|\b(?:rgba?|hsla?|oklch)\(/i);
			assert.equal(found, null, `${basename(path)}: ${found?.[0]}`);
		}
	});

	check('each text is one literal, and stands in the template', () => {
		const template = catalogue('templates/echomesh.pot');
		for (const path of scripts()) {
			for (const { line, texts } of calls(readFileSync(path, 'utf8'))) assert.ok(texts, `${basename(path)}:${line}: _() of something that is not one literal`);
		}
		const missing = [...texts()].filter(([text]) => !template.has(text)).map(([text, where]) => `${where}: ${text}`);
		assert.deepEqual(missing, []);
		const idle = [...template.keys()].filter(id => !texts().has(id));
		assert.deepEqual(idle, [], 'the template has texts that nothing shows');
	});

	for (const language of ['de', 'es']) {
		check(`${language}: every text is translated, with the same places for values`, () => {
			const template = catalogue('templates/echomesh.pot');
			const said = catalogue(`${language}/echomesh.po`);
			assert.ok(template.size > 0);
			const missing = [...template.keys()].filter(id => !said.get(id)?.msgstr.every(text => text.trim()) || said.get(id).flags.includes('fuzzy'));
			assert.deepEqual(missing, []);
			for (const [id, { msgstr }] of said) {
				if (msgstr.length === 1) assert.equal(places(msgstr[0]), places(id), id);
			}
			assert.deepEqual([...said.keys()].filter(id => !template.has(id)), [], 'texts that are no more');
		});
	}
});
