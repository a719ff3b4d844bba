/** What the widgets have in common: a value, events, validation. */
import { Class } from '../class.js';
import { dom } from '../dom.js';

const CHECKED = ['keyup', 'blur', 'cbi-dropdown-change', 'cbi-dynlist-change'];

/** @param {{validation: function(): object}} runtime */
export function makeElement({ validation }) {
	return Class.extend({
		__name__: 'ui.AbstractElement',

		getValue() {
			return dom.matches(this.node, 'select') || dom.matches(this.node, 'input') ? this.node.value : null;
		},

		setValue(value) {
			if (dom.matches(this.node, 'select') || dom.matches(this.node, 'input'))
				this.node.value = value;
		},

		setPlaceholder(value) {
			const field = dom.matches(this.node, 'input, textarea') ? this.node : this.node.querySelector('input, textarea');
			if (field)
				field.setAttribute('placeholder', value || '');
		},

		isChanged() {
			return this.node.getAttribute('data-changed') === 'true';
		},

		isValid() {
			return this.validState !== false;
		},

		getValidationError() {
			return this.validationError || '';
		},

		/** Checks now; true where what was found differs from before. */
		triggerValidation() {
			if (typeof this.vfunc !== 'function')
				return false;
			const before = this.isValid();
			this.vfunc();
			return before !== this.isValid();
		},

		registerEvents(targetNode, synevent, events) {
			const tell = () => this.node.dispatchEvent(new CustomEvent(synevent, { bubbles: true }));
			for (const name of events)
				targetNode.addEventListener(name, tell);
		},

		setUpdateEvents(targetNode, ...events) {
			const { datatype, optional, validate } = this.options;
			this.registerEvents(targetNode, 'widget-update', events);
			if (!datatype && !validate)
				return;
			const validator = validation().create(targetNode, datatype || 'string', optional, validate);
			this.vfunc = () => {
				this.validState = validator.validate();
				this.validationError = this.validState ? '' : validator.message;
				return this.validState;
			};
			for (const name of new Set(CHECKED.concat(events)))
				targetNode.addEventListener(name, () => this.vfunc());
			this.node.addEventListener('validation-success', () => { this.validState = true; });
			this.node.addEventListener('validation-failure', () => { this.validState = false; });
			/* What a form is drawn with is checked once it stands in the page. */
			window.setTimeout(() => this.node.isConnected && this.vfunc(), 0);
		},

		setChangeEvents(targetNode, ...events) {
			const mark = () => this.node.setAttribute('data-changed', 'true');
			for (const name of events)
				targetNode.addEventListener(name, mark);
			this.registerEvents(targetNode, 'widget-change', events);
		},

		render() {}
	});
}
