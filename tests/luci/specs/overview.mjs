// The overview: what the node does, at a glance, and one click to stop it.
import assert from 'node:assert/strict';
import { group } from '../harness/runner.mjs';
import { PASSPHRASE, down, empty, locked, quarantined, served } from '../harness/worlds.mjs';
import { SOON, timed, until } from '../harness/wait.mjs';

/** What the issue promises from the click to the daemon's being so, in milliseconds. */
const AT_ONCE = 1000;

const button = (page, name) => page.locator('#view').getByRole('button', { name, exact: true });
const tile = (page, name) => page.locator(`#view [data-em="tile-${name}"]`);
const ms = took => `${Math.round(took)} ms`;

/** A click that makes `look` of the daemon's status true, within what is promised. */
async function click(control, world, what, look, note) {
	await control.waitFor();
	const took = await timed(what, AT_ONCE, () => control.click(), async () => look(await world.node.status()));
	note(`${what} ${ms(took)}`);
}

group('overview', served, check => {
	check('tells of everything that the issue names', async ({ pages }) => {
		const page = await pages.at('overview');
		const names = [
			/sessions/i, /today/i, /this month/i, /giving way/i, /p95/i, /error rate/i, /tests passed|probe/i, /place/i, /credits today/i, /by midnight|forecast/i,
			/reputation/i, /coordinator/i, /sandbox/i, /offload/i,
		];
		const text = await page.locator('#view').innerText();
		for (const name of names) assert.match(text, name);
		await tile(page, 'sessions').getByText(/^2$/).waitFor();
	});

	check('its figures are the daemon\'s, and move', async ({ pages, world }) => {
		const page = await pages.at('overview');
		const first = (await world.node.status()).caps.usedTodayBytes;
		await until('the daemon has counted more', async () => (await world.node.status()).caps.usedTodayBytes > first + 1_000_000);
		const before = await tile(page, 'today').innerText();
		await until('the tile of today follows', async () => await tile(page, 'today').innerText() !== before);
	});

	for (const [name, seconds] of [['15 minutes', 900], ['1 hour', 3600]]) {
		check(`a pause of ${seconds} s, and its end, within a second of the click`, async ({ pages, world, note }) => {
			await world.node.asItWas();
			const page = await pages.at('overview');
			await click(button(page, name), world, 'paused', status => status.paused, note);
			const { paused } = await world.node.status();
			const left = (new Date(paused.until) - Date.now()) / 1000;
			assert.ok(Math.abs(left - seconds) < 10, `${left} s are left`);
			await page.locator('#view').getByText(/paused/i).first().waitFor();
			await click(button(page, 'Resume'), world, 'at work', status => !status.paused && status.state === 'running', note);
			await button(page, 'Resume').waitFor({ state: 'hidden' });
		});
	}

	check('a pause until tomorrow lasts until midnight by the reader\'s clock', async ({ pages, world, note }) => {
		await world.node.asItWas();
		const page = await pages.at('overview');
		const midnight = new Date(await page.evaluate(() => {
			const day = new Date();
			return new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).toISOString();
		}));
		await click(button(page, 'until tomorrow'), world, 'paused', status => status.paused, note);
		const { paused } = await world.node.status();
		assert.ok(Math.abs(new Date(paused.until) - midnight) < 10_000, `until ${paused.until}`);
		await click(button(page, 'Resume'), world, 'at work', status => !status.paused, note);
	});

	check('stop ends live tunnels, and start brings it back, each within a second of the click', async ({ pages, world, note }) => {
		await world.node.asItWas();
		const page = await pages.at('overview');
		const { status, socket } = await world.buyer.tunnel(world.sessions[1], 'shop.example.test');
		assert.equal(status, 200);
		let closed = false;
		socket.on('close', () => { closed = true; }).resume();
		const stop = button(page, 'Stop');
		await click(stop, world, 'stopped', status => status.state === 'stopped', note);
		await until('the tunnel ends', () => closed, { within: AT_ONCE });
		await page.locator('#view').getByText(/stopped/i).first().waitFor();
		await click(button(page, 'Start'), world, 'at work', status => status.state === 'running', note);
		await stop.waitFor();
	});

	check('the graph draws both directions and the latency, and moves on', async ({ pages }) => {
		const page = await pages.at('overview');
		const drawn = () => page.evaluate(() => ['in', 'out', 'delay'].map(kind => document.querySelector(`.em-graph-plots .em-graph-${kind}`).getAttribute('d')));
		const before = await drawn();
		assert.ok(before.every(path => path.length > 10), String(before));
		await until('it moves', async () => (await drawn())[0] !== before[0]);
	});

	check('the graph is read out by arrow keys and by the pointer, and has a text beside it', async ({ pages }) => {
		const page = await pages.at('overview');
		const cursor = page.getByRole('slider', { name: /graph/i });
		const read = () => cursor.getAttribute('aria-valuetext');
		assert.match(await page.locator('[data-em="graph-summary"]').textContent(), /bit\/s/);
		await cursor.focus();
		await page.keyboard.press('End');
		assert.match(await read(), /bit\/s|nothing is known/);
		const one = await cursor.getAttribute('aria-valuenow');
		await page.keyboard.press('ArrowLeft');
		assert.notEqual(await cursor.getAttribute('aria-valuenow'), one);
		await page.keyboard.press('Home');
		assert.match(await read(), /bit\/s|nothing is known/);
		assert.equal(await cursor.getAttribute('aria-valuenow'), '-299');
		const area = await cursor.boundingBox();
		await page.mouse.move(area.x + area.width - 8, area.y + area.height / 2);
		const near = await page.locator('.em-graph-read').innerText();
		await page.mouse.move(area.x + area.width * 0.3, area.y + area.height / 2);
		await until('the pointer reads out, too', async () => await page.locator('.em-graph-read').innerText() !== near);
		await page.locator('[data-em="graph-table"] summary').click();
		assert.match(await page.locator('[data-em="graph-table"] tbody tr').first().innerText(), /bit\/s/);
	});

	check('one call every poll, and no other', async ({ pages }) => {
		const asked = [];
		const page = await pages.at('overview', {
			before: page => page.on('request', request => {
				if (request.url().endsWith('/ubus/')) asked.push([request.postDataJSON()].flat().map(call => call.params.slice(1, 3).join(' ')));
			}),
		});
		const first = asked.length;
		await until('two more polls', () => asked.length >= first + 2, { within: SOON });
		for (const calls of asked.slice(first)) assert.deepEqual(calls, ['echomesh overview']);
		await page.close();
	});
});

group('overview of an idle node', empty, check => {
	check('says that no session is open, and draws no figures that are not there', async ({ pages }) => {
		const page = await pages.at('overview');
		await tile(page, 'sessions').getByText(/^0$/).waitFor();
		assert.ok(await button(page, 'Stop').isVisible());
	});
});

group('overview of a locked node', locked, check => {
	check('a wrong passphrase is said to be wrong, the right one opens it', async ({ pages, world }) => {
		const page = await pages.at('overview');
		const field = page.locator('#view input[type="password"]');
		await field.fill('not the one');
		await button(page, 'Unlock').click();
		await page.locator('[data-em="unlock-said"]').getByText(/not the passphrase/i).waitFor();
		assert.equal((await world.node.status()).state, 'locked');
		// After a wrong one the node does not listen for a second, and the page says so.
		await until('the right one opens it', async () => {
			if ((await world.node.status()).state === 'running') return true;
			if (await field.isVisible() && !await field.inputValue()) {
				await field.fill(PASSPHRASE);
				await button(page, 'Unlock').click();
			}
			return false;
		}, { every: 200 });
		await field.waitFor({ state: 'hidden' });
	});
});

group('overview in quarantine', quarantined, check => {
	check('tells why, since when and what to do, and ends it when the owner says so', async ({ pages, world, note }) => {
		const page = await pages.at('overview');
		const { reason, remedy } = (await world.node.status()).quarantine;
		const text = await page.locator('#view').innerText();
		assert.match(text, /quarantine/i);
		assert.ok(text.includes(reason), reason);
		assert.ok(text.includes(remedy), remedy);
		world.operator('geo', (await world.node.status()).nodeId, 'DE', '0.99');
		await button(page, 'Clear the quarantine').click();
		const sure = page.locator('.modal').getByRole('button', { name: 'Clear it' });
		await click(sure, world, 'cleared', status => !status.quarantine, note);
		await until('the page shows it', async () => !(await page.locator('#view').innerText()).includes(reason));
	});
});

group('overview without a daemon', down, check => {
	check('says so, and shows the node when it comes, and says so again when it dies', async ({ pages, world }) => {
		const page = await pages.at('overview');
		const notice = page.locator('#view').getByText(/does not run|is not running/i).first();
		await notice.waitFor();
		await world.node.start();
		await button(page, 'Stop').waitFor();
		await notice.waitFor({ state: 'hidden' });
		await world.node.process.end('SIGKILL');
		await notice.waitFor();
		assert.equal(await button(page, 'Stop').filter({ visible: true }).count(), 0);
	});
});
