/** LuCI's `validation`: checks the value of a field, marks the field and tells what was expected. */
import { Class } from '../class.js';
import { parseDecimal, parseInteger, parseIPv4, parseIPv6 } from './numbers.js';
import { parseDatatype } from './parse.js';
import { makeTypes } from './types.js';

/** @param {{api: Map, _: function}} runtime */
export function makeValidation({ api, _ }) {
	const types = makeTypes(_);
	const listed = api.get('validation.types').methods;

	/** A datatype expression as a function from text to what was expected, or null. */
	function compile(code) {
		const build = (node) => {
			if (typeof node !== 'object')
				return node;
			if (!listed.has(node.name))
				throw new Error(`stand-in: LuCI has no datatype ${node.name}`);
			if (node.args.length > listed.get(node.name))
				throw new Error(`stand-in: the datatype ${node.name} takes ${listed.get(node.name)} arguments, not ${node.args.length}`);
			if (!types[node.name])
				throw new Error(`stand-in: the datatype ${node.name} is not made`);
			const args = node.args.map(build);
			return (value) => types[node.name](value, ...args);
		};
		return build(parseDatatype(code));
	}

	const Validator = Class.extend({
		__name__: 'Validator',

		__init__(field, type, optional, vfunc) {
			this.field = field;
			this.optional = optional;
			this.vfunc = vfunc;
			this.check = compile(type || 'string');
			this.message = '';
		},

		/** true, or false with the field marked and told by `validation-failure`; a field that is not in the page is not checked. */
		validate() {
			if (!this.field.closest || !this.field.closest('body, [data-field]'))
				return true;
			const value = String(this.field.value !== undefined && this.field.value !== null ? this.field.value : '');
			let fault = value === '' ? (this.optional ? null : _('non-empty value')) : this.check(value);
			if (fault !== null)
				return this._tell(_('Expecting: %s').format(fault));
			const said = typeof this.vfunc === 'function' ? this.vfunc(value) : true;
			return said === true ? this._tell(null) : this._tell(typeof said === 'string' ? said : _('Expecting: %s').format(_('valid value')));
		},

		_tell(message) {
			const field = this.field;
			this.message = message || '';
			field.classList.toggle('cbi-input-invalid', message !== null);
			if (message !== null) {
				field.setAttribute('data-tooltip', message);
				field.setAttribute('data-tooltip-style', 'error');
			}
			else {
				field.removeAttribute('data-tooltip');
				field.removeAttribute('data-tooltip-style');
			}
			field.dispatchEvent(new CustomEvent(message === null ? 'validation-success' : 'validation-failure', { bubbles: true, detail: { message } }));
			return message === null;
		}
	});

	return {
		create: (field, type, optional, vfunc) => new Validator(field, type, optional, vfunc),
		compile, parseInteger, parseDecimal, parseIPv4, parseIPv6
	};
}
