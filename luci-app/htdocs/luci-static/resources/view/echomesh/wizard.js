'use strict';
'require view';
'require echomesh.answers as answers';
'require echomesh.api as api';
'require echomesh.feed as feed';
'require echomesh.steps as steps';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/* Milliseconds between two looks, and looks, until the daemon has come up. */
const LOOK = 500;
const LOOKS = 60;

function later(ms) {
	return new Promise(done => window.setTimeout(done, ms));
}

/* Asks until `good` of the answer, or until it takes too long; gives the last answer. */
function until(ask, good) {
	let left = LOOKS;

	const look = () => ask().catch(error => ({ error: error })).then(answer => good(answer) || --left <= 0 ? answer : later(LOOK).then(look));

	return look();
}

return view.extend({
	load() {
		return Promise.all([
			api.ask('config_get'), api.ask('presets'), api.ask('status'),
			api.ask('survey').catch(error => ({ error: error }))
		]).catch(error => ({ error: error }));
	},

	render(loaded) {
		widgets.style();

		this.body = E('div');
		this.root = E('div', { 'class': 'cbi-map em' }, [
			E('h2', {}, [ _('EchoMesh: Set-up') ]),
			E('div', { 'class': 'cbi-map-descr' }, [ _('A few questions, less than three minutes. Nothing is changed before the last step; your answers are kept in this browser until then.') ]),
			this.body
		]);
		this.loaded(loaded);

		return this.root;
	},

	/* What was asked for at the beginning is there, or not. */
	loaded(loaded) {
		const wrong = loaded.error || (loaded[0].error && new Error(loaded[0].error.message)) || (!loaded[0].settings && new Error(loaded[0].message || ''));

		this.body.textContent = '';

		if (!loaded.error && (loaded[2].state === 'locked' || (loaded[0].error && loaded[0].error.reason === 'locked')))
			return this.body.appendChild(widgets.notice('warn', _('The keys are locked'), [
				E('p', {}, [ _('They are sealed with a passphrase. Unlock them first; then set the node up.') ]),
				widgets.mayChange() ? E('p', {}, [ E('a', { 'class': 'btn cbi-button cbi-button-action', 'href': L.url('admin/services/echomesh/identity') }, [ _('Unlock') ]) ]) : ''
			]));

		if (wrong)
			return this.body.appendChild(widgets.notice('bad', _('The router does not answer'), [
				E('p', { 'class': 'em-mono' }, [ wrong.message ]),
				E('p', {}, [ widgets.button('action', _('Try again'), () => this.load().then(loaded => this.loaded(loaded))) ])
			]));

		this.settings = loaded[0].settings;
		this.presets = loaded[1];
		this.survey = loaded[3].error ? null : loaded[3];
		this.surveyError = loaded[3].error ? loaded[3].error.message : '';

		if (!widgets.mayChange()) {
			this.body.appendChild(widgets.notice('info', _('This login may look and not change'), [
				E('p', {}, [ _('Who may change the node can set it up here.') ])
			]));
			this.body.appendChild(E('div', { 'class': 'cbi-section' }, [
				E('h3', {}, [ _('What was found on this router') ]), this.survey ? steps.found(this.survey) : E('p', {}, [ this.surveyError ])
			]));

			return null;
		}

		this.begin(loaded[2]);
	},

	begin(status) {
		const survey = this.survey || {};
		const kept = answers.kept();

		this.place = survey.country || answers.country(survey.timeZone) || (survey.timeZone ? null : answers.country(Intl.DateTimeFormat().resolvedOptions().timeZone));
		this.proposed = answers.proposed(this.settings, survey, this.presets, this.place);
		this.answers = Object.assign({}, this.proposed, kept ? kept.answers : {});
		this.nodeId = status.nodeId || null;
		this.step = 'what';

		this.notices = E('div');
		this.progress = E('ol', { 'class': 'em-steps' });
		this.heading = E('h3', { 'tabindex': '-1' });
		this.content = E('div', { 'class': 'cbi-section-node em-step' });
		this.problem = E('div', { 'class': 'em-problem', 'role': 'alert' });
		this.back = E('button', { 'type': 'button', 'class': 'btn cbi-button', 'click': () => this.move(-1) }, [ _('Back') ]);
		this.next = widgets.button('action', _('Next'), () => this.forward(), { 'data-em': 'next' });
		this.body.appendChild(E('div', {}, [
			this.notices,
			E('nav', { 'aria-label': _('Steps') }, [ this.progress ]),
			E('div', { 'class': 'cbi-section' }, [ this.heading, this.content, this.problem ]),
			E('div', { 'class': 'cbi-page-actions em-row em-actions' }, [ this.back, this.next ])
		]));

		if (kept && kept.step && kept.step !== 'what')
			this.resumed(kept.step);
		else if (this.settings.node.enabled && this.settings.proxy.enabled)
			this.notices.appendChild(widgets.notice('good', _('This node is set up'), [
				E('p', {}, [ _('You can go through the questions again and change the answers. The proposals are the settings as they are.') ]),
				E('p', {}, [ E('a', { 'class': 'btn cbi-button', 'href': L.url('admin/services/echomesh/overview') }, [ _('To the overview') ]) ])
			]));

		/* Presets depend on the line that was answered before. */
		(this.answers.line ? this.askPresets() : Promise.resolve()).then(() => this.go(kept && kept.step ? kept.step : 'what', true));
		this.feed = feed.start(() => api.ask('status'), news => this.heard(news));
	},

	/* A set-up that was broken off goes on. */
	resumed(step) {
		const note = widgets.notice('info', _('Your set-up goes on where it was'), [
			E('p', {}, [ widgets.button('neutral', _('Begin anew'), () => {
				answers.forget();
				this.answers = Object.assign({}, this.proposed);
				this.tested = null;
				note.remove();
				this.go('what');
			}) ])
		]);

		this.notices.appendChild(note);

		/* It may come back in another tab, and the daemon be gone since. */
		if (step !== 'consent')
			this.daemon().catch(() => null);
	},

	/* What the poll told: when the daemon is up, and as whom. */
	heard(news) {
		if (!news.answer || !news.answer.nodeId)
			return;

		this.nodeId = news.answer.nodeId;

		if (this.step === 'identity' && this.tell)
			this.tell();
	},

	/* Takes an answer, and keeps it. What was wrong with the one before is forgotten. */
	answered(name, value) {
		this.answers[name] = value;
		answers.keep(this.answers, this.step);
		this.wrong([]);

		/* Which steps there are depends on it. */
		if (name === 'proxy')
			this.drawProgress();
	},

	patch(on) {
		return answers.patch(this.answers, this.settings, this.presets, on);
	},

	/* What the caps come to on the line that was answered. */
	askPresets() {
		const line = parseFloat(String(this.answers.line).replace(',', '.'));

		return api.ask('presets', line > 0 ? line : null).then(told => {
			if (told.error)
				return;

			this.presets = told;
			this.presetsLine = line > 0 ? line : null;
		}).catch(() => null);
	},

	/* Has a daemon running, with everything off where the node is not set up. Gives a promise. */
	daemon() {
		if (this.starting)
			return this.starting;

		this.starting = api.ask('status').then(status => {
			if (status.running !== false)
				return status;

			return api.call('setup_start').then(() => until(() => api.ask('status'), status => status.running === true));
		}).then(status => {
			this.starting = null;

			if (status.running !== true)
				throw new Error(status.message || _('The daemon did not start. The system log says why.'));

			this.daemonError = '';
			this.nodeId = status.nodeId || this.nodeId;

			return status;
		}).catch(error => {
			this.starting = null;
			this.daemonError = _('The daemon could not be started: %s').format(error.message);
			this.heard({ answer: { nodeId: this.nodeId } });

			if (this.step === 'identity' && this.tell)
				this.tell();

			throw error;
		});

		return this.starting;
	},

	steps() {
		return steps.of(this.answers);
	},

	drawProgress() {
		const all = this.steps(), at = all.findIndex(step => step.id === this.step);

		this.progress.textContent = '';
		all.forEach((step, i) => {
			const mark = E('span', { 'class': 'em-step-mark', 'aria-hidden': 'true' }, [ i < at ? words.symbol('good') : String(i + 1) ]);
			const name = i < at
				? E('button', { 'type': 'button', 'class': 'em-step-link', 'click': () => this.go(step.id) }, [ step.title ])
				: E('span', {}, [ step.title ]);

			this.progress.appendChild(E('li', { 'class': i < at ? 'em-step-done' : i === at ? 'em-step-now' : '', 'aria-current': i === at ? 'step' : null }, [ mark, name ]));
		});
	},

	/* Draws a step. Where `quiet`, the focus stays where it is. */
	go(id, quiet) {
		const all = this.steps();
		const at = Math.max(0, all.findIndex(step => step.id === id));
		const step = all[at], last = at === all.length - 1;

		this.step = step.id;
		this.fields = {};
		this.tell = null;
		answers.keep(this.answers, step.id);
		this.drawProgress();
		this.wrong([]);
		widgets.text(this.heading, _('Step %d of %d: %s').format(at + 1, all.length, step.title));
		this.content.textContent = '';
		step.draw(this).forEach(node => node && this.content.appendChild(node));
		widgets.show(this.back, at > 0);
		widgets.text(this.next, !last ? at === 0 ? _('Begin') : _('Next')
			: this.answers.proxy ? _('Turn it on') : this.settings.node.enabled ? _('Turn it off') : _('To the overview'));
		this.next.classList.toggle('cbi-button-apply', last && this.answers.proxy === true);

		if (!quiet)
			this.heading.focus();
	},

	move(by) {
		const all = this.steps();

		this.go(all[Math.min(all.length - 1, Math.max(0, all.findIndex(step => step.id === this.step) + by))].id);
	},

	/* Says what is wrong: at the fields of this step, and else below it. */
	wrong(findings) {
		const rest = [];
		let focus = true;

		Object.keys(this.fields || {}).forEach(name => this.fields[name].problem(null));
		findings.forEach(finding => {
			const field = this.fields[answers.question(finding.path)];

			if (!field)
				return rest.push(finding.path ? _('%s: %s').format(finding.path, finding.message) : finding.message);

			field.problem(finding.message, focus);
			focus = false;
		});
		widgets.text(this.problem, rest.join(' '));
	},

	/* Looks whether the answers of this step can be; where they can, on to the next. */
	forward() {
		const step = this.steps().find(step => step.id === this.step);

		if (step.id === 'summary')
			return this.finish();

		if (step.id === 'consent' && this.answers.proxy == null) {
			this.fields.proxy.problem(_('Say yes or no.'), true);
			return null;
		}

		/* From here on it is of use; what becomes of it shows where it is needed. */
		if (step.id !== 'what' && this.answers.proxy)
			this.daemon().catch(() => null);

		const missing = this.missing(step.id);

		if (missing.length) {
			this.wrong(missing);
			return null;
		}

		if (!step.check)
			return this.move(1);

		return this.askPresets().then(() => api.ask('config_check', this.patch(step.on === true))).then(told => {
			const findings = told.error ? told.findings || [ { path: '', message: told.error.message } ] : told.findings || [];

			if (findings.length)
				this.wrong(findings);
			else
				this.move(1);
		});
	},

	/* What the daemon would find as well, but could not say so plainly. */
	missing(id) {
		const said = this.answers, wrong = [];

		if (id === 'limits' && said.windows === answers.OWN && (!said.days.length || !said.start || !said.end))
			wrong.push({ path: 'node.schedules', message: _('Choose a day, and from when until when.') });

		if (id === 'limits' && said.caps === answers.OWN && !said.rate)
			wrong.push({ path: 'network.maxMbps', message: _('Say how much it may use.') });

		if (id === 'coordinator' && !said.coordinator)
			wrong.push({ path: 'coordinator.url', message: _('The coordinator’s address is needed. Without it, come back later: your answers are kept.') });

		if (id === 'coordinator' && !said.key)
			wrong.push({ path: 'coordinator.keys', message: _('The key the coordinator’s operator gave is needed: ed25519: and 43 characters.') });

		if (id === 'coordinator' && said.reach === 'direct' && !(Number(said.port) >= 1024 && Number(said.port) <= 65535))
			wrong.push({ path: 'proxy.listen', message: _('A port from 1024 to 65535.') });

		return wrong;
	},

	/* Writes it, once, and sees to it that the node starts. */
	finish() {
		const overview = () => {
			answers.forget();
			this.feed.stop();
			window.location.assign(L.url('admin/services/echomesh/overview'));
		};

		if (!this.answers.proxy)
			return this.settings.node.enabled
				? api.call('config_set', { node: { enabled: false }, proxy: { enabled: false } }).then(overview)
				: overview();

		return this.askPresets().then(() => api.ask('config_set', this.patch(true))).then(told => {
			if (told.findings && told.findings.length) {
				this.wrong(told.findings);
				return null;
			}

			if (told.error && !told.written)
				throw new Error(told.error.message);

			widgets.text(this.problem, '');

			/* A stop of before would hold; the daemon may be starting anew just now. */
			return this.daemon()
				.then(() => until(() => api.ask('control', 'start'), answer => !answer.error && answer.running === true))
				.then(() => until(() => api.ask('status'), status => [ 'running', 'degraded', 'reconnecting' ].includes(status.state)))
				.then(overview, error => this.wrong([ { path: '', message: _('The settings are written, but the node does not start: %s').format(error.message) } ]));
		});
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
