/** A list of own values: a row for each with a button that removes it, a field that adds one. */
import { dom, E } from '../dom.js';
import { keysOf, listOf } from './choices.js';

export function makeDynamicList(AbstractElement) {
	return AbstractElement.extend({
		__name__: 'ui.DynamicList',

		/** options: {id, name, datatype, optional, validate, placeholder, readonly, disabled, allowduplicates, sort} */
		__init__(values, choices, options) {
			this.values = listOf(values);
			this.choices = choices || null;
			this.options = Object.assign({ optional: true }, options);
		},

		render() {
			const { id, disabled, readonly, placeholder } = this.options;
			const off = disabled || readonly ? '' : null;
			const field = E('input', {
				'type': 'text', 'class': 'cbi-input-text', 'id': id ? `widget.${id}` : null, 'placeholder': placeholder, 'disabled': off,
				'list': this.choices && id ? `choices.${id}` : null, 'keydown': (ev) => this.handleKeydown(ev), 'blur': () => this._take()
			});
			const add = E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-add', 'aria-label': _('Add'), 'disabled': off, 'click': () => this._take() }, ['+']);
			const frame = E('div', { 'id': id, 'class': 'cbi-dynlist', 'disabled': off }, [
				E('div', { 'class': 'add-item control-group' }, this.choices && id ? [field, this._datalist(), add] : [field, add])
			]);
			this.node = frame;
			this._field = field;
			this.values.forEach((value) => this.addItem(frame, value, this._label(value)));
			return this.bind(frame);
		},

		bind(dl) {
			this.node = dl;
			dom.bindClassInstance(dl, this);
			/* An empty field is no fault of the list. */
			const { optional } = this.options;
			this.options.optional = true;
			this.setUpdateEvents(this._field, 'keyup', 'blur');
			this.options.optional = optional;
			this.setChangeEvents(dl, 'cbi-dynlist-change');
			return dl;
		},

		_label(value) {
			return this.choices && this.choices[value] || value;
		},

		_datalist() {
			return E('datalist', { 'id': `choices.${this.options.id}` }, keysOf(this.choices, this.options.sort).map((key) => E('option', { 'value': key })));
		},

		_take() {
			const value = this._field.value.trim();
			if (!value || this.vfunc && !this.vfunc())
				return;
			this._field.value = '';
			this.addItem(this.node, value, this._label(value), true);
			this.dispatchCbiDynlistChange(this.node, value);
		},

		addItem(dl, value, text) {
			if (!this.options.allowduplicates && listOf(this.getValue()).includes(String(value)))
				return;
			const { disabled, readonly } = this.options;
			const item = E('div', { 'class': 'item', 'data-value': value }, [
				E('span', {}, [text == null ? value : text]),
				E('input', { 'type': 'hidden', 'name': this.options.name, 'value': value }),
				disabled || readonly ? '' : E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-remove remove', 'aria-label': _('Delete'), 'click': () => this.removeItem(dl, item) }, ['×'])
			]);
			dl.insertBefore(item, dl.querySelector('.add-item'));
		},

		removeItem(dl, item) {
			const value = item.getAttribute('data-value');
			item.remove();
			this.dispatchCbiDynlistChange(dl, value);
		},

		dispatchCbiDynlistChange(dl, value) {
			dl.dispatchEvent(new CustomEvent('cbi-dynlist-change', { bubbles: true, detail: { instance: this, element: dl, value, add: true } }));
		},

		handleKeydown(ev) {
			if (ev.key === 'Enter') {
				ev.preventDefault();
				this._take();
			}
		},

		/** What stands in the field counts too, if it is good. */
		getValue() {
			const rows = Array.from(this.node.querySelectorAll('.item > input[type="hidden"]')).map((input) => input.value);
			const open = this._field.value.trim();
			return open && !rows.includes(open) && !this._field.classList.contains('cbi-input-invalid') ? rows.concat([open]) : rows;
		},

		setValue(values) {
			this.node.querySelectorAll('.item').forEach((item) => item.remove());
			listOf(values).forEach((value) => this.addItem(this.node, value, this._label(value)));
		}
	});
}
