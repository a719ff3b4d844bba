'use strict';
'require baseclass';
'require echomesh.widgets as widgets';

const ARROWS = { ascending: '▲', descending: '▼' };

/* Orders two values: numbers by size, all else as text; what is not known comes last either way. */
function order(a, b, down) {
	if (a == null || b == null)
		return (a == null) - (b == null);

	const by = typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });

	return down ? -by : by;
}

/*
 * A table that sorts and filters, drawn once and then kept in step with its items.
 */
return baseclass.extend({
	/*
	 * told: {
	 *   name       what the table shows, for those who do not see it
	 *   key        item => what it is known by
	 *   columns    [{ id, title, text: item => text, or make: () => node with set(item); by: item => what it sorts by, if it does;
	 *                 right: true for figures, css: a class of its own }]
	 *   sort       { id, down }: by what it is sorted at first
	 *   wide       true where it needs a wide screen, and else stands as cards
	 *   details    () => node with set(item), which a button in the row opens; may be missing
	 *   detailsOf  item => name of that button
	 * }
	 * Gives a node with set(items), which gives how many are shown; filter(item => boolean); and empty(text, hint) for the row
	 * that stands there when none is.
	 */
	make(told) {
		const columns = told.columns, sort = Object.assign({}, told.sort), opened = new Set();
		const width = columns.length + (told.details ? 1 : 0);
		const nothing = E('td', { 'class': 'td em-empty', 'colspan': width });
		let items = [], wanted = () => true;

		const heads = columns.map(column => {
			const arrow = E('span', { 'class': 'em-arrow', 'aria-hidden': 'true' });
			const title = column.by
				? E('button', { 'type': 'button', 'class': 'em-sort', 'click': () => sortBy(column.id, sort.id === column.id ? !sort.down : !!column.right) },
					[ E('span', {}, [ column.title ]), arrow ])
				: E('span', {}, [ column.title ]);
			const head = E('th', { 'class': 'th' + (column.right ? ' right' : '') + (column.css ? ' ' + column.css : ''), 'scope': 'col' }, [ title ]);

			head.mark = () => {
				const way = column.by && sort.id === column.id ? (sort.down ? 'descending' : 'ascending') : 'none';

				widgets.text(arrow, ARROWS[way] || '');

				if (column.by)
					head.setAttribute('aria-sort', way);
			};

			return head;
		});

		/* Where the screen is so narrow that themes leave out the titles, this sorts. */
		const choices = columns.filter(column => column.by).reduce((all, column) => all.concat([
			E('option', { 'value': column.id + ' up' }, [ _('%s, ascending').format(column.title) ]),
			E('option', { 'value': column.id + ' down' }, [ _('%s, descending').format(column.title) ])
		]), []);
		const chooser = E('select', { 'class': 'cbi-input-select', 'change': ev => sortBy(ev.target.value.split(' ')[0], ev.target.value.endsWith(' down')) }, choices);

		const body = E('tbody');
		const node = E('div', { 'class': 'em-sheet' + (told.wide ? ' em-wide' : '') }, [
			E('label', { 'class': 'em-field em-narrow' }, [ E('span', {}, [ _('Sort by') ]), chooser ]),
			E('table', { 'class': 'table em-table', 'aria-label': told.name }, [
				E('thead', {}, [
					E('tr', { 'class': 'tr table-titles' },
						(told.details ? [ E('th', { 'class': 'th em-opener', 'scope': 'col' }, [ E('span', { 'class': 'em-visually-hidden' }, [ _('Details') ]) ]) ] : [])
							.concat(heads))
				]),
				body
			])
		]);

		function sortBy(id, down) {
			sort.id = id;
			sort.down = down;
			draw();
		}

		function opener(item) {
			const key = told.key(item);
			const button = E('button', { 'type': 'button', 'class': 'em-open', 'data-word': _('Details'), 'aria-expanded': 'false', 'aria-label': told.detailsOf(item), 'click': () => {
				if (!opened.delete(key))
					opened.add(key);

				draw();
			} });

			button.set = () => {
				button.setAttribute('aria-expanded', String(opened.has(key)));
				widgets.text(button, opened.has(key) ? '▾' : '▸');
			};

			return button;
		}

		function cell(column) {
			const made = column.make ? column.make() : null;
			const td = E('td', { 'class': 'td' + (column.right ? ' right' : '') + (column.css ? ' ' + column.css : ''), 'data-title': column.title }, made ? [ made ] : []);

			td.set = item => made ? made.set(item) : widgets.text(td, column.text(item));

			return td;
		}

		function row(entry) {
			if (entry.none)
				return Object.assign(E('tr', { 'class': 'tr placeholder' }, [ nothing ]), { set() {} });

			if (entry.under) {
				const details = told.details();
				const tr = E('tr', { 'class': 'tr em-under' }, [ E('td', { 'class': 'td', 'colspan': width }, [ details ]) ]);

				tr.set = entry => details.set(entry.under);

				return tr;
			}

			const open = told.details ? opener(entry.item) : null;
			const cells = columns.map(cell);
			const tr = E('tr', { 'class': 'tr em-item' }, (open ? [ E('td', { 'class': 'td em-opener' }, [ open ]) ] : []).concat(cells));

			tr.set = entry => {
				cells.forEach(td => td.set(entry.item));

				if (open)
					open.set();
			};

			return tr;
		}

		function draw() {
			const by = columns.find(column => column.id === sort.id);
			const shown = items.filter(wanted).map((item, at) => ({ item: item, key: 'i' + told.key(item), at: at }));

			if (by)
				shown.sort((a, b) => order(by.by(a.item), by.by(b.item), sort.down) || (sort.down ? b.at - a.at : a.at - b.at));

			const rows = shown.reduce((all, entry, n) => {
				entry.odd = n % 2;
				all.push(entry);

				if (told.details && opened.has(told.key(entry.item)))
					all.push({ under: entry.item, key: 'u' + told.key(entry.item) });

				return all;
			}, []);

			heads.forEach(head => head.mark());
			chooser.value = sort.id + (sort.down ? ' down' : ' up');
			widgets.list(body, rows.length ? rows : [ { none: true, key: 'none' } ], entry => entry.key, row);

			return shown.length;
		}

		node.set = all => {
			items = all;
			return draw();
		};
		node.filter = fn => {
			wanted = fn;
			return draw();
		};
		node.empty = (text, hint) => {
			const told = [ text, hint ].filter(Boolean);

			widgets.list(nothing, told.map((line, n) => ({ line: line, n: n })), entry => entry.n, () => {
				const p = E('p');
				p.set = entry => widgets.text(p, entry.line);
				return p;
			});
		};

		return node;
	},

	/* Everything known of something: set([[ name, value, hint ]]) with texts; what has no value is left out. */
	facts() {
		const list = E('dl', { 'class': 'em-facts' });

		list.set = facts => widgets.list(list, facts.filter(fact => fact[1] != null && fact[1] !== ''), fact => fact[0], fact => {
			const value = E('span'), hint = E('div', { 'class': 'em-hint' });
			const pair = E('div', { 'class': 'em-fact' }, [ E('dt', {}, [ fact[0] ]), E('dd', {}, [ value, hint ]) ]);

			pair.set = fact => {
				widgets.text(value, fact[1]);
				widgets.text(hint, fact[2]);
			};

			return pair;
		});

		return list;
	}
});
