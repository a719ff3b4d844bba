'use strict';
'require view';
'require echomesh.api as api';
'require echomesh.feed as feed';
'require echomesh.page as page';
'require echomesh.table as table';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/* Enough of a session's id to tell it from others; the whole one stands in the details. */
function short(id) {
	return id.length > 13 ? id.slice(0, 8) + '…' : id;
}

function mark(session) {
	return words.session(session.state);
}

function time(iso) {
	const at = Date.parse(iso);
	return isNaN(at) ? null : at;
}

/* Why no session is there, and what would bring one: [ what is, what to do ]. */
function nobody(status) {
	const proxy = status.roles && status.roles.proxy;
	const full = (status.alerts || []).find(alert => alert.id === 'daily-cap' || alert.id === 'monthly-cap');

	if (status.quarantine)
		return [ _('The node is in quarantine and takes no sessions.'), _('The overview says why, and what to do.') ];

	if (status.paused)
		return [ _('The node is paused and takes no sessions.'), status.paused.until
			? _('It goes on by itself at %s.').format(words.moment(status.paused.until)) : _('Start it on the overview when you like.') ];

	if (status.state === 'stopped' || status.state === 'stopping')
		return [ _('The node is stopped and takes no sessions.'), _('Start it on the overview when you like.') ];

	if (!proxy || proxy.state === 'off')
		return [ _('The proxy role is off, so no sessions come.'), _('Turn it on in the settings when you like.') ];

	if (status.schedule && !status.schedule.open)
		return [ _('It is outside the hours that you set.'), status.schedule.opensAt
			? _('Sessions may come again from %s on.').format(words.moment(status.schedule.opensAt)) : _('The hours stand on the page Policy.') ];

	if (full)
		return [ full.message, full.remedy ];

	if (status.coordinator && !status.coordinator.reachable)
		return [ _('The coordinator does not answer, so no sessions come.'), _('The node tries again by itself.') ];

	return [ _('No sessions now.'), _('They come by themselves when the coordinator has a buyer for your region and your categories.') ];
}

function facts(session) {
	const tls = session.tls;

	return [
		[ _('Session'), session.sessionId ],
		[ _('State'), mark(session).word ],
		[ _('Opened'), words.moment(session.openedAt), words.ago(session.openedAt) ],
		[ _('Ends at the latest'), words.moment(session.expiresAt) ],
		[ _('Lease until'), words.moment(session.leaseUntil), _('The coordinator renews it while the session goes on. Without that no new connection is made.') ],
		[ _('Connections open now'), words.number(session.tunnels) ],
		[ _('Received from sites'), words.bytes(session.bytesIngress) ],
		[ _('Sent to sites'), words.bytes(session.bytesEgress) ],
		[ _('Latency'), session.latencyMsP50 == null ? _('not measured yet') : _('half below %s, 95 %% below %s').format(
			words.ms(session.latencyMsP50), words.ms(session.latencyMsP95)), _('From the connection to the first answer of a site.') ],
		[ _('Failed connections'), words.percent(session.errorRatePct) ],
		[ _('Encryption'), tls ? [ tls.version.replace('TLSv', 'TLS '), tls.alpn ].filter(Boolean).join(', ') : _('nothing seen yet'),
			tls ? _('Of the last connection, between the buyer and the site; it was set up in %s. Your router cannot read it.').format(words.ms(tls.handshakeMs)) : '' ]
	];
}

return view.extend({
	load() {
		return null;
	},

	render() {
		const mayChange = widgets.mayChange();
		let lives = null;

		const columns = [
			{ id: 'session', title: _('Session'), css: 'em-mono', text: session => short(session.sessionId), by: session => session.sessionId },
			{ id: 'state', title: _('State'), by: session => mark(session).word, make: () => {
				const badge = widgets.badge();
				const node = E('span', {}, [ badge ]);
				node.set = session => badge.set(mark(session).tone, mark(session).word);
				return node;
			} },
			{ id: 'opened', title: _('Opened'), css: 'em-time', text: session => words.moment(session.openedAt), by: session => time(session.openedAt) },
			{ id: 'tunnels', title: _('Connections'), right: true, text: session => words.number(session.tunnels), by: session => session.tunnels },
			{ id: 'in', title: _('Received'), right: true, text: session => words.bytes(session.bytesIngress), by: session => session.bytesIngress },
			{ id: 'out', title: _('Sent'), right: true, text: session => words.bytes(session.bytesEgress), by: session => session.bytesEgress },
			{ id: 'p95', title: _('Latency'), right: true, text: session => words.ms(session.latencyMsP95), by: session => session.latencyMsP95 },
			{ id: 'errors', title: _('Failed'), right: true, text: session => words.percent(session.errorRatePct), by: session => session.errorRatePct }
		];

		if (mayChange)
			columns.push({ id: 'close', title: _('Action'), css: 'em-action', make: () => {
				const node = E('span');
				let button = null, current = null;

				node.set = session => {
					const over = session.state === 'closed' || session.state === 'closing';

					current = session;

					if (!button) {
						button = widgets.button('negative', _('Close'), () => close(current), { 'aria-label': _('Close session %s').format(short(session.sessionId)) });
						node.appendChild(button);
					}

					widgets.show(button, !over);
				};

				return node;
			} });

		const rows = table.make({
			name: _('Sessions'),
			key: session => session.sessionId,
			columns: columns,
			sort: { id: 'opened', down: true },
			wide: true,
			detailsOf: session => _('Details of session %s').format(short(session.sessionId)),
			details: () => {
				const list = table.facts();
				const node = E('div', {}, [ list ]);
				node.set = session => list.set(facts(session));
				return node;
			}
		});

		const search = E('input', { 'type': 'search', 'class': 'cbi-input-text', 'autocomplete': 'off', 'spellcheck': 'false', 'input': () => draw() });
		const state = E('select', { 'class': 'cbi-input-select', 'change': () => draw() }, [ E('option', { 'value': '' }, [ _('All states') ]) ].concat(
			[ 'active', 'pending', 'halted', 'closing', 'closed' ].map(id => E('option', { 'value': id }, [ words.session(id).word ]))));
		const count = E('span', { 'class': 'em-hint', 'data-em': 'count' });
		const tools = E('div', { 'class': 'em-row em-tools', 'role': 'search' }, [
			widgets.field(_('Search'), search), widgets.field(_('State'), state), count
		]);
		const frame = page.make(_('EchoMesh: Sessions'),
			_('Who is served through your router now. A session is one buyer’s order: it opens encrypted connections to sites, within your limits.'), [
				E('div', { 'class': 'cbi-section' }, [ tools, rows ])
			]);
		let status = null;

		function draw() {
			if (!status)
				return;

			const all = status.sessions || [], needle = search.value.trim().toLowerCase();
			const filtered = !!(needle || state.value);

			widgets.show(tools, all.length > 0 || filtered);
			rows.empty(...(all.length ? [ _('No session fits the search.'), '' ] : nobody(status)));
			rows.set(all);

			const shown = rows.filter(session => (!state.value || session.state === state.value) &&
				(!needle || session.sessionId.toLowerCase().includes(needle)));

			widgets.text(count, filtered ? _('%d of %d shown').format(shown, all.length) : all.length === 1 ? _('1 session') : _('%d sessions').format(all.length));
		}

		function close(session) {
			return widgets.confirm(_('Close this session?'), [
				E('p', {}, [ E('span', { 'class': 'em-mono' }, [ session.sessionId ]) ]),
				E('p', {}, [ _('Its connections end at once. What was carried so far is still credited. The coordinator may send you other sessions.') ])
			], _('Close the session')).then(yes => {
				if (yes)
					return api.call('sessions_close', session.sessionId).then(() => {
						widgets.done(_('Session %s is closed.').format(short(session.sessionId)));
						return lives.now();
					});
			});
		}

		lives = feed.start(() => api.ask('status'), news => {
			const answer = frame.told(news);

			if (answer) {
				status = answer;
				draw();
			}
		});
		lives.now();

		return frame;
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
