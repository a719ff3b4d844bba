// The sessions: a table to sort and filter, details of each, and the end of one.
import assert from 'node:assert/strict';
import { group } from '../harness/runner.mjs';
import { empty, served } from '../harness/worlds.mjs';
import { until } from '../harness/wait.mjs';

const rows = page => page.locator('#view tbody tr.em-item');
const short = session => session.sessionId.slice(0, 8);
const row = (page, session) => rows(page).filter({ hasText: short(session) });

group('sessions', served, check => {
	check('each session is a row, with what the daemon says of it', async ({ pages, world }) => {
		const page = await pages.at('sessions');
		await until('both are there', async () => await rows(page).count() === 2);
		for (const session of world.sessions) assert.match(await row(page, session).innerText(), /active/i);
		const first = row(page, world.sessions[0]);
		assert.match(await first.innerText(), /\d (k|M|G)?B/);
		const before = await first.innerText();
		await until('its bytes move', async () => await first.innerText() !== before);
	});

	check('a click on a heading sorts, another one turns it round', async ({ pages }) => {
		const page = await pages.at('sessions');
		await until('both are there', async () => await rows(page).count() === 2);
		const heading = page.locator('#view th').filter({ hasText: 'Received' });
		const order = async () => (await rows(page).allInnerTexts()).map(text => text.match(/[0-9a-f]{8}/)[0]).join();
		await heading.getByRole('button').click();
		const one = await order();
		const said = await heading.getAttribute('aria-sort');
		assert.match(said, /ascending|descending/);
		await heading.getByRole('button').click();
		await until('the order is the other', async () => await order() !== one);
		assert.notEqual(await heading.getAttribute('aria-sort'), said);
	});

	check('a filter leaves what it names, and says so where nothing is left', async ({ pages, world }) => {
		const page = await pages.at('sessions');
		await until('both are there', async () => await rows(page).count() === 2);
		const filter = page.getByRole('searchbox');
		await filter.fill(short(world.sessions[1]));
		await until('one is left', async () => await rows(page).count() === 1);
		await filter.fill('no session is called this');
		await until('none is left', async () => await rows(page).count() === 0);
		assert.match(await page.locator('#view').innerText(), /no session|none|nothing/i);
	});

	check('details tell of lease, latency and TLS', async ({ pages, world }) => {
		const page = await pages.at('sessions');
		await row(page, world.sessions[0]).getByRole('button', { name: /details/i }).click();
		await until('they are there', async () => /lease[^]*latency[^]*TLS 1\.3/i.test(await page.locator('tr.em-under').innerText()));
		assert.ok((await page.locator('tr.em-under').innerText()).includes(world.sessions[0].sessionId));
	});

	check('one is closed after a question, and is over at the coordinator', async ({ pages, world }) => {
		const session = await world.buyer.open();
		const page = await pages.at('sessions');
		await row(page, session).getByRole('button', { name: /close|end/i }).click();
		await page.locator('.modal').getByRole('button', { name: /close|end/i }).click();
		await until('it is over', async () => ['closing', 'settled'].includes((await world.buyer.seen(session)).state));
		await until('its row goes, or says so', async () => await row(page, session).count() === 0 || /clos/i.test(await row(page, session).innerText()));
	});
});

group('sessions of an idle node', empty, check => {
	check('says that there is none, and when one comes it shows it', async ({ pages, world }) => {
		const page = await pages.at('sessions');
		await page.locator('#view').getByText(/no session/i).first().waitFor();
		const session = await world.buyer.open();
		await page.locator('#view').getByText(short(session)).first().waitFor();
	});
});
