// The tile on LuCI's Status page.
import assert from 'node:assert/strict';
import { group } from '../harness/runner.mjs';
import { down, locked, quarantined, served } from '../harness/worlds.mjs';
import { until } from '../harness/wait.mjs';

const STATUS = '/cgi-bin/luci/admin/status/overview';

const tile = page => page.locator('[data-em="status-tile"]');

group('tile', served, check => {
	check('tells state, live rate and what is left of the day, by one call', async ({ pages, world }) => {
		const asked = [];
		const page = await pages.at(STATUS, {
			before: page => page.on('request', request => {
				if (request.url().endsWith('/ubus/')) asked.push(...[request.postDataJSON()].flat().map(call => call.params.slice(1, 3).join(' ')));
			}),
		});
		const text = await tile(page).innerText();
		for (const word of [/running/i, /bit\/s/, /left today/i, /GB/]) assert.match(text, word);
		assert.deepEqual([...new Set(asked.filter(call => call.startsWith('echomesh')))], ['echomesh tile']);
		await tile(page).getByRole('link').first().waitFor();
		await world.node.tell('POST', '/control', { action: 'pause', seconds: 600 });
		await until('it tells of a pause', async () => /paused/i.test(await tile(page).innerText()));
		await world.node.asItWas();
	});

	check('an observer sees it, too', async ({ pages }) => {
		const page = await pages.at(STATUS, { as: 'observer', theme: 'dark', width: 360 });
		assert.match(await tile(page).innerText(), /running/i);
	});
});

for (const [state, world, word] of [['locked', locked, /locked/i], ['in quarantine', quarantined, /quarantine/i], ['without a daemon', down, /not running/i]]) {
	group(`tile ${state}`, world, check => {
		check('says so calmly', async ({ pages }) => {
			const page = await pages.at(STATUS);
			assert.match(await tile(page).innerText(), word);
		});
	});
}
