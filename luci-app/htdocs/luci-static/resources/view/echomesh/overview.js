'use strict';
'require view';
'require echomesh.api as api';
'require echomesh.banner as banner';
'require echomesh.feed as feed';
'require echomesh.figures as figures';
'require echomesh.fold as fold';
'require echomesh.graph as graph';
'require echomesh.series as series';
'require echomesh.tiles as tiles';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/* How often it is looked whether a daemon that was started is there, and for how long, in ms. */
const START_EVERY = 1000, START_WITHIN = 20000;
/* Alerts that the banner itself tells. */
const IN_BANNER = [ 'quarantine', 'locked' ];

/* Seconds until the next midnight by the reader's clock. */
function untilTomorrow() {
	const midnight = new Date();

	midnight.setHours(24, 0, 0, 0);

	return Math.max(60, Math.ceil((midnight - Date.now()) / 1000));
}

/* Gives `promise`'s value, or null where it fails. */
function orNull(promise) {
	return promise.catch(() => null);
}

return view.extend({
	load() {
		this.kept = series.make();

		return Promise.all([ this.ask().catch(error => ({ failed: error })), orNull(api.ask('config_get')) ]);
	},

	render(loaded) {
		widgets.style();
		this.mayChange = widgets.mayChange();
		this.settings = loaded[1] && loaded[1].settings || null;

		const root = E('div', { 'class': 'cbi-map em', 'data-em': 'overview' }, [
			E('h2', {}, [ _('EchoMesh: Overview') ]),
			E('div', { 'class': 'cbi-map-descr' }, [ _('What your router does for others, and how to stop it.') ]),
			this.said = E('div', { 'class': 'em-visually-hidden', 'aria-live': 'polite', 'data-em': 'said' }),
			this.away = E('p', { 'class': 'em-away hidden', 'role': 'status', 'data-em': 'away' }),
			this.makeBanner(),
			this.notices = E('div', { 'data-em': 'alerts' }),
			this.figures = E('div', { 'class': 'hidden', 'data-em': 'figures' }, [ this.makeGraph(), this.makeTiles(), this.makeDetails() ])
		]);

		if (loaded[0].failed)
			this.heard({ error: loaded[0].failed, retrySec: 3 });
		else
			this.heard({ answer: loaded[0] });

		this.feed = feed.start(() => this.ask(), news => this.heard(news));

		return root;
	},

	/* The one call of this page. An answer that is an error counts as none: it is asked for again, ever later. */
	ask() {
		return api.ask('overview', this.kept.wanted()).then(answer => {
			if (answer.error)
				throw new Error(answer.error.message);

			return answer;
		});
	},

	/* What the poll brought: {answer} or {error, retrySec}. */
	heard(news) {
		if (news.error) {
			/* One call that was late is no news while the figures of a moment ago stand here. */
			this.missed = (this.missed || 0) + 1;

			if (this.missed > 1 || !this.shown) {
				widgets.text(this.away, _('The router gives no answer (%s). It is asked again in %s.').format(news.error.message || news.error, words.span(news.retrySec)));
				widgets.show(this.away, true);
				this.figures.classList.add('em-old');
			}

			return;
		}

		this.missed = 0;
		widgets.show(this.away, false);
		this.figures.classList.remove('em-old');

		const before = this.stand;

		this.stand = news.answer.running === false ? 'none' : news.answer.status.state;

		/* The settings matter to what can be done next; they may have changed along with the state. */
		if (before && before !== this.stand)
			orNull(api.ask('config_get')).then(answer => {
				this.settings = answer && answer.settings || this.settings;
				this.draw();
			});

		/* Seconds that are missing are asked for at once. */
		if (news.answer.series && !this.kept.add(news.answer.series) && this.feed)
			this.feed.now();

		this.shown = news.answer;
		this.draw();
	},

	/* Writes what is known into the page. */
	draw() {
		const status = this.shown.status;

		this.drawBanner(banner.judge(this.shown, this.settings));
		widgets.show(this.figures, !!status && status.state !== 'locked');
		this.drawAlerts(status ? status.alerts.filter(alert => IN_BANNER.indexOf(alert.id) < 0) : []);

		if (!status || status.state === 'locked')
			return;

		this.graph.set(this.kept);
		this.tiles.forEach(tile => tile.set(tile.told(status)));
		widgets.list(this.roles, Object.keys(status.roles), name => name, name => this.makeRole(name));
		this.drawDetails(status);
	},

	/* -- the banner -------------------------------------------------------------------------------------------------- */

	makeBanner() {
		const button = (tone, label, name, fn) => widgets.button(tone, label, fn, { 'data-em': name });
		const part = (name, nodes) => E('div', { 'class': 'em-row', 'data-does': name }, nodes);
		const pauses = [ [ _('15 minutes'), 'pause-15', () => 900 ], [ _('1 hour'), 'pause-60', () => 3600 ], [ _('until tomorrow'), 'pause-tomorrow', untilTomorrow ] ];

		this.symbol = E('span', { 'class': 'em-banner-symbol', 'aria-hidden': 'true' });
		this.title = E('h3', { 'id': 'em-state', 'tabindex': '-1', 'data-em': 'state' });
		this.lead = E('p', { 'data-em': 'lead' });
		this.why = E('p', { 'class': 'em-said', 'data-em': 'why' });
		this.card = E('dl', { 'class': 'em-card', 'data-em': 'quarantine' });
		this.link = E('a', { 'class': 'btn cbi-button', 'data-em': 'next-link' });
		this.actions = E('div', { 'class': 'em-banner-actions', 'role': 'group', 'aria-label': _('What you can do') }, this.mayChange ? [
			part('start', [ button('positive', _('Start'), 'start', () => this.control('start', null, _('It starts.'))) ]),
			part('resume', [ button('positive', _('Resume'), 'resume', () => this.control('start', null, _('It goes on.'))) ]),
			part('start-daemon', [ button('positive', _('Start it'), 'start-daemon', () => this.startDaemon()) ]),
			part('enable', [ button('positive', _('Turn on'), 'enable', () => this.enable()) ]),
			part('clear', [ button('action', _('Clear the quarantine'), 'clear', () => this.clear()) ]),
			this.unlock = part('unlock', []),
			E('div', { 'class': 'em-row', 'data-does': 'pause', 'role': 'group', 'aria-labelledby': 'em-pause' }, [ E('span', { 'id': 'em-pause' }, [ _('Pause for') ]) ].concat(
				pauses.map(pause => widgets.button('neutral', pause[0], () => this.control('pause', pause[2](), _('It is paused.')), { 'data-em': pause[1], 'aria-describedby': 'em-pause' })))),
			part('stop', [ button('negative', _('Stop'), 'stop', () => this.control('stop', null, _('It is stopped.'))) ])
		] : []);

		return this.banner = E('section', { 'class': 'em-banner hidden', 'aria-labelledby': 'em-state', 'data-em': 'banner' }, [
			this.symbol, E('div', { 'class': 'em-banner-text' }, [ this.title, this.lead, this.why, this.card, this.link ]), this.actions
		]);
	},

	drawBanner(told) {
		/* Who pressed a button that goes away stays in the banner. */
		const held = this.actions.contains(document.activeElement);

		this.banner.dataset.tone = told.tone;
		widgets.show(this.banner, true);
		widgets.text(this.symbol, words.symbol(told.tone));
		widgets.text(this.title, told.title);
		widgets.text(this.lead, told.text);
		widgets.show(widgets.text(this.why, told.why ? _('The node says: %s').format(told.why) : ''), !!told.why);
		this.drawCard(told.quarantine);

		const link = told.link && (this.mayChange || told.link.page !== 'wizard') ? told.link : null;

		widgets.show(this.link, !!link);

		if (link) {
			widgets.text(this.link, link.label);
			this.link.href = L.url('admin/services/echomesh/' + link.page);
			this.link.classList.toggle('cbi-button-action', told.next === 'link');
			this.link.classList.toggle('cbi-button-neutral', told.next !== 'link');
		}

		Array.from(this.actions.children).forEach(part => widgets.show(part, told.does.indexOf(part.dataset.does) >= 0));
		widgets.show(this.actions, this.mayChange && told.does.length > 0);

		if (this.mayChange && told.next === 'unlock' && !this.unlock.asked)
			this.unlock.asked = L.require('echomesh.unlock').then(unlock => this.unlock.appendChild(unlock.make(() => {
				this.tell(_('The keys are unlocked.'));
				return this.feed.now();
			})));

		if (held && document.activeElement.closest('.hidden'))
			this.title.focus();
	},

	/* Why it is in quarantine, since when, until when, and what to do. */
	drawCard(quarantine) {
		widgets.show(this.card, !!quarantine);

		if (!quarantine)
			return;

		widgets.list(this.card, [
			[ _('Reason'), quarantine.reason ],
			[ _('Since'), words.moment(quarantine.since) ],
			[ _('Until'), quarantine.until ? words.moment(quarantine.until) : _('you clear it') ],
			[ _('What to do'), quarantine.remedy ]
		], row => row[0], row => {
			const told = E('dd');
			const node = E('div', {}, [ E('dt', {}, [ row[0] ]), told ]);

			node.set = row => widgets.text(told, row[1]);

			return node;
		});
	},

	/* Says in passing, to those who do not see it, what an action came to. */
	tell(text) {
		widgets.text(this.said, '');
		widgets.text(this.said, text);
	},

	/* Start, pause, stop, clear: what the daemon answers is shown at once, and the rest of the page is asked for. */
	control(action, seconds, said) {
		const asked = seconds == null ? api.call('control', action) : api.call('control', action, seconds);

		return asked.then(now => {
			const status = this.shown.status;

			status.state = now.state;
			status.stateReason = null;
			status.paused = now.paused ? { since: null, until: now.until, leftSec: now.until ? seconds : null } : null;
			status.quarantine = now.quarantine ? status.quarantine : null;
			this.draw();
			this.tell(said);
			this.feed.now();

			/* LuCI takes the focus from a button at work, and this one is gone now. */
			if (document.activeElement === document.body)
				this.title.focus();
		}).catch(error => {
			/* It may have been done all the same. */
			this.feed.now();
			throw error;
		});
	},

	clear() {
		return widgets.confirm(_('Clear the quarantine?'), [
			E('p', {}, [ _('The node goes back to work. If the cause is still there, it takes itself out of service again.') ]),
			E('p', {}, [ this.shown.status.quarantine.remedy ])
		], _('Clear it')).then(yes => (yes ? this.control('clear-quarantine', null, _('The quarantine is cleared.')) : null));
	},

	enable() {
		return api.call('config_set', { node: { enabled: true } }).catch(error => {
			/* Without a daemon the settings are written all the same. */
			if (error.reason !== 'not-running')
				throw error;
		}).then(() => this.cameUp());
	},

	startDaemon() {
		return api.ask('setup_start').then(answer => {
			if (answer.error)
				throw new Error(answer.error.message);

			return this.cameUp();
		});
	},

	/* Waits until the node is somewhere else than it was. */
	cameUp() {
		const before = this.stand, until = Date.now() + START_WITHIN;
		const look = () => this.feed.now().then(() => {
			if (this.stand !== before) {
				this.tell(_('It starts.'));
				return null;
			}

			if (Date.now() > until)
				throw new Error(_('It has not come up yet. The system log of the router may say why.'));

			return new Promise(done => window.setTimeout(done, START_EVERY)).then(look);
		});

		return look();
	},

	/* -- the graph and the figures ----------------------------------------------------------------------------------- */

	makeGraph() {
		this.graph = graph.make();

		return E('section', { 'class': 'cbi-section', 'aria-labelledby': 'em-graph-title' }, [
			E('h3', { 'id': 'em-graph-title' }, [ _('The last five minutes') ]), this.graph
		]);
	},

	makeTiles() {
		const group = (title, nodes) => E('section', { 'class': 'cbi-section', 'aria-label': title }, [ E('h3', {}, [ title ]), nodes ]);

		this.tiles = [];
		this.roles = E('div', { 'class': 'em-tiles-in', 'data-em': 'roles' });

		return E('div', {}, tiles.groups().map((of, at, all) => group(of[0], E('div', { 'class': 'em-tiles' }, of[1].map(one => {
			const tile = figures.tile(one[1], { 'data-em': 'tile-' + one[0] });

			tile.told = one[2];
			this.tiles.push(tile);

			return tile;
		}).concat(at === all.length - 1 ? [ this.roles ] : [])))));
	},

	/* A tile for a role; its set(name) writes how it stands. */
	makeRole(name) {
		const tile = figures.tile(tiles.roleName(name), { 'data-em': 'role-' + name });
		const set = tile.set;

		tile.set = name => set(tiles.role(this.shown.status.roles[name]));

		return tile;
	},

	/* -- alerts and details ------------------------------------------------------------------------------------------ */

	/* What alerts are called and what to do about them is loaded with the first one: on most days there is none. */
	drawAlerts(now) {
		if (now.length || this.alerts)
			this.withAlerts(alerts => widgets.list(this.notices, now, alert => alert.id + alert.severity, alert => alerts.notice(alert)));
	},

	withAlerts(fn) {
		if (this.alerts)
			return fn(this.alerts);

		return L.require('echomesh.alerts').then(alerts => {
			this.alerts = alerts;
			fn(alerts);
		});
	},

	makeDetails() {
		this.heldBack = fold.make('held-back', _('Work that is held back'), [ _('Category'), _('How'), _('Until'), _('Reason') ]);
		this.recent = fold.make('recent-alerts', _('Recent alerts'), [ _('Time'), _('Alert'), _('What') ], () => this.drawRecent());
		this.parts = fold.make('sandbox', _('The sandbox, part by part'), [ _('Part'), _('State') ]);

		return E('section', { 'class': 'cbi-section' }, [ E('h3', {}, [ _('Details') ]), this.heldBack, this.recent, this.parts ]);
	},

	drawDetails(status) {
		this.parts.set(Object.keys(status.sandbox.parts).map(name => [ name, status.sandbox.parts[name] === 'on' ? _('on') : status.sandbox.parts[name] ]));
		this.heldBack.set(status.reputationGuard.map(held => [
			held.category, { slowed: _('slowed down'), stopped: _('stopped') }[held.step] || held.step, words.moment(held.until), held.reason
		]));
		widgets.show(this.heldBack, status.reputationGuard.length > 0);
		this.drawRecent();
	},

	/* The alerts that came and went since the daemon started, the last one first. */
	drawRecent() {
		const recent = (this.shown.recentAlerts || []).slice().reverse();

		if (this.recent.open)
			this.withAlerts(alerts => this.recent.set(recent.length ? recent.map(event => [
				words.moment(event.at), alerts.title(event.alert || { id: event.id }), event.kind === 'alert' ? _('came') : _('is over')
			]) : [ [ '–', _('There were none since the daemon started.'), '' ] ]));
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
