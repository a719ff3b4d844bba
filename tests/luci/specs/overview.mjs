// The overview: what the node does, at a glance, and one click to stop it.
import assert from 'node:assert/strict';
import { group } from '../harness/runner.mjs';
import { PASSPHRASE, down, empty, locked, quarantined, served } from '../harness/worlds.mjs';
import { SOON, timed, until } from '../harness/wait.mjs';

/** What the issue promises from the click to the daemon's being so, in milliseconds. */
const AT_ONCE = 1000;

const button = (page, name) => page.locator('#view').getByRole('button', { name });
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
			/session/i, /today/i, /month/i, /household|gives? way|yield/i, /latency|answer|p95/i, /error|fail/i, /probe/i, /place|location|geo|seen/i, /credit/i,
			/bonus|forecast/i, /reputation/i, /coordinator/i, /sandbox|protect/i, /offload|relay|speed|acceler/i,
		];
		const text = await page.locator('#view').innerText();
		for (const name of names) assert.match(text, name);
		await page.getByRole('group', { name: /session/i }).getByText(/\b2\b/).waitFor();
	});

	check('its figures are the daemon\'s, and move', async ({ pages, world }) => {
		const page = await pages.at('overview');
		const first = (await world.node.status()).caps.usedTodayBytes;
		await until('the daemon has counted more', async () => (await world.node.status()).caps.usedTodayBytes > first + 1_000_000);
		const tile = page.getByRole('group', { name: /today/i }).first();
		const before = await tile.innerText();
		await until('the tile of today follows', async () => await tile.innerText() !== before);
	});

	for (const [name, seconds] of [[/15 min/i, 900], [/1 h|one hour/i, 3600]]) {
		check(`a pause of ${seconds} s, and its end, within a second of the click`, async ({ pages, world, note }) => {
			const page = await pages.at('overview');
			await click(button(page, name), world, 'paused', status => status.paused, note);
			const { paused } = await world.node.status();
			const left = (new Date(paused.until) - Date.now()) / 1000;
			assert.ok(Math.abs(left - seconds) < 10, `${left} s are left`);
			await page.locator('#view').getByText(/paused/i).first().waitFor();
			await click(button(page, /resume/i), world, 'at work', status => !status.paused && status.state === 'running', note);
			await button(page, /resume/i).waitFor({ state: 'hidden' });
		});
	}

	check('a pause until tomorrow lasts until midnight by the reader\'s clock', async ({ pages, world, note }) => {
		const page = await pages.at('overview');
		const midnight = new Date(await page.evaluate(() => {
			const day = new Date();
			return new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).toISOString();
		}));
		await click(button(page, /until tomorrow/i), world, 'paused', status => status.paused, note);
		const { paused } = await world.node.status();
		assert.ok(Math.abs(new Date(paused.until) - midnight) < 10_000, `until ${paused.until}`);
		await click(button(page, /resume/i), world, 'at work', status => !status.paused, note);
	});

	check('stop ends live tunnels, and start brings it back, each within a second of the click', async ({ pages, world, note }) => {
		const page = await pages.at('overview');
		const { status, socket } = await world.buyer.tunnel(world.sessions[1], 'shop.example.test');
		assert.equal(status, 200);
		let closed = false;
		socket.on('close', () => { closed = true; }).resume();
		const stop = button(page, /^stop/i);
		await click(stop, world, 'stopped', status => status.state === 'stopped', note);
		await until('the tunnel ends', () => closed, { within: AT_ONCE });
		await page.locator('#view').getByText(/stopped/i).first().waitFor();
		await click(button(page, /^(start|resume)/i), world, 'at work', status => status.state === 'running', note);
		await stop.waitFor();
	});

	check('the graph draws both directions and the latency, and moves on', async ({ pages }) => {
		const page = await pages.at('overview');
		const graph = page.locator('#view svg').first();
		await graph.waitFor();
		const paths = () => graph.locator('path, polyline').evaluateAll(all => all.map(path => path.getAttribute('d') ?? path.getAttribute('points')).filter(Boolean));
		const before = await paths();
		assert.ok(before.length >= 3, `${before.length} lines`);
		await until('it moves', async () => String(await paths()) !== String(before));
	});

	check('the graph is read out by arrow keys and by the pointer, and has a text beside it', async ({ pages }) => {
		const page = await pages.at('overview');
		const graph = page.locator('#view svg').first();
		const box = page.locator('#view [data-em="graph"]');
		assert.match(await box.evaluate(node => [...node.querySelectorAll('[aria-label], title, desc, figcaption')].map(n => `${n.getAttribute('aria-label') ?? ''} ${n.textContent}`).join(' ')), /\d/);
		const text = () => box.innerText();
		await box.locator('[tabindex="0"]').first().focus();
		await page.keyboard.press('End');
		await page.keyboard.press('ArrowLeft');
		const one = await text();
		await until('another moment is read out', async () => {
			await page.keyboard.press('ArrowLeft');
			return await text() !== one;
		});
		const area = await graph.boundingBox();
		await page.mouse.move(area.x + area.width * 0.9, area.y + area.height / 2);
		const hovered = await text();
		await page.mouse.move(area.x + area.width * 0.3, area.y + area.height / 2);
		await until('the pointer reads out, too', async () => await text() !== hovered);
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
		await page.getByRole('group', { name: /session/i }).getByText(/\b0\b|none|no session/i).first().waitFor();
		assert.ok(await button(page, /^stop/i).isVisible());
	});
});

group('overview of a locked node', locked, check => {
	check('a wrong passphrase is said to be wrong, the right one opens it', async ({ pages, world }) => {
		const page = await pages.at('overview');
		const field = page.locator('#view input[type="password"]');
		await field.fill('not the one');
		await button(page, /unlock/i).click();
		await page.locator('#maincontent').getByText(/passphrase/i).filter({ hasText: /wrong|not|does not/i }).first().waitFor();
		assert.equal((await world.node.status()).state, 'locked');
		await field.fill(PASSPHRASE);
		await button(page, /unlock/i).click();
		await world.node.state('running');
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
		await button(page, /clear/i).click();
		const sure = page.locator('#modal_overlay, .modal').getByRole('button', { name: /clear|end/i });
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
		await button(page, /^stop/i).waitFor();
		await notice.waitFor({ state: 'hidden' });
		await world.node.process.end('SIGKILL');
		await notice.waitFor();
		assert.equal(await button(page, /^stop/i).filter({ visible: true }).count(), 0);
	});
});
