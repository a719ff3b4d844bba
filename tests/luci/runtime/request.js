/** LuCI's `request`: HTTP by promises, with answers that offer text(), json() and blob(). */

function queryOf(query) {
	const pairs = Object.keys(query || {}).filter((key) => query[key] != null)
		.map((key) => `${encodeURIComponent(key)}=${encodeURIComponent(typeof query[key] === 'object' ? JSON.stringify(query[key]) : query[key])}`);
	return pairs.length ? `?${pairs.join('&')}` : '';
}

/** What is sent for `content`, and its type. */
function bodyOf(content) {
	if (content == null || typeof content === 'string' || content instanceof FormData || content instanceof Blob)
		return { body: content, type: null };
	if (typeof content === 'object')
		return { body: JSON.stringify(content), type: 'application/json' };
	return { body: String(content), type: 'text/plain' };
}

async function answerOf(response, started) {
	const blob = await response.blob();
	const text = await blob.text();
	const answer = {
		ok: response.ok, status: response.status, statusText: response.statusText, url: response.url, duration: Date.now() - started,
		headers: { has: (name) => response.headers.has(name), get: (name) => response.headers.get(name) },
		text: () => text,
		json: () => JSON.parse(text),
		blob: () => blob,
		clone: () => Object.assign({}, answer)
	};
	return answer;
}

export function makeRequest() {
	const interceptors = [];
	const request = {
		expandURL(url) {
			return /^(?:[a-z+.-]+:)?\/\//i.test(url) ? url : `${location.protocol}//${location.host}${url.startsWith('/') ? '' : '/'}${url}`;
		},

		/** options: {method, query, header, content, timeout (ms), credentials, nobatch} */
		async request(target, options) {
			const given = Object.assign({ method: 'GET' }, options);
			const { body, type } = bodyOf(given.content);
			const cancel = new AbortController();
			const started = Date.now();
			const timer = given.timeout ? window.setTimeout(() => cancel.abort(), given.timeout) : null;
			const url = request.expandURL(target) + queryOf(given.query);
			const headers = Object.assign(type ? { 'Content-Type': type } : {}, given.header);
			let answer;
			try {
				answer = await answerOf(await fetch(url, { method: given.method.toUpperCase(), headers, body, signal: cancel.signal, cache: 'no-store' }), started);
			}
			catch (e) {
				throw new Error(cancel.signal.aborted ? 'XHR request timed out' : 'XHR request aborted by browser');
			}
			finally {
				window.clearTimeout(timer);
			}
			for (const interceptor of interceptors)
				await interceptor(answer);
			return answer;
		},

		get(url, options) {
			return request.request(url, Object.assign({ method: 'GET' }, options));
		},

		post(url, data, options) {
			return request.request(url, Object.assign({ method: 'POST', content: data }, options));
		},

		addInterceptor(fn) {
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
	return request;
}
