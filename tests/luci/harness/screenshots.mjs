// Pictures of the pages for README and docs: docs/screenshots/NAME.png.
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Pages, launch } from './browser.mjs';
import { ROOT } from './process.mjs';
import { until } from './wait.mjs';
import { fresh, served } from './worlds.mjs';

const FOLDER = join(ROOT, 'docs/screenshots');
/** Bytes of one picture. */
const MOST = 150_000;
/** Seconds of traffic before pictures are taken: the graph shows five minutes. */
const TRAFFIC = 150;

/** Traffic of people: it comes and goes. */
function busy(world) {
	let going = true;
	const over = (async () => {
		for (let n = 0; going; n++) {
			const most = 200_000 + 500_000 * (1 + Math.sin(n / 9)) + 300_000 * Math.random();
			await world.buyer.fetch(world.sessions[n % 2], Math.round(most)).catch(() => {});
			await new Promise(resolve => setTimeout(resolve, 150 + 400 * Math.random()));
		}
	})();
	return () => {
		going = false;
		return over;
	};
}

const SHOTS = [
	['overview-light', 'overview', {}],
	['overview-dark', 'overview', { theme: 'dark' }],
	['overview-phone', 'overview', { width: 360, height: 740, touch: true }],
	['sessions', 'sessions', {}],
	['policy', 'policy', { height: 1300 }],
	['settings', 'settings', {}],
	['identity', 'identity', {}],
	['log', 'log', {}],
	['status-tile', '/cgi-bin/luci/admin/status/overview', { height: 420 }],
];

async function shot(pages, name, path, how, before) {
	const page = await pages.at(path, { width: 1100, height: 860, ...how });
	await before?.(page);
	await page.waitForLoadState('networkidle');
	await page.evaluate(() => document.fonts.ready);
	const file = join(FOLDER, `${name}.png`);
	await page.screenshot({ path: file });
	const { size } = statSync(file);
	console.log(`${file}: ${size} bytes`);
	await page.context().close();
	return size <= MOST;
}

/** Takes them all, or those whose names hold one of `words`; gives the exit code. */
export async function take(words) {
	const wanted = name => !words.length || words.some(word => name.includes(word));
	mkdirSync(FOLDER, { recursive: true });
	const browser = await launch();
	let good = true;
	const chosen = SHOTS.filter(([name]) => wanted(name));
	if (chosen.length) {
		const world = await served({ settings: of => { of.network.max_mbps = '25'; of.network.block_domain = ['blocked.test']; of.node.log_level = 'info'; } });
		await world.quiet();
		world.quiet = busy(world);
		const start = Date.now();
		await until('there is something to see', () => Date.now() - start > TRAFFIC * 1000, { within: TRAFFIC * 2000, every: 500 });
		await world.node.tell('PUT', '/config', { node: { schedules: [{ days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri'], start: '08:00', end: '16:00' }, { days: [], start: '22:00', end: '07:00', maxMbps: 10 }] } })
			.catch(() => {});
		for (const [name, path, how] of chosen) good = await shot(new Pages(browser, world), name, path, how) && good;
		await world.end();
	}
	if (wanted('wizard')) {
		const world = await fresh();
		good = await shot(new Pages(browser, world), 'wizard', 'wizard', { height: 980 }, async page => {
			await page.locator('[data-em="next"]').click();
			await page.getByRole('radio', { name: 'Yes, relay' }).check();
			await page.locator('[data-em="next"]').click();
			await page.getByLabel('Where is this router?').fill('DE');
			await page.getByLabel('How fast is your line?').fill('100');
			await page.getByRole('radio', { name: 'Balanced' }).check();
		}) && good;
		await world.end();
	}
	await browser.close();
	return good ? 0 : 1;
}
