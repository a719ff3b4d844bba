// Processes of the binary under test, each ended by its own pid, and by the kernel should the tests be killed.
import { spawn, spawnSync } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { SOON, until } from './wait.mjs';

/** The source tree. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** The program under test. */
export const BINARY = process.env.ECHOMESH_BINARY || join(ROOT, 'target/debug/echomesh');

const alive = new Set();
process.on('exit', () => alive.forEach(child => child.kill('SIGKILL')));

/** A running process. Standard error goes to FOLDER/NAME.log. */
export class Process {
	constructor(name, folder, args, env = {}) {
		this.name = name;
		this.logFile = join(folder, `${name}.log`);
		this.lines = [];
		const log = openSync(this.logFile, 'a');
		this.child = spawn(BINARY, ['demo', 'leashed', '--', ...args], { stdio: ['ignore', 'pipe', log], env: { ...process.env, ...env } });
		closeSync(log);
		alive.add(this.child);
		this.over = new Promise(resolve => this.child.once('close', (code, signal) => {
			alive.delete(this.child);
			this.exit = { code, signal };
			resolve(this.exit);
		}));
		let rest = '';
		this.child.stdout.setEncoding('utf8').on('data', text => {
			const lines = (rest + text).split('\n');
			rest = lines.pop();
			this.lines.push(...lines);
		});
	}

	get pid() {
		return this.child.pid;
	}

	/** Waits for a line on standard output; gives its match. */
	async line(pattern, within = SOON) {
		return until(`${this.name} says ${pattern}`, () => {
			const found = this.lines.map(line => line.match(pattern)).find(Boolean);
			if (!found && this.exit) throw new Error(`it ended: ${JSON.stringify(this.exit)}\n${this.log()}`);
			return found;
		}, { within });
	}

	/** The end of its log. */
	log() {
		return readFileSync(this.logFile, 'utf8').split('\n').slice(-40).join('\n');
	}

	/** Ends it, and waits for that. */
	async end(signal = 'SIGTERM') {
		if (!this.exit) this.child.kill(signal);
		await until(`${this.name} ends`, () => this.exit, { within: SOON });
		return this.exit;
	}
}

/** Runs the program to its end; standard output. Throws where it fails. */
export function said(args, input = '') {
	const { status, stdout, stderr } = spawnSync(BINARY, args, { input, encoding: 'utf8' });
	if (status !== 0) throw new Error(`echomesh ${args.join(' ')}: ${status} ${stderr}`);
	return stdout;
}
