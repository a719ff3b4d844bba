/** Sections as the rows of a table, options as its columns; with `modalonly` options and a dialog for the rest. */
import { dom, E } from '../dom.js';

/** @param {{TypedSection: object, NamedSection: object, Map: function(): object, ui: function(): object}} runtime */
export function makeTables({ TypedSection, NamedSection, Map: MapClass, ui }) {
	const TableSection = TypedSection.extend({
		__name__: 'form.TableSection',

		_inTable: true,

		tab() {
			throw new Error('Tabs are not supported by table sections');
		},

		_columns() {
			return this.children.filter((option) => !option.modalonly);
		},

		_hasActions() {
			return !!(this.addremove || this.extedit || this.sortable || this._columns().length < this.children.length);
		},

		async renderUCISection(section_id) {
			const nodes = await Promise.all(this._columns().map((option, i) => option.render(i, section_id, true)));
			return E(nodes);
		},

		renderHeaderRows(has_action) {
			const cells = this._columns().map((option) => E('th', { 'class': 'th cbi-section-table-cell', 'data-widget': option.__name__ }, [this.stripTags(option.title)]));
			if (!this.anonymous || this.sectiontitle)
				cells.unshift(E('th', { 'class': 'th cbi-section-table-cell' }, [_('Name')]));
			if (has_action)
				cells.push(E('th', { 'class': 'th cbi-section-table-cell cbi-section-actions' }, [E('span', { 'class': 'stand-in-unseen' }, [_('Actions')])]));
			return E('tr', { 'class': 'tr cbi-section-table-titles anonymous' }, cells);
		},

		renderFooterRows() {
			return E([]);
		},

		renderRowActions(section_id, more_label) {
			const disabled = this.map.readonly ? '' : null;
			const cell = E('td', { 'class': 'td cbi-section-table-cell nowrap cbi-section-actions' });
			const add = (kind, label, fn) => cell.append(E('button', { 'type': 'button', 'class': `btn cbi-button cbi-button-${kind}`, 'disabled': disabled, 'click': ui().createHandlerFn(this, fn, section_id) }, [label]), ' ');
			if (this.sortable) {
				add('up', '▲', (sid) => this._shift(sid, -1));
				add('down', '▼', (sid) => this._shift(sid, 1));
			}
			if (this._columns().length < this.children.length || more_label)
				add('edit', more_label || _('More…'), 'renderMoreOptionsModal');
			if (this.addremove)
				add('remove', this.titleFn('delbtntitle', section_id) || _('Delete'), 'handleRemove');
			return cell;
		},

		_shift(section_id, by) {
			const sids = this.cfgsections();
			const other = sids[sids.indexOf(section_id) + by];
			if (other)
				this.map.data.move(this._conf(), section_id, other, by > 0);
			return this.map.save(null, true);
		},

		renderContents(cfgsections, nodes) {
			const actions = this._hasActions();
			const table = E('table', { 'class': 'table cbi-section-table' }, [this.renderHeaderRows(actions)]);
			cfgsections.forEach((sid, i) => {
				const title = this.sectiontitle ? (typeof this.sectiontitle === 'function' ? this.sectiontitle(sid) : this.sectiontitle) : this.anonymous ? null : sid;
				table.appendChild(E('tr', { 'id': `cbi-${this._conf()}-${sid}`, 'class': `tr cbi-section-table-row cbi-rowstyle-${i % 2 + 1}`, 'data-sid': sid, 'data-section-id': sid, 'data-title': title }, [
					title === null ? '' : E('td', { 'class': 'td cbi-section-table-cell' }, [title]),
					nodes[i],
					actions ? this.renderRowActions(sid) : ''
				]));
			});
			if (!cfgsections.length)
				table.appendChild(E('tr', { 'class': 'tr cbi-section-table-row placeholder' }, [E('td', { 'class': 'td', 'colspan': this._columns().length + 2 }, [this.renderSectionPlaceholder()])]));
			const frame = this._frame({ 'id': `cbi-${this._conf()}-${this.sectiontype}` });
			frame.append(table, this.renderFooterRows(actions), this.renderSectionAdd('cbi-tblsection-create'));
			dom.bindClassInstance(frame, this);
			return frame;
		},

		addModalOptions() {},

		/** Gives the options of one section to another. */
		cloneOptions(src_section, dest_section) {
			for (const tab of src_section.tabs || [])
				dest_section.tab(tab.name, tab.title, tab.description);
			for (const option of src_section.children) {
				if (option.modalonly === false)
					continue;
				const Kind = option.constructor;
				const copy = option.tab ? dest_section.taboption(option.tab, Kind, option.option, option.title, option.description) : dest_section.option(Kind, option.option, option.title, option.description);
				for (const key of Object.keys(option))
					if (!['map', 'section', 'config', '_cfg', 'children', 'tab'].includes(key))
						copy[key] = option[key];
			}
		},

		async renderMoreOptionsModal(section_id) {
			const Modal = MapClass();
			const map = new Modal(this.map.config, null, null);
			const section = map.section(NamedSection, section_id, this.sectiontype);
			map.readonly = this.map.readonly;
			map.parent = this.map;
			this.cloneOptions(this, section);
			this._modal = map;
			await this.addModalOptions(section, section_id, null);
			const nodes = await map.render();
			const title = this.titleFn('modaltitle', section_id) || this.stripTags(this.title) || section_id;
			ui().showModal(title, [nodes, E('div', { 'class': 'button-row right' }, [
				E('button', { 'type': 'button', 'class': 'btn cbi-button', 'click': ui().createHandlerFn(this, (ev) => this.handleModalCancel(map, ev)) }, [_('Dismiss')]), ' ',
				E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-positive important', 'disabled': map.readonly ? '' : null, 'click': ui().createHandlerFn(this, (ev) => this.handleModalSave(map, ev)) }, [_('Save')])
			])], 'cbi-modal');
		},

		getActiveModalMap() {
			return this._modal || null;
		},

		handleModalCancel() {
			this._modal = null;
			ui().hideModal();
		},

		handleModalSave(modalMap) {
			return modalMap.save(null, true).catch((e) => {
				/* The fields say what is wrong with them. */
				e.reported = true;
				throw e;
			}).then(() => this.map.load()).then(() => this.map.reset()).then(() => this.handleModalCancel(modalMap));
		}
	});

	const GridSection = TableSection.extend({
		__name__: 'form.GridSection',

		tab(name, title, description) {
			return TypedSection.prototype.tab.call(this, name, title, description);
		},

		_hasActions() {
			return true;
		},

		/** A new section is filled in a dialog first; dismissed it goes again. */
		async handleAdd(ev, name) {
			this._added = this.map.data.add(this._conf(), this.sectiontype, name);
			await this.renderMoreOptionsModal(this._added);
		},

		handleModalCancel(modalMap, ev, isSaving) {
			if (this._added && !isSaving)
				this.map.data.remove(this._conf(), this._added);
			this._added = null;
			this._modal = null;
			ui().hideModal();
		},

		handleModalSave(modalMap) {
			return modalMap.save(null, true).catch((e) => {
				e.reported = true;
				throw e;
			}).then(() => this.map.load()).then(() => this.map.reset()).then(() => this.handleModalCancel(modalMap, null, true));
		},

		async renderUCISection(section_id) {
			return E(await Promise.all(this._columns().map((option, i) => (option.editable ? option.render(i, section_id, true) : this.renderTextValue(section_id, option)))));
		},

		renderTextValue(section_id, opt) {
			const value = opt.textvalue(section_id);
			const shown = value == null || value === '' ? E('em', {}, [_('none')]) : value;
			return E('td', { 'class': 'td cbi-value-field', 'data-title': this.stripTags(opt.title) || null, 'data-name': opt.option, 'data-widget': 'CBI.DummyValue' }, dom.elem(shown) ? [shown] : shown);
		},

		renderRowActions(section_id) {
			return TableSection.prototype.renderRowActions.call(this, section_id, _('Edit'));
		},

		parse() {
			return Promise.all(this.cfgsections().flatMap((sid) => this._columns().filter((option) => option.editable).map((option) => option.parse(sid))));
		}
	});

	return { TableSection, GridSection };
}
