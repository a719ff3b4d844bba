// The settings: LuCI's own form on UCI, checked by the daemon before anything is applied.
import assert from 'node:assert/strict';
import { group } from '../harness/runner.mjs';
import { down, empty } from '../harness/worlds.mjs';
import { until } from '../harness/wait.mjs';
import * as uci from '../harness/uci.mjs';

/** From Save & Apply to the daemon's settings being so, in milliseconds. */
const IN_FORCE = 3000;

const apply = page => page.getByRole('button', { name: 'Save & Apply' }).or(page.locator('.cbi-page-actions .cbi-button-apply')).first();
const value = (page, option) => page.locator(`#view [data-name="${option}"]`);
const saved = (world, section, option) => uci.read(world.node.config).find(s => s.type === section)?.options[option];

async function tab(page, name) {
	await page.locator('#view .cbi-tabmenu').getByText(name, { exact: true }).click();
}

group('settings', empty, check => {
	check('a changed option is in force within three seconds of Save & Apply', async ({ pages, world, note }) => {
		const page = await pages.at('settings');
		await tab(page, 'Advanced');
		await value(page, 'max_tunnels').locator('input').fill('77');
		const start = performance.now();
		await apply(page).click();
		await until('it is in force', async () => (await world.node.get('/config')).network.maxTunnels === 77, { within: IN_FORCE });
		note(`${Math.round(performance.now() - start)} ms`);
		await until('it is in the file', () => saved(world, 'network', 'max_tunnels') === '77');
	});

	check('what is no value of its kind is told at the field, and nothing is sent', async ({ pages, world }) => {
		const page = await pages.at('settings');
		await tab(page, 'Advanced');
		const before = saved(world, 'network', 'max_tunnels');
		const field = value(page, 'max_tunnels').locator('input');
		await field.fill('many');
		await field.blur();
		await value(page, 'max_tunnels').locator('.cbi-input-invalid').waitFor();
		await apply(page).click();
		await page.locator('#view').getByText('Nothing was saved').waitFor();
		assert.equal(saved(world, 'network', 'max_tunnels'), before);
	});

	check('what only the daemon finds is told at its field, and nothing is applied', async ({ pages, world }) => {
		const page = await pages.at('settings');
		await tab(page, 'Advanced');
		const servers = value(page, 'doh_url');
		const before = saved(world, 'security', 'doh_url');
		const field = servers.locator('input[type="text"]').last();
		await field.fill('https://999.1.1.1/dns-query');
		await field.press('Enter');
		await apply(page).click();
		await servers.getByRole('alert').filter({ hasText: /IP address/ }).waitFor();
		assert.deepEqual(saved(world, 'security', 'doh_url'), before);
		assert.ok(!(await world.node.get('/config')).security.dohUrls.some(url => url.includes('999')));
	});

	check('reset brings back what is in the file', async ({ pages }) => {
		const page = await pages.at('settings');
		await tab(page, 'Advanced');
		const field = value(page, 'max_tunnels').locator('input');
		const before = await field.inputValue();
		await field.fill('99');
		await page.locator('.cbi-page-actions .cbi-button-reset').click();
		await until('it is as before', async () => await value(page, 'max_tunnels').locator('input').inputValue() === before);
	});
});

group('settings without a daemon', down, check => {
	check('are written all the same', async ({ pages, world }) => {
		const page = await pages.at('settings');
		await tab(page, 'Advanced');
		await value(page, 'max_tunnels').locator('input').fill('78');
		await apply(page).click();
		await until('it is in the file', () => saved(world, 'network', 'max_tunnels') === '78');
	});
});
