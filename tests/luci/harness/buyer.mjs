// A buyer: opens sessions at the coordinator, and fetches bytes by CONNECT through the node.
import { request } from 'node:https';
import { connect } from 'node:net';
import { connect as secure } from 'node:tls';
import { SOON, until } from './wait.mjs';

/** A session of the tests' world: its port is not 443. */
const WISH = {
	region: 'DE', category: 'qa_testing', maxMbps: 100, burstMB: 20, maxGB: 10, maxTunnels: 64, ttlSec: 3600,
	profile: { ports: [8443], categories: ['qa_testing', 'ad_verification'], allowDomains: [], blockDomains: ['blocked.test'], alpn: ['h2', 'http/1.1'], requireSni: true, ech: 'allow' },
};

export class Buyer {
	/** @param {{host: string, port: number, ca: Buffer, token: string, node: {host: string, port: number}}} where */
	constructor(where) {
		Object.assign(this, where);
	}

	/** One call of the buyers' API. */
	call(method, path, body) {
		const sent = body === undefined ? '' : JSON.stringify(body);
		const headers = { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(sent) };
		return new Promise((resolve, reject) => {
			const asked = request({ host: this.host, port: this.port, ca: this.ca, method, path, headers, agent: false, timeout: SOON }, answer => {
				let text = '';
				answer.setEncoding('utf8').on('data', piece => { text += piece; }).on('error', reject)
					.on('end', () => answer.statusCode < 300 ? resolve(JSON.parse(text)) : reject(new Error(`${path}: ${answer.statusCode} ${text}`)));
			});
			asked.on('error', reject).on('timeout', () => asked.destroy(new Error('no answer')));
			asked.end(sent);
		});
	}

	/** Opens a session and waits until the node took it: {sessionId, secret}. */
	async open(change = {}) {
		const session = await this.call('POST', '/buyers/sessions', { ...WISH, ...change });
		await until('a node takes the session', async () => (await this.seen(session)).state === 'active');
		return session;
	}

	/** What the coordinator says of it. */
	seen(session) {
		return this.call('GET', `/buyers/sessions/${session.sessionId}`);
	}

	close(session) {
		return this.call('POST', `/buyers/sessions/${session.sessionId}/close`);
	}

	/** Sends CONNECT; {status, reason, socket}, the socket open where the status is 200. */
	tunnel(session, host, port = 8443) {
		const credentials = Buffer.from(`${session.sessionId}:${session.secret}`).toString('base64');
		return new Promise((resolve, reject) => {
			const socket = connect(this.node.port, this.node.host);
			let head = '';
			socket.setTimeout(SOON, () => socket.destroy(new Error('no answer to CONNECT')));
			socket.on('error', reject);
			socket.once('connect', () => socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`));
			socket.on('data', function read(piece) {
				head += piece.toString('latin1');
				if (!head.includes('\r\n\r\n')) return;
				socket.off('data', read);
				const status = Number(head.split(' ')[1]);
				if (status !== 200) socket.destroy();
				resolve({ status, reason: /echomesh-reason: (\S+)/i.exec(head)?.[1], socket });
			});
			socket.on('close', () => reject(new Error('closed without an answer to CONNECT')));
		});
	}

	/** Fetches `bytes` from the origin `host`; how many came. */
	async fetch(session, bytes, host = 'shop.example.test') {
		const { status, reason, socket } = await this.tunnel(session, host);
		if (status !== 200) throw new Error(`${status} ${reason}`);
		return new Promise((resolve, reject) => {
			// Only the bytes matter here: the origin's certificate is the black-box tests' to check.
			const tls = secure({ socket, servername: host, rejectUnauthorized: false });
			let came = -1, head = '';
			tls.on('error', reject).once('secureConnect', () => tls.write(`GET /down/${bytes} HTTP/1.1\r\nHost: ${host}\r\n\r\n`));
			tls.on('data', piece => {
				if (came >= 0) came += piece.length;
				else if ((head += piece.toString('latin1')).includes('\r\n\r\n')) came = head.length - head.indexOf('\r\n\r\n') - 4;
			});
			tls.on('end', () => tls.end()).on('close', () => resolve(came));
		});
	}

	/** Keeps fetching, `everyMs` apart, until what it gives is called. */
	flow(session, bytes = 150_000, everyMs = 250) {
		let going = true;
		const over = (async () => {
			while (going) {
				await this.fetch(session, bytes).catch(() => {});
				await new Promise(resolve => setTimeout(resolve, everyMs));
			}
		})();
		return () => {
			going = false;
			return over;
		};
	}
}
