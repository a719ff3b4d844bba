/** Loads modules as LuCI does: `'require a.b as c';` lines at the head of a file, the file as the body of a function that returns a class. */
import { Class } from './class.js';

const DIRECTIVE = /^require[ \t]+(\S+)(?:[ \t]+as[ \t]+([A-Za-z_]\w*))?$/;
const HEAD = /^(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|;|'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")/;

/** The modules that a source asks for: [{name, as}]. */
export function requirementsOf(source) {
	const found = [];
	for (let rest = source, m; (m = HEAD.exec(rest)); rest = rest.slice(m[0].length)) {
		const text = m[1] === undefined ? m[2] : m[1];
		const wanted = text !== undefined && DIRECTIVE.exec(text);
		if (wanted)
			found.push({ name: wanted[1], as: wanted[2] || wanted[1].replace(/[^A-Za-z0-9_]/g, '_') });
	}
	return found;
}

/**
 * @param {{builtins: Object<string, object>, L: object, env: {resource: string}}} runtime
 * @returns {function(string, string[]=): Promise<object>} L.require
 */
export function makeRequire({ builtins, L, env }) {
	const loading = new Map();

	async function load(name, from) {
		const url = `${env.resource}/${name.replace(/\./g, '/')}.js`;
		const answer = await fetch(url, { cache: 'no-store' });
		if (!answer.ok)
			throw Object.assign(new Error(`HTTP error ${answer.status} while loading class file "${url}"${from.length ? `, which ${from[from.length - 1]} requires` : ''}`), { name: 'NetworkError' });
		const source = await answer.text();
		const wanted = requirementsOf(source);
		const instances = await Promise.all(wanted.map((one) => require(one.name, from.concat([name]))));
		let factory;
		try {
			factory = new Function('window', 'document', 'L', ...wanted.map((one) => one.as), `${source}\n//# sourceURL=${location.origin}${url}\n`);
		}
		catch (e) {
			throw Object.assign(new SyntaxError(`${e.message} in ${url}`), { name: 'SyntaxError' });
		}
		const made = factory.call(factory, window, document, L, ...instances);
		if (!Class.isSubclass(made))
			throw new TypeError(`factory of ${name} yields no class: it must return baseclass.extend({…}) or the like`);
		return new made();
	}

	function require(name, from = []) {
		if (Object.prototype.hasOwnProperty.call(builtins, name))
			return Promise.resolve(builtins[name]);
		if (from.includes(name))
			return Promise.reject(Object.assign(new Error(`Circular dependency: ${from.concat([name]).join(' → ')}`), { name: 'DependencyError' }));
		if (!loading.has(name))
			loading.set(name, load(name, from));
		return loading.get(name);
	}

	return require;
}
