'use strict';
'require view';
'require poll';
'require dom';

/*
 * LuCI's status page, as far as the tiles of apps see it: each is loaded and drawn every few seconds, into a section under its title.
 * The names of the tiles are what the server tells, where LuCI lists a folder.
 */
return view.extend({
	load() {
		return Promise.all(window.standIn.statusIncludes.map(name => L.require('view.status.include.' + name)));
	},

	render(tiles) {
		const places = tiles.map(() => E('div'));
		const shown = E([]);

		tiles.forEach((tile, i) => shown.appendChild(E('div', { 'class': 'cbi-section', 'style': 'display:none' }, [
			tile.title ? E('div', { 'class': 'cbi-title' }, [ E('h3', {}, [ tile.title ]) ]) : '',
			places[i]
		])));

		const step = () => Promise.all(tiles.map(tile => Promise.resolve(tile.load ? tile.load() : null).catch(error => {
			tile.failed = true;
			console.error(error);
		}))).then(data => tiles.forEach((tile, i) => {
			if (tile.failed)
				return;

			const content = tile.render ? tile.render(data[i]) : tile.content;

			if (content == null)
				return;

			places[i].parentNode.style.display = '';
			dom.content(places[i], content);
		}));

		return step().then(() => poll.add(step)).then(() => E([ E('h2', { 'name': 'content' }, [ _('Status') ]), shown ]));
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
