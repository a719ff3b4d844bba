// The log: a table to filter, to follow and to hold; the books for download, the report at one click.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { group } from '../harness/runner.mjs';
import { BINARY } from '../harness/process.mjs';
import { served } from '../harness/worlds.mjs';
import { until } from '../harness/wait.mjs';

const rows = page => page.locator('#view table tbody tr, #view .tr:not(.table-titles)').filter({ visible: true });
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

	check('filters by level, by part and by words', async ({ pages, world }) => {
		const page = await pages.at('log');
		await until('lines are there', async () => await rows(page).count() > 5);
		const all = await rows(page).count();
		const level = view(page).getByLabel(/level/i).first();
		const choices = await level.locator('option').evaluateAll(all => all.map(option => option.value));
		await level.selectOption(choices.find(value => /warn/i.test(value)));
		await until('only warnings are left', async () => {
			const left = await rows(page).allInnerTexts();
			return left.length < all && left.every(text => !/\b(info|debug)\b/i.test(text));
		});
		await level.selectOption(choices[0]);
		const part = view(page).getByLabel(/role|part/i).first();
		await part.selectOption({ index: 1 });
		await until('fewer lines are left', async () => await rows(page).count() < all);
		await part.selectOption({ index: 0 });
		const word = (await world.node.get('/logs')).lines.map(line => line.text).find(text => /registered/.test(text));
		await view(page).getByRole('searchbox').or(view(page).getByLabel(/search|text|contain|find/i)).first().fill(word);
		await until('one is left', async () => {
			const left = await rows(page).allInnerTexts();
			return left.length >= 1 && left.every(text => text.includes(word));
		});
	});

	check('held, it does not move; followed again, it has what came', async ({ pages, world }) => {
		const page = await pages.at('log');
		await until('lines are there', async () => await rows(page).count() > 5);
		await view(page).getByRole('button', { name: /pause|hold/i }).click();
		await world.node.tell('POST', '/sessions/close', { sessionId: (await world.buyer.open()).sessionId });
		const { lines } = await world.node.get('/logs');
		const last = lines[lines.length - 1].text;
		await view(page).getByText(/\d+ new/i).waitFor();
		assert.ok(!(await rows(page).allInnerTexts()).some(text => text.includes(last)));
		await view(page).getByRole('button', { name: /follow|resume|continue/i }).click();
		await until('it is there', async () => (await rows(page).allInnerTexts()).some(text => text.includes(last)));
	});

	check('the books that are downloaded verify', async ({ pages, world }) => {
		const page = await pages.at('log');
		const waiting = page.waitForEvent('download');
		await view(page).getByRole('button', { name: /books|export/i }).click();
		const file = join(world.folder, 'books.jsonl');
		await (await waiting).saveAs(file);
		assert.match(readFileSync(file, 'utf8'), /^\{"export":/);
		execFileSync(BINARY, ['verify', file]);
	});

	check('the report is shown at one click, and names nobody', async ({ pages, world }) => {
		const page = await pages.at('log');
		await view(page).getByRole('button', { name: /report/i }).click();
		const text = await until('it is there', async () => {
			const modal = page.locator('.modal');
			const all = await modal.innerText() + (await modal.locator('textarea').evaluateAll(areas => areas.map(area => area.value))).join();
			return /running/.test(all) && all;
		});
		for (const secret of [world.sessions[0].sessionId, (await world.node.status()).nodeId, 'shop.example.test']) assert.ok(!text.includes(secret), secret);
	});
});
