/** Sections of the configuration: all of one type, or the one of a name. */
import { dom, E } from '../dom.js';

function button(kind, label, attributes) {
	return E('button', Object.assign({ 'type': 'button', 'class': `cbi-button cbi-button-${kind}` }, attributes), [label]);
}

/** @param {{AbstractSection: object, ui: function(): object}} runtime */
export function makeSections({ AbstractSection, ui }) {
	const TypedSection = AbstractSection.extend({
		__name__: 'form.TypedSection',

		_conf() {
			return this.uciconfig || this.map.config;
		},

		cfgsections() {
			return this.map.data.sections(this._conf(), this.sectiontype).map((section) => section['.name']).filter((sid) => this.filter(sid));
		},

		handleAdd(ev, name) {
			this.map.data.add(this._conf(), this.sectiontype, name);
			return this.map.save(null, true);
		},

		handleRemove(section_id) {
			this.map.data.remove(this._conf(), section_id);
			return this.map.save(null, true);
		},

		renderSectionAdd(extra_class) {
			if (!this.addremove)
				return E([]);
			const label = this.titleFn('addbtntitle') || _('Add');
			const place = E('div', { 'class': `cbi-section-create${extra_class ? ` ${extra_class}` : ''}` });
			const disabled = this.map.readonly ? '' : null;
			if (this.anonymous) {
				place.appendChild(button('add', label, { 'disabled': disabled, 'click': ui().createHandlerFn(this, (ev) => this.handleAdd(ev)) }));
				return place;
			}
			const name = E('input', { 'type': 'text', 'class': 'cbi-section-create-name', 'disabled': disabled, 'aria-label': _('Name') });
			place.append(name, button('add', label, { 'disabled': disabled, 'click': ui().createHandlerFn(this, (ev) => (name.value && !name.classList.contains('cbi-input-invalid') ? this.handleAdd(ev, name.value) : null)) }));
			window.setTimeout(() => ui().addValidator(name, 'uciname', true, null, 'blur', 'keyup'), 0);
			return place;
		},

		renderSectionPlaceholder() {
			return E('em', {}, [_('This section contains no values yet')]);
		},

		renderContents(cfgsections, nodes) {
			const frame = this._frame({ 'id': `cbi-${this._conf()}-${this.sectiontype}` });
			cfgsections.forEach((sid, i) => {
				if (this.addremove)
					frame.appendChild(E('div', { 'class': 'cbi-section-remove right' }, [
						button('remove', this.titleFn('delbtntitle', sid) || _('Delete'), { 'name': `cbi.rts.${this._conf()}.${sid}`, 'data-section-id': sid, 'disabled': this.map.readonly ? '' : null, 'click': ui().createHandlerFn(this, 'handleRemove', sid) })
					]));
				if (!this.anonymous)
					frame.appendChild(E('h3', {}, [sid]));
				frame.appendChild(E('div', { 'id': `cbi-${this._conf()}-${sid}`, 'class': this.tabs ? 'cbi-section-node cbi-section-node-tabbed' : 'cbi-section-node', 'data-section-id': sid }, [nodes[i]]));
			});
			if (!cfgsections.length)
				frame.appendChild(this.renderSectionPlaceholder());
			frame.appendChild(this.renderSectionAdd());
			dom.bindClassInstance(frame, this);
			return frame;
		},

		async render() {
			const sids = this.cfgsections();
			return this.renderContents(sids, await Promise.all(sids.map((sid) => this.renderUCISection(sid))));
		}
	});

	const NamedSection = AbstractSection.extend({
		__name__: 'form.NamedSection',

		__init__(map, section_id, ...args) {
			this.super('__init__', [map].concat(args));
			this.section = section_id;
		},

		_conf() {
			return this.uciconfig || this.map.config;
		},

		cfgsections() {
			return [this.section];
		},

		handleAdd() {
			this.map.data.add(this._conf(), this.sectiontype, this.section);
			return this.map.save(null, true);
		},

		handleRemove() {
			this.map.data.remove(this._conf(), this.section);
			return this.map.save(null, true);
		},

		renderContents([found, nodes]) {
			const frame = this._frame({ 'id': found ? null : `cbi-${this._conf()}-${this.section}` });
			const readonly = this.map.readonly ? '' : null;
			if (found) {
				if (this.addremove)
					frame.appendChild(E('div', { 'class': 'cbi-section-remove right' }, [button('remove', _('Delete'), { 'disabled': readonly, 'click': ui().createHandlerFn(this, 'handleRemove') })]));
				frame.appendChild(E('div', { 'id': `cbi-${this._conf()}-${this.section}`, 'class': this.tabs ? 'cbi-section-node cbi-section-node-tabbed' : 'cbi-section-node', 'data-section-id': this.section }, [nodes]));
			}
			else if (this.addremove)
				frame.appendChild(button('add', _('Add'), { 'disabled': readonly, 'click': ui().createHandlerFn(this, 'handleAdd') }));
			dom.bindClassInstance(frame, this);
			return frame;
		},

		async render() {
			return this.renderContents([this.map.data.get(this._conf(), this.section), await this.renderUCISection(this.section)]);
		}
	});

	return { TypedSection, NamedSection };
}
