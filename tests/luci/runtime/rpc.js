/** LuCI's `rpc`: ubus calls as functions. Calls of one tick go out as one batch. */
import { raise } from './errors.js';

const STATUS = [
	'Command OK', 'Invalid command', 'Invalid argument', 'Method not found', 'Resource not found', 'No data received', 'Permission denied', 'Request timeout',
	'Not supported', 'Unspecified error', 'Connection lost'
];

/**
 * @param {{request: object, env: object, _: function(string): string}} runtime
 */
export function makeRpc({ request, env, _ }) {
	const interceptors = [];
	let baseUrl = env.ubuspath;
	let sessionId = env.sessionid;
	let lastId = 0;
	let waiting = [];

	/** Sends `calls` in one POST, and hands each the message with its id. */
	async function send(calls) {
		const messages = calls.map((call) => call.message);
		let answers;
		try {
			const answer = await request.post(baseUrl, messages.length > 1 ? messages : messages[0], { timeout: env.rpctimeout * 1000 });
			if (!answer.ok)
				calls.forEach(({ message, failed }) => failed(raised('RPC call to %s/%s failed with HTTP error %d: %s', message.params[1], message.params[2], answer.status, answer.statusText || '?')));
			else
				answers = answer.json();
		}
		catch (e) {
			calls.forEach((call) => call.failed(e));
		}
		if (answers === undefined)
			return;
		const all = Array.isArray(answers) ? answers : [answers];
		calls.forEach((call) => call.done(all.find((one) => one && one.id === call.message.id) || all[0]));
	}

	function flush() {
		const calls = waiting;
		waiting = [];
		if (calls.length)
			send(calls);
	}

	function post(message, nobatch) {
		return new Promise((done, failed) => {
			const call = { message, done, failed };
			if (nobatch) {
				send([call]);
				return;
			}
			waiting.push(call);
			if (waiting.length === 1)
				window.setTimeout(flush, 0);
		});
	}

	function raised(...args) {
		try {
			raise('RPCError', ...args);
		}
		catch (e) {
			return e;
		}
	}

	function messageOf(params, method) {
		return { jsonrpc: '2.0', id: ++lastId, method: method || 'call', params: [sessionId, ...params] };
	}

	/** The value of an answer, as `req.expect` and `req.filter` want it. */
	function valueOf(req, message) {
		const [object, method] = [req.object, req.method];
		if (message === null || typeof message !== 'object' || message.jsonrpc !== '2.0')
			raise('RPCError', 'RPC call to %s/%s returned invalid message frame', object, method);
		if (message.error && message.error.code)
			raise('RPCError', 'RPC call to %s/%s failed with error %d: %s', object, method, message.error.code, message.error.message || '?');
		let value = null;
		if (Array.isArray(message.result)) {
			if (req.reject && message.result[0] !== 0)
				raise('RPCError', 'RPC call to %s/%s failed with ubus code %d: %s', object, method, message.result[0], rpc.getStatusText(message.result[0]));
			value = message.result.length > 1 ? message.result[1] : message.result[0];
		}
		const wanted = req.expect && Object.keys(req.expect)[0];
		if (wanted !== undefined && wanted !== null) {
			if (value !== null && value !== undefined && wanted !== '')
				value = value[wanted];
			const kind = (v) => Object.prototype.toString.call(v);
			if (value === null || value === undefined || kind(value) !== kind(req.expect[wanted]))
				value = req.expect[wanted];
		}
		return value;
	}

	const rpc = {
		/**
		 * @param {{object: string, method: string, params?: string[], expect?: object, filter?: function, reject?: boolean, nobatch?: boolean}} options
		 * @returns {function(...*): Promise<*>}
		 */
		declare(options) {
			const known = ['object', 'method', 'params', 'expect', 'filter', 'reject', 'nobatch'];
			for (const key of Object.keys(options))
				if (!known.includes(key))
					throw new TypeError(`stand-in: rpc.declare has no ${key}`);
			const names = Array.isArray(options.params) ? options.params : [];
			return async (...args) => {
				const params = {};
				names.forEach((name, i) => { params[name] = args[i]; });
				const message = messageOf([options.object, options.method, params]);
				const answer = await post(message, options.nobatch);
				for (const interceptor of interceptors)
					await interceptor(answer, { object: options.object, method: options.method, params });
				const value = valueOf(options, answer);
				return typeof options.filter === 'function' ? options.filter(value, params, ...args.slice(names.length)) : value;
			};
		},

		list(...args) {
			return post(messageOf(args, 'list')).then((message) => message.result);
		},

		getSessionID: () => sessionId,
		setSessionID(sid) { sessionId = sid; },
		getBaseURL: () => baseUrl,
		setBaseURL(url) { baseUrl = url; },

		getStatusText(code) {
			return _(STATUS[code] || 'Unknown error code');
		},

		addInterceptor(fn) {
			if (typeof fn === 'function')
				interceptors.push(fn);
			return fn;
		},

		removeInterceptor(fn) {
			const at = interceptors.indexOf(fn);
			if (at >= 0)
				interceptors.splice(at, 1);
			return at >= 0;
		}
	};
	return rpc;
}
