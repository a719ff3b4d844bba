// Each page in its reader's language.
import assert from 'node:assert/strict';
import { group } from '../harness/runner.mjs';
import { overhang } from '../harness/browser.mjs';
import { PAGES } from '../harness/sources.mjs';
import { catalogue, marked } from '../harness/words.mjs';
import { served } from '../harness/worlds.mjs';

/** Texts of what a page shows, as their nodes hold them. */
function shown(page) {
	return page.evaluate(() => {
		const walk = document.createTreeWalker(document.getElementById('view'), NodeFilter.SHOW_TEXT);
		const found = [];
		while (walk.nextNode()) {
			const text = walk.currentNode.data.trim();
			if (text && !/^(SCRIPT|STYLE)$/.test(walk.currentNode.parentNode.nodeName)) found.push(text);
		}
		return found;
	});
}

group('language', served, check => {
	for (const [lang, width] of [['de', 1280], ['es', 360]]) {
		for (const name of PAGES) {
			check(`${name} in ${lang}: none of its texts is English`, async ({ pages }) => {
				const page = await pages.at(name, { lang, width });
				const said = catalogue(`${lang}/echomesh.po`);
				assert.ok(said.size > 100, 'a catalogue');
				const seen = await shown(page);
				assert.deepEqual(seen.filter(text => said.has(text) && !said.get(text).msgstr.includes(text)), []);
				const own = new Set([...said.values()].flatMap(entry => entry.msgstr));
				assert.ok(seen.some(text => own.has(text) && !said.has(text)), `nothing in ${lang}: ${seen}`);
				assert.ok(await overhang(page) <= 0, 'it hangs over');
			});
		}
	}

	for (const name of PAGES) {
		check(`${name}: headings, buttons, labels and choices are all from the catalogue`, async ({ pages }) => {
			const page = await pages.at(name, { lang: 'de', ready: false, before: page => page.route('**/po/de.po', route => route.fulfill({ body: marked(), contentType: 'text/plain' })) });
			await page.locator('#view').getByText('⟦').filter({ visible: true }).first().waitFor();
			const bare = await page.locator('#view').locator('h1, h2, h3, h4, button, label, th, .th, legend, option, .cbi-value-title, .cbi-value-description').evaluateAll(nodes =>
				// The footer is LuCI's own.
				nodes.filter(node => !node.closest('.cbi-page-actions')).map(node => node.textContent.trim()).filter(text => /\p{L}{3}/u.test(text) && !text.includes('⟦')));
			// Names of things are the same in every language.
			const names = /^(EchoMesh|English|Deutsch|Español|COMPLIANT_DEFAULT|[a-z0-9._:/-]+|[A-Z]{2}(-[\w-]+)?|ed25519:.*)$/;
			assert.deepEqual([...new Set(bare)].filter(text => !names.test(text)), []);
		});
	}
});
