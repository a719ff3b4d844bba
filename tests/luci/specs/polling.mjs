// The one poll of a page: three seconds, none in a hidden tab, ever fewer while calls fail. The page's clock is ours.
import assert from 'node:assert/strict';
import { group } from '../harness/runner.mjs';
import { served } from '../harness/worlds.mjs';
import { until } from '../harness/wait.mjs';

/** Opens a page with a clock that only we move. `run(seconds)` moves it, `count()` is how many calls went out so far. */
async function clocked(pages, name) {
	let asked = 0, under = 0;
	const page = await pages.at(name, {
		before: async page => {
			await page.clock.install();
			await page.addInitScript(() => {
				window.standHidden = false;
				Object.defineProperty(document, 'hidden', { get: () => window.standHidden });
				Object.defineProperty(document, 'visibilityState', { get: () => window.standHidden ? 'hidden' : 'visible' });
			});
			const over = request => { if (request.url().includes('/ubus/')) under--; };
			page.on('request', request => { if (request.url().includes('/ubus/')) { asked++; under++; } });
			page.on('requestfinished', over).on('requestfailed', over);
		},
	});
	// From here on time stands still unless we move it.
	await page.clock.pauseAt(await page.evaluate(() => Date.now() + 1000));
	const still = () => until('no call is under way', () => under === 0);
	return {
		page,
		count: () => asked,
		hide: hidden => page.evaluate(hidden => {
			window.standHidden = hidden;
			document.dispatchEvent(new Event('visibilitychange'));
		}, hidden),
		async run(seconds) {
			// In small steps: an answer comes when a step is over, and must not seem to have taken a second.
			for (let step = 0; step < seconds * 5; step++) {
				await page.clock.runFor(200);
				// An answer and what follows from it are not of the page's clock.
				await page.evaluate(() => Promise.resolve());
				await still();
			}
		},
	};
}

group('polling', served, check => {
	for (const name of ['overview', 'sessions', 'log']) {
		check(`${name}: a call every three seconds, none in a hidden tab, one at once when it is seen again`, async ({ pages, note }) => {
			const { count, hide, run } = await clocked(pages, name);
			await run(4);
			const start = count();
			await run(30);
			const seen = count() - start;
			note(`${seen} calls in 30 s`);
			assert.ok(seen >= 8 && seen <= 11, `${seen} calls in 30 s`);
			await hide(true);
			await run(2);
			const hidden = count();
			await run(40);
			assert.equal(count(), hidden, 'calls of a hidden tab');
			await hide(false);
			await run(1);
			await until('it asks when it is seen again', () => count() > hidden);
		});
	}

	check('overview: while calls fail they become fewer, and come back', async ({ pages, note }) => {
		const { page, count, run } = await clocked(pages, 'overview');
		pages.mayBeSaid(/ERR_FAILED|Failed to load resource/);
		await run(4);
		await page.route('**/ubus/', route => route.abort());
		const start = count();
		await run(180);
		const failing = count() - start;
		note(`${failing} calls in 3 min of failures`);
		assert.ok(failing >= 3 && failing <= 12, `${failing} calls`);
		assert.match(await page.locator('#maincontent').innerText(), /no answer|not answer|connection|try(ing)? again/i);
		await page.unroute('**/ubus/');
		await run(61);
		const back = count();
		await run(30);
		assert.ok(count() - back >= 8, 'it is as before');
	});
});
