/**
 * Holds the stand-in to LuCI's names and arguments: what api.txt does not list throws, and so do more arguments than it lists.
 *
 * A line of api.txt is `NAME: item; item; …` or `NAME < PARENT: …`; an item is `method(a, b)`, `method(a, ...rest)`, `new(a)` for the constructor, or `.property`.
 */

const ITEM = /^(\.?)([A-Za-z_$][\w$]*)(?:\((.*)\))?$/;
/** What the engine itself asks any object for. */
const ENGINE = new Set(['then', 'toJSON', 'constructor', 'prototype', '__base__', '__name__', '__init__', 'super', 'varargs', 'toString', 'valueOf', 'hasOwnProperty', 'length', 'name']);

/** How many arguments a list of parameters takes: a number, or Infinity. */
function arity(parameters) {
	const list = parameters.trim() ? parameters.split(',').map((one) => one.trim()) : [];
	return list.some((one) => one.startsWith('...')) ? Infinity : list.length;
}

/**
 * @param {string} text api.txt
 * @returns {Map<string, {parent: string|null, methods: Map<string, number>, properties: Set<string>}>}
 */
export function parseApi(text) {
	const api = new Map();
	for (const line of text.split('\n')) {
		if (!line.trim() || line.startsWith('#'))
			continue;
		const head = /^([\w.]+)(?:\s*<\s*([\w.]+))?\s*:(.*)$/.exec(line);
		if (!head)
			throw new Error(`api.txt: cannot read "${line}"`);
		const entry = api.get(head[1]) || { parent: head[2] || null, methods: new Map(), properties: new Set() };
		for (const item of head[3].split(';').map((one) => one.trim()).filter(Boolean)) {
			const m = ITEM.exec(item);
			if (!m || (m[1] === '.') !== (m[3] === undefined))
				throw new Error(`api.txt: cannot read "${item}" of ${head[1]}`);
			if (m[1])
				entry.properties.add(m[2]);
			else
				entry.methods.set(m[2], arity(m[3]));
		}
		api.set(head[1], entry);
	}
	return api;
}

function entryOf(api, name) {
	const entry = api.get(name);
	if (!entry)
		throw new Error(`stand-in: api.txt does not list ${name}`);
	return entry;
}

/** What a method is handed when it serves as a listener or at the end of a chain of promises is no argument too many. */
function isHandedOver(arg) {
	return arg === undefined || typeof Event !== 'undefined' && arg instanceof Event;
}

/** `fn` that refuses more than `most` arguments. */
function counted(label, fn, most) {
	const wrapped = function(...args) {
		if (args.length > most && !args.slice(most).every(isHandedOver))
			throw new TypeError(`stand-in: ${label} takes ${most} arguments, not ${args.length}`);
		return fn.apply(this, args);
	};
	return Object.assign(wrapped, fn);
}

function unmade(label) {
	return () => { throw new Error(`stand-in: ${label} is not made`); };
}

/** What `target` offers, as a read-only object that refuses all that LuCI's `name` does not have. `label` is what messages call it. */
export function guardModule(api, name, target, label = name) {
	const entry = entryOf(api, name);
	for (const key of Object.keys(target))
		if (!key.startsWith('_') && !entry.methods.has(key) && !entry.properties.has(key))
			throw new Error(`stand-in: ${name}.${key} is made, but api.txt does not list it`);
	const offered = {};
	for (const [key, most] of entry.methods) {
		const fn = target[key];
		offered[key] = fn ? counted(`${label}.${key}`, (...args) => fn.apply(target, args), most) : unmade(`${label}.${key}`);
	}
	return new Proxy(offered, {
		get(all, key) {
			if (typeof key === 'symbol' || Object.prototype.hasOwnProperty.call(all, key))
				return all[key];
			if (entry.properties.has(key)) {
				if (key in target)
					return target[key];
				throw new Error(`stand-in: ${label}.${key} is not made`);
			}
			if (ENGINE.has(key))
				return undefined;
			throw new Error(`stand-in: LuCI has no ${label}.${key}`);
		},
		set(all, key) {
			throw new Error(`stand-in: ${label}.${String(key)} is not to be set`);
		}
	});
}

/** All that a class and its parents list: method name → most arguments. */
function inherited(api, name) {
	const entry = entryOf(api, name);
	const all = entry.parent ? inherited(api, entry.parent) : new Map();
	for (const [key, most] of entry.methods)
		all.set(key, most);
	return all;
}

/** Counts the arguments of a class's own methods, adds the listed ones that are not made, and refuses others that do not begin with `_`. */
export function guardClass(api, name, made, label = name) {
	const proto = made.prototype;
	const listed = inherited(api, name);
	for (const key of Object.keys(proto)) {
		const fn = proto[key];
		if (typeof fn !== 'function' || key.startsWith('_'))
			continue;
		if (!listed.has(key))
			throw new Error(`stand-in: ${name}.${key} is made, but api.txt does not list it`);
		proto[key] = counted(`${label}.${key}`, fn, listed.get(key));
	}
	const own = entryOf(api, name);
	for (const key of own.methods.keys())
		if (key !== 'new' && !(key in proto))
			Object.defineProperty(proto, key, { value: unmade(`${label}.${key}`), writable: true, configurable: true });
	if (listed.has('new') && Object.prototype.hasOwnProperty.call(proto, '__init__'))
		proto.__init__ = counted(`new ${label}`, proto.__init__, listed.get('new'));
	return made;
}
