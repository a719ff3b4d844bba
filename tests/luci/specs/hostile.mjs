// Whatever the daemon tells may hold markup: it is shown as text, on every page.
import assert from 'node:assert/strict';
import { group } from '../harness/runner.mjs';
import { PAGES } from '../harness/sources.mjs';
import { served } from '../harness/worlds.mjs';
import { until } from '../harness/wait.mjs';

const MARKUP = '<img src=x onerror="window.ran=1"><script>window.ran=1</script><b class="from-outside">';

/** `value` with MARKUP at the end of each text in it, but for times, which are the daemon's own. */
function poisoned(value) {
	if (typeof value === 'string') return /^\d{4}-\d\d-\d\dT/.test(value) ? value : `${value}${MARKUP}`;
	if (Array.isArray(value)) return value.map(poisoned);
	if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, poisoned(inner)]));
	return value;
}

/** Lets the page's calls through, and adds markup to every text of the answers of `echomesh`. Gives how many there were. */
async function poison(page) {
	let texts = 0;
	await page.route('**/ubus/', async route => {
		const asked = [route.request().postDataJSON()].flat();
		const response = await route.fetch().catch(() => null);
		const answered = await response?.json().catch(() => null);
		// The page was closed meanwhile.
		if (!answered) return;
		for (const answer of [answered].flat()) {
			const own = asked.find(call => call.id === answer.id)?.params[1] === 'echomesh';
			if (!own || !answer.result?.[1]) continue;
			answer.result[1] = poisoned(answer.result[1]);
			texts += JSON.stringify(answer.result[1]).split('from-outside').length - 1;
		}
		await route.fulfill({ response, json: answered }).catch(() => {});
	});
	return () => texts;
}

group('markup from outside', served, check => {
	for (const name of [...PAGES, '/cgi-bin/luci/admin/status/overview']) {
		check(`${name}: stays text`, async ({ pages }) => {
			let count;
			const page = await pages.at(name, { before: async page => { count = await poison(page); } });
			await until('the daemon has told something', () => count() > 0);
			await page.waitForLoadState('networkidle');
			assert.equal(await page.locator('.from-outside, img[src="x"]').count(), 0, 'markup became elements');
			assert.equal(await page.evaluate(() => window.ran), undefined, 'a script from outside ran');
		});
	}
});
