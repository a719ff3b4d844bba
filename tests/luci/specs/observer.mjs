// A login that may read and not write: it sees every page, finds nothing to press that would change anything, and the server
// would not do it either.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { group } from '../harness/runner.mjs';
import { ubus } from '../harness/browser.mjs';
import { GROUP, PAGES } from '../harness/sources.mjs';
import { down, served } from '../harness/worlds.mjs';

/** Colours of LuCI's buttons that change something. */
const CHANGING = '.cbi-button-apply, .cbi-button-save, .cbi-button-reset, .cbi-button-negative, .cbi-button-remove, .cbi-button-add, .cbi-button-positive, .cbi-page-actions';

function sees(check) {
	for (const name of PAGES) {
		check(`${name} has no controls`, async ({ pages }) => {
			const page = await pages.at(name, { as: 'observer' });
			assert.equal(await page.locator(`#maincontent :is(${CHANGING})`).count(), 0, await page.locator(CHANGING).allInnerTexts().then(String));
			assert.equal(await page.locator('#view :disabled').count(), 0, 'a control that is there and does not work');
		});
	}
}

group('observer', served, check => {
	sees(check);

	check('the server refuses every method that changes something, and lets it read the others', async ({ pages }) => {
		const page = await pages.at('overview', { as: 'observer' });
		pages.mayBeSaid(/^refused: /);
		for (const method of GROUP.write.ubus.echomesh) {
			const { error } = await ubus(page, 'echomesh', method);
			assert.equal(error?.code, -32002, `${method}: ${JSON.stringify(error)}`);
		}
		for (const method of ['status', 'tile', 'overview', 'config_get', 'logs', 'identity']) {
			const { result } = await ubus(page, 'echomesh', method);
			assert.equal(result?.[0], 0, method);
		}
	});

	check('the server refuses its changes of settings', async ({ pages, world }) => {
		const page = await pages.at('overview', { as: 'observer' });
		pages.mayBeSaid(/^refused: /);
		const before = readFileSync(world.node.config, 'utf8');
		const calls = {
			set: { config: 'echomesh', section: 'network', values: { max_mbps: '1' } }, add: { config: 'echomesh', type: 'window', values: {} },
			delete: { config: 'echomesh', section: 'network' }, apply: { timeout: 10, rollback: false },
		};
		for (const [method, args] of Object.entries(calls)) {
			const { error, result } = await ubus(page, 'uci', method, args);
			assert.ok(error?.code === -32002 || result?.[0] === 6, `uci ${method}: ${JSON.stringify(error ?? result)}`);
		}
		assert.equal(readFileSync(world.node.config, 'utf8'), before);
		assert.equal((await ubus(page, 'uci', 'get', { config: 'echomesh' })).result[0], 0);
	});
});

group('observer without a daemon', down, sees);
