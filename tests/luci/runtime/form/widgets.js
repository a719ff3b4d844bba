/** The kinds of options that differ from the plain one in their widget. */
import { dom, E } from '../dom.js';

const list = (value) => (Array.isArray(value) ? value : value == null || value === '' ? [] : String(value).split(/\s+/));

/** @param {{Value: object, ui: function(): object}} runtime */
export function makeWidgets({ Value, ui }) {
	const Flag = Value.extend({
		__name__: 'form.Flag',

		__init__(map, section, option, title, description) {
			this.super('__init__', [map, section, option, title, description]);
			this.enabled = '1';
			this.disabled = '0';
			this.default = this.disabled;
		},

		renderWidget(section_id, option_index, cfgvalue) {
			const options = Object.assign(this._options(section_id), { value_enabled: this.enabled, value_disabled: this.disabled, optional: true, datatype: null });
			return new (ui().Checkbox)(this._shown(cfgvalue), options).render();
		},

		formvalue(section_id) {
			const element = this.getUIElement(section_id);
			return (element ? element.isChecked() : String(this._shown(this.cfgvalue(section_id))) === this.enabled) ? this.enabled : this.disabled;
		},

		textvalue(section_id) {
			return String(this._shown(this.cfgvalue(section_id))) === this.enabled ? _('Yes') : _('No');
		},

		async parse(section_id) {
			if (!this.isActive(section_id))
				return this.retain ? null : this.remove(section_id);
			if (!this.isValid(section_id))
				throw new TypeError(`${_('Option "%s" contains an invalid input value.').format(this._name())} ${this.getValidationError(section_id)}`.trim());
			const now = this.formvalue(section_id);
			return now === this.default && (this.optional || this.rmempty) ? this.remove(section_id) : this.write(section_id, now);
		}
	});

	const ListValue = Value.extend({
		__name__: 'form.ListValue',

		__init__(map, section, option, title, description) {
			this.super('__init__', [map, section, option, title, description]);
			this.widget = 'select';
			this.orientation = 'horizontal';
		},

		renderWidget(section_id, option_index, cfgvalue) {
			const { size, widget, orientation, optional, keylist } = this;
			const options = Object.assign(this._options(section_id), { size, widget, orientation, optional, sort: keylist });
			return new (ui().Select)(this._shown(cfgvalue), this.transformChoices() || {}, options).render();
		}
	});

	const DynamicList = Value.extend({
		__name__: 'form.DynamicList',

		renderWidget(section_id, option_index, cfgvalue) {
			const options = Object.assign(this._options(section_id), { sort: this.keylist, allowduplicates: this.allowduplicates });
			return new (ui().DynamicList)(list(this._shown(cfgvalue)), this.transformChoices(), options).render();
		}
	});

	const MultiValue = Value.extend({
		__name__: 'form.MultiValue',

		renderWidget(section_id, option_index, cfgvalue) {
			const { keylist, create, display_size, dropdown_size, placeholder } = this;
			const options = Object.assign(this._options(section_id), {
				sort: keylist, multiple: true, create, display_items: display_size, dropdown_items: dropdown_size, select_placeholder: placeholder || _('-- Please choose --')
			});
			return new (ui().Dropdown)(list(this._shown(cfgvalue)), this.transformChoices() || {}, options).render();
		}
	});

	const TextValue = Value.extend({
		__name__: 'form.TextValue',

		renderWidget(section_id, option_index, cfgvalue) {
			const { monospace, cols, rows, wrap } = this;
			return new (ui().Textarea)(this._shown(cfgvalue), Object.assign(this._options(section_id), { monospace, cols, rows, wrap })).render();
		}
	});

	const DummyValue = Value.extend({
		__name__: 'form.DummyValue',

		renderWidget(section_id, option_index, cfgvalue) {
			const value = this._shown(cfgvalue);
			const place = E('div', { 'style': this.hidden ? 'display:none' : null });
			const inner = this.href ? place.appendChild(E('a', { 'href': this.href })) : place;
			dom.append(inner, this.rawhtml ? value : [value]);
			return E([place, new (ui().Hiddenfield)(dom.elem(value) ? '' : value, { id: this.cbid(section_id) }).render()]);
		},

		write() {},

		remove() {}
	});

	const HiddenValue = Value.extend({
		__name__: 'form.HiddenValue',

		renderWidget(section_id, option_index, cfgvalue) {
			return new (ui().Hiddenfield)(this._shown(cfgvalue), { id: this.cbid(section_id) }).render();
		}
	});

	const Button = Value.extend({
		__name__: 'form.Button',

		renderWidget(section_id, option_index, cfgvalue) {
			const value = this._shown(cfgvalue);
			const label = this.titleFn('inputtitle', section_id) || this.titleFn('title', section_id) || '';
			const press = ui().createHandlerFn(this, function(ev) {
				return typeof this.onclick === 'function' ? this.onclick(ev, section_id) : this.map.save();
			});
			const disabled = this.readonly != null ? this.readonly : this.map.readonly;
			return E([
				E('button', { 'type': 'button', 'class': `cbi-button cbi-button-${this.inputstyle || 'button'}`, 'disabled': disabled ? '' : null, 'click': press }, [label]),
				new (ui().Hiddenfield)(value, { id: this.cbid(section_id) }).render()
			]);
		}
	});

	return { Flag, ListValue, DynamicList, MultiValue, TextValue, DummyValue, HiddenValue, Button };
}
