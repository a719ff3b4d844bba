// The little Internet of a group of checks: coordinator, DNS over HTTPS, an origin, one node, and the panel beside it; all on a /24 of
// 127.77.0.0/16, which counts as public for the node that is started here.
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Process, ROOT, said } from './process.mjs';
import { Buyer } from './buyer.mjs';
import { Node } from './node.mjs';

const PORT = 8443;
let next = process.pid % 256;

export class World {
	/**
	 * A world without its node started.
	 * @param {{settings?: (of: object) => void, coordinator?: string[], panel?: string[]}} plan changes of the node's settings, more
	 *        arguments of the coordinator and of the panel
	 */
	static async make(plan = {}) {
		const world = new World();
		world.plan = plan;
		[world.net, world.claim] = await claim();
		world.folder = mkdtempSync(join(tmpdir(), 'echomesh-luci-'));
		const ip = last => `127.77.${world.net}.${last}`;
		writeFileSync(join(world.folder, 'names'), zone(ip));
		world.origin = world.part('origin', ['--listen', `${ip(10)}:${PORT}`, '--name', 'shop.example.test', '--counts', `${ip(10)}:${PORT + 1}`]);
		world.doh = world.part('doh', ['--listen', `${ip(53)}:${PORT}`, '--names', join(world.folder, 'names')]);
		world.startCoordinator();
		await Promise.all([world.origin.line(/^ready/), world.doh.line(/^ready/), world.coordinator.line(/^ready/)]);
		world.key = (await world.coordinator.line(/ed25519:[\w-]{43}/))[0];
		const trusted = ['coordinator/coordinator.pem', 'doh/doh.pem'].map(name => readFileSync(join(world.folder, name)));
		const roots = join(world.folder, 'roots.pem');
		writeFileSync(roots, Buffer.concat(trusted));
		const token = said(['coordinator', 'buyer', 'add', 'shop', '--dir', join(world.folder, 'coordinator')]).match(/(?<![\w-])[\w-]{43}(?![\w-])/)[0];
		world.buyer = new Buyer({ host: ip(1), port: PORT, ca: trusted[0], token, node: { host: ip(101), port: PORT } });
		const settings = {
			node: { enabled: '1', region_allow: ['DE'], state_dir: join(world.folder, 'state'), log_dest: 'stderr', log_level: 'debug' },
			network: { max_mbps: '20', burst_mb: '8', max_gb_per_day: '20', max_gb_per_month: '400', port: ['443', `${PORT}`] },
			security: { sandbox_mode: 'standard', doh_url: [`https://${ip(53)}:${PORT}/dns-query`] },
			coordinator: { url: `https://${ip(1)}:${PORT}`, key: [world.key], ca_file: roots },
			proxy: { enabled: '1', listen: [`${ip(101)}:${PORT}`] },
		};
		plan.settings?.(settings);
		world.node = new Node(world.folder, settings);
		await world.startPanel();
		return world;
	}

	/** A world whose node works, without a session. */
	static async start(plan) {
		const world = await World.make(plan);
		await world.node.start();
		return world;
	}

	/** A part of the demonstration's stage. */
	part(name, args) {
		return new Process(name, this.folder, ['demo', 'part', name, ...args, '--dir', join(this.folder, name)]);
	}

	startCoordinator() {
		const ip = `127.77.${this.net}.1`;
		const args = ['coordinator', 'run', '--dir', join(this.folder, 'coordinator'), '--listen', `${ip}:${PORT}`, '--name', ip, '--heartbeat', '1'];
		this.coordinator = new Process('coordinator', this.folder, [...args, ...(this.plan.coordinator ?? [])]);
	}

	/** The panel, serving the views of the source tree. */
	async startPanel() {
		const { config, runDir } = this.node;
		mkdirSync(runDir, { recursive: true, mode: 0o750 });
		const args = ['--run-dir', runDir, 'panel', '--config', config, '--files', ROOT, ...(this.plan.panel ?? [])];
		this.panel = new Process('panel', this.folder, args);
		this.url = (await this.panel.line(/^panel at (http:\/\/127\.0\.0\.1:\d+)\/?$/))[1];
	}

	/** An operator's command of the coordinator, as JSON. */
	operator(...args) {
		return JSON.parse(said(['coordinator', ...args, '--dir', join(this.folder, 'coordinator'), '--json']));
	}

	/** Ends everything. The folder stays where something failed. */
	async end(keep = false) {
		await this.quiet?.();
		await Promise.all([this.panel, this.node?.process, this.coordinator, this.origin, this.doh].map(process => process?.end('SIGKILL')));
		this.claim.close();
		if (!keep) rmSync(this.folder, { recursive: true, force: true });
	}
}

function zone(ip) {
	return ['shop.example.test', 'www.blocked.test', 'news.example.test'].map(name => `${name} ${ip(10)}\n`).join('') + 'home.example.test 192.168.1.20\n';
}

/** A /24 that nobody else on this machine uses, held by a socket. */
async function claim() {
	for (let tries = 0; tries < 256; tries++) {
		const net = next++ % 256;
		const server = createServer();
		const got = await new Promise(resolve => server.once('error', () => resolve(false)).listen(PORT, `127.77.${net}.251`, () => resolve(true)));
		if (got) {
			server.unref();
			return [net, server];
		}
	}
	throw new Error('no free network in 127.77.0.0/16');
}
