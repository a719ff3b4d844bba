/** The plain option: a frame with label, field and description. */
import { dom, E } from '../dom.js';
import { isEqual } from './equal.js';

/** @param {{AbstractValue: object, ui: function(): object}} runtime */
export function makeValue({ AbstractValue, ui }) {
	return AbstractValue.extend({
		__name__: 'form.Value',

		value(key, val) {
			this.keylist = this.keylist || [];
			this.vallist = this.vallist || [];
			this.keylist.push(String(key));
			this.vallist.push(dom.elem(val) ? val : String(val != null ? val : key));
		},

		async render(option_index, section_id, in_table) {
			const widget = await this.renderWidget(section_id, option_index, this.cfgvalue(section_id));
			return this.renderFrame(section_id, in_table, option_index, widget);
		},

		handleValueChange(section_id, state, ev) {
			if (typeof this.onchange !== 'function')
				return;
			const value = this.formvalue(section_id);
			if (isEqual(value, state.previousValue))
				return;
			state.previousValue = value;
			this.onchange(ev, section_id, value);
		},

		renderFrame(section_id, in_table, option_index, nodes) {
			const id = `cbi-${this._config()}-${section_id}-${this.option}`;
			const marks = { 'data-index': option_index, 'data-field': this.cbid(section_id), 'data-name': this.option, 'data-widget': this.__name__ };
			const description = this.description ? E('div', { 'class': 'cbi-value-description' }, this.description) : '';
			const state = { previousValue: this.cfgvalue(section_id) };
			let inner, outer;
			if (in_table) {
				inner = E('div', Object.assign({ 'id': id }, marks), [nodes]);
				/* There is no label beside it; the column's title is its name. */
				const field = dom.elem(nodes) && nodes.querySelector('input, select, textarea, button');
				if (field)
					field.setAttribute('aria-label', this.stripTags(this.title).trim());
				outer = E('td', { 'class': 'td cbi-value-field', 'data-title': this.stripTags(this.title).trim() || null, 'data-description': this.stripTags(this.description).trim() || null }, [inner]);
			}
			else {
				inner = outer = E('div', Object.assign({ 'id': id, 'class': 'cbi-value' }, marks), [
					this.title ? E('label', { 'class': 'cbi-value-title', 'for': `widget.${this.cbid(section_id)}` }, this.titleref ? [E('a', { 'href': this.titleref }, this.title)] : this.title) : '',
					E('div', { 'class': 'cbi-value-field' }, [nodes, description])
				]);
			}
			if (this.deps.length)
				inner.classList.add('hidden');
			inner.addEventListener('widget-change', (ev) => this.handleValueChange(section_id, state, ev));
			dom.bindClassInstance(inner, this);
			return outer;
		},

		/** What every widget is made with. */
		_options(section_id) {
			return {
				id: this.cbid(section_id), optional: this.optional || this.rmempty, datatype: this.datatype, placeholder: this.placeholder,
				validate: this.getValidator(section_id), readonly: this.readonly, disabled: this.readonly != null ? this.readonly : this.map.readonly
			};
		},

		_shown(cfgvalue) {
			return cfgvalue != null ? cfgvalue : this.default;
		},

		renderWidget(section_id, option_index, cfgvalue) {
			const value = this._shown(cfgvalue);
			const text = Array.isArray(value) ? value.join(' ') : value;
			const choices = this.transformChoices();
			const options = Object.assign(this._options(section_id), { password: this.password, maxlength: this.maxlength });
			if (choices)
				return new (ui().Combobox)(text, choices, Object.assign(options, { sort: this.keylist, select_placeholder: this.placeholder || _('-- Please choose --') })).render();
			return new (ui().Textfield)(text, options).render();
		}
	});
}
