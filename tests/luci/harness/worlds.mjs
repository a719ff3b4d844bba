// The worlds that specs stand on, by name; `tests/luci/run --keep NAME` leaves one up to look at.
import { until } from './wait.mjs';
import { World } from './world.mjs';

/** A node at work: two sessions, bytes that keep moving through the first. `world.sessions` holds them, `world.quiet()` ends the flow. */
export async function served(plan) {
	const world = await World.start(plan);
	world.sessions = [await world.buyer.open(), await world.buyer.open({ category: 'ad_verification' })];
	world.quiet = world.buyer.flow(world.sessions[0]);
	await until('bytes move', async () => (await world.node.status()).sessions.some(s => s.bytesIngress > 100_000));
	return world;
}

/** A node at work without a session. */
export function empty(plan) {
	return World.start(plan);
}

/** The passphrase of the sealed worlds. */
export const PASSPHRASE = 'correct horse battery staple';

/** A node whose keys are sealed and not opened since its start. */
export async function locked() {
	const world = await World.start();
	await world.node.job('/identity/seal', { passphrase: PASSPHRASE });
	await world.node.stop();
	await world.node.start('locked');
	return world;
}

/** A node that took itself out of service: the coordinator sees it in another country. */
export async function quarantined() {
	const world = await served();
	const { nodeId } = await world.node.status();
	world.operator('geo', nodeId, 'JP', '0.99');
	await until('the node is in quarantine', async () => (await world.node.status()).quarantine);
	return world;
}

/** No daemon, its settings complete. */
export function down(plan) {
	return World.make(plan);
}

/** A node that the panel runs itself, as the router's service does: pages can stop and start it. */
export async function managed(plan = {}) {
	const world = await World.make({ ...plan, panel: ['--node', '--in-demo'] });
	await world.node.state('running');
	return world;
}

/** A router whose owner has not been asked anything yet. */
export function fresh() {
	return World.make({
		panel: ['--node', '--in-demo'],
		settings: of => {
			of.node = { enabled: '0', state_dir: of.node.state_dir, log_dest: 'stderr' };
			of.network = { port: of.network.port };
			of.coordinator = {};
			of.proxy = { enabled: '0' };
		},
	});
}
