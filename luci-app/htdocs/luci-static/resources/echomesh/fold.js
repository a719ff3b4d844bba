'use strict';
'require baseclass';
'require echomesh.widgets as widgets';

return baseclass.extend({
	/* A table that is closed by default, under `title`. set(rows) writes its rows, each a list of texts. opened() is called when it was opened or closed. */
	make(name, title, titles, opened) {
		const body = E('tbody');
		const node = E('details', { 'class': 'em-details', 'data-em': name, 'toggle': opened || null }, [
			E('summary', {}, [ title ]),
			E('div', { 'class': 'em-scroll' }, [ E('table', { 'class': 'table em-table' }, [
				E('thead', {}, [ E('tr', { 'class': 'tr table-titles' }, titles.map(title => E('th', { 'class': 'th', 'scope': 'col' }, [ title ]))) ]), body
			]) ])
		]);

		node.set = rows => {
			while (body.children.length > rows.length)
				body.lastChild.remove();

			rows.forEach((cells, y) => {
				const row = body.children[y] || body.appendChild(E('tr', { 'class': 'tr cbi-rowstyle-' + (y % 2 + 1) }, cells.map(() => E('td', { 'class': 'td' }))));

				cells.forEach((cell, x) => widgets.text(row.children[x], cell));
			});
		};

		return node;
	}
});
