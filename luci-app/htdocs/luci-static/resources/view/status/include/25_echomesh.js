'use strict';
'require baseclass';
'require echomesh.api as api';
'require echomesh.words as words';

const GB = 1e9;

/* The state in a word, with its tone. */
function state(tile) {
	if (tile.running === false)
		return { tone: 'idle', word: _('Not running') };

	if (tile.quarantine)
		return { tone: 'bad', word: _('In quarantine') };

	if (tile.paused && tile.state !== 'stopped')
		return { tone: 'idle', word: tile.pauseLeftSec == null ? _('Paused') : _('Paused for another %s').format(words.span(tile.pauseLeftSec)) };

	return words.state(tile.state);
}

/* How much may still pass today. */
function left(tile) {
	return tile.maxGBPerDay > 0
		? _('%s of %s').format(words.bytes(Math.max(0, tile.maxGBPerDay * GB - tile.usedTodayBytes)), words.bytes(tile.maxGBPerDay * GB))
		: _('There is no limit for a day.');
}

/* The alerts: how many, and how severe the worst is. */
function alerts(tile) {
	const tone = words.tone(tile.worst);

	return tile.alerts === 0 ? _('None') :
		tile.alerts === 1 ? _('%s One: %s').format(words.symbol(tone), words.severity(tile.worst)) :
			_('%s %d; the worst: %s').format(words.symbol(tone), tile.alerts, words.severity(tile.worst));
}

/* The node on the router's Status page: one small call, and nothing at all for a login that may not see it. */
return baseclass.extend({
	title: _('EchoMesh'),

	load() {
		return api.ask('tile').catch(() => null);
	},

	render(tile) {
		if (!tile)
			return null;

		const now = state(tile);
		const rows = tile.error
			? [ [ _('State'), [ _('There is no answer at the moment.') ] ] ]
			: [ [ _('State'), [ words.symbol(now.tone) + ' ' + now.word ] ] ];

		if (!tile.error && tile.running !== false) {
			rows.push([ _('Live rate'), [ _('In %s, out %s').format(words.rate(tile.bitsInPerSec), words.rate(tile.bitsOutPerSec)) ] ]);
			rows.push([ _('Left today'), [ left(tile) ] ]);
			rows.push([ _('Alerts'), [ alerts(tile) ] ]);
		}

		rows[0][1].push(' ', E('a', { 'href': L.url('admin/services/echomesh/overview') }, [ _('Open the overview') ]));

		return E('table', { 'class': 'table', 'data-em': 'status-tile' }, rows.map(row => E('tr', { 'class': 'tr' }, [
			E('td', { 'class': 'td left', 'width': '33%' }, [ row[0] ]), E('td', { 'class': 'td left' }, row[1])
		])));
	}
});
