/**
 * The class model of LuCI: `Base.extend({…})` makes a subclass, `__init__` is its constructor, `this.super('name', [args])` calls what it overrides.
 */

/** @type {WeakMap<object, Map<string, object[]>>} for each object and member: the prototypes that calls of super() have reached so far */
const reached = new WeakMap();

function holder(from, key) {
	let proto = from;
	while (proto && !Object.prototype.hasOwnProperty.call(proto, key))
		proto = Object.getPrototypeOf(proto);
	return proto;
}

function stackOf(object, key) {
	if (!reached.has(object))
		reached.set(object, new Map());
	const stacks = reached.get(object);
	if (!stacks.has(key))
		stacks.set(key, []);
	return stacks.get(key);
}

/** The root class. */
export function Class() {}

Object.assign(Class.prototype, {
	__init__() {},

	/** `args` from `offset` on, behind `extra`. */
	varargs(args, offset, ...extra) {
		return extra.concat(Array.prototype.slice.call(args, offset));
	},

	/** The overridden member `key`; with arguments (a list, or one array of them) the result of calling it. */
	super(key, ...args) {
		const stack = stackOf(this, key);
		const own = holder(stack.length ? stack[stack.length - 1] : this, key);
		const above = own && holder(Object.getPrototypeOf(own), key);
		if (!above)
			return null;
		if (!args.length || typeof above[key] !== 'function')
			return above[key];
		const list = args.length === 1 && (Array.isArray(args[0]) || Object.prototype.toString.call(args[0]) === '[object Arguments]') ? args[0] : args;
		stack.push(above);
		try {
			return above[key].apply(this, list);
		}
		finally {
			stack.pop();
		}
	},

	toString() {
		return `[object ${this.__name__ || 'anonymous'}]`;
	}
});

Object.assign(Class, {
	extend(properties) {
		const parent = this;
		const made = function(...args) {
			if (!(this instanceof made))
				throw new TypeError('Constructor must not be called without "new"');
			const other = this.__init__(...args);
			return other !== null && typeof other === 'object' ? other : this;
		};
		made.prototype = Object.create(parent.prototype);
		const name = properties && properties.__name__ || 'anonymous';
		Object.defineProperties(made.prototype, {
			constructor: { value: made, writable: true },
			__base__: { value: parent.prototype },
			__name__: { value: name }
		});
		for (const key of Object.keys(properties || {}))
			if (key !== '__name__')
				Object.defineProperty(made.prototype, key, { value: properties[key], writable: true, enumerable: true, configurable: true });
		for (const key of ['extend', 'singleton', 'instantiate', 'call', 'isSubclass'])
			made[key] = Class[key];
		return made;
	},

	singleton(properties, ...args) {
		return this.extend(properties).instantiate(args);
	},

	instantiate(args) {
		return new this(...(args || []));
	},

	call(self, method, ...args) {
		if (typeof this.prototype[method] !== 'function')
			throw new ReferenceError(`${method} is not defined in class`);
		return this.prototype[method].apply(self, args);
	},

	isSubclass(candidate) {
		return typeof candidate === 'function' && candidate.prototype instanceof this;
	}
});
