/**
 * LuCI's `dom`: elements made by E(), data kept beside nodes, class instances bound to them.
 *
 * As in LuCI a child given as a plain string is HTML, and one inside an array is text. What LuCI would show as `false` or `[object Object]` throws here.
 */

const registry = new Map();
let lastId = 0;

/** Attributes whose mere presence counts: `false` would turn them on. */
const PRESENCE = new Set(['disabled', 'checked', 'selected', 'readonly', 'required', 'multiple', 'hidden', 'open', 'autofocus']);

function isElem(e) {
	return typeof e === 'object' && e !== null && 'nodeType' in e;
}

function textOf(child) {
	if (typeof child === 'boolean' || typeof child === 'function' || typeof child === 'object')
		throw new TypeError(`stand-in: a child of an element is ${Array.isArray(child) ? 'an array within an array' : typeof child === 'object' ? 'an object' : String(child)}: LuCI would show it as text`);
	return document.createTextNode(String(child));
}

function idOf(node) {
	return node.getAttribute ? node.getAttribute('data-idref') : null;
}

export const dom = {
	elem(e) {
		return isElem(e);
	},

	/** The first element of a piece of HTML, or null. */
	parse(html) {
		const template = document.createElement('template');
		template.innerHTML = String(html).trim();
		return template.content.firstElementChild;
	},

	matches(node, selector) {
		return isElem(node) && node.matches ? node.matches(selector) : false;
	},

	parent(node, selector) {
		return isElem(node) && node.closest ? node.closest(selector) : null;
	},

	append(node, children) {
		if (!isElem(node))
			return null;
		if (Array.isArray(children)) {
			for (const child of children)
				if (isElem(child))
					node.appendChild(child);
				else if (child != null)
					node.appendChild(textOf(child));
			return node.lastChild;
		}
		if (typeof children === 'function')
			return dom.append(node, children(node));
		if (isElem(children))
			return node.appendChild(children);
		if (children != null) {
			node.innerHTML = String(children);
			return node.lastChild;
		}
		return null;
	},

	content(node, children) {
		if (!isElem(node))
			return null;
		node.querySelectorAll('[data-idref]').forEach((inner) => registry.delete(idOf(inner)));
		while (node.firstChild)
			node.removeChild(node.firstChild);
		return dom.append(node, children);
	},

	attr(node, key, value) {
		if (!isElem(node))
			return null;
		const all = typeof key === 'object' && key !== null ? key : { [key]: value };
		for (const name of Object.keys(all)) {
			const given = all[name];
			if (given == null)
				continue;
			if (given === false && PRESENCE.has(name))
				throw new TypeError(`stand-in: ${name}: false sets the attribute in LuCI; give null`);
			if (typeof given === 'function')
				node.addEventListener(name, given);
			else
				node.setAttribute(name, typeof given === 'object' ? JSON.stringify(given) : given);
		}
		return node;
	},

	/** E(tag | '<html>' | [fragment children], attributes?, children?) */
	create(html, attributes, children) {
		if (isElem(attributes))
			throw new TypeError('stand-in: E takes a node in place of the attributes for attributes; give {} before it');
		const noAttributes = !(attributes instanceof Object) || Array.isArray(attributes);
		const data = noAttributes ? attributes : children;
		let node;
		if (Array.isArray(html)) {
			node = document.createDocumentFragment();
			html.forEach((part) => dom.append(node, isElem(part) ? part : [part]));
		}
		else if (isElem(html))
			node = html;
		else if (html.charCodeAt(0) === 60)
			node = dom.parse(html);
		else
			node = document.createElement(html);
		if (!node)
			return null;
		if (!noAttributes)
			dom.attr(node, attributes);
		dom.append(node, data);
		return node;
	},

	/** Data beside a node: data(node, key) reads, data(node, key, value) writes, value null forgets; data(node, null) forgets all. */
	data(node, key, value) {
		if (!isElem(node) || !node.setAttribute)
			return null;
		let id = idOf(node);
		if (arguments.length > 1 && key === null) {
			if (id !== null)
				registry.delete(id);
			return null;
		}
		if (arguments.length > 2) {
			if (value === null || value === undefined) {
				if (id !== null && registry.has(id))
					delete registry.get(id)[key];
				return null;
			}
			if (id === null) {
				id = String(++lastId);
				node.setAttribute('data-idref', id);
			}
			if (!registry.has(id))
				registry.set(id, {});
			registry.get(id)[key] = value;
			return value;
		}
		const kept = id === null ? undefined : registry.get(id);
		return arguments.length > 1 ? (kept ? kept[key] : undefined) : kept || null;
	},

	bindClassInstance(node, instance) {
		if (!(instance instanceof Object))
			throw new TypeError('a class instance is needed');
		return dom.data(node, '_class', instance);
	},

	findClassInstance(node) {
		for (let at = node; isElem(at) && at.getAttribute; at = at.parentNode) {
			const instance = dom.data(at, '_class');
			if (instance)
				return instance;
		}
		return null;
	},

	callClassMethod(node, method, ...args) {
		const instance = dom.findClassInstance(node);
		return instance && typeof instance[method] === 'function' ? instance[method](...args) : null;
	},

	isEmpty(node, ignoreFn) {
		if (!isElem(node))
			return true;
		for (const child of node.children)
			if (!child.classList.contains('hidden') && !(ignoreFn && ignoreFn(child)))
				return false;
		return true;
	}
};

export function E(html, attributes, children) {
	if (arguments.length > 3)
		throw new TypeError('stand-in: E takes at most three arguments');
	return dom.create(html, attributes, children);
}
