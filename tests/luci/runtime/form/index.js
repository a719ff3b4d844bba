/** LuCI's `form`, put together. */
import { guardClass } from '../guard.js';
import { AbstractElement } from './element.js';
import { makeAbstractSection } from './section.js';
import { makeAbstractValue } from './abstractvalue.js';
import { makeJsonMap } from './json.js';
import { makeMap } from './map.js';
import { makeSections } from './typed.js';
import { makeSectionValue } from './sectionvalue.js';
import { makeTables } from './table.js';
import { makeValue } from './value.js';
import { makeWidgets } from './widgets.js';

/** @param {object} runtime {api, ui, uci, rpc} */
export function makeForm(runtime) {
	const { api } = runtime;
	const guarded = (classes) => {
		for (const name of Object.keys(classes))
			guardClass(api, `form.${name}`, classes[name]);
		return classes;
	};
	const { AbstractValue } = guarded({ AbstractElement, AbstractValue: makeAbstractValue(runtime) });
	const { AbstractSection } = guarded({ AbstractSection: makeAbstractSection({ AbstractValue }) });
	const { Value } = guarded({ Value: makeValue(Object.assign({ AbstractValue }, runtime)) });
	const own = Object.assign({ AbstractSection, AbstractValue, Value }, runtime);
	const sections = guarded(makeSections(own));
	const maps = {};
	const tables = guarded(makeTables(Object.assign({ Map: () => maps.Map }, sections, own)));
	Object.assign(maps, guarded({ Map: makeMap(own) }));
	Object.assign(maps, guarded({ JSONMap: makeJsonMap(maps.Map) }));
	const values = guarded(Object.assign({ SectionValue: makeSectionValue(own) }, makeWidgets(own)));
	return Object.assign({ AbstractSection, AbstractValue, Value }, maps, sections, tables, values);
}
