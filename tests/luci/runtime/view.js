/** LuCI's `view`: what a page is a subclass of. Made, it loads and draws itself into #view. */
import { Class } from './class.js';
import { dom, E } from './dom.js';

/** @param {{L: function(): object, ui: function(): object, _: function}} runtime */
export function makeView({ L, ui, _ }) {
	const maps = () => Array.from(document.querySelectorAll('#maincontent .cbi-map'));
	const each = (method) => Promise.all(maps().map((map) => dom.callClassMethod(map, method)));

	/** Read only: no map that may be written, or, without maps, no right to change. */
	function isReadonly() {
		const instances = maps().map((map) => dom.findClassInstance(map)).filter(Boolean);
		return instances.length ? instances.every((map) => map.readonly) : !L().hasViewPermission();
	}

	return Class.extend({
		__name__: 'LuCI.view',

		__init__() {
			const place = document.getElementById('view');
			dom.content(place, E('div', { 'class': 'spinning' }, [_('Loading view…')]));
			return Promise.resolve().then(() => this.load()).then((data) => this.render(data)).then((nodes) => {
				dom.content(place, nodes);
				dom.append(place, this.addFooter());
			}).catch((e) => {
				if (place.firstElementChild && place.firstElementChild.classList.contains('spinning'))
					dom.content(place, []);
				return L().error(e);
			}).catch(() => {});
		},

		load() {},

		render() {},

		handleSave() {
			return each('save');
		},

		handleSaveApply(ev, mode) {
			return this.handleSave(ev).then(() => ui().changes.apply(mode === '0'));
		},

		handleReset() {
			return each('reset');
		},

		addFooter() {
			const footer = E([]);
			if (!this.handleSaveApply && !this.handleSave && !this.handleReset)
				return footer;
			const disabled = isReadonly() || null;
			const button = (kind, label, method) => E('button', {
				'type': 'button', 'class': `cbi-button cbi-button-${kind}`, 'disabled': disabled, 'click': ui().createHandlerFn(this, method)
			}, [label]);
			const buttons = [];
			if (this.handleSaveApply)
				buttons.push(new (ui().ComboButton)('0', { 0: _('Save & Apply'), 1: _('Apply unchecked') }, {
					classes: { 0: 'btn cbi-button cbi-button-apply important', 1: 'btn cbi-button cbi-button-negative important' },
					click: ui().createHandlerFn(this, 'handleSaveApply'), disabled
				}).render());
			if (this.handleSave)
				buttons.push(' ', button('save', _('Save'), 'handleSave'));
			if (this.handleReset)
				buttons.push(' ', button('reset', _('Reset'), 'handleReset'));
			footer.appendChild(E('div', { 'class': 'cbi-page-actions' }, buttons));
			return footer;
		}
	});
}
