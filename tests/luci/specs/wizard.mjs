// The first run: from a router nobody was asked about to a node at work.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { group } from '../harness/runner.mjs';
import { faults } from '../harness/browser.mjs';
import { fresh, managed } from '../harness/worlds.mjs';
import { until } from '../harness/wait.mjs';
import * as uci from '../harness/uci.mjs';

const view = page => page.locator('#view');
const heading = page => view(page).getByRole('heading', { name: /^Step \d of \d/ });
const next = page => page.locator('[data-em="next"]');

async function step(page, name) {
	await heading(page).filter({ hasText: name }).waitFor();
}

group('wizard', fresh, check => {
	check('tells what it found, and asks for a yes or no', async ({ pages, world }) => {
		const before = readFileSync(world.node.config, 'utf8');
		const page = await pages.at('wizard');
		const found = await page.locator('[data-em="survey"]').innerText();
		for (const word of [/uplink/i, /address/i, /time zone/i, /memory/i, /sandbox/i]) assert.match(found, word);
		await next(page).click();
		await step(page, 'Consent');
		assert.equal(await view(page).getByRole('radio', { checked: true }).count(), 0, 'nobody consents for the owner');
		await next(page).click();
		await view(page).getByRole('alert').getByText('Say yes or no.').waitFor();
		await view(page).getByRole('radio', { name: 'No', exact: true }).check();
		await next(page).click();
		await step(page, 'Summary');
		assert.equal(readFileSync(world.node.config, 'utf8'), before);
	});

	check('what is not right is told at its field, and the way goes on where it was after a reload', async ({ pages }) => {
		const page = await pages.at('wizard');
		await next(page).click();
		await view(page).getByRole('radio', { name: 'Yes, relay' }).check();
		await next(page).click();
		await step(page, 'Place and limits');
		const region = view(page).getByLabel('Where is this router?');
		await region.fill('Germany');
		await next(page).click();
		await until('the region is refused', async () => await region.getAttribute('aria-invalid') === 'true');
		assert.deepEqual(await faults(page), []);
		await region.fill('DE');
		await view(page).getByRole('radio', { name: 'Balanced' }).check();
		await next(page).click();
		await step(page, 'Coordinator');
		await page.reload();
		await step(page, 'Coordinator');
		await view(page).getByText('Your set-up goes on where it was').waitFor();
		await view(page).getByRole('button', { name: 'Back' }).click();
		assert.equal(await view(page).getByLabel('Where is this router?').inputValue(), 'DE');
		assert.ok(await view(page).getByRole('radio', { name: 'Balanced' }).isChecked());
	});

	check('the whole way: consent, limits, coordinator, backup, tests, and the node is at work', async ({ pages, world, note }) => {
		const start = performance.now();
		const before = readFileSync(world.node.config, 'utf8');
		const page = await pages.at('wizard');
		await next(page).click();
		await view(page).getByRole('radio', { name: 'Yes, relay' }).check();
		await next(page).click();
		await step(page, 'Place and limits');
		await view(page).getByLabel('Where is this router?').fill('DE');
		await view(page).getByLabel('How fast is your line?').fill('100');
		await view(page).getByRole('radio', { name: 'Gentle' }).check();
		await view(page).getByRole('radio', { name: 'At any time' }).check();
		await next(page).click();
		await step(page, 'Coordinator');
		await view(page).locator('textarea').fill(`Our coordinator is https://127.77.${world.net}.1:8443 and its key ${world.key}, welcome.`);
		await view(page).getByText('Address and key were found in it.').waitFor();
		await view(page).locator('summary', { hasText: 'certificate' }).click();
		await view(page).getByLabel('Certificate file').fill(join(world.folder, 'roots.pem'));
		await view(page).getByRole('radio', { name: /directly/i }).check();
		await view(page).getByLabel('Port', { exact: true }).fill(String(20000 + world.net));
		await next(page).click();
		await step(page, 'Identity and backup');
		const id = page.locator('[data-em="node-id"]');
		await until('the key is made', async () => /^ed25519:.{43}/.test((await id.textContent()).replace(/\s/g, '')));
		assert.equal(readFileSync(world.node.config, 'utf8'), before, 'nothing is written before the end');
		const phrases = view(page).locator('input[type="password"]');
		await phrases.nth(0).fill('correct horse battery staple');
		await phrases.nth(1).fill('correct horse battery staple');
		const waiting = page.waitForEvent('download');
		await page.locator('[data-em="backup"]').click();
		await (await waiting).saveAs(join(world.folder, 'first.backup'));
		await next(page).click();
		await step(page, 'Self-test');
		await view(page).getByText('All is well.').waitFor();
		await next(page).click();
		await step(page, 'Summary');
		assert.equal(readFileSync(world.node.config, 'utf8'), before, 'nothing is written before the end');
		await next(page).click();
		await page.waitForURL(/\/overview/);
		await world.node.state('running');
		const options = type => uci.read(world.node.config).find(section => section.type === type).options;
		assert.equal(options('proxy').enabled, '1');
		assert.equal((await world.node.get('/config')).network.maxMbps, 10, 'a tenth of the line');
		assert.deepEqual(options('node').region_allow, ['DE']);
		note(`${((performance.now() - start) / 1000).toFixed(1)} s`);
	});
});

group('wizard of a node at work', managed, check => {
	check('says that it is set up, and proposes what is so', async ({ pages }) => {
		const page = await pages.at('wizard');
		await view(page).getByText('This node is set up').waitFor();
		await next(page).click();
		assert.ok(await view(page).getByRole('radio', { name: 'Yes, relay' }).isChecked());
		await next(page).click();
		assert.equal(await view(page).getByLabel('Where is this router?').inputValue(), 'DE');
	});
});
