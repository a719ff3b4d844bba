// What holds for each page of the menu, whatever it shows.
import assert from 'node:assert/strict';
import { group } from '../harness/runner.mjs';
import { faults, overhang } from '../harness/browser.mjs';
import { PAGES } from '../harness/sources.mjs';
import { served } from '../harness/worlds.mjs';

group('every page', served, check => {
	for (const name of PAGES) {
		for (const theme of ['light', 'dark']) {
			check(`${name} in the ${theme} theme: drawn, nothing serious found by axe-core`, async ({ pages }) => {
				const page = await pages.at(name, { theme });
				assert.deepEqual(await faults(page), []);
			});
		}
		check(`${name} on a phone of 360 px: nothing hangs over, nothing serious found`, async ({ pages }) => {
			const page = await pages.at(name, { width: 360, height: 740, touch: true });
			assert.ok(await overhang(page) <= 0, `the page is ${await overhang(page)} px too wide`);
			assert.deepEqual(await faults(page), []);
		});
	}
});
