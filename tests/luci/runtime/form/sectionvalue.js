/** An option that is a section of its own. */

/** @param {{Value: object, AbstractSection: object}} runtime */
export function makeSectionValue({ Value, AbstractSection }) {
	return Value.extend({
		__name__: 'form.SectionValue',

		__init__(map, section, option, cbiClass, ...args) {
			this.super('__init__', [map, section, option]);
			if (!AbstractSection.isSubclass(cbiClass))
				throw new TypeError('Sub section must be a descendent of CBIAbstractSection');
			this.subsection = cbiClass.instantiate([this.map].concat(args));
			this.subsection.parentoption = this;
		},

		load() {
			// What comes of it is nobody's value.
			return this.subsection.load().then(() => {});
		},

		parse() {
			return this.subsection.parse();
		},

		renderWidget() {
			return this.subsection.render();
		},

		checkDepends(section_id) {
			this.subsection.checkDepends();
			return this.map.isDependencySatisfied(this.deps, this._config(), section_id);
		},

		value() {},
		write() {},
		remove() {},
		cfgvalue() { return null; },
		formvalue() { return null; }
	});
}
