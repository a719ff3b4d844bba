/** LuCI's `ui`, put together. */
import { guardClass, guardModule } from '../guard.js';
import { E } from '../dom.js';
import { modal, installModal } from './modal.js';
import { makeNotify } from './notify.js';
import { handler } from './handler.js';
import { makeTabs } from './tabs.js';
import { tooltip, installTooltip } from './tooltip.js';
import { makeElement } from './element.js';
import { makeComboButton } from './combobutton.js';
import { makeFields } from './fields.js';
import { makeSelect } from './select.js';
import { makeCombobox, makeDropdown } from './dropdown.js';
import { makeDynamicList } from './dynlist.js';
import { makeTable } from './table.js';
import { makeChanges } from './changes.js';

/** Draws `items`, label and value by turns, into `node`; those without a value are left out. */
function itemlist(node, items, separators) {
	const between = Array.isArray(separators) ? separators : separators == null ? [E('br')] : [separators];
	const shown = [];
	for (let i = 0; i < items.length; i += 2)
		if (items[i + 1] !== null && items[i + 1] !== undefined)
			shown.push([items[i], items[i + 1]]);
	node.replaceChildren();
	shown.forEach(([label, value], i) => {
		if (i)
			node.appendChild(between[(i - 1) % between.length].cloneNode(true));
		node.appendChild(E('span', { 'class': 'nowrap' }, label ? [E('strong', {}, [`${label}: `]), value] : [value]));
	});
	return node;
}

/** @param {object} runtime {api, env, _, rpc, uci, request, require, validation, L} */
export function makeUi(runtime) {
	const { api } = runtime;
	const AbstractElement = guardClass(api, 'ui.AbstractElement', makeElement(runtime));
	const classes = Object.assign({
		AbstractElement,
		ComboButton: makeComboButton(AbstractElement),
		Select: makeSelect(AbstractElement),
		Dropdown: makeDropdown(AbstractElement),
		DynamicList: makeDynamicList(AbstractElement),
		Table: makeTable(runtime)
	}, makeFields(AbstractElement));
	classes.Combobox = makeCombobox(classes.Dropdown);
	const notify = makeNotify(runtime);
	const addValidator = (field, type, optional, vfunc, ...events) => {
		const validator = runtime.validation().create(field, type, optional, vfunc);
		const check = () => validator.validate();
		for (const name of events.length ? events : ['blur', 'keyup'])
			field.addEventListener(name, check);
		check();
		return check;
	};
	for (const name of Object.keys(classes))
		if (name !== 'AbstractElement')
			guardClass(api, `ui.${name}`, classes[name]);
	return Object.assign({
		itemlist,
		addValidator,
		changes: guardModule(api, 'ui.changes', makeChanges(Object.assign({ modal, notify }, runtime))),
		tabs: guardModule(api, 'ui.tabs', makeTabs(runtime)),
		instantiateView: (path) => runtime.require()(`view.${path.replace(/\//g, '.')}`).catch((e) => runtime.L().error(e))
	}, classes, modal, notify, handler, tooltip);
}

/** Puts into the page what the module needs there. */
export function installUi() {
	installModal();
	installTooltip();
}
