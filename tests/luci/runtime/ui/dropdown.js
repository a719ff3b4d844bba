/**
 * A list that opens: one or several of the choices, with `create` also own values. LuCI's looks and moves differently; values, events and options
 * are the same.
 */
import { dom, E } from '../dom.js';
import { keysOf, listOf } from './choices.js';

export function makeDropdown(AbstractElement) {
	return AbstractElement.extend({
		__name__: 'ui.Dropdown',

		/** options: {id, name, multiple, optional, create, sort, select_placeholder, custom_placeholder, display_items, dropdown_items, validate, datatype, readonly, disabled} */
		__init__(value, choices, options) {
			this.choices = Object.assign({}, choices);
			this.options = Object.assign({ multiple: Array.isArray(value), optional: true, select_placeholder: _('-- Please choose --'), custom_placeholder: _('-- custom --') }, options);
			this.values = listOf(value);
			this.values.filter((one) => !(one in this.choices)).forEach((one) => { this.choices[one] = one; });
		},

		render() {
			const { id, disabled, readonly, create } = this.options;
			const head = E('button', {
				'type': 'button', 'class': 'btn cbi-button', 'id': id ? `widget.${id}` : null, 'aria-haspopup': 'listbox', 'aria-expanded': 'false', 'disabled': disabled || readonly ? '' : null,
				'click': () => (this.node.hasAttribute('open') ? this.closeDropdown(this.node) : this.openDropdown(this.node))
			});
			const list = E('ul', { 'class': 'dropdown' });
			const frame = E('div', { 'class': 'cbi-dropdown', 'id': id, 'multiple': this.options.multiple ? '' : null, 'optional': this.options.optional ? '' : null, 'keydown': (ev) => this.handleKeydown(ev) }, [head, list]);
			this.node = frame;
			this.createItems(frame);
			if (create)
				list.appendChild(E('li', { 'data-unselectable': '' }, [E('input', {
					'type': 'text', 'class': 'create-item-input', 'placeholder': this.options.custom_placeholder, 'aria-label': this.options.custom_placeholder,
					'keydown': (ev) => this.handleCreateKeydown(ev), 'blur': (ev) => this._take(ev.target)
				})]));
			return this.bind(frame);
		},

		bind(sb) {
			this.node = sb;
			dom.bindClassInstance(sb, this);
			/* What a validator reads of the node, as of any field. */
			Object.defineProperty(sb, 'value', { configurable: true, get: () => this.values.join(' ') });
			this.setUpdateEvents(sb, 'cbi-dropdown-open', 'cbi-dropdown-close');
			this.setChangeEvents(sb, 'cbi-dropdown-change', 'cbi-dropdown-close');
			document.addEventListener('click', (ev) => { if (!sb.contains(ev.target) && sb.hasAttribute('open')) this.closeDropdown(sb); });
			this._show();
			return sb;
		},

		createItems(sb) {
			const list = sb.querySelector('ul');
			const keys = keysOf(this.choices, this.options.sort);
			keys.forEach((key) => list.insertBefore(this._item(key), list.querySelector('[data-unselectable]')));
		},

		_item(key) {
			const { multiple } = this.options;
			return E('li', { 'data-value': key }, [E('label', {}, [
				E('input', { 'type': multiple ? 'checkbox' : 'radio', 'name': this.options.id, 'value': key, 'checked': this.values.includes(key) ? '' : null, 'change': (ev) => {
					this._pick(key, ev.target.checked);
					if (!multiple)
						this.closeDropdown(this.node);
				} }), ' ', this.choices[key]
			])]);
		},

		_pick(key, on) {
			this.values = this.options.multiple ? this.values.filter((one) => one !== key).concat(on ? [key] : []) : [key];
			this._show();
			this.node.dispatchEvent(new CustomEvent('cbi-dropdown-change', { bubbles: true, detail: { instance: this, element: this.node, value: this.getValue() } }));
		},

		_take(input) {
			const text = input.value.trim();
			input.value = '';
			if (!text)
				return;
			for (const one of this.options.multiple ? text.split(/\s+/) : [text]) {
				if (!(one in this.choices))
					this.addChoices([one], { [one]: one });
				this._pick(one, true);
			}
			this.setValue(this.getValue());
		},

		_show() {
			const shown = keysOf(this.choices, this.options.sort).filter((key) => this.values.includes(key)).map((key) => {
				const label = this.choices[key];
				return label && label.nodeType ? label.textContent : String(label);
			});
			this.node.firstElementChild.textContent = shown.length ? shown.join(', ') : this.options.select_placeholder;
			this.node.toggleAttribute('empty', !shown.length);
		},

		openDropdown(sb) {
			sb.setAttribute('open', '');
			sb.firstElementChild.setAttribute('aria-expanded', 'true');
			sb.dispatchEvent(new CustomEvent('cbi-dropdown-open', { bubbles: true, detail: { instance: this, element: sb } }));
		},

		closeDropdown(sb, no_focus) {
			sb.removeAttribute('open');
			sb.firstElementChild.setAttribute('aria-expanded', 'false');
			sb.dispatchEvent(new CustomEvent('cbi-dropdown-close', { bubbles: true, detail: { instance: this, element: sb } }));
			if (no_focus === false)
				sb.firstElementChild.focus();
		},

		closeAllDropdowns() {
			this.closeDropdown(this.node);
		},

		handleKeydown(ev) {
			if (ev.key === 'Escape' && this.node.hasAttribute('open')) {
				ev.stopPropagation();
				this.closeDropdown(this.node, false);
			}
		},

		handleCreateKeydown(ev) {
			if (ev.key === 'Enter') {
				ev.preventDefault();
				this._take(ev.target);
			}
		},

		clearChoices(reset_value) {
			this.node.querySelectorAll('li[data-value]').forEach((item) => item.remove());
			this.choices = {};
			if (reset_value)
				this.values = [];
			this._show();
		},

		addChoices(values, labels) {
			const list = this.node.querySelector('ul');
			for (const key of listOf(values))
				if (!(key in this.choices)) {
					this.choices[key] = labels && labels[key] || key;
					list.insertBefore(this._item(key), list.querySelector('[data-unselectable]'));
				}
		},

		setValue(values) {
			this.values = listOf(values);
			for (const one of this.values)
				if (!(one in this.choices))
					this.addChoices([one]);
			for (const box of this.node.querySelectorAll('li[data-value] input'))
				box.checked = this.values.includes(box.value);
			this._show();
		},

		getValue() {
			return this.options.multiple ? this.values.slice() : this.values.length ? this.values[0] : null;
		}
	});
}

/** One of the choices, or an own text. */
export function makeCombobox(Dropdown) {
	return Dropdown.extend({
		__name__: 'ui.Combobox',

		__init__(value, choices, options) {
			this.super('__init__', [value, choices, Object.assign({}, options, { multiple: false, create: true, optional: true })]);
		}
	});
}
