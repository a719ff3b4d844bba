/** A form over one configuration: loads it, draws its sections, stages what was changed. */
import { dom, E } from '../dom.js';
import { AbstractElement } from './element.js';
import { isContained, isEqual } from './equal.js';

/** @param {object} runtime {uci, rpc, ui: function, AbstractSection} */
export function makeMap({ uci, rpc, ui, AbstractSection }) {
	const mayWrite = rpc.declare({ object: 'session', method: 'access', params: ['scope', 'object', 'function'], expect: { access: false } });

	return AbstractElement.extend({
		__name__: 'form.Map',

		__init__(config, title, description) {
			this.super('__init__', [title, description]);
			this.config = config;
			this.parsechain = [config];
			this.data = uci();
		},

		chain(config) {
			if (!this.parsechain.includes(config))
				this.parsechain.push(config);
		},

		section(cbiClass, ...args) {
			if (!AbstractSection.isSubclass(cbiClass))
				throw new TypeError('Class must be a descendent of CBIAbstractSection');
			const made = cbiClass.instantiate([this].concat(args));
			this.append(made);
			return made;
		},

		async load() {
			if (this.readonly == null && this._asksRights !== false && await mayWrite('uci', this.config, 'write') === false)
				this.readonly = true;
			await this.data.load(this.parsechain);
			await Promise.all(this.children.map((section) => section.load()));
		},

		parse() {
			return Promise.all(this.children.map((section) => section.parse()));
		},

		/** Checks and takes over all fields, calls `cb`, stages, draws anew. Faults are told in a dialog unless `silent`. */
		async save(cb, silent) {
			this.checkDepends();
			try {
				await this.parse();
				if (typeof cb === 'function')
					await cb();
				await this.data.save();
				await this.load();
			}
			catch (e) {
				if (!silent && e) {
					e.reported = true;
					ui().showModal(_('Save error'), [
						E('p', {}, [_('An error occurred while saving the form:')]),
						E('p', {}, [E('em', { 'style': 'white-space:pre-wrap' }, [e.message])]),
						E('div', { 'class': 'right' }, [E('button', { 'type': 'button', 'class': 'cbi-button', 'click': ui().hideModal }, [_('Dismiss')])])
					]);
				}
				throw e;
			}
			return this.renderContents();
		},

		reset() {
			return this.renderContents();
		},

		render() {
			return this.load().then(() => this.renderContents());
		},

		async renderContents() {
			if (!this.root) {
				this.root = E('div', { 'id': `cbi-${this.config}`, 'class': 'cbi-map' });
				this.root.addEventListener('widget-change', (ev) => this.checkDepends(ev));
			}
			dom.bindClassInstance(this.root, this);
			const nodes = await this.renderChildren(null);
			dom.content(this.root, null);
			if (this.title)
				this.root.appendChild(E('h2', { 'name': 'content' }, this.title));
			if (this.description)
				this.root.appendChild(E('div', { 'class': 'cbi-map-descr' }, this.description));
			dom.append(this.root, this.tabbed ? E('div', { 'class': 'cbi-map-tabbed' }, nodes) : nodes);
			this.checkDepends();
			for (const group of this.root.querySelectorAll('.cbi-map-tabbed, .cbi-section-node-tabbed'))
				ui().tabs.initTabGroup(group.childNodes);
			return this.root;
		},

		/** [option, section id] of what `name` means beside `section_id`, or null; `name` may be `config.section.option`. */
		lookupOption(name, section_id, config_name) {
			const parts = String(name).split('.');
			const option = parts.pop();
			const sid = parts.pop() || section_id;
			const config = parts.pop() || config_name || this.config;
			const sections = this.children.flatMap((section) => [section].concat(section.children.map((child) => child.subsection).filter(Boolean)));
			for (const section of sections) {
				const found = section.children.find((child) => child.option === option);
				if (found && (section.uciconfig || this.config) === config && section.cfgsections().includes(sid))
					return [found, sid];
			}
			return null;
		},

		checkDepends(ev, n) {
			let changed = false;
			for (const section of this.children)
				changed = section.checkDepends(ev, n) || changed;
			if (changed && (n || 0) < 10)
				this.checkDepends(ev, (n || 10) + 1);
			if (this.root)
				this.root.dispatchEvent(new CustomEvent('dependency-update', { bubbles: true }));
		},

		isDependencySatisfied(depends, config_name, section_id) {
			if (!Array.isArray(depends) || !depends.length)
				return true;
			let other = false;
			for (const one of depends) {
				if ('!default' in one) {
					other = true;
					continue;
				}
				const fits = Object.keys(one).filter((key) => !key.startsWith('!')).every((key) => {
					const found = this.lookupOption(key, section_id, config_name);
					const value = found && found[0].isActive(found[1]) ? found[0].formvalue(found[1]) : null;
					return one['!contains'] ? isContained(value, one[key]) : isEqual(value, one[key]);
				});
				if (fits !== !!one['!reverse'])
					return true;
			}
			return other;
		}
	});
}
