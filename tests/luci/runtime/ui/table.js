/** A table that sorts: rows are arrays of cells, a cell is what is shown or `[sort value, what is shown]`. */
import { dom, E } from '../dom.js';
import { Class } from '../class.js';
import { natural } from './choices.js';

function compare(a, b) {
	return typeof a === 'number' && typeof b === 'number' ? a - b : natural(a, b);
}

function sortValue(cell) {
	const value = Array.isArray(cell) ? cell[0] : cell;
	return value && value.nodeType ? value.textContent : value == null ? '' : value;
}

/** @param {{session: object}} runtime where the order is kept */
export function makeTable({ session }) {
	return Class.extend({
		__name__: 'ui.Table',

		/** options: {id, classes, sortable: true | boolean[], captionClasses: string[]} */
		__init__(captions, options, placeholder) {
			if (!Array.isArray(captions)) {
				this.initFromMarkup(captions);
				return;
			}
			this.captions = captions;
			this.options = Object.assign({}, options);
			this.placeholder = placeholder;
			this.rows = [];
			const { id, classes, captionClasses } = this.options;
			const extra = Array.isArray(classes) ? classes : classes ? [classes] : [];
			this.node = E('table', { 'id': id, 'class': ['table'].concat(extra).join(' ') }, [
				E('tr', { 'class': 'tr table-titles' }, captions.map((caption, i) => E('th', {
					'class': `th${captionClasses && captionClasses[i] ? ` ${captionClasses[i]}` : ''}`, 'data-sortable-row': this._sortable(i) ? '' : null,
					'click': this._sortable(i) ? (ev) => this.handleSort(ev) : null
				}, [caption])))
			]);
			dom.bindClassInstance(this.node, this);
		},

		_sortable(i) {
			const { sortable } = this.options;
			return Array.isArray(sortable) ? !!sortable[i] : !!sortable;
		},

		render() {
			this._draw();
			return this.node;
		},

		update(data, placeholderText) {
			this.rows = Array.isArray(data) ? data : [];
			if (placeholderText !== undefined)
				this.placeholder = placeholderText;
			this._draw();
		},

		_draw() {
			const state = this.getActiveSortState();
			const rows = this.rows.slice();
			if (state && this._sortable(state[0]))
				rows.sort((a, b) => compare(sortValue(a[state[0]]), sortValue(b[state[0]])) * (state[1] ? -1 : 1));
			this.node.querySelectorAll('th').forEach((th, i) => {
				const active = state && state[0] === i;
				th.toggleAttribute('data-sort-direction', !!active);
				if (active)
					th.setAttribute('data-sort-direction', state[1] ? 'desc' : 'asc');
			});
			while (this.node.firstElementChild.nextElementSibling)
				this.node.firstElementChild.nextElementSibling.remove();
			rows.forEach((row, n) => this.node.appendChild(E('tr', { 'class': `tr cbi-rowstyle-${n % 2 + 1}` }, row.map((cell, i) => {
				const shown = Array.isArray(cell) ? cell[1] : cell;
				const caption = this.captions[i];
				return E('td', { 'class': 'td', 'data-title': typeof caption === 'string' ? caption : null }, shown == null ? '' : shown);
			}))));
			if (!rows.length && this.placeholder)
				this.node.appendChild(E('tr', { 'class': 'tr placeholder' }, [E('td', { 'class': 'td', 'colspan': this.captions.length }, this.placeholder)]));
		},

		_key() {
			return `table:${this.options.id || ''}:${this.captions.map((caption) => (caption && caption.nodeType ? caption.textContent : caption)).join(',')}`;
		},

		/** [index, descending] or null */
		getActiveSortState() {
			return this._state || session.getLocalData(this._key()) || null;
		},

		setActiveSortState(index, descending) {
			this._state = [index, descending];
			session.setLocalData(this._key(), this._state);
		},

		handleSort(ev) {
			const index = Array.from(ev.currentTarget.parentNode.children).indexOf(ev.currentTarget);
			const state = this.getActiveSortState();
			this.setActiveSortState(index, !!state && state[0] === index && !state[1]);
			this._draw();
		}
	});
}
