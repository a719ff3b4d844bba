// One node: its settings file, its process, and its control API, which is asked beside the pages.
import { request } from 'node:http';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Process, said } from './process.mjs';
import { SOON, until } from './wait.mjs';
import * as uci from './uci.mjs';

export class Node {
	/**
	 * @param {string} folder of the world
	 * @param {object} settings as uci.text takes them
	 */
	constructor(folder, settings) {
		this.folder = folder;
		this.config = join(folder, 'echomesh.config');
		this.runDir = join(folder, 'run');
		this.stateDir = join(folder, 'state');
		uci.write(this.config, settings);
	}

	/** Starts the process. For it 127.77.0.0/16 is public. */
	launch() {
		this.process = new Process('node', this.folder, ['demo', 'part', 'node', '--config', this.config, '--run-dir', this.runDir]);
	}

	/** Starts it and waits for a state. */
	async start(state = 'running') {
		this.launch();
		await this.state(state);
	}

	/** Waits for a state of the node. */
	async state(state, within = SOON) {
		return until(`the node is ${state}`, async () => (await this.status()).state === state, { within });
	}

	/** Ends it in good order. */
	async stop() {
		await this.process?.end();
		this.process = null;
	}

	get runs() {
		return existsSync(join(this.runDir, 'control.sock'));
	}

	/** One call of the control API: {code, body}. */
	call(method, path, body) {
		const sent = body === undefined ? '' : JSON.stringify(body);
		return new Promise((resolve, reject) => {
			const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(sent), Host: 'localhost' };
			const asked = request({ socketPath: join(this.runDir, 'control.sock'), agent: false, method, path, headers, timeout: SOON }, answer => {
				let text = '';
				answer.setEncoding('utf8').on('data', piece => { text += piece; }).on('error', reject).on('end', () => {
					let parsed = text;
					try { parsed = JSON.parse(text); } catch { /* metrics and exports are no JSON */ }
					resolve({ code: answer.statusCode, body: parsed });
				});
			});
			asked.on('error', reject).on('timeout', () => asked.destroy(new Error('no answer')));
			asked.end(sent);
		});
	}

	/** A GET that must be answered. */
	async get(path) {
		const { code, body } = await this.call('GET', path);
		if (code !== 200) throw new Error(`${path}: ${code} ${JSON.stringify(body)}`);
		return body;
	}

	/** A change that must be made. */
	async tell(method, path, body) {
		const answer = await this.call(method, path, body);
		if (answer.code >= 300) throw new Error(`${path}: ${answer.code} ${JSON.stringify(answer.body)}`);
		return answer.body;
	}

	status() {
		return this.get('/status');
	}

	/** Starts a job and waits for its end. */
	async job(path, body) {
		const { id } = await this.tell('POST', path, body);
		const job = await until(`the job of ${path} is over`, async () => {
			const job = await this.get(`/jobs/${id}`);
			return job.state !== 'running' && job;
		});
		if (job.state !== 'done') throw new Error(`${path}: ${JSON.stringify(job)}`);
		return job;
	}

	/** The node runs as at the start: neither paused nor stopped nor in quarantine. */
	async asItWas() {
		await this.tell('POST', '/control', { action: 'start' });
		await this.state('running');
	}

	/** A client command against this node; standard output. */
	said(...args) {
		return said([...args, '--run-dir', this.runDir]);
	}
}
