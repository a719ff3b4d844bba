// What can be read off the sources, without a browser.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { group } from '../harness/runner.mjs';
import { bare } from '../harness/words.mjs';
import { GROUP, PAGES, RESOURCES, TILE, closure, scripts, view } from '../harness/sources.mjs';

/** Bytes of script that a page may load, as it stands in the sources: LuCI's build makes it smaller. */
const MOST_BYTES = 60 * 1024;

group('sources', null, check => {
	check('the menu has the pages that the issue names', () => {
		assert.deepEqual([...PAGES].sort(), ['identity', 'log', 'overview', 'policy', 'sessions', 'settings', 'update', 'wizard']);
	});

	for (const [name, path] of [...PAGES.map(name => [name, view(name)]), ['tile', TILE]]) {
		check(`${name}: its view and modules are below 60 KB`, ({ note }) => {
			const bytes = [...closure(path)].reduce((sum, file) => sum + statSync(file).size, 0);
			note(`${bytes} bytes`);
			assert.ok(bytes < MOST_BYTES, `${bytes} bytes`);
		});
	}

	check('the access group lists each method that is called, once, and no other', () => {
		const declared = /METHODS = \{([^]*?)\n\};/.exec(bare(readFileSync(join(RESOURCES, 'echomesh/api.js'), 'utf8')))[1];
		const methods = [...declared.matchAll(/^\t(\w+):/gm)].map(([, name]) => name);
		const called = new Set();
		for (const path of scripts()) {
			const code = bare(readFileSync(path, 'utf8'));
			assert.ok(!/rpc\.declare/.test(code) || path.endsWith('/api.js'), `${basename(path)} goes past api.js`);
			methods.filter(name => code.includes(`'${name}'`)).forEach(name => called.add(name));
		}
		assert.deepEqual([...called].sort(), methods.sort(), 'a method is declared and not called');
		const listed = ['read', 'write'].flatMap(side => GROUP[side].ubus.echomesh);
		assert.deepEqual([...listed].sort(), [...called].sort());
		assert.equal(new Set(listed).size, listed.length, 'a method is listed twice');
	});

	check('scripts make no markup of strings, and run nothing', () => {
		for (const path of scripts()) {
			const code = bare(readFileSync(path, 'utf8'));
			const found = code.match(/\.(inner|outer)HTML\b|insertAdjacentHTML|document\.write\b|\beval\(|new Function\b|fs\.exec|'require fs'|(?:fetch|open)\(|XMLHttpRequest/);
			assert.equal(found?.[0], undefined, basename(path));
		}
	});

	check('style sheets and scripts name no colour of their own', () => {
		const sheets = ['echomesh/echomesh.css'].map(name => view('overview').replace(/view\/.*/, name)).filter(existsSync);
		assert.ok(sheets.length);
		for (const path of [...sheets, ...scripts()]) {
			const code = bare(readFileSync(path, 'utf8')).replace(/url\([^)]*\)/g, '');
			const found = code.match(/(?<![\w&'"(\[.])#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\b(?![\w-])|\b(?:rgba?|hsla?|oklch)\(/i);
			assert.equal(found?.[0], undefined, basename(path));
		}
	});
});
