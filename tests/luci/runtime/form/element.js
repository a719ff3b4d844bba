/** What maps, sections and options have in common: a title, a description, children. */
import { Class } from '../class.js';
import { dom, E } from '../dom.js';

export const AbstractElement = Class.extend({
	__name__: 'form.AbstractElement',

	__init__(title, description) {
		this.title = title || '';
		this.description = description || '';
		this.children = [];
	},

	append(obj) {
		this.children.push(obj);
	},

	parse(...args) {
		return Promise.all(this.children.map((child) => child.parse(...args)));
	},

	render() {
		throw new Error('stand-in: a form element without render()');
	},

	/** The nodes of the children; of those of one tab where it is given. */
	async renderChildren(tab_name, ...args) {
		const shown = this.children.filter((child) => tab_name === null || child.tab === tab_name);
		const nodes = await Promise.all(shown.map((child, i) => (args.length ? child.render(i, ...args) : child.render())));
		return nodes.filter(Boolean);
	},

	stripTags(s) {
		return typeof s === 'string' && /[<>]/.test(s) ? E('div', {}, s).textContent : dom.elem(s) ? s.textContent : String(s == null ? '' : s);
	},

	titleFn(attr, ...args) {
		const given = this[attr];
		const value = typeof given === 'function' ? given.apply(this, args) : given;
		return value == null || value === '' ? null : this.stripTags(value);
	}
});
