/** One or several out of given choices: a select, radio buttons, or boxes. */
import { dom, E } from '../dom.js';
import { keysOf, listOf } from './choices.js';

export function makeSelect(AbstractElement) {
	return AbstractElement.extend({
		__name__: 'ui.Select',

		/** options: {id, name, size, multiple, widget: 'select'|'radio'|'checkbox', orientation: 'horizontal'|'vertical', sort, optional, placeholder, disabled} */
		__init__(value, choices, options) {
			this.choices = Object.assign({}, choices);
			this.options = Object.assign({ multiple: false, widget: 'select', orientation: 'horizontal' }, options);
			const { multiple, optional } = this.options;
			if (multiple && this.options.widget === 'radio')
				this.options.widget = 'checkbox';
			this.values = listOf(value);
			if (optional && !multiple && this.options.widget === 'select')
				this._empty = this.options.placeholder || _('-- Please choose --');
		},

		render() {
			return this.bind(E('div', { 'id': this.options.id }, this.options.widget === 'select' ? [this._renderSelect()] : this._renderButtons()));
		},

		_renderSelect() {
			const { id, name, size, multiple, disabled, sort } = this.options;
			const entry = (key, label) => E('option', { 'value': key, 'selected': this.values.includes(key) ? '' : null }, [label]);
			const entries = keysOf(this.choices, sort).map((key) => entry(key, this.choices[key]));
			return E('select', {
				'id': id ? `widget.${id}` : null, 'name': name, 'size': size, 'class': 'cbi-input-select', 'multiple': multiple ? '' : null, 'disabled': disabled ? '' : null
			}, this._empty ? [entry('', this._empty)].concat(entries) : entries);
		},

		_renderButtons() {
			const { id, name, multiple, disabled, sort, orientation } = this.options;
			const keys = keysOf(this.choices, sort);
			return keys.flatMap((key, i) => [
				E('span', { 'class': 'cbi-radio' }, [
					E('input', {
						'id': id ? `widget.${id}.${i}` : null, 'name': name || id, 'type': multiple ? 'checkbox' : 'radio', 'value': key,
						'checked': this.values.includes(key) ? '' : null, 'disabled': disabled ? '' : null
					}),
					E('label', { 'for': id ? `widget.${id}.${i}` : null }, []),
					' ',
					E('label', { 'for': id ? `widget.${id}.${i}` : null, 'style': 'margin-right:1em' }, [this.choices[key]])
				]),
				orientation === 'vertical' ? E('br') : ' '
			]);
		},

		bind(frameEl) {
			this.node = frameEl;
			dom.bindClassInstance(frameEl, this);
			for (const field of frameEl.querySelectorAll('select, input')) {
				this.setUpdateEvents(field, 'change', 'click', 'blur');
				this.setChangeEvents(field, 'change');
			}
			return frameEl;
		},

		getValue() {
			const picked = this.options.widget === 'select'
				? Array.from(this.node.querySelector('select').selectedOptions).map((option) => option.value)
				: Array.from(this.node.querySelectorAll('input:checked')).map((box) => box.value);
			return this.options.multiple ? picked : picked.length ? picked[0] : null;
		},

		setValue(value) {
			const wanted = listOf(value);
			for (const option of this.node.querySelectorAll('option'))
				option.selected = wanted.length ? wanted.includes(option.value) : option.value === '';
			for (const box of this.node.querySelectorAll('input'))
				box.checked = wanted.includes(box.value);
		}
	});
}
