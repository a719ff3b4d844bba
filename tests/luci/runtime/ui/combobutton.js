/** A button with choices: the chosen action, and a list of the others. */
import { dom, E } from '../dom.js';

/** @param {object} AbstractElement the class of ui's elements */
export function makeComboButton(AbstractElement) {
	return AbstractElement.extend({
		__name__: 'ui.ComboButton',

		/** options: {classes: {choice: classes}, click: function(event, choice), disabled, sort} */
		__init__(value, choices, options) {
			this.value = value;
			this.choices = choices;
			this.options = options || {};
		},

		render() {
			const { disabled, classes } = this.options;
			const names = Object.keys(this.choices);
			this.main = E('button', { 'type': 'button', 'disabled': disabled || null, 'click': (ev) => this.handleClick(ev) });
			const list = E('ul', { 'class': 'dropdown' }, names.map((name) => E('li', {}, [
				E('button', { 'type': 'button', 'class': 'btn', 'data-value': name, 'click': () => this.toggleItem(name) }, [this.choices[name]])
			])));
			const more = E('button', {
				'type': 'button', 'class': 'btn cbi-button open', 'aria-haspopup': 'true', 'aria-expanded': 'false', 'aria-label': _('More'), 'disabled': disabled || null,
				'click': () => this.node.toggleAttribute('open')
			}, ['▾']);
			this.node = E('div', { 'class': 'cbi-dropdown cbi-combobutton', 'id': this.options.id }, names.length > 1 ? [this.main, more, list] : [this.main]);
			dom.bindClassInstance(this.node, this);
			this._choose(this.value, classes);
			return this.node;
		},

		_choose(name, classes) {
			this.value = name;
			this.main.textContent = this.choices[name];
			this.main.className = classes && classes[name] || 'btn cbi-button';
		},

		toggleItem(name) {
			this._choose(name, this.options.classes);
			this.node.removeAttribute('open');
		},

		handleClick(ev) {
			return this.options.click ? this.options.click(ev, this.value) : null;
		},

		getValue() {
			return this.value;
		},

		setValue(value) {
			this._choose(value, this.options.classes);
		}
	});
}
