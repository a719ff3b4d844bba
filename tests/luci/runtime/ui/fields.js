/** Plain fields: text, area, box, hidden. `options.id` names the frame; the field within is `widget.ID`. */
import { dom, E } from '../dom.js';

function fieldId(options) {
	return options.id ? `widget.${options.id}` : null;
}

/** @param {object} AbstractElement the class of ui's elements */
export function makeFields(AbstractElement) {
	function own(members) {
		return AbstractElement.extend(Object.assign({
			__init__(value, options) {
				this.value = value;
				this.options = Object.assign({}, options);
			}
		}, members));
	}

	/** Binds `field` within `frame`: events, checks. */
	function bindField(element, frame, field, updates, changes) {
		element.node = frame;
		dom.bindClassInstance(frame, element);
		element._field = field;
		element.setUpdateEvents(field, ...updates);
		element.setChangeEvents(field, ...changes);
		return frame;
	}

	const Textfield = own({
		__name__: 'ui.Textfield',

		render() {
			const { id, name, password, readonly, disabled, maxlength, placeholder } = this.options;
			const field = E('input', {
				'id': fieldId(this.options), 'name': name, 'type': password ? 'password' : 'text', 'class': password ? 'cbi-input-password' : 'cbi-input-text',
				'readonly': readonly ? '' : null, 'disabled': disabled ? '' : null, 'maxlength': maxlength, 'placeholder': placeholder,
				'autocomplete': password ? 'new-password' : null, 'value': this.value == null ? '' : this.value
			});
			const frame = E('div', { 'id': id }, [field]);
			if (password) {
				const eye = E('button', { 'type': 'button', 'class': 'cbi-button cbi-button-neutral', 'title': _('Reveal/hide password'), 'aria-label': _('Reveal/hide password'), 'click': () => {
					field.type = field.type === 'password' ? 'text' : 'password';
				} }, ['∗']);
				frame.appendChild(eye);
			}
			return this.bind(frame);
		},

		bind(frameEl) {
			return bindField(this, frameEl, frameEl.querySelector('input'), ['keyup', 'blur'], ['change']);
		},

		getValue() {
			return this._field.value;
		},

		setValue(value) {
			this._field.value = value == null ? '' : value;
		}
	});

	const Textarea = own({
		__name__: 'ui.Textarea',

		render() {
			const { id, name, readonly, disabled, placeholder, wrap, cols, rows, monospace } = this.options;
			const field = E('textarea', {
				'id': fieldId(this.options), 'name': name, 'class': 'cbi-input-textarea', 'readonly': readonly ? '' : null, 'disabled': disabled ? '' : null,
				'placeholder': placeholder, 'cols': cols, 'rows': rows, 'wrap': wrap ? '' : null, 'style': `${cols ? '' : 'width:100%;'}${monospace ? 'font-family:monospace' : ''}` || null
			}, [this.value == null ? '' : String(this.value)]);
			return this.bind(E('div', { 'id': id, 'style': cols ? null : 'width:100%' }, [field]));
		},

		bind(frameEl) {
			return bindField(this, frameEl, frameEl.querySelector('textarea'), ['keyup', 'blur'], ['change']);
		},

		getValue() {
			return this._field.value;
		},

		setValue(value) {
			this._field.value = value == null ? '' : value;
		}
	});

	const Checkbox = own({
		__name__: 'ui.Checkbox',

		__init__(value, options) {
			this.value = value;
			this.options = Object.assign({ value_enabled: '1', value_disabled: '0' }, options);
		},

		render() {
			const { id, name, disabled, tooltip } = this.options;
			const field = E('input', {
				'id': fieldId(this.options), 'name': name, 'type': 'checkbox', 'disabled': disabled ? '' : null, 'value': this.options.value_enabled,
				'checked': String(this.value) === String(this.options.value_enabled) ? '' : null
			});
			const frame = E('div', { 'id': id, 'class': 'cbi-checkbox' }, [field, E('label', { 'for': fieldId(this.options), 'data-tooltip': tooltip })]);
			return this.bind(frame);
		},

		bind(frameEl) {
			return bindField(this, frameEl, frameEl.querySelector('input[type="checkbox"]'), ['click', 'blur'], ['change']);
		},

		isChecked() {
			return this._field.checked;
		},

		getValue() {
			return this.isChecked() ? this.options.value_enabled : this.options.value_disabled;
		},

		setValue(value) {
			this._field.checked = String(value) === String(this.options.value_enabled);
		}
	});

	const Hiddenfield = own({
		__name__: 'ui.Hiddenfield',

		render() {
			return this.bind(E('input', { 'id': this.options.id, 'type': 'hidden', 'value': this.value == null ? '' : this.value }));
		},

		bind(hiddenEl) {
			this.node = hiddenEl;
			dom.bindClassInstance(hiddenEl, this);
			return hiddenEl;
		},

		getValue() {
			return this.node.value;
		},

		setValue(value) {
			this.node.value = value == null ? '' : value;
		}
	});

	return { Textfield, Textarea, Checkbox, Hiddenfield };
}
