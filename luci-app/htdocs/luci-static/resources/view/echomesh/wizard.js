'use strict';
'require view';
'require echomesh.answers as answers';
'require echomesh.api as api';
'require echomesh.steps as steps';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/* Milliseconds between two looks, and looks, until the daemon has come up. */
const LOOK = 500;
const LOOKS = 60;

/* Asks until `good` of the answer, or until it takes too long; gives the last answer. */
function until(ask, good, left) {
	return ask().catch(error => ({ error: error })).then(answer => good(answer) || left <= 0 ? answer
		: new Promise(done => window.setTimeout(done, LOOK)).then(() => until(ask, good, left - 1)));
}

function link(label, page) {
	return E('p', {}, [ E('a', { 'class': 'btn cbi-button cbi-button-action', 'href': L.url('admin/services/echomesh', page) }, [ label ]) ]);
}

return view.extend({
	load() {
		return Promise.all([ 'config_get', 'presets', 'status', 'survey' ].map(name => api.ask(name)).concat([ widgets.style() ])).catch(error => ({ error: error }));
	},

	render(loaded) {
		this.body = E('div');
		this.loaded(loaded);

		return E('div', { 'class': 'cbi-map em' }, [
			E('h2', {}, [ _('EchoMesh: Set-up') ]),
			E('div', { 'class': 'cbi-map-descr' }, [ _('A few questions, less than three minutes. Nothing is changed before the last step; your answers are kept in this browser until then.') ]),
			this.body
		]);
	},

	/* What was asked for at the beginning is there, or not. */
	loaded(loaded) {
		const refused = loaded.error || loaded[0].error;
		const put = nodes => this.body.replaceChildren(...nodes.filter(node => node));

		if (!loaded.error && (loaded[2].state === 'locked' || (refused && refused.reason === 'locked')))
			return put([ widgets.notice('warn', _('The keys are locked'), [
				E('p', {}, [ _('They are sealed with a passphrase. Unlock them first; then set the node up.') ]),
				widgets.mayChange() ? link(_('Unlock'), 'identity') : ''
			]) ]);

		if (refused)
			return put([ widgets.notice('bad', _('The router does not answer'), [
				E('p', { 'class': 'em-mono' }, [ refused.message ]),
				E('p', {}, [ widgets.button('action', _('Try again'), () => this.load().then(loaded => this.loaded(loaded))) ])
			]) ]);

		this.settings = loaded[0].settings;
		this.presets = loaded[1];
		this.survey = loaded[3].error ? null : loaded[3];

		if (widgets.mayChange())
			this.begin(loaded[2], put);
		else
			put([
				widgets.notice('info', _('This login may look and not change'), [ E('p', {}, [ _('Who may change the node can set it up here.') ]) ]),
				this.survey && E('div', { 'class': 'cbi-section' }, [ E('h3', {}, [ _('What was found on this router') ]), steps.found(this.survey) ])
			]);
	},

	begin(status, put) {
		const survey = this.survey || {};
		const kept = answers.kept();

		const place = survey.country || answers.country(survey.timeZone || Intl.DateTimeFormat().resolvedOptions().timeZone);

		this.proposed = answers.proposed(this.settings, survey, this.presets, place);
		this.answers = Object.assign({}, this.proposed, kept && kept.answers);
		this.nodeId = status.nodeId;

		this.progress = E('ol', { 'class': 'em-way' });
		this.heading = E('h3', { 'tabindex': '-1' });
		this.content = E('div', { 'class': 'cbi-section-node em-step' });
		this.problem = E('div', { 'class': 'em-problem', 'role': 'alert' });
		this.back = E('button', { 'type': 'button', 'class': 'btn cbi-button', 'click': () => this.move(-1) }, [ _('Back') ]);
		/* It works once there is a step to go on from. */
		this.next = widgets.button('action', _('Next'), () => this.forward(), { 'data-em': 'next', 'disabled': '' });

		put([
			kept && kept.step !== 'what' ? this.resumed() : this.proposed.proxy ? widgets.notice('good', _('This node is set up'), [
				E('p', {}, [ _('You can go through the questions again and change the answers. The proposals are the settings as they are.') ]),
				link(_('To the overview'), 'overview')
			]) : null,
			E('nav', { 'aria-label': _('Steps') }, [ this.progress ]),
			E('div', { 'class': 'cbi-section' }, [ this.heading, this.content, this.problem ]),
			E('div', { 'class': 'cbi-page-actions em-row' }, [ this.back, this.next ])
		]);

		/* Presets depend on the line that was answered before. */
		this.askPresets().then(() => {
			this.go(kept ? kept.step : 'what', true);
			this.next.disabled = false;
		});
	},

	/* A set-up that was broken off goes on. */
	resumed() {
		const note = widgets.notice('info', _('Your set-up goes on where it was'), [
			E('p', {}, [ widgets.button('neutral', _('Begin anew'), () => {
				this.answers = Object.assign({}, this.proposed);
				note.remove();
				this.go('what');
			}) ])
		]);

		/* The daemon may be gone since. */
		if (this.answers.proxy)
			this.daemon().catch(() => null);

		return note;
	},

	/* When the daemon is up, and as whom. */
	heard(status) {
		this.nodeId = status.nodeId || this.nodeId;

		if (this.tell)
			this.tell();
	},

	/* Takes an answer, and keeps it. What was wrong before is forgotten. */
	answered(name, value) {
		this.answers[name] = value;
		answers.keep(this.answers, this.step);
		this.wrong([]);
		/* Which steps there are depends on it. */
		this.drawProgress();
	},

	patch(on) {
		return answers.patch(this.answers, this.settings, this.presets, on);
	},

	/* What the self-test of these very answers came to. */
	testResult() {
		return this.tested && this.tested.patch === JSON.stringify(this.patch(true)) ? this.tested.result : null;
	},

	/* What the caps come to on the line that was answered. */
	askPresets() {
		const line = parseFloat(this.answers.line.replace(',', '.')) || null;

		return api.call('presets', line).then(told => {
			this.presets = told;
			this.presetsLine = line;
		}).catch(() => null);
	},

	/* Has a daemon running, with everything off where the node is not set up. Gives a promise. */
	daemon() {
		const status = () => api.ask('status');

		this.starting = this.starting || status().then(now => now.running === false
			? api.call('setup_start').then(() => until(status, now => now.running === true, LOOKS)) : now
		).then(now => {
			if (now.running !== true)
				throw new Error(now.message || _('The daemon did not start. The system log says why.'));

			this.daemonError = '';
			this.starting = null;
			this.heard(now);
		}).catch(error => {
			this.daemonError = _('The daemon could not be started: %s').format(error.message);
			this.starting = null;
			this.heard({});
			throw error;
		});

		return this.starting;
	},

	drawProgress() {
		const all = steps.of(this.answers), at = all.findIndex(step => step.id === this.step);

		this.progress.replaceChildren(...all.map((step, i) => E('li', { 'aria-current': i === at ? 'step' : null }, [
			E('span', { 'class': 'em-way-mark', 'aria-hidden': 'true' }, [ i < at ? words.symbol('good') : String(i + 1) ]),
			i < at ? E('button', { 'type': 'button', 'class': 'em-way-link', 'click': () => this.go(step.id) }, [ step.title ]) : E('span', {}, [ step.title ])
		])));
	},

	/* Draws a step. Where `quiet`, the focus stays where it is. */
	go(id, quiet) {
		const all = steps.of(this.answers);
		const at = Math.max(0, all.findIndex(step => step.id === id)), last = at === all.length - 1;

		this.step = all[at].id;
		this.fields = {};
		this.tell = null;
		answers.keep(this.answers, this.step);
		this.drawProgress();
		this.wrong([]);
		widgets.text(this.heading, _('Step %d of %d: %s').format(at + 1, all.length, all[at].title));
		this.content.replaceChildren(...all[at].draw(this));
		widgets.show(this.back, at > 0);
		widgets.text(this.next, !last ? _('Next') : this.answers.proxy ? _('Turn it on') : this.settings.node.enabled ? _('Turn it off') : _('To the overview'));

		if (!quiet)
			this.heading.focus();
	},

	move(by) {
		const all = steps.of(this.answers);

		this.go(all[all.findIndex(step => step.id === this.step) + by].id);
	},

	/* Says what is wrong, [{path, message}]: at the fields of this step, and else below it. Gives whether there is anything. */
	wrong(findings) {
		const at = finding => this.fields[answers.question(finding.path)];

		Object.keys(this.fields).forEach(name => this.fields[name].problem(null));
		findings.slice().reverse().forEach(finding => at(finding) && at(finding).problem(finding.message, true));
		widgets.text(this.problem, findings.filter(finding => !at(finding)).map(finding => [ finding.path, finding.message ].filter(text => text).join(': ')).join(' '));

		return findings.length > 0;
	},

	/* Looks whether the answers of this step can be; where they can, on to the next. */
	forward() {
		const step = steps.of(this.answers).find(step => step.id === this.step);

		if (step.id === 'summary')
			return this.finish();

		if (step.id === 'consent' && this.answers.proxy == null)
			return this.fields.proxy.problem(_('Say yes or no.'), true);

		/* It is of use from here on; what becomes of it shows where it is needed. */
		if (step.id !== 'what' && this.answers.proxy)
			this.daemon().catch(() => null);

		if (this.wrong(this.missing(step.id)))
			return null;

		return !step.check ? this.move(1) : this.askPresets().then(() => api.ask('config_check', this.patch(step.check === 'on'))).then(told => {
			if (!this.wrong(told.error ? [ { path: '', message: told.error.message } ] : told.findings))
				this.move(1);
		});
	},

	/* What the daemon would find as well, but could not say so plainly. */
	missing(id) {
		const said = this.answers;
		const none = (step, missing, path, message) => id === step && missing ? [ { path: path, message: message } ] : [];

		return [].concat(
			none('limits', said.caps === answers.OWN && !said.rate, 'network.maxMbps', _('Say how much it may use.')),
			none('coordinator', !said.coordinator, 'coordinator.url', _('The coordinator’s address is needed. Without it, come back later: your answers are kept.')),
			none('coordinator', !said.key, 'coordinator.keys', _('The key that the coordinator’s operator gave is needed: ed25519: and 43 characters.')),
			none('coordinator', said.reach === 'direct' && !(said.port >= 1024 && said.port <= 65535), 'proxy.listen', _('A port from 1024 to 65535.'))
		);
	},

	/* Writes it, once, and sees to it that the node starts. */
	finish() {
		const on = this.answers.proxy;
		const overview = () => {
			answers.keep(null);
			window.location.assign(L.url('admin/services/echomesh/overview'));
		};

		if (!on && !this.settings.node.enabled)
			return overview();

		return this.askPresets().then(() => api.ask('config_set', on ? this.patch(true) : { node: { enabled: false }, proxy: { enabled: false } })).then(told => {
			if (this.wrong(told.findings || []))
				return null;

			if (told.error && !told.written)
				throw new Error(told.error.message);

			if (!on)
				return overview();

			/* A stop of before would hold; and the daemon may be starting anew just now. */
			return this.daemon()
				.then(() => until(() => api.ask('control', 'start'), answer => !answer.error && answer.running, LOOKS))
				.then(() => until(() => api.ask('status'), status => [ 'running', 'degraded', 'reconnecting' ].includes(status.state), LOOKS))
				.then(overview, error => this.wrong([ { path: '', message: _('The settings are written, but the node does not start: %s').format(error.message) } ]));
		});
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
