// The log: a table to filter, to follow and to hold; the books for download, the report at one click.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { group } from '../harness/runner.mjs';
import { BINARY } from '../harness/process.mjs';
import { served } from '../harness/worlds.mjs';
import { until } from '../harness/wait.mjs';

const rows = page => page.locator('#view tbody tr.em-item');
const view = page => page.locator('#view');

group('log', served, check => {
	check('shows the daemon\'s lines, and new ones as they come', async ({ pages, world }) => {
		const page = await pages.at('log');
		await until('lines are there', async () => await rows(page).count() > 5);
		await world.node.tell('POST', '/control', { action: 'pause', seconds: 600 });
		const { lines } = await world.node.get('/logs');
		const last = lines[lines.length - 1].text;
		await until('the new line is there', async () => (await view(page).innerText()).includes(last));
		await world.node.asItWas();
	});

	check('filters by level, by part, by reason and by words', async ({ pages }) => {
		const page = await pages.at('log');
		await until('lines are there', async () => await rows(page).count() > 5);
		const texts = () => rows(page).allInnerTexts();
		const narrowed = async (label, value, fits) => {
			const choice = view(page).getByRole('combobox', { name: new RegExp(`^${label}`) });
			await until(`there is a choice ${value}`, async () => (await choice.locator('option').evaluateAll(all => all.map(option => option.value))).includes(value));
			await choice.selectOption(value);
			await until(`only what fits ${label} ${value} is left`, async () => (await texts()).length > 0 && (await texts()).every(text => fits.test(text)));
			await choice.selectOption({ index: 0 });
			await until('all are back', async () => !(await texts()).every(text => fits.test(text)));
		};
		await narrowed('Level', 'warn', /Warning|Error/);
		await narrowed('Part', 'coordinator', /Coordinator/);
		await narrowed('Reason', 'clock', /clock/);
		await page.getByRole('searchbox').fill('registered with the coordinator');
		await until('what was looked for is left', async () => (await texts()).length > 0 && (await texts()).every(text => text.includes('registered with')));
	});

	check('held, it does not move; followed again, it has what came', async ({ pages, world }) => {
		const page = await pages.at('log');
		await until('lines are there', async () => await rows(page).count() > 5);
		await view(page).getByRole('button', { name: 'Pause', exact: true }).click();
		await world.node.tell('POST', '/sessions/close', { sessionId: (await world.buyer.open()).sessionId });
		const { lines } = await world.node.get('/logs');
		const last = lines[lines.length - 1].text;
		await view(page).getByText(/\d+ new line/).waitFor();
		assert.ok(!(await rows(page).allInnerTexts()).some(text => text.includes(last)));
		await view(page).getByRole('button', { name: 'Follow', exact: true }).click();
		await until('it is there', async () => (await rows(page).allInnerTexts()).some(text => text.includes(last)));
	});

	check('the books that are downloaded verify', async ({ pages, world }) => {
		const page = await pages.at('log');
		const waiting = page.waitForEvent('download');
		await view(page).getByRole('button', { name: 'Download the books' }).click();
		const file = join(world.folder, 'books.jsonl');
		await (await waiting).saveAs(file);
		assert.match(readFileSync(file, 'utf8'), /^\{"export":/);
		execFileSync(BINARY, ['verify', '--node', (await world.node.status()).nodeId, file]);
	});

	check('the report is shown at one click, and names nobody', async ({ pages, world }) => {
		const page = await pages.at('log');
		await view(page).getByRole('button', { name: 'Make a report' }).click();
		const report = page.locator('.modal').getByLabel('Report');
		await report.waitFor();
		const text = await report.inputValue();
		assert.match(text, /running/);
		for (const secret of [world.sessions[0].sessionId, (await world.node.status()).nodeId, 'shop.example.test']) assert.ok(!text.includes(secret), secret);
	});
});
