// Who the node is: seen, sealed, backed up, taken back, given a new key, and left for good.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { group } from '../harness/runner.mjs';
import { managed } from '../harness/worlds.mjs';
import { until } from '../harness/wait.mjs';

const PHRASE = 'correct horse battery staple';
const part = (page, name) => page.locator(`[data-em="${name}-section"]`);

/** Unfolds a part of the page. */
async function unfold(page, name) {
	await part(page, name).locator('summary').first().click();
	return part(page, name);
}

/** Types a passphrase into each field for one. */
async function type(part, phrase, again = phrase) {
	const fields = part.locator('input[type="password"]');
	await fields.nth(0).fill(phrase);
	if (await fields.count() > 1) await fields.nth(1).fill(again);
}

const identity = world => world.node.get('/identity');

group('identity', managed, check => {
	check('the NodeID is the daemon\'s, whole and in short', async ({ pages, world }) => {
		const { nodeId } = await identity(world);
		const page = await pages.at('identity');
		assert.equal((await page.locator('[data-em="node-id"]').textContent()).replace(/\s/g, ''), nodeId);
		await page.locator('#view').getByText(`${nodeId.slice(8, 14)}…`).first().waitFor();
	});

	check('two passphrases that differ, and one too short, are told at the field', async ({ pages, world }) => {
		const page = await pages.at('identity');
		const seal = await unfold(page, 'seal');
		await type(seal, PHRASE, 'correct horse battery stable');
		await seal.locator('[data-em="seal"]').click();
		await seal.getByRole('alert').filter({ hasText: /\w/ }).first().waitFor();
		await type(seal, 'short');
		await seal.locator('[data-em="seal"]').click();
		await seal.locator('[aria-invalid="true"]').first().waitFor();
		assert.equal((await identity(world)).sealed, false);
	});

	check('seal, and unseal', async ({ pages, world }) => {
		const page = await pages.at('identity');
		const seal = await unfold(page, 'seal');
		await type(seal, PHRASE);
		await seal.locator('[data-em="seal"]').click();
		await until('it is sealed', async () => (await identity(world)).sealed);
		await page.locator('#view').getByText('Sealed with a passphrase').waitFor();
		const unseal = await unfold(page, 'unseal');
		await type(unseal, 'this is not the one');
		await unseal.locator('[data-em="unseal"]').click();
		await unseal.getByText(/not the passphrase/).waitFor();
		await type(unseal, PHRASE);
		await unseal.locator('[data-em="unseal"]').click();
		await until('it is not', async () => !(await identity(world)).sealed);
	});

	check('a backup is downloaded, the key rotated, and the backup taken back', async ({ pages, world }) => {
		const { nodeId } = await identity(world);
		const page = await pages.at('identity');
		const make = await unfold(page, 'backup');
		await type(make, PHRASE);
		const waiting = page.waitForEvent('download');
		await make.locator('[data-em="backup"]').click();
		const file = join(world.folder, 'node.backup');
		await (await waiting).saveAs(file);
		assert.ok(readFileSync(file).subarray(0, 8).equals(Buffer.from('EMSEALED')));

		const rotate = await unfold(page, 'rotate');
		await rotate.locator('[data-em="rotate"]').click();
		await page.locator('.modal').getByRole('button', { name: 'Rotate the key' }).click();
		await until('it has another name', async () => (await identity(world)).nodeId !== nodeId);
		const rotated = (await identity(world)).nodeId;
		await until('the page shows it', async () => (await page.locator('[data-em="node-id"]').textContent()).replace(/\s/g, '') === rotated);

		const back = await unfold(page, 'restore');
		await back.locator('input[type="file"]').setInputFiles(file);
		await type(back, 'this is not the one');
		await back.locator('[data-em="restore"]').click();
		await page.locator('.modal').getByRole('button', { name: 'Replace it' }).click();
		await back.getByText(/not the passphrase/).waitFor();
		await type(back, PHRASE);
		await back.locator('[data-em="restore"]').click();
		await page.locator('.modal').getByRole('button', { name: 'Replace it' }).click();
		await until('it is the first one again', async () => (await identity(world)).nodeId === nodeId);
		await until('the page shows it', async () => (await page.locator('[data-em="node-id"]').textContent()).replace(/\s/g, '') === nodeId);
	});

	check('leaving wants its word typed, and leaves nothing', async ({ pages, world }) => {
		const page = await pages.at('identity');
		const leave = await unfold(page, 'leave');
		await leave.locator('[data-em="leave"]').click();
		const sure = page.locator('.modal').getByRole('button', { name: 'Delete all and leave' });
		assert.ok(await sure.isDisabled());
		await page.locator('.modal').getByLabel(/opt-out/).fill('opt out');
		assert.ok(await sure.isDisabled());
		await page.locator('.modal').getByLabel(/opt-out/).fill('opt-out');
		await sure.click();
		await page.locator('[data-em="left"]').waitFor();
		assert.ok(!existsSync(join(world.node.stateDir, 'identity')));
		assert.ok(!readFileSync(world.node.config, 'utf8').includes('ed25519:'));
	});
});
