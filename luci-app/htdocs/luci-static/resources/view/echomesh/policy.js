'use strict';
'require view';
'require echomesh.api as api';
'require echomesh.feed as feed';
'require echomesh.lines as lines';
'require echomesh.plan as plan';
'require echomesh.planner as planner';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/* How long a change may take to be in force before the page says that it is not yet, and how often it looks, in milliseconds. */
const IN_FORCE_WITHIN = 10000;
const LOOK_EVERY = 400;

/* What the categories of the profile are called, and what they are. */
function categories() {
	return [
		[ 'ad_verification', _('Ad verification'), _('Advertisers look at whether their ads are shown where and as they were booked.') ],
		[ 'qa_testing', _('Testing of websites'), _('Companies see their own websites and services as people in your region do.') ]
	];
}

function same(a, b) {
	return JSON.stringify(a) === JSON.stringify(b);
}

/* A field in LuCI's manner: title, control, findings, description. */
function frame(id, title, control, description) {
	const problem = E('p', { 'class': 'em-problem', 'id': id + '-problem', 'role': 'alert' });
	const node = E('div', { 'class': 'cbi-value em-field' }, [
		E('label', { 'class': 'cbi-value-title', 'for': id }, [ title ]),
		E('div', { 'class': 'cbi-value-field' }, [].concat(control, problem, description || []))
	]);

	node.tell = text => widgets.text(problem, text);

	return node;
}

/* A title with what is set, for who may only look. */
function shown(title, values) {
	return E('div', { 'class': 'cbi-value em-field' }, [
		E('span', { 'class': 'cbi-value-title' }, [ title ]),
		E('div', { 'class': 'cbi-value-field' }, values.map(one => E('div', {}, [ one ])))
	]);
}

/*
 * Every part of the page is an item: {path, node, get, set, problem, show, focus, say, same}. `path` is [group, member] of the
 * settings, `say` puts a value into words.
 */

/* A number. `least` to `most`, whole or not; `say` puts it into words. */
function number(path, title, unit, least, most, whole, say, changed) {
	const id = 'em-' + path[1];
	const hint = E('div', { 'class': 'cbi-value-description', 'id': id + '-hint' });
	const input = E('input', {
		'id': id, 'type': 'number', 'class': 'cbi-input-text em-short', 'min': least, 'max': most, 'step': whole ? 1 : 'any',
		'aria-describedby': id + '-hint ' + id + '-problem'
	});
	const node = frame(id, title, [ E('span', { 'class': 'em-row' }, [ input, E('span', {}, [ unit ]) ]) ], hint);
	const item = {
		path: path, title: title, node: node, hint: hint, say: say, same: same,
		get: () => input.value === '' ? null : Number(input.value),
		set: value => {
			input.value = value == null ? '' : value;
			item.show([]);
		},
		problem: () => {
			const value = item.get();
			const good = !input.validity.badInput && value != null && value >= least && value <= most && (!whole || value === Math.round(value));

			return good ? null : (whole ? _('A whole number from %s to %s.') : _('A number from %s to %s.')).format(words.number(least), words.number(most));
		},
		show: messages => {
			node.tell(messages.length ? messages[0].message : '');
			input.classList.toggle('cbi-input-invalid', messages.length > 0);
			input.setAttribute('aria-invalid', String(messages.length > 0));
		},
		focus: () => input.focus()
	};

	input.addEventListener('input', () => {
		item.show([]);
		changed();
	});

	return item;
}

/* A list with an entry a line. */
function list(path, title, description, rows, check, describe, changed) {
	const node = lines.field('em-' + path[1], title, description, rows, check, describe, changed);

	return {
		path: path, title: title, node: node, same: same, get: node.get, set: node.set, show: node.show, focus: node.focus,
		problem: () => node.bad() ? _('A line of this list is not right.') : null,
		say: value => value.length > 4 ? _('%d entries').format(value.length) : value.join(', ') || _('none')
	};
}

/* The categories of the profile: ticked = served. What else was opted out of stays as it is. */
function served(changed) {
	const known = categories().map(one => one[0]);
	const none = E('p', { 'class': 'em-problem', 'role': 'status' });
	let others = [];

	const boxes = categories().map(one => E('input', { 'type': 'checkbox', 'id': 'em-' + one[0], 'aria-describedby': 'em-' + one[0] + '-hint',
		'change': () => {
			draw();
			changed();
		} }));
	const node = E('div', { 'class': 'cbi-value em-field', 'role': 'group', 'aria-label': _('Kinds of work') }, [
		E('span', { 'class': 'cbi-value-title' }, [ _('Kinds of work') ]),
		E('div', { 'class': 'cbi-value-field' }, categories().map((one, i) => E('div', { 'class': 'em-choice' }, [
			boxes[i], ' ', E('label', { 'for': 'em-' + one[0] }, [ one[1] ]),
			E('div', { 'class': 'cbi-value-description', 'id': 'em-' + one[0] + '-hint' }, [ one[2] ])
		])).concat(none))
	]);

	function draw() {
		widgets.text(none, boxes.some(box => box.checked) ? '' : _('With none of them the node serves nobody.'));
	}

	return {
		path: [ 'policy', 'optOut' ], title: _('Kinds of work'), node: node,
		same: (a, b) => same(a.slice().sort(), b.slice().sort()),
		get: () => others.concat(known.filter((id, i) => !boxes[i].checked)),
		set: value => {
			others = value.filter(id => !known.includes(id));
			boxes.forEach((box, i) => { box.checked = !value.includes(known[i]); });
			draw();
		},
		problem: () => null,
		show: messages => widgets.text(none, messages.length ? messages[0].message : ''),
		focus: () => boxes[0].focus(),
		say: value => categories().filter(one => !value.includes(one[0])).map(one => one[1]).join(', ') || _('none')
	};
}

/* The weekly plan. */
function hours(presets, changed) {
	const node = planner.editor(presets, changed);

	return {
		path: [ 'node', 'schedules' ], title: _('When it works'), node: node, same: (a, b) => plan.same(a, b), get: node.get, set: node.set, problem: node.problem,
		focus: node.focus, say: value => planner.inWords(value).join('; '), show: node.show
	};
}

/* A setting that a preset changes beside what the page shows. */
function hidden(path, title, say) {
	let value = null;

	return {
		path: path, title: title, node: '', say: say, same: same, get: () => value, set: to => { value = to; },
		problem: () => null, show: () => {}, focus: () => {}
	};
}

function perMonth(gb) {
	return gb ? _('%d GB').format(gb) : _('no cap');
}

/* What a rate and caps come to, in plain words. */
function comesTo(mbps, day, month) {
	/* Bytes a day that cross the line at that rate without a pause: each relayed byte comes in and goes out. */
	const most = mbps * 1e6 / 8 * 86400 * 2;
	const out = { rate: '', day: '', month: '' };

	if (mbps > 0) {
		out.rate = _('Without a pause that would be %s a day over your line, in and out together.').format(words.bytes(most));
		out.day = day > 0 && day * 1e9 < most
			? _('Used up after %s at full rate. That is %s relayed for others, which comes in and goes out and so counts twice.')
				.format(words.span(day * 1e9 / most * 86400), words.bytes(day * 1e9 / 2))
			: day > 0 ? _('More than the rate allows in a day, so it never ends the day early.') : _('No cap: only the rate and the month’s cap hold it back.');
	}

	const month31 = Math.min(day > 0 ? day * 1e9 : Infinity, mbps > 0 ? most : Infinity) * 31;

	if (month > 0)
		out.month = month * 1e9 < month31 ? _('About %s of full days. The rest of the month it rests.').format(words.span(Math.max(86400, month * 1e9 / (month31 / 31) * 86400)))
			: _('More than the cap of the day allows in a month, so it never ends the month early.');
	else if (isFinite(month31))
		out.month = _('No cap of its own: the cap of the day allows up to %s a month.').format(words.bytes(month31));

	return out;
}

return view.extend({
	load() {
		return Promise.all([ api.ask('config_get'), L.resolveDefault(api.ask('presets'), {}), L.resolveDefault(api.ask('status'), {}) ])
			.catch(error => ({ error: error }));
	},

	render(data) {
		widgets.style();

		this.root = E('div', { 'class': 'cbi-map em' }, [
			E('h2', {}, [ _('EchoMesh: Policy') ]),
			E('div', { 'class': 'cbi-map-descr' }, [ _('What your router may do for others, how much of the line it may use, and when.') ])
		]);
		this.notices = E('div', { 'aria-live': 'polite' });
		this.body = E('div');
		this.root.appendChild(this.notices);
		this.root.appendChild(this.body);

		if (data.error) {
			this.failed(data.error);
		} else {
			const answer = data[0];
			const obstacle = answer.running === false ? null : widgets.obstacle(answer);

			if (obstacle)
				this.notices.appendChild(obstacle);
			else if (answer.error)
				this.failed(answer.error);
			else
				this.draw(answer.settings, data[1], data[2]);
		}

		return this.root;
	},

	/* The settings cannot be shown. */
	failed(error) {
		this.notices.replaceChildren(widgets.notice('bad', _('The settings cannot be read'), [
			E('p', {}, [ error.message || String(error) ]),
			E('p', {}, [ _('This page tries it again in a few seconds.') ])
		]));

		const again = feed.start(() => api.ask('config_get'), news => {
			if (news.answer && news.answer.settings)
				window.location.reload();
			else if (news.retrySec)
				widgets.text(this.notices.querySelector('p:last-child'), _('This page tries it again in %s.').format(words.span(news.retrySec)));
		});

		this.again = again;
	},

	draw(settings, presets, status) {
		this.settings = settings;

		if (widgets.mayChange())
			this.drawForm(presets);
		else
			this.drawShown();

		this.follow(status);
		feed.start(() => api.ask('status'), news => this.follow(news.answer, news));
	},

	/* What the daemon says of itself meanwhile. */
	follow(status, news) {
		const key = news && news.error ? 'error' + news.retrySec : status && status.running === false ? 'down' : '';

		if (status && status.sessions && this.explainSession)
			widgets.list(this.explainSession, status.sessions, one => one.sessionId, one => {
				const option = E('option', { 'value': one.sessionId });

				option.set = () => {};
				return option;
			});

		if (status && status.schedule && this.zone)
			widgets.text(this.zone, _('By the clock of the router, whose time zone is %s.').format(status.schedule.zone));

		if (this.told === key)
			return;

		this.told = key;

		if (!key)
			this.notices.replaceChildren();
		else if (key === 'down')
			this.notices.replaceChildren(widgets.notice('idle', _('The EchoMesh daemon does not run'), [
				E('p', {}, [ _('This is what its file says. Changes are written there and hold as soon as it runs.') ])
			]));
		else
			this.notices.replaceChildren(widgets.notice('warn', _('The router does not answer'), [
				E('p', {}, [ _('This page tries it again in %s.').format(words.span(news.retrySec)) ])
			]));
	},

	section(title, description, children) {
		return E('div', { 'class': 'cbi-section', 'role': 'region', 'aria-label': title }, [
			E('h3', {}, [ title ]),
			E('div', { 'class': 'cbi-section-descr' }, [ description ]),
			E('div', { 'class': 'cbi-section-node' }, children)
		]);
	},

	/* The page for who may only look. */
	drawShown() {
		const s = this.settings;
		const week = planner.editor([]);
		const said = comesTo(s.network.maxMbps, s.network.maxGBPerDay, s.network.maxGBPerMonth);
		const some = (entries, none) => entries.length ? entries : [ none ];

		week.set(s.node.schedules);
		this.body.append(
			this.section(_('How much'), _('The household comes first: the node gives way while you use the line.'), [
				shown(_('Rate'), [ words.rate(s.network.maxMbps * 1e6), said.rate ]),
				shown(_('Volume a day'), [ perMonth(s.network.maxGBPerDay), said.day ]),
				shown(_('Volume a month'), [ perMonth(s.network.maxGBPerMonth), said.month ])
			]),
			this.section(_('When it works'), this.zoneNode(), [ week ]),
			this.section(_('What for, and where'), _('Sessions that ask for anything else are refused.'), [
				shown(_('Kinds of work'), categories().map(one => '%s: %s'.format(one[1], s.policy.optOut.includes(one[0]) ? _('not served') : _('served')))),
				shown(_('Regions'), some(s.node.regionAllow, _('Wherever the router is')))
			]),
			this.section(_('Domains'), _('A domain covers its subdomains too. What is blocked stays blocked, even if it is allowed as well.'), [
				shown(_('Only these domains'), some(s.network.allowlistDomains, _('All that are not blocked'))),
				shown(_('Never these domains'), some(s.network.blocklistDomains, _('none')))
			])
		);
	},

	zoneNode() {
		this.zone = E('span', {}, [ _('By the clock of the router.') ]);

		return this.zone;
	},

	drawForm(presets) {
		const changed = () => this.changed();
		const rate = value => value == null ? '–' : words.rate(value * 1e6);
		const maxMbps = number([ 'network', 'maxMbps' ], _('Rate'), 'Mbps', 0.1, 100000, false, rate, changed);
		const day = number([ 'network', 'maxGBPerDay' ], _('Volume a day'), _('GB (0 = no cap)'), 0, 1000000, true, perMonth, changed);
		const month = number([ 'network', 'maxGBPerMonth' ], _('Volume a month'), _('GB (0 = no cap)'), 0, 1000000, true, perMonth, changed);
		const burst = hidden([ 'network', 'burstMB' ], _('At once above the rate'), value => _('%d MB').format(value));
		const week = hours(presets.hours || [], changed);
		const work = served(changed);
		const regions = list([ 'node', 'regionAllow' ], _('Regions'),
			_('Where the node offers itself, a region a line: a country code like PH, or a part of one like PH-Mindanao. None: wherever the router is.'),
			3, lines.region, this.countries, changed);
		const allow = list([ 'network', 'allowlistDomains' ], _('Only these domains'),
			_('A domain a line, like example.com. None: all that are not blocked.'), 6, lines.domain, null, changed);
		const block = list([ 'network', 'blocklistDomains' ], _('Never these domains'), _('A domain a line. What is here stays blocked, even if it is allowed as well.'),
			6, lines.domain, null, changed);

		this.items = [ maxMbps, day, month, burst, week, work, regions, allow, block ];
		this.hints = () => {
			const said = comesTo(maxMbps.get(), day.get(), month.get());

			widgets.text(maxMbps.hint, said.rate);
			widgets.text(day.hint, said.day);
			widgets.text(month.hint, said.month);
		};

		const choices = (presets.caps || []).map(preset => E('button', { 'type': 'button', 'class': 'btn cbi-button', 'title': words.preset(preset).text, 'click': () => {
			maxMbps.set(preset.maxMbps);
			day.set(preset.maxGBPerDay);
			burst.set(preset.burstMB);
			changed();
		} }, [ words.preset(preset).name ]));

		this.body.append(
			this.section(_('How much'), _('The household comes first: the node gives way while you use the line.'), [
				E('div', { 'class': 'em-row', 'role': 'group', 'aria-label': _('Ready-made caps') }, choices),
				maxMbps.node, day.node, month.node
			]),
			this.section(_('When it works'), this.zoneNode(), [ week.node ]),
			this.section(_('What for, and where'), _('Sessions that ask for anything else are refused.'), [ work.node, regions.node ]),
			this.section(_('Domains'), _('A domain covers its subdomains too.'), [ allow.node, block.node ]),
			this.explain(),
			this.bar()
		);
		this.fill();
		window.addEventListener('beforeunload', ev => {
			if (this.changes().length) {
				ev.preventDefault();
				ev.returnValue = '';
			}
		});
	},

	/* The countries of a list of regions in words, and those that nobody knows. */
	countries(entries) {
		const good = entries.filter(entry => !lines.region(entry));
		const unknown = good.filter(entry => !lines.country(entry));
		const known = good.map(lines.country).filter((name, i, all) => name && all.indexOf(name) === i);

		if (unknown.length)
			return _('No country is known by this code: %s').format(unknown.map(entry => entry.slice(0, 2)).join(', '));

		return known.join(', ');
	},

	/* Where an item's value stands in the settings. */
	value(item, settings) {
		return (settings || this.settings)[item.path[0]][item.path[1]];
	},

	/* Puts the settings into the fields. */
	fill() {
		this.items.forEach(item => item.set(this.value(item)));
		this.changed();
	},

	changes() {
		return this.items.filter(item => !item.same(this.value(item), item.get()));
	},

	changed() {
		const changes = this.changes();

		this.hints();
		this.say(changes.length ? _('Not saved yet:') : '', changes.map(item => _('%s: %s, until now %s').format(item.title, item.problem() ? '…' : item.say(item.get()), item.say(this.value(item)))));
		this.bars.classList.toggle('em-dirty', changes.length > 0);
	},

	/* What stands beside the buttons: a line, and more lines under it. */
	say(line, more, tone) {
		widgets.text(this.symbol, tone ? words.symbol(tone) : '');
		widgets.text(this.line, line);
		this.more.replaceChildren(...(more || []).map(text => E('li', {}, [ text ])));
	},

	bar() {
		this.symbol = E('span', { 'class': 'em-symbol', 'aria-hidden': 'true' });
		this.line = E('span');
		this.more = E('ul');
		this.bars = E('div', { 'class': 'cbi-page-actions em-save' }, [
			E('div', { 'class': 'em-save-state', 'role': 'status', 'data-em': 'save-state' }, [ this.symbol, this.line, this.more ]),
			E('div', { 'class': 'em-row' }, [
				widgets.button('apply', _('Save & Apply'), () => this.save()),
				widgets.button('reset', _('Reset'), () => this.fill())
			])
		]);

		return this.bars;
	},

	/* Shows what is wrong, each at its field, and goes to the first. */
	showProblems(found) {
		let first = null;
		const left = [];

		this.items.forEach(item => {
			const path = item.path.join('.');
			const mine = found.filter(one => one.path === path || one.path.startsWith(path + '[') || one.path.startsWith(path + '.')).map(one => {
				const index = /^\[(\d+)\]/.exec(one.path.slice(path.length));

				return { index: index ? +index[1] : 0, message: one.message };
			});

			item.show(mine);
			first = first || (mine.length ? item : null);
		});
		found.forEach(one => {
			if (!this.items.some(item => item.node && (one.path + '.').replace('[', '.').startsWith(item.path.join('.') + '.')))
				left.push('%s: %s'.format(one.path, one.message));
		});

		this.say(_('Nothing was saved. What is wrong is said at its field.'), left, 'bad');

		if (first)
			first.focus();
	},

	save() {
		const changes = this.changes();
		const wrong = changes.map(item => [ item, item.problem() ]).filter(one => one[1]);
		const patch = {};

		if (!changes.length) {
			this.say(_('There is nothing to save.'));
			return Promise.resolve();
		}

		if (wrong.length) {
			wrong.forEach(one => {
				if (one[0].hint)
					one[0].show([ { index: 0, message: one[1] } ]);
			});
			this.say(_('Nothing was saved. What is wrong is said at its field.'), wrong.map(one => '%s: %s'.format(one[0].title, one[1])), 'bad');
			wrong[0][0].focus();

			return Promise.resolve();
		}

		changes.forEach(item => {
			patch[item.path[0]] = Object.assign(patch[item.path[0]] || {}, { [item.path[1]]: item.get() });
		});
		this.say(_('The daemon checks it…'));

		return api.ask('config_check', patch).then(answer => {
			if (answer.findings && answer.findings.length)
				return this.showProblems(answer.findings);

			if (answer.error)
				throw answer.error;

			return api.ask('config_set', patch).then(done => {
				if (done.findings)
					return this.showProblems(done.findings);

				if (!done.written)
					throw done.error || new Error(_('There is no answer yet.'));

				/* What was changed since, while this ran, stays in its field. */
				const said = changes.map(item => _('%s: %s').format(item.title, item.say(this.value(item, done.settings))));

				changes.forEach(item => item.set(this.value(item, done.settings)));
				this.settings = done.settings;
				this.bars.classList.remove('em-dirty');

				if (done.running === false) {
					this.say(_('Written. It holds as soon as the daemon runs.'), said, 'info');
					return null;
				}

				this.say(_('Written. It will be in force in a moment.'), said, 'info');

				return this.inForce(changes, Date.now() + IN_FORCE_WITHIN).then(held => {
					if (this.changes().length)
						this.changed();
					else if (held)
						this.say(_('In force.'), said, 'good');
					else
						this.say(_('Written, but not in force yet. The log says more.'), done.error ? [ done.error.message ] : said, 'warn');
				});
			});
		}).catch(error => {
			this.say(_('That was not saved: %s').format(error.message || String(error)), [], 'bad');
		});
	},

	/* Waits until the daemon's own settings say what was saved. Gives whether they do by `deadline`. */
	inForce(items, deadline) {
		return L.resolveDefault(api.ask('config_get'), {}).then(answer => {
			if (answer.running && answer.settings && items.every(item => item.same(this.value(item, answer.settings), this.value(item))))
				return true;

			if (Date.now() > deadline)
				return false;

			return new Promise(go => window.setTimeout(go, LOOK_EVERY)).then(() => this.inForce(items, deadline));
		});
	},

	/* Asks the daemon what it would do with a host. */
	explain() {
		const host = E('input', { 'type': 'text', 'class': 'cbi-input-text', 'id': 'em-explain-host', 'placeholder': 'www.example.com', 'autocomplete': 'off',
			'autocapitalize': 'off', 'spellcheck': 'false', 'maxlength': '300' });
		const port = E('input', { 'type': 'number', 'class': 'cbi-input-text em-short', 'id': 'em-explain-port', 'value': '443', 'min': '1', 'max': '65535' });
		const session = E('input', { 'type': 'text', 'class': 'cbi-input-text', 'id': 'em-explain-session', 'list': 'em-explain-sessions', 'autocomplete': 'off', 'maxlength': '100' });
		const result = E('div', { 'role': 'status', 'data-em': 'explanation' });

		const ask = () => {
			const name = host.value.trim();
			const number = Number(port.value);

			if (!name || !(number >= 1 && number <= 65535)) {
				result.replaceChildren(E('p', { 'class': 'em-problem' }, [ name ? _('A port is a whole number from 1 to 65535.') : _('Type the name of a host first.') ]));
				(name ? port : host).focus();
				return Promise.resolve();
			}

			return api.ask('policy_explain', name, number, session.value.trim() || null).then(answer => {
				if (answer.running === false)
					result.replaceChildren(E('p', {}, [ _('Only the daemon can tell, and it does not run.') ]));
				else if (answer.error)
					result.replaceChildren(E('p', { 'class': 'em-problem' }, [ answer.error.message ]));
				else
					result.replaceChildren(
						E('p', {}, [ widgets.badge(answer.allowed ? 'good' : 'bad', answer.allowed ? _('Allowed') : _('Refused')), ' ', E('strong', { 'class': 'em-mono' }, [ '%s:%d'.format(name, number) ]) ]),
						E('p', {}, [ answer.allowed ? _('A tunnel there would be opened.') : this.reason(answer.reason, answer.message) ]),
						E('p', { 'class': 'cbi-value-description' }, [ _('What decides: %s').format(answer.rule) ])
					);
			}).catch(error => {
				result.replaceChildren(E('p', { 'class': 'em-problem' }, [ error.message || String(error) ]));
			});
		};

		this.explainSession = E('datalist', { 'id': 'em-explain-sessions' });

		const form = E('form', { 'class': 'em-explain', 'novalidate': '', 'submit': ev => {
			ev.preventDefault();
			ask();
		} }, [
			frame('em-explain-host', _('Host'), [ host ]),
			frame('em-explain-port', _('Port'), [ port ]),
			frame('em-explain-session', _('Session'), [ session, this.explainSession ], E('div', { 'class': 'cbi-value-description' }, [ _('Optional: as this session may, which can be less than your policy.') ])),
			E('p', {}, [ E('button', { 'type': 'submit', 'class': 'btn cbi-button cbi-button-action' }, [ _('Explain this host') ]) ]),
			result
		]);

		return this.section(_('What about this host?'), _('Whether a tunnel there would be opened now, and which rule decides. What is not saved yet does not count.'), [ form ]);
	},

	/* A reason in the reader's language where the pages have words for it. */
	reason(id, message) {
		const said = words.reason ? words.reason(id) : id;

		return said && said !== id ? said : message;
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
