// Updates: what runs, what there is, and what a check says.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { group } from '../harness/runner.mjs';
import { empty, managed } from '../harness/worlds.mjs';

/** A public key as minisign prints it. */
function key() {
	const raw = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
	return Buffer.concat([Buffer.from('Ed'), Buffer.alloc(8, 7), raw]).toString('base64');
}

const served = () => managed({ settings: of => { of.update = { url: 'https://127.77.0.9:8443/releases', key: [key()] }; } });

group('update', served, check => {
	check('tells what is installed, from where updates come, and that none come by themselves', async ({ pages, world }) => {
		const page = await pages.at('update');
		const text = async () => page.locator('#view').innerText();
		const { version } = await world.node.status();
		await page.locator('#view').getByText(version).first().waitFor();
		for (const word of ['127.77.0.9:8443', 'stable', 'off']) assert.ok((await text()).includes(word), word);
	});

	check('a check is begun, and what comes of it is told', async ({ pages }) => {
		const page = await pages.at('update');
		await page.getByRole('button', { name: 'Check now' }).click();
		await page.locator('#view').getByText(/check update\.url and the line/).first().waitFor();
		await page.getByRole('button', { name: 'Check now', disabled: false }).waitFor();
	});
});

group('update without a server', empty, check => {
	check('says that none is set, and offers nothing that would not work', async ({ pages }) => {
		const page = await pages.at('update');
		await page.locator('#view').getByText('No update server is set').waitFor();
		assert.equal(await page.getByRole('button', { name: /check now|install/i }).filter({ visible: true }).count(), 0);
	});
});
