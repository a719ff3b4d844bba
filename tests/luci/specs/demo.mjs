// The demonstration with the app: what a newcomer without a router looks at.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { group } from '../harness/runner.mjs';
import { Process } from '../harness/process.mjs';
import { until } from '../harness/wait.mjs';

/** What the demonstration takes until it serves the app, on a busy machine. */
const SERVED_WITHIN = 120_000;

async function demo() {
	const folder = mkdtempSync(join(tmpdir(), 'echomesh-luci-demo-'));
	const process = new Process('demo', folder, ['demo', '--keep', '--panel', '--seconds', '1'], { TMPDIR: folder });
	const [, url] = await process.line(/(http:\/\/127\.0\.0\.1:\d+)/, SERVED_WITHIN);
	return {
		folder, url,
		async end(keep) {
			await process.end('SIGINT');
			if (!keep) rmSync(folder, { recursive: true, force: true });
		},
	};
}

group('demonstration', demo, check => {
	check('its panel shows a node at work, with bytes that move', async ({ pages }) => {
		const page = await pages.at('/');
		await page.locator('#view [data-em="state"]').getByText('Running').waitFor();
		const today = page.locator('[data-em="tile-today"]');
		const before = await today.innerText();
		await until('bytes move', async () => await today.innerText() !== before, { within: 30_000 });
		assert.match(page.url(), /\/admin\/services\/echomesh\/overview/);
	});
});
