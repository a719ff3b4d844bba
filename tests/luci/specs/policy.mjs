// The policy: caps, the week's plan, places, categories, domains, and what the daemon would say of a host.
import assert from 'node:assert/strict';
import { group } from '../harness/runner.mjs';
import { ubus } from '../harness/browser.mjs';
import { empty } from '../harness/worlds.mjs';
import { until } from '../harness/wait.mjs';

/** From the click to the daemon's settings being so, in milliseconds. */
const IN_FORCE = 3000;

const view = page => page.locator('#view');
const save = page => view(page).getByRole('button', { name: 'Save & Apply' });
const field = (page, name) => view(page).getByLabel(name, { exact: true });
const cell = (page, day, hour) => view(page).locator(`[role="gridcell"][aria-label^="${day} ${hour} to "]`);
const open = async cell => await cell.getAttribute('data-state') === 'open';
const schedules = async world => (await world.node.get('/config')).node.schedules;

/** Puts the daemon's settings as they were at the start. */
async function afresh(world) {
	await world.node.tell('PUT', '/config', {
		node: { schedules: [], regionAllow: ['DE'] }, network: { maxMbps: 20, maxGBPerDay: 20, allowlistDomains: [], blocklistDomains: [] }, policy: { optOut: [] },
	});
}

group('policy', empty, check => {
	check('a changed cap is in force within three seconds of Save', async ({ pages, world, note }) => {
		await afresh(world);
		const page = await pages.at('policy');
		await field(page, 'Rate').fill('7.5');
		await field(page, 'Volume a day').fill('9');
		const start = performance.now();
		await save(page).click();
		await until('it is in force', async () => {
			const { network } = await world.node.get('/config');
			return network.maxMbps === 7.5 && network.maxGBPerDay === 9;
		}, { within: IN_FORCE });
		note(`${Math.round(performance.now() - start)} ms`);
		await view(page).getByText(/in force/i).first().waitFor();
	});

	check('a cap that is none is told at its field', async ({ pages, world }) => {
		await afresh(world);
		const page = await pages.at('policy');
		const rate = field(page, 'Rate');
		await rate.fill('-3');
		await save(page).click();
		await until('it is told', async () => await rate.getAttribute('aria-invalid') === 'true');
		await view(page).getByRole('alert').filter({ hasText: /0\.1/ }).first().waitFor();
		assert.equal((await world.node.get('/config')).network.maxMbps, 20);
	});

	check('hours are painted with the mouse', async ({ pages, world }) => {
		await afresh(world);
		const page = await pages.at('policy');
		// From always open: closing Monday 8 to 12 is one stroke.
		const first = await cell(page, 'Monday', 8).boundingBox();
		const last = await cell(page, 'Monday', 11).boundingBox();
		await page.mouse.move(first.x + first.width / 2, first.y + first.height / 2);
		await page.mouse.down();
		await page.mouse.move(last.x + last.width / 2, last.y + last.height / 2, { steps: 8 });
		await page.mouse.up();
		for (const hour of [8, 9, 10, 11]) assert.equal(await open(cell(page, 'Monday', hour)), false, `Monday ${hour}`);
		assert.equal(await open(cell(page, 'Monday', 12)), true);
		await save(page).click();
		await until('the daemon keeps those hours', async () => (await schedules(world)).some(one => one.days.includes('Mon') && one.end === '08:00'));
	});

	check('hours are tapped on a phone, and the page scrolls as ever', async ({ pages, world }) => {
		await afresh(world);
		const page = await pages.at('policy', { width: 360, height: 740, touch: true });
		await cell(page, 'Tuesday', 3).scrollIntoViewIfNeeded();
		await cell(page, 'Tuesday', 3).tap();
		await until('it is closed', async () => !await open(cell(page, 'Tuesday', 3)));
	});

	check('the whole way by keyboard: to the plan, along it, a stretch of hours, saved', async ({ pages, world }) => {
		await afresh(world);
		const page = await pages.at('policy');
		await page.locator('h2').first().click();
		const inPlan = () => page.evaluate(() => Boolean(document.activeElement?.closest('[role="grid"]')));
		for (let tabs = 0; !await inPlan(); tabs++) {
			assert.ok(tabs < 60, 'the plan is not reached by Tab');
			await page.keyboard.press('Tab');
		}
		await page.keyboard.press('Home');
		for (let hour = 0; hour < 9; hour++) await page.keyboard.press('ArrowRight');
		await page.keyboard.press('ArrowDown');
		const at = await page.evaluate(() => document.activeElement.getAttribute('aria-label'));
		assert.match(at, /Tuesday/);
		// Shift takes the hours on the way along; Space opens or closes one.
		await page.keyboard.press('Shift+ArrowRight');
		await page.keyboard.press('Shift+ArrowRight');
		for (const hour of [9, 10, 11]) assert.equal(await open(cell(page, 'Tuesday', hour)), false, `Tuesday ${hour}`);
		await page.keyboard.press('ArrowDown');
		await page.keyboard.press('Space');
		assert.equal(await open(cell(page, 'Wednesday', 11)), false);
		await page.keyboard.press('Tab');
		assert.equal(await inPlan(), false, 'one Tab leaves the plan');
		for (let tabs = 0; !await save(page).evaluate(node => node === document.activeElement); tabs++) {
			assert.ok(tabs < 80, 'Save is not reached by Tab');
			await page.keyboard.press('Tab');
		}
		await page.keyboard.press('Enter');
		await until('the daemon keeps those hours', async () => (await schedules(world)).some(one => one.days.includes('Tue') && one.end === '09:00'));
	});

	check('windows that do not fall on whole hours are shown, and kept as they are', async ({ pages, world }) => {
		await afresh(world);
		const odd = { days: ['Fri'], start: '21:30', end: '23:45', maxMbps: 3 };
		await world.node.tell('PUT', '/config', { node: { schedules: [odd] } });
		const page = await pages.at('policy');
		assert.match(await page.content(), /21:30/);
		await field(page, 'Rate').fill('8');
		await save(page).click();
		await until('it is saved', async () => (await world.node.get('/config')).network.maxMbps === 8);
		assert.deepEqual(await schedules(world), [odd]);
	});

	check('a line that is no domain is named where it stands', async ({ pages, world }) => {
		await afresh(world);
		const page = await pages.at('policy');
		const list = field(page, 'Never these domains');
		await list.fill('bad.example\nhttps://shop.example/path\nworse.example');
		await save(page).click();
		await until('the second line is named', async () => /line 2/i.test(await view(page).innerText()));
		assert.deepEqual((await world.node.get('/config')).network.blocklistDomains, []);
		await list.fill('bad.example\nworse.example');
		await save(page).click();
		await until('it is in force', async () => String((await world.node.get('/config')).network.blocklistDomains) === 'bad.example,worse.example');
	});

	check('a category is opted out of', async ({ pages, world }) => {
		await afresh(world);
		const page = await pages.at('policy');
		await view(page).getByRole('checkbox', { name: 'Ad verification' }).setChecked(false);
		await save(page).click();
		await until('it is in force', async () => String((await world.node.get('/config')).policy.optOut) === 'ad_verification');
	});

	check('a host is explained, and one with markup stays text', async ({ pages, world }) => {
		await afresh(world);
		await world.node.tell('PUT', '/config', { network: { blocklistDomains: ['blocked.test'] } });
		const page = await pages.at('policy');
		const host = field(page, 'Host');
		const told = page.locator('[data-em="explanation"]');
		const explain = view(page).getByRole('button', { name: 'Explain this host' });
		await host.fill('www.blocked.test');
		await explain.click();
		await told.getByText(/blocks blocked\.test/).waitFor();
		await told.getByText('Refused').waitFor();
		await host.fill('<img src=x onerror="window.ran=1">');
		await explain.click();
		await until('there is an answer', async () => !/blocked\.test/.test(await told.innerText()) && /\w{3}/.test(await told.innerText()));
		assert.equal(await page.locator('img[src="x"]').count(), 0);
		assert.equal(await page.evaluate(() => window.ran), undefined);
		const { result } = await ubus(page, 'echomesh', 'policy_explain', { host: 'www.blocked.test' });
		assert.equal(result[1].reason, 'blocked-domain');
	});

	check('what is changed and not saved is told', async ({ pages, world }) => {
		await afresh(world);
		const page = await pages.at('policy');
		await field(page, 'Rate').fill('6');
		await view(page).getByText(/not saved yet/i).waitFor();
		let asked = false;
		page.on('dialog', dialog => { asked = true; dialog.dismiss(); });
		await page.close({ runBeforeUnload: true });
		await until('leaving asks', () => asked);
	});
});
