/** What all options have in common: what stands in the configuration, what stands in the field, when they are shown, how they are written. */
import { AbstractElement } from './element.js';
import { dom } from '../dom.js';
import { isEqual } from './equal.js';

/** @param {{ui: function(): object}} runtime */
export function makeAbstractValue({ ui }) {
	return AbstractElement.extend({
		__name__: 'form.AbstractValue',

		__init__(map, section, option, title, description) {
			this.super('__init__', [title, description]);
			Object.assign(this, { map, section, option, config: map.config, deps: [], rmempty: true, default: null, size: null, optional: false, retain: false, _cfg: {} });
		},

		depends(field, value) {
			this.deps.push(typeof field === 'string' ? { [field]: value } : field);
		},

		checkDepends(section_id) {
			return this.map.isDependencySatisfied(this.deps, this._config(), section_id);
		},

		transformChoices() {
			return this.keylist && this.keylist.length ? Object.fromEntries(this.keylist.map((key, i) => [key, this.vallist[i]])) : null;
		},

		_config() {
			return this.uciconfig || this.section.uciconfig || this.map.config;
		},

		cbid(section_id) {
			if (section_id == null)
				throw new TypeError('Section ID required');
			return `cbid.${this._config()}.${section_id}.${this.option}`;
		},

		_field(section_id) {
			return this.map.root ? this.map.root.querySelector(`[data-field="${CSS.escape(this.cbid(section_id))}"]`) : null;
		},

		load(section_id) {
			if (section_id == null)
				throw new TypeError('Section ID required');
			return this.map.data.get(this._config(), this.ucisection || section_id, this.ucioption || this.option);
		},

		getUIElement(section_id) {
			const node = this.map.root && this.map.root.querySelector(`[id="${CSS.escape(this.cbid(section_id))}"]`);
			const found = node ? dom.findClassInstance(node) : null;
			return found instanceof ui().AbstractElement ? found : null;
		},

		cfgvalue(section_id, set_value) {
			if (section_id == null)
				throw new TypeError('Section ID required');
			if (arguments.length > 1)
				this._cfg[section_id] = set_value;
			return section_id in this._cfg ? this._cfg[section_id] : null;
		},

		formvalue(section_id) {
			const element = this.getUIElement(section_id);
			return element ? element.getValue() : null;
		},

		textvalue(section_id) {
			const value = this.cfgvalue(section_id);
			const shown = value == null ? this.default : value;
			return Array.isArray(shown) ? shown.join(' ') : shown;
		},

		validate() {
			return true;
		},

		getValidator(section_id) {
			return (value) => this.validate(section_id, value);
		},

		isValid(section_id) {
			const element = this.getUIElement(section_id);
			return element ? element.isValid() : true;
		},

		getValidationError(section_id) {
			const element = this.getUIElement(section_id);
			return element ? element.getValidationError() : '';
		},

		triggerValidation(section_id) {
			const element = this.getUIElement(section_id);
			return element ? element.triggerValidation() : true;
		},

		isActive(section_id) {
			const field = this._field(section_id);
			return !!field && !field.classList.contains('hidden');
		},

		setActive(section_id, active) {
			const field = this._field(section_id);
			if (!field || field.classList.contains('hidden') !== active)
				return false;
			field.classList.toggle('hidden', !active);
			return true;
		},

		_name() {
			return this.stripTags(this.title).trim() || this.option;
		},

		/** Takes over what stands in the field. */
		async parse(section_id) {
			if (!this.isActive(section_id))
				return this.retain ? null : this.remove(section_id);
			if (!this.isValid(section_id))
				throw new TypeError(`${_('Option "%s" contains an invalid input value.').format(this._name())} ${this.getValidationError(section_id)}`.trim());
			const [before, now] = [this.cfgvalue(section_id), this.formvalue(section_id)];
			if (now == null || now === '' || Array.isArray(now) && !now.length) {
				if (this.rmempty || this.optional)
					return this.remove(section_id);
				throw new TypeError(_('Option "%s" must not be empty.').format(this._name()));
			}
			return this.forcewrite || !isEqual(before, now) ? this.write(section_id, now) : null;
		},

		write(section_id, formvalue) {
			return this.map.data.set(this._config(), this.ucisection || section_id, this.ucioption || this.option, formvalue);
		},

		remove(section_id) {
			return this.map.data.unset(this._config(), this.ucisection || section_id, this.ucioption || this.option);
		}
	});
}
