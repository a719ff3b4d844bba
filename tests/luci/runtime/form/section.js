/** What all sections have in common: which parts of the configuration they show, options, tabs. */
import { E } from '../dom.js';
import { AbstractElement } from './element.js';

/** @param {{AbstractValue: object}} runtime */
export function makeAbstractSection({ AbstractValue }) {
	return AbstractElement.extend({
		__name__: 'form.AbstractSection',

		__init__(map, sectionType, title, description) {
			this.super('__init__', [title, description]);
			Object.assign(this, { map, config: map.config, sectiontype: sectionType, optional: true, addremove: false, dynamic: false, tabs: null });
		},

		cfgsections() {
			throw new Error('stand-in: a section without cfgsections()');
		},

		filter() {
			return true;
		},

		load() {
			return Promise.all(this.cfgsections().flatMap((sid) => this.children.map((option) => Promise.resolve(option.load(sid)).then((value) => {
				option.cfgvalue(sid, value);
			}))));
		},

		parse() {
			return Promise.all(this.cfgsections().flatMap((sid) => this.children.map((option) => option.parse(sid))));
		},

		tab(name, title, description) {
			this.tabs = this.tabs || [];
			if (this.tabs[name])
				throw new ReferenceError('Tab already declared');
			const entry = { name, title, description, children: [] };
			this.tabs.push(entry);
			this.tabs[name] = entry;
			this.tab_names = this.tabs.map((one) => one.name);
		},

		option(cbiClass, ...args) {
			if (!AbstractValue.isSubclass(cbiClass))
				throw new TypeError('Class must be a descendent of CBIAbstractValue');
			const made = cbiClass.instantiate([this.map, this].concat(args));
			this.append(made);
			return made;
		},

		taboption(tabName, ...args) {
			if (!this.tabs || !this.tabs[tabName])
				throw new ReferenceError('Associated tab not declared');
			const made = this.option(...args);
			made.tab = tabName;
			this.tabs[tabName].children.push(made);
			return made;
		},

		getOption(option) {
			return this.children.find((child) => child.option === option) || null;
		},

		/** The value of one option, or an object of all, as `read` gives it. */
		_values(section_id, option, read) {
			const picked = this.children.filter((child) => option === undefined || child.option === option);
			const values = Object.fromEntries(picked.map((child) => [child.option, read(child)]));
			return option === undefined ? values : picked.length ? values[option] : null;
		},

		cfgvalue(section_id, option) {
			return this._values(section_id, option, (child) => child.cfgvalue(section_id));
		},

		formvalue(section_id, option) {
			return this._values(section_id, option, (child) => child.formvalue(section_id));
		},

		getUIElement(section_id, option) {
			return this._values(section_id, option, (child) => child.getUIElement(section_id));
		},

		async renderUCISection(section_id) {
			if (!this.tabs)
				return this.renderOptions(null, section_id);
			const nodes = await Promise.all(this.tabs.map((tab) => this.renderOptions(tab.name, section_id)));
			return this.renderTabContainers(section_id, nodes);
		},

		renderTabContainers(section_id, nodes) {
			return E(this.tabs.map((tab, i) => E('div', {
				'id': `container.${this.config}.${section_id}.${tab.name}`, 'data-tab': tab.name, 'data-tab-title': tab.title, 'data-tab-active': String(tab.name === this.selected_tab)
			}, [tab.description ? E('div', { 'class': 'cbi-tab-descr' }, tab.description) : '', nodes[i]])));
		},

		renderOptions(tab_name, section_id) {
			return this.renderChildren(tab_name, section_id, !!this._inTable).then((nodes) => E(nodes));
		},

		/** Shows and hides options; true where any changed. */
		checkDepends(ev, n) {
			let changed = false;
			for (const sid of this.cfgsections())
				for (const option of this.children) {
					const active = option.isActive(sid);
					const wanted = option.checkDepends(sid);
					if (active !== wanted)
						changed = option.setActive(sid, wanted) || changed;
					if (!n && wanted)
						option.triggerValidation(sid);
				}
			return changed;
		},

		/** The frame of a section: title, description. */
		_frame(extra) {
			const tab = this.map.tabbed && !this.parentoption;
			return E('div', Object.assign({ 'class': 'cbi-section', 'data-tab': tab ? this.sectiontype : null, 'data-tab-title': tab ? this.title || this.sectiontype : null }, extra), [
				this.title ? E('h3', {}, this.title) : '',
				this.description ? E('div', { 'class': 'cbi-section-descr' }, this.description) : ''
			]);
		}
	});
}
