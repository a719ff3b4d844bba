/** LuCI's `L`: paths, helpers, permissions, and how errors are shown. */
import { raise } from './errors.js';

const PATH_PART = /^(?:[a-zA-Z0-9_.%,;-]+\/)*[a-zA-Z0-9_.%,;-]+$/;

export function joinPath(prefix, parts) {
	const all = [prefix || ''];
	for (const part of parts)
		if (Array.isArray(part) ? part.length : PATH_PART.test(part))
			all.push('/', ...(Array.isArray(part) ? [part.join('/')] : [part]));
	return all.length > 1 || all[0] ? all.join('') : '/';
}

function keyFor(value, mode) {
	if (mode === 'addr')
		return String(value).split(/[.:]/).map((part) => part.padStart(5, '0')).join('');
	return mode === 'num' ? Number(value) : value;
}

/**
 * @param {{env: object, ui: function(): object, require: function(): function, E: function, _: function}} runtime `ui` and `require` give what is there only later
 */
export function makeL({ env, ui, require, E, _ }) {
	const L = {
		env,

		raise(type, text, ...args) {
			raise(type, text, ...args);
		},

		/** Tells an error on the page, and throws it. */
		error(type, text, ...args) {
			try {
				raise(type, text, ...args);
			}
			catch (e) {
				if (!e.reported) {
					e.reported = true;
					console.error(e.stack || String(e));
					ui().addNotification(e.name || _('Runtime error'), E('pre', {}, [e.message]), 'danger');
				}
				throw e;
			}
		},

		bind(fn, self, ...args) {
			return fn.bind(self, ...args);
		},

		/** Says that the login has ended, over everything, and what to do. */
		notifySessionExpiry() {
			ui().showModal(_('Session expired'), [
				E('div', { 'class': 'alert-message warning' }, [_('A new login is required since the authentication session expired.')]),
				E('div', { 'class': 'right' }, [E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-action important', 'click': () => window.location.reload() }, [_('Log in…')])])
			]);
			raise('SessionError', 'Login session is expired');
		},

		hasSystemFeature() {
			return false;
		},

		path: (prefix, parts) => joinPath(prefix, parts || []),
		url: (...parts) => joinPath(env.scriptname, parts),
		resource: (...parts) => joinPath(env.resource, parts),
		media: (...parts) => joinPath(env.media, parts),
		location: () => joinPath(env.scriptname, env.requestpath),

		isObject: (value) => value !== null && typeof value === 'object',
		isArguments: (value) => Object.prototype.toString.call(value) === '[object Arguments]',

		/** The keys of an object, in order of themselves, or of the member `key` of what they name; mode `num` or `addr`. */
		sortedKeys(object, key, mode) {
			if (object === null || typeof object !== 'object')
				return [];
			const by = (name) => keyFor(key == null ? name : object[name] && object[name][key], mode);
			return Object.keys(object).filter((name) => key == null || (object[name] !== null && typeof object[name] === 'object')).sort((a, b) => {
				const [x, y] = [by(a), by(b)];
				return x < y ? -1 : x > y ? 1 : 0;
			});
		},

		sortedArray: (list) => Array.from(list).sort(),

		toArray(value) {
			if (value == null)
				return [];
			if (Array.isArray(value))
				return value;
			if (typeof value === 'object')
				return L.isArguments(value) || value instanceof NodeList || value instanceof HTMLCollection ? Array.from(value) : [value];
			const text = String(value).trim();
			return text === '' ? [] : text.split(/\s+/);
		},

		resolveDefault: (value, other) => Promise.resolve(value).catch(() => other),

		/** true: may change; false: may only see; null: neither is known. */
		hasViewPermission() {
			return env.nodespec && env.nodespec.satisfied ? !env.nodespec.readonly : null;
		},

		require: (name, from) => require()(name, from)
	};
	return L;
}
