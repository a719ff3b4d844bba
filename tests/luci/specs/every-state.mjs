// Every page in every state of the node: it says what is the case, and breaks nothing.
import assert from 'node:assert/strict';
import { group } from '../harness/runner.mjs';
import { faults } from '../harness/browser.mjs';
import { PAGES } from '../harness/sources.mjs';
import { down, empty, locked, quarantined } from '../harness/worlds.mjs';

const STATES = { 'without a session': empty, 'with locked keys': locked, 'in quarantine': quarantined, 'without a daemon': down };

for (const [state, world] of Object.entries(STATES)) {
	group(state, world, check => {
		for (const name of PAGES) {
			check(`${name} is drawn, and says something`, async ({ pages }) => {
				const page = await pages.at(name);
				if (name === 'overview') assert.deepEqual(await faults(page), []);
				const text = await page.locator('#view').innerText();
				assert.ok(text.trim().length > 40, `all it says is: ${text}`);
				assert.doesNotMatch(text, /undefined|\bNaN\b|\[object |\bnull\b/);
			});
		}
	});
}
