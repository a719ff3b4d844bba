'use strict';
'require view';
'require echomesh.api as api';
'require echomesh.feed as feed';
'require echomesh.lines as lines';
'require echomesh.plan as plan';
'require echomesh.planner as planner';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/* For how long the page waits for a change to be in force, and how often it looks, in milliseconds. */
const PATIENCE = 10000;
const LOOK_EVERY = 400;

/* What the profile allows: id, name, what it is. */
function categories() {
	return [
		[ 'ad_verification', _('Ad verification'), _('Advertisers look at whether their ads are shown where and as they were booked.') ],
		[ 'qa_testing', _('Testing of websites'), _('Companies see their own websites and services as people in your region do.') ]
	];
}

function same(a, b) {
	return JSON.stringify(a) === JSON.stringify(b);
}

function gigabytes(n) {
	return n ? _('%d GB').format(n) : _('no cap');
}

function hint(text, id) {
	return E('div', { 'class': 'cbi-value-description', 'id': id }, [ text ]);
}

/* A title with what stands beside it, in LuCI's manner. */
function row(title, children, id) {
	return E('div', { 'class': 'cbi-value em-part' }, [
		E('label', { 'class': 'cbi-value-title', 'for': id }, [ title ]),
		E('div', { 'class': 'cbi-value-field' }, children)
	]);
}

function section(title, description, children) {
	return E('div', { 'class': 'cbi-section' }, [
		E('h3', {}, [ title ]), E('div', { 'class': 'cbi-section-descr' }, [ description ]), E('div', { 'class': 'cbi-section-node' }, children)
	]);
}

/* Why a host would be refused, in the reader's language where the reason is a common one. */
function reason(answer) {
	return {
		'port-not-allowed': _('This port is not among those that may be used.'),
		'ip-literal': _('This is an address. Only names are served.'),
		'malformed': _('This is no name of a host.'),
		'blocked-domain': _('This domain is on a block list.'),
		'not-allowed-domain': _('This domain is not on the list of allowed ones.'),
		'opt-out': _('You do not serve this kind of work.'),
		'schedule': _('The node does not work at this time.'),
		'paused': _('The node is paused.'),
		'stopped': _('The node is stopped.'),
		'quarantine': _('The node took itself out of service.')
	}[answer.reason] || answer.message;
}

/* What a rate and caps come to, a sentence for each of the three. */
function comesTo(network) {
	/* Bytes that cross the line in a day at that rate: each that is relayed comes in and goes out. */
	const most = network.maxMbps * 1e6 / 8 * 86400 * 2;
	const day = network.maxGBPerDay * 1e9, month = network.maxGBPerMonth * 1e9;
	const full = Math.min(day || most, most);

	if (!(most > 0))
		return [ '', '', '' ];

	return [
		_('Without a pause that would be %s a day over your line, in and out together.').format(words.bytes(most)),
		!day ? _('Only the rate and the cap of the month hold it back.')
			: day >= most ? _('More than the rate allows in a day, so this cap is never reached.')
				: _('Used up after %s at full rate. Half of it is relayed for others: what comes in goes out again, and both count.').format(words.span(day / most * 86400)),
		!month ? _('The cap of the day allows up to %s in 31 days.').format(words.bytes(full * 31))
			: _('Enough for %s of full use. For the rest of the month the node serves nobody.').format(words.span(month / full * 86400))
	];
}

/* What the node does when the household needs the line. */
function givesWay(network) {
	return !network.yield ? _('Giving way to the household is switched off in the settings.')
		: network.lineMbps ? _('The household comes first: the node gives way while you use the line.')
			: _('The node marks its packets as less urgent. To see when you use the line it needs its rate, which is set on the page Settings.');
}

/*
 * A part of the form: {path: [group, member] of the settings, title, node, get(), set(value), problem() → text or null, show(findings),
 * focus(), same(a, b), say(value) → in words}.
 */
function part(path, title, node, rest) {
	return Object.assign({ path: path, title: title, node: node, same: same, get: node.get, set: node.set, problem: node.problem, show: node.show, focus: node.focus }, rest);
}

function number(member, title, unit, least, most, step, say, changed) {
	const id = 'em-' + member;
	const said = hint('', id + '-hint');
	const wrong = E('p', { 'class': 'em-problem', 'id': id + '-wrong', 'role': 'alert' });
	const input = E('input', { 'id': id, 'type': 'number', 'class': 'cbi-input-text em-short', 'min': least, 'max': most, 'step': step,
		'aria-describedby': id + '-hint ' + id + '-wrong', 'input': () => {
			it.show([]);
			changed();
		} });
	const it = part([ 'network', member ], title, row(title, [ E('span', { 'class': 'em-row' }, [ input, E('span', {}, [ unit ]) ]), wrong, said ], id), {
		hint: said, say: say,
		get: () => input.value === '' ? null : Number(input.value),
		set: value => {
			input.value = value;
			it.show([]);
		},
		problem: () => {
			const value = it.get();
			const good = value != null && value >= least && value <= most && (step === 'any' || value % step === 0);

			return good ? null : (step === 'any' ? _('A number from %s to %s.') : _('A whole number from %s to %s.')).format(words.number(least), words.number(most));
		},
		show: findings => {
			widgets.text(wrong, findings.length ? findings[0].message : '');
			input.classList.toggle('cbi-input-invalid', findings.length > 0);
			input.setAttribute('aria-invalid', String(findings.length > 0));
		},
		focus: () => input.focus()
	});

	return it;
}

/* The categories of the profile: ticked = served. Other words that were opted out of stay. */
function served(changed) {
	const all = categories();
	const told = E('p', { 'class': 'em-problem', 'role': 'status' });
	let others = [];

	const boxes = all.map(one => E('input', { 'type': 'checkbox', 'id': 'em-' + one[0], 'aria-describedby': 'em-' + one[0] + '-hint', 'change': () => {
		draw();
		changed();
	} }));

	function draw() {
		widgets.text(told, boxes.some(box => box.checked) ? '' : _('With none of them the node serves nobody.'));
	}

	return part([ 'policy', 'optOut' ], _('Kinds of work'), row(_('Kinds of work'), all.map((one, i) => E('div', { 'class': 'em-kind' }, [
		boxes[i], ' ', E('label', { 'for': 'em-' + one[0] }, [ one[1] ]), hint(one[2], 'em-' + one[0] + '-hint')
	])).concat(told)), {
		same: (a, b) => same(a.slice().sort(), b.slice().sort()),
		get: () => others.concat(all.filter((one, i) => !boxes[i].checked).map(one => one[0])),
		set: value => {
			others = value.filter(id => !all.some(one => one[0] === id));
			boxes.forEach((box, i) => { box.checked = !value.includes(all[i][0]); });
			draw();
		},
		problem: () => null,
		show: findings => findings.forEach(one => widgets.text(told, one.message)),
		focus: () => boxes[0].focus(),
		say: value => all.filter(one => !value.includes(one[0])).map(one => one[1]).join(', ') || _('none')
	});
}

function list(path, title, description, rows, check, describe, changed) {
	return part(path, title, lines.field('em-' + path[1], title, description, rows, check, describe, changed), {
		say: value => value.length > 4 ? _('%d entries').format(value.length) : value.join(', ') || _('none')
	});
}

return view.extend({
	load() {
		return api.ask('config_get').then(answer => Promise.all([ answer,
			L.resolveDefault(api.ask('presets', ((answer.settings || {}).network || {}).lineMbps), {})
		])).catch(error => [ { error: error }, {} ]);
	},

	render(data) {
		widgets.style();
		this.notices = E('div');
		this.body = E('div');
		this.zone = E('span', {}, [ _('By the clock of the router.') ]);
		this.sessions = E('datalist', { 'id': 'em-explain-sessions' });
		this.presets = data[1];
		this.follow(data[0].error instanceof Error ? data[0] : { answer: data[0] });
		feed.start(() => api.ask(this.settings ? 'status' : 'config_get'), news => this.follow(news));

		return E('div', { 'class': 'cbi-map em' }, [
			E('h2', {}, [ _('EchoMesh: Policy') ]),
			E('div', { 'class': 'cbi-map-descr' }, [ _('What your router may do for others, how much of the line it may use, and when.') ]),
			this.notices, this.body
		]);
	},

	/* What the daemon says: its settings first, then how it is. What is told already stays: it is read out once. */
	follow(news) {
		const answer = news.answer || {}, error = news.error || (this.settings ? null : answer.error);
		const told = answer.running === false ? widgets.notice('idle', _('The EchoMesh daemon does not run'), [
			E('p', {}, [ _('This is what its file says. Changes are written there and hold as soon as it runs.') ])
		]) : widgets.obstacle(answer) || (error ? widgets.notice('warn', _('The router does not answer'), [
			E('p', {}, [ error.message ]), E('p', {}, [ _('This page tries it again in %s.').format(words.span(news.retrySec || 3)) ])
		]) : '');

		if ((told && told.textContent) !== this.notices.textContent)
			this.notices.replaceChildren(told);

		if (!this.settings && answer.settings) {
			this.settings = answer.settings;

			if (widgets.mayChange())
				this.drawForm(this.presets);
			else
				this.drawShown();
		}

		if (answer.schedule)
			widgets.text(this.zone, _('By the clock of the router, whose time zone is %s.').format(answer.schedule.zone));

		this.sessions.replaceChildren(...(answer.sessions || []).map(one => E('option', { 'value': one.sessionId })));
	},

	/* The page for who may only look. */
	drawShown() {
		const { network, node, policy } = this.settings;
		const week = planner.editor([]), said = comesTo(network);
		const shown = (title, values) => row(title, values.map(one => E('div', {}, [ one ])));

		week.set(node.schedules);
		this.body.append(
			section(_('How much'), givesWay(network), [
				shown(_('Rate'), [ words.rate(network.maxMbps * 1e6), said[0] ]),
				shown(_('Volume a day'), [ gigabytes(network.maxGBPerDay), said[1] ]),
				shown(_('Volume a month'), [ gigabytes(network.maxGBPerMonth), said[2] ])
			]),
			section(_('When it works'), this.zone, [ week ]),
			section(_('What for, and where'), _('Sessions that ask for anything else are refused.'), [
				shown(_('Kinds of work'), categories().map(one => '%s: %s'.format(one[1], policy.optOut.includes(one[0]) ? _('not served') : _('served')))),
				shown(_('Regions'), node.regionAllow.length ? node.regionAllow : [ _('Wherever the router is') ])
			]),
			section(_('Domains'), _('A domain covers its subdomains too.'), [
				shown(_('Only these domains'), network.allowlistDomains.length ? network.allowlistDomains : [ _('All that are not blocked') ]),
				shown(_('Never these domains'), network.blocklistDomains.length ? network.blocklistDomains : [ _('none') ])
			])
		);
	},

	drawForm(presets) {
		const changed = () => this.changed();
		const rate = number('maxMbps', _('Rate'), 'Mbps', 0.1, 100000, 'any', value => words.rate(value * 1e6), changed);
		const day = number('maxGBPerDay', _('Volume a day'), _('GB (0 = no cap)'), 0, 1000000, 1, gigabytes, changed);
		const month = number('maxGBPerMonth', _('Volume a month'), _('GB (0 = no cap)'), 0, 1000000, 1, gigabytes, changed);
		const week = part([ 'node', 'schedules' ], _('When it works'), planner.editor(presets.hours || [], changed), {
			same: (a, b) => plan.same(a, b), say: value => value.length > 2 ? _('open %s hours a week').format(words.number(Math.round(plan.openMinutes(plan.read(value)) / 6) / 10)) : planner.inWords(value).join('; ')
		});
		const work = served(changed);
		const regions = list([ 'node', 'regionAllow' ], _('Regions'),
			_('Where the node offers itself, a region a line: a country code like PH, or a part of one like PH-Mindanao. None: wherever the router is.'),
			3, lines.region, lines.countries, changed);
		const allow = list([ 'network', 'allowlistDomains' ], _('Only these domains'), _('A domain a line, like example.com. None: all that are not blocked.'),
			6, lines.domain, null, changed);
		const block = list([ 'network', 'blocklistDomains' ], _('Never these domains'), _('A domain a line. What is here stays blocked, even if it is allowed as well.'),
			6, lines.domain, null, changed);
		const caps = presets.caps || [];
		const called = { gentle: _('Gentle'), balanced: _('Balanced'), generous: _('Generous') };
		const choices = caps.map(preset => widgets.button('neutral', called[preset.id] || preset.id, () => {
			rate.set(preset.maxMbps);
			day.set(preset.maxGBPerDay);
			changed();
		}));

		this.parts = [ rate, day, month, week, work, regions, allow, block ];
		this.hints = () => {
			comesTo({ maxMbps: rate.get(), maxGBPerDay: day.get(), maxGBPerMonth: month.get() }).forEach((text, i) => widgets.text([ rate, day, month ][i].hint, text));
			choices.forEach((button, i) => button.setAttribute('aria-pressed', String(caps[i].maxMbps === rate.get() && caps[i].maxGBPerDay === day.get())));
		};
		this.body.append(
			section(_('How much'), givesWay(this.settings.network), [
				E('div', { 'class': 'em-row', 'role': 'group', 'aria-label': _('Ready-made caps') }, choices), rate.node, day.node, month.node
			]),
			section(_('When it works'), this.zone, [ week.node ]),
			section(_('What for, and where'), _('Sessions that ask for anything else are refused.'), [ work.node, regions.node ]),
			section(_('Domains'), _('A domain covers its subdomains too.'), [ allow.node, block.node ]),
			this.explain(),
			this.bar = E('div', { 'class': 'cbi-page-actions em-save' }, [
				this.said = E('div', { 'class': 'em-save-state', 'role': 'status', 'data-em': 'save-state' }),
				E('div', { 'class': 'em-row' }, [
					widgets.button('apply', _('Save & Apply'), () => this.save()), widgets.button('reset', _('Reset'), () => this.fill())
				])
			])
		);
		this.fill();
		window.addEventListener('beforeunload', ev => {
			if (this.changes().length) {
				ev.preventDefault();
				ev.returnValue = '';
			}
		});
	},

	/* What settings say of a part. */
	value(part, settings) {
		return (settings || this.settings)[part.path[0]][part.path[1]];
	},

	fill() {
		this.parts.forEach(part => part.set(this.value(part)));
		this.changed();
	},

	changes() {
		return this.parts.filter(part => part.problem() || !part.same(this.value(part), part.get()));
	},

	changed() {
		const changes = this.changes();

		this.hints();
		this.say('', changes.length ? _('Not saved yet:') : '', changes.map(part => _('%s: %s, until now %s').format(part.title, part.problem() ? '…' : part.say(part.get()), part.say(this.value(part)))));
		this.bar.classList.toggle('em-dirty', changes.length > 0);
	},

	/* What stands beside the buttons: a line with a tone, and more lines under it. */
	say(tone, line, more) {
		this.said.replaceChildren(E('span', { 'class': 'em-symbol', 'aria-hidden': 'true' }, [ tone && words.symbol(tone) ]), line,
			E('ul', {}, (more || []).map(text => E('li', {}, [ text ]))));
	},

	/* Shows what is wrong ([{path, message}]), each at its field, and goes to the first. What is `known` to lists and plan they show already. */
	refuse(found, known) {
		let first = null;

		this.parts.forEach(part => {
			const path = part.path.join('.');
			const mine = found.filter(one => (one.path + '[').startsWith(path + '['));

			if (part.hint || !known)
				part.show(mine.map(one => ({ index: parseInt(one.path.slice(path.length + 1), 10) || 0, message: one.message })));
			mine.forEach(one => { one.title = part.title; });
			first = first || (mine.length ? part : null);
		});
		this.say('bad', _('Nothing was saved. What is wrong is said at its field.'), found.map(one => '%s: %s'.format(one.title || one.path, one.message)));

		if (first)
			first.focus();
	},

	save() {
		const changes = this.changes(), patch = {};
		const wrong = changes.filter(part => part.problem());

		if (!changes.length) {
			this.say('', _('There is nothing to save.'));
			return null;
		}

		if (wrong.length)
			return this.refuse(wrong.map(part => ({ path: part.path.join('.'), message: part.problem() })), true);

		changes.forEach(part => {
			patch[part.path[0]] = Object.assign(patch[part.path[0]] || {}, { [part.path[1]]: part.get() });
		});
		this.say('', _('The daemon checks it…'));

		return api.ask('config_check', patch)
			.then(checked => checked.error || (checked.findings || []).length ? checked : api.ask('config_set', patch))
			.then(done => {
				if (done.findings)
					return this.refuse(done.findings);

				if (!done.written)
					throw done.error || new Error(_('There is no answer yet.'));

				const said = changes.map(part => '%s: %s'.format(part.title, part.say(this.value(part, done.settings))));

				this.settings = done.settings;
				this.fill();

				if (done.running === false)
					return this.say('info', _('Written. It holds as soon as the daemon runs.'), said);

				this.say('info', _('Written. The daemon takes it over…'), said);

				return this.inForce(changes, Date.now() + PATIENCE).then(held => {
					if (!this.changes().length)
						this.say(held ? 'good' : 'warn', held ? _('In force.') : _('Written, but not in force yet. The log says more.'), said);
				});
			})
			.catch(error => this.say('bad', _('That was not saved: %s').format(error.message || String(error))));
	},

	/* Waits until the daemon itself says what was saved. Gives whether it does by `deadline`. */
	inForce(changes, deadline) {
		return L.resolveDefault(api.ask('config_get'), {}).then(answer => {
			if (answer.running && answer.settings && changes.every(part => part.same(this.value(part, answer.settings), this.value(part))))
				return true;

			return Date.now() > deadline ? false : new Promise(go => window.setTimeout(go, LOOK_EVERY)).then(() => this.inForce(changes, deadline));
		});
	},

	/* Asks the daemon what it would do with a host. */
	explain() {
		const field = (id, type, attrs) => E('input', Object.assign({ 'type': type, 'id': id, 'class': 'cbi-input-text', 'autocomplete': 'off', 'autocapitalize': 'off', 'spellcheck': 'false' }, attrs));
		const host = field('em-explain-host', 'text', { 'placeholder': 'www.example.com' });
		const port = field('em-explain-port', 'number', { 'value': '443', 'min': 1, 'max': 65535 });
		const session = field('em-explain-session', 'text', { 'list': 'em-explain-sessions' });
		const result = E('div', { 'role': 'status', 'data-em': 'explanation' });
		const tell = text => result.replaceChildren(E('p', { 'class': 'em-problem' }, [ text ]));

		const ask = () => {
			const name = host.value.trim(), number = Number(port.value);

			if (!name || !(number >= 1 && number <= 65535)) {
				(name ? port : host).focus();
				return tell(name ? _('A port is a whole number from 1 to 65535.') : _('Type the name of a host first.'));
			}

			return api.call('policy_explain', name, number, session.value.trim() || null).then(answer => {
				result.replaceChildren(
					E('p', {}, [ widgets.badge(answer.allowed ? 'good' : 'bad', answer.allowed ? _('Allowed') : _('Refused')), ' ', E('strong', { 'class': 'em-mono' }, [ '%s:%d'.format(name, number) ]) ]),
					E('p', {}, [ answer.allowed ? _('A tunnel there would be opened.') : reason(answer) ]),
					hint(_('What decides: %s').format(answer.rule))
				);
			}).catch(error => tell(error.message));
		};

		return section(_('What about this host?'), _('Whether a tunnel there would be opened now, and which rule decides, by what is saved.'), [
			E('form', { 'novalidate': '', 'submit': ev => {
				ev.preventDefault();
				ask();
			} }, [
				row(_('Host'), [ host ], 'em-explain-host'), row(_('Port'), [ port ], 'em-explain-port'),
				row(_('Session'), [ session, this.sessions, hint(_('Optional: as this session may, which can be less than your policy.')) ], 'em-explain-session'),
				E('p', {}, [ E('button', { 'type': 'submit', 'class': 'btn cbi-button cbi-button-action' }, [ _('Explain this host') ]) ]), result
			])
		]);
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
