'use strict';
'require baseclass';
'require echomesh.answers as answers';
'require echomesh.api as api';
'require echomesh.backup as backup';
'require echomesh.fields as fields';
'require echomesh.keyname as keyname';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/*
 * The steps of the set-up, in their order. draw(page) gives the nodes of a step; what it puts into page.fields, by the name of the
 * question, shows what is wrong with that answer. `page` is the view: its answers, what it knows, and save().
 */

/* Less memory than this is worth a word. */
const LITTLE_RAM = 64e6;

/* Milliseconds after the last key until the caps of the typed line are asked for. */
const SETTLED = 300;

/* The roles that can be consented to. A role is offered where this program has settings for it. */
const ROLES = [ {
	id: 'proxy',
	title: () => _('Relay HTTPS for buyers'),
	text: () => [
		_('Buyers whom the coordinator knows send HTTPS requests out through your line, to test sites and to check advertisements.'),
		_('The sites see your address, as if someone in your household had called them. If a buyer does wrong, letters may come to you; the log tells who it was.'),
		_('What is sent is encrypted: you cannot read it, and neither can the node. Nobody gets into your home network. Mail and plain HTTP are refused, and only the kinds of work in the profile are accepted.'),
		_('Your provider’s terms may forbid it. One click stops it all.')
	]
} ];

/* A fact that was found: what it is, how it stands, and what that means. */
function fact(title, tone, value, meaning) {
	return E('div', { 'class': 'em-found' }, [
		E('dt', {}, [ title ]),
		E('dd', {}, [ widgets.badge(tone, value), ' ', E('span', {}, [ meaning ]) ])
	]);
}

function yesOrNo(told) {
	return /^yes/.test(told || '');
}

/* What was found out about the router. */
function found(survey) {
	const nodes = [];
	const uplinks = survey.uplinks || [];
	const abilities = Object.keys(survey.sandbox || {});
	const able = abilities.filter(name => yesOrNo(survey.sandbox[name])).length;

	nodes.push(uplinks.length
		? fact(_('Uplink'), 'good', uplinks.join(', '), _('Traffic of others leaves by this alone, never into your home network.'))
		: fact(_('Uplink'), 'warn', _('None'), _('The router has no way to the Internet now. Check its cable or its connection.')));
	nodes.push(!survey.needsGateway
		? fact(_('Address'), 'good', _('Public'), _('Buyers can connect to this router.'))
		: survey.reachV4 === 'carrier-nat'
		? fact(_('Address'), 'info', _('Shared by the provider'), _('Your provider shares addresses (CGNAT). Buyers come through the coordinator’s gateway.'))
		: survey.reachV4 === 'private'
		? fact(_('Address'), 'info', _('Behind another router'), _('Buyers come through the coordinator’s gateway.'))
		: fact(_('Address'), 'info', _('No public address found'), _('Buyers come through the coordinator’s gateway.')));
	nodes.push(survey.timeZone
		? fact(_('Time zone'), 'good', survey.timeZone, _('Your times are in it.'))
		: fact(_('Time zone'), 'warn', _('Not set'), _('The router takes UTC. Set it under System before you choose times.')));
	nodes.push(survey.ramBytes == null ? fact(_('Memory'), 'info', _('Unknown'), '')
		: survey.ramBytes >= LITTLE_RAM
		? fact(_('Memory'), 'good', words.bytes(survey.ramBytes), _('Enough. The node takes a small part of it.'))
		: fact(_('Memory'), 'warn', words.bytes(survey.ramBytes), _('Little. The node serves fewer connections at once.')));
	nodes.push(fact(_('Processors'), 'good', survey.cpus == null ? _('Unknown') : words.number(survey.cpus), survey.model || ''));
	nodes.push(able === abilities.length
		? fact(_('Sandbox'), 'good', _('All there'), _('The kernel can lock the node in.'))
		: able
		? fact(_('Sandbox'), 'info', _('%d of %d').format(able, abilities.length), _('The node locks itself in with what the kernel has: %s.').format(
			abilities.filter(name => yesOrNo(survey.sandbox[name])).join(', ')))
		: fact(_('Sandbox'), 'info', _('By its own user only'), _('This kernel has no more to offer. The node still runs without privileges.')));

	return E('dl', { 'class': 'em-founds', 'data-em': 'survey' }, nodes);
}

function countryName(region) {
	const code = String(region).slice(0, 2).toUpperCase();

	try {
		return new Intl.DisplayNames([ document.documentElement.lang || 'en' ], { type: 'region' }).of(code);
	}
	catch (e) {
		return code;
	}
}

/* The words of the presets; those that this page does not know come from the program. */
function capsWords(preset, knowsLine) {
	const figures = _('%s Mbit/s, %s GB a day.').format(words.number(preset.maxMbps), words.number(preset.maxGBPerDay));
	/* Without the line a share of it cannot be promised. */
	const share = {
		gentle: knowsLine ? _('A tenth of the line; nobody will notice.') : _('Nobody will notice.'),
		balanced: knowsLine ? _('A quarter of the line; large downloads take a little longer.') : _('Large downloads take a little longer.'),
		generous: knowsLine ? _('Half of the line; for lines that are idle most of the day.') : _('For lines that are idle most of the day.')
	}[preset.id] || preset.text;

	return { id: preset.id, title: { gentle: _('Gentle'), balanced: _('Balanced'), generous: _('Generous') }[preset.id] || preset.id, text: figures + ' ' + share };
}

function hoursWords(preset) {
	const known = {
		always: [ _('At any time'), _('It gives way while you use the line.') ],
		nights: [ _('At night'), _('Every night from 23:00 to 07:00.') ],
		'weekday-nights': [ _('Nights before working days'), _('Sunday to Thursday, from 23:00 to 07:00.') ],
		'office-hours': [ _('Office hours'), _('Monday to Friday from 09:00 to 17:00, while nobody is at home.') ]
	}[preset.id] || [ preset.id, preset.text ];

	return { id: preset.id, title: known[0], text: known[1] };
}

function dayName(day) {
	/* The first of January 2024 was a Monday. */
	const at = new Date(Date.UTC(2024, 0, 1 + answers.DAYS.indexOf(day)));

	return at.toLocaleDateString(document.documentElement.lang || undefined, { weekday: 'short', timeZone: 'UTC' });
}

/* -- the steps -------------------------------------------------------------------------------------------------------- */

function what(page) {
	return [
		E('p', {}, [ _('EchoMesh lets businesses see the web as your household sees it. Your router passes on a little of their encrypted traffic, within limits that you set, and you earn credits for it.') ]),
		E('ul', { 'class': 'em-plain' }, [
			E('li', {}, [ E('strong', {}, [ _('Whose traffic: ') ]), _('that of buyers whom the coordinator knows, one by one, for purposes on a list you can read.') ]),
			E('li', {}, [ E('strong', {}, [ _('What it costs: ') ]), _('some of your line and volume, never more than your limits, and some electricity. Your household comes first.') ]),
			E('li', {}, [ E('strong', {}, [ _('What it never does: ') ]), _('read what is sent, reach into your home network, send mail, or run without your yes.') ]),
			E('li', {}, [ E('strong', {}, [ _('What you can do: ') ]), _('pause or stop it with one click, and leave for good at any time.') ])
		]),
		E('h4', {}, [ _('What was found on this router') ]),
		page.survey ? found(page.survey) : E('p', {}, [ _('The router could not be looked at: %s').format(page.surveyError || '') ]),
		E('p', {}, [ _('Nobody on the network was asked. Nothing is changed before the last step.') ])
	];
}

function consent(page) {
	return [ E('p', {}, [ _('The answer is no unless you say yes. You can change it at any time.') ]) ].concat(ROLES.filter(role => page.settings[role.id]).map(role => {
		const choice = fields.choice(role.title(), [
			{ id: 'yes', title: _('Yes, relay'), text: _('Within the limits that come next.') },
			{ id: 'no', title: _('No'), text: _('Nothing runs.') }
		], page.answers[role.id] == null ? null : page.answers[role.id] ? 'yes' : 'no', said => page.answered(role.id, said === 'yes'));

		page.fields[role.id] = choice;

		return E('div', { 'class': 'em-consent' }, role.text().map(line => E('p', {}, [ line ])).concat([ choice ]));
	}));
}

function limits(page) {
	const said = page.answers;
	let asked = 0;

	/* Where */
	const list = E('datalist', { 'id': fields.id() }, answers.countries().map(code => E('option', { 'value': code, 'label': countryName(code) })));
	const region = fields.text(said.region, { 'list': list.id, 'autocapitalize': 'characters', 'maxlength': '256' }, text => {
		page.answered('region', text);
		named();
	});
	const name = E('span', { 'aria-live': 'polite' });
	const named = () => {
		const first = String(said.region).split(/[\s,;]+/)[0];

		name.textContent = /^[A-Za-z]{2}(-|$)/.test(first) ? countryName(first) : '';
	};
	const place = page.place;
	const suggest = place && place !== said.region ? widgets.button('neutral', _('Take %s').format(countryName(place)), () => {
		region.value = place;
		page.answered('region', place);
		named();
	}) : '';

	region.emFrame = E('div', { 'class': 'em-row' }, [ region, name, suggest ]);
	named();
	page.fields.region = fields.row(_('Where is this router?'), region,
		_('A country like PH, or one of its regions like PH-Mindanao. The coordinator compares it with what it sees, so say where the router really is. Empty: wherever it is.'));

	/* How much */
	const line = fields.text(said.line, { 'inputmode': 'decimal', 'maxlength': '12', 'class': 'cbi-input-text em-short' }, text => {
		page.answered('line', text);

		const mine = ++asked;

		window.setTimeout(() => mine === asked && page.askPresets().then(() => mine === asked && caps.words(capsOptions())), SETTLED);
	});

	line.emFrame = E('div', { 'class': 'em-row' }, [ line, E('span', {}, [ _('Mbit/s') ]) ]);
	page.fields.line = fields.row(_('How fast is your line?'), line,
		_('The slower direction, mostly the upload; a speed test tells. With it the node knows what a small share is, and sees when the household needs the line. Empty: not known.'));

	const capsOptions = () => page.presets.caps.map(preset => capsWords(preset, !!page.presetsLine)).concat([ {
		id: answers.OWN, title: _('Figures of your own'), text: ''
	} ]);
	const caps = fields.choice(_('How much of it may the node use?'), capsOptions(), said.caps, id => {
		page.answered('caps', id);
		widgets.show(own, id === answers.OWN);
	});
	const rate = fields.text(said.rate, { 'inputmode': 'decimal', 'class': 'cbi-input-text em-short', 'maxlength': '12' }, text => page.answered('rate', text));
	const day = fields.text(said.gbPerDay, { 'inputmode': 'numeric', 'class': 'cbi-input-text em-short', 'maxlength': '7' }, text => page.answered('gbPerDay', text));

	rate.emFrame = E('div', { 'class': 'em-row' }, [ rate, E('span', {}, [ _('Mbit/s') ]) ]);
	day.emFrame = E('div', { 'class': 'em-row' }, [ day, E('span', {}, [ _('GB') ]) ]);
	page.fields.rate = fields.row(_('At most'), rate, _('Of relayed bytes, both directions together.'));
	page.fields.gbPerDay = fields.row(_('At most a day'), day, _('Counted on your line: a relayed GB comes in and goes out, and counts as two. 0 = no cap.'));

	const own = E('div', { 'class': 'em-own' }, [ page.fields.rate, page.fields.gbPerDay ]);

	widgets.show(own, said.caps === answers.OWN);

	const month = fields.text(said.gbPerMonth, { 'inputmode': 'numeric', 'class': 'cbi-input-text em-short', 'maxlength': '7' }, text => page.answered('gbPerMonth', text));

	month.emFrame = E('div', { 'class': 'em-row' }, [ month, E('span', {}, [ _('GB') ]) ]);
	page.fields.gbPerMonth = fields.row(_('At most a month'), month,
		_('Only where your provider counts or limits your volume; 0 = it does not. Leave room for yourself.'));

	/* When */
	const kept = page.proposed.windows === answers.NOW;
	const times = fields.choice(_('When may it work?'), page.presets.hours.map(hoursWords).concat(
		kept ? [ { id: answers.NOW, title: _('As it is now'), text: _('The times on the Policy page stay.') } ] : [],
		[ { id: answers.OWN, title: _('Times of your own'), text: _('More of them can be drawn on the Policy page later.') } ]
	), said.windows, id => {
		page.answered('windows', id);
		widgets.show(hours, id === answers.OWN);
	});
	const days = E('div', { 'class': 'em-row', 'role': 'group', 'aria-label': _('Days it starts on') }, answers.DAYS.map(day => fields.tick(dayName(day), said.days.includes(day), on => {
		page.answered('days', answers.DAYS.filter(other => other === day ? on : said.days.includes(other)));
	})));
	const from = fields.text(said.start, { 'type': 'time' }, text => page.answered('start', text));
	const to = fields.text(said.end, { 'type': 'time' }, text => page.answered('end', text));
	const hours = E('div', { 'class': 'em-own' }, [
		days,
		E('div', { 'class': 'em-row' }, [ E('label', { 'for': from.id }, [ _('From') ]), from, E('label', { 'for': to.id }, [ _('until') ]), to ]),
		E('p', {}, [ _('An end that is not after the start is on the next day.') ])
	]);

	widgets.show(hours, said.windows === answers.OWN);
	page.fields.windows = times;

	return [
		page.fields.region, list, page.fields.line, caps, own, page.fields.gbPerMonth, times, hours,
		E('p', {}, [ _('In each of them the household comes first: the node’s packets give way to yours, and while the line is busy it falls to a quarter. Times are in the router’s time zone (%s).').format(
			(page.survey || {}).timeZone || 'UTC') ])
	];
}

function coordinator(page) {
	const said = page.answers;
	const url = fields.text(said.coordinator, { 'type': 'url', 'inputmode': 'url', 'placeholder': 'https://coordinator.example.net:8440', 'maxlength': '512' }, text => {
		page.answered('coordinator', text);
		offered();
	});
	const key = fields.text(said.key, { 'placeholder': 'ed25519:…', 'maxlength': '512' }, text => page.answered('key', text));
	const heard = E('p', { 'class': 'em-state', 'role': 'status' });
	const paste = E('textarea', { 'class': 'cbi-input-textarea', 'id': fields.id(), 'rows': '3', 'spellcheck': 'false', 'autocomplete': 'off' });

	paste.addEventListener('input', () => {
		const found = answers.pasted(paste.value);

		if (found.coordinator) {
			url.value = found.coordinator;
			page.answered('coordinator', found.coordinator);
		}

		if (found.key) {
			key.value = found.key;
			page.answered('key', found.key);
		}

		heard.textContent = !paste.value.trim() ? ''
			: found.coordinator && found.key ? _('Address and key were found in it.')
			: found.coordinator ? _('An address was found in it, and no key.')
			: found.key ? _('A key was found in it, and no address.')
			: _('Neither an address (https://…) nor a key (ed25519:…) was found in it.');
		offered();
	});

	page.fields.coordinator = fields.row(_('Address'), url, _('Where the coordinator is reached.'));
	page.fields.key = fields.row(_('Key'), key, _('It begins with ed25519:. The node obeys nothing that this key did not sign.'));

	const ca = fields.text(said.caFile, { 'placeholder': '/etc/ssl/coordinator.pem', 'maxlength': '512' }, text => page.answered('caFile', text));

	page.fields.caFile = fields.row(_('Certificate file'), ca, _('A PEM file on this router. Only where the operator said that the coordinator has a certificate of its own making.'));

	/* How buyers get here */
	const port = fields.text(said.port, { 'inputmode': 'numeric', 'class': 'cbi-input-text em-short', 'maxlength': '5' }, text => page.answered('port', text));

	page.fields.port = fields.row(_('Port'), port, _('Buyers connect to it by TCP, 1024 to 65535. The service opens it in this router’s firewall while the node runs.'));

	const reach = fields.choice(_('How do buyers get here?'), [
		{ id: 'direct', title: _('Directly'), text: _('They connect to this router.') },
		{ id: 'gateway', title: _('Through the coordinator’s gateway'), text: _('No port is opened.') }
	], said.reach, id => {
		page.answered('reach', id);
		widgets.show(page.fields.port, id === 'direct');
	});

	page.fields.reach = reach;
	widgets.show(page.fields.port, said.reach === 'direct');

	/* What else it may */
	const probes = fields.tick(_('Let the coordinator measure the line'), said.probes, on => page.answered('probes', on),
		_('Now and then the node fetches a file of at most 8 MB from the coordinator’s own host, 64 MB a day at most, within your limits. Without it your reputation grows more slowly.'));
	const telemetry = fields.tick(_('Send health figures along'), said.telemetry, on => page.answered('telemetry', on),
		_('Version, memory, state, counts of refusals: they help to find faults. No host, buyer or address is in them.'));
	const offered = () => widgets.show(probes, answers.asksProbes(said, page.settings));

	offered();

	return [
		E('p', {}, [ _('The coordinator assigns work and keeps the account. Whoever runs it gave you its address and key.') ]),
		fields.row(_('Paste what you were sent'), paste, _('The whole message will do: address and key are picked out of it.')), heard,
		page.fields.coordinator, page.fields.key,
		E('details', said.caFile ? { 'open': '' } : {}, [ E('summary', {}, [ _('A certificate of its own making') ]), page.fields.caFile ]),
		E('p', {}, [ !page.survey ? '' : page.survey.needsGateway
			? _('This router has no public address of its own, so buyers cannot come directly.')
			: _('This router has a public address.') ]),
		reach, page.fields.port,
		E('fieldset', { 'class': 'em-choices' }, [ E('legend', {}, [ _('What else it may') ]), probes, telemetry ])
	];
}

function identity(page) {
	const whole = keyname.whole(), picture = keyname.picture();
	const waits = E('p', { 'class': 'em-state', 'role': 'status' });
	const safe = E('p', { 'class': 'em-state', 'role': 'status' });
	const form = backup.make(() => page.nodeId, () => {
		page.answered('backedUp', page.nodeId);
		tell();
	});
	const who = E('div', { 'class': 'em-who' }, [ picture, E('dl', { 'class': 'em-facts' }, [ E('dt', {}, [ _('NodeID') ]), E('dd', {}, [ whole ]) ]) ]);
	const tell = () => {
		widgets.text(waits, page.nodeId ? '' : page.daemonError || _('The daemon is being started, with everything off. Its first start makes the key.'));
		widgets.show(who, !!page.nodeId);
		widgets.show(form, !!page.nodeId);
		widgets.text(safe, !page.nodeId ? '' : page.answers.backedUp === page.nodeId ? _('A backup of this key was made here.')
			: _('Without a backup, a broken router or a reset takes reputation and credits with it. You may go on without one and make it later on the Identity page.'));

		if (page.nodeId) {
			whole.set(page.nodeId);
			picture.set(page.nodeId);
		}
	};

	page.tell = tell;
	tell();

	return [
		E('p', {}, [ _('The node has a key of its own. Reputation and credits hang on it.') ]), waits, who,
		E('h4', {}, [ _('Back it up') ]), safe, form,
		E('p', {}, [ _('Do you have a backup from another router?'), ' ',
			E('a', { 'href': L.url('admin/services/echomesh/identity') }, [ _('Restore it first; your answers are kept.') ]) ])
	];
}

/* The words of a test that was done. */
function tested(test) {
	const title = { coordinator: _('Coordinator'), names: _('Names (DNS)'), port: _('Port'), certificates: _('Certificates') }[test.name] || test.name;
	const good = {
		coordinator: _('It answers, and its key is the one you gave.'),
		names: _('The resolver answers.'),
		port: _('It can be listened on. Whether the Internet reaches it shows once the node runs.')
	}[test.name];
	const remedy = {
		coordinator: _('Compare address and key with what the operator gave you, and check that the router is online.'),
		names: _('Check the line, or name another resolver on the Settings page.'),
		port: _('Choose another port, or stop what uses it.'),
		certificates: _('Check the certificate file that you named.')
	}[test.name];

	return E('li', { 'data-em': 'test-' + test.name }, [
		widgets.badge(test.passed ? 'good' : 'bad', test.passed ? _('Passed') : _('Failed')), ' ', E('strong', {}, [ title ]), ' ',
		E('span', {}, [ test.passed ? good || test.message : test.message ]),
		test.passed || !remedy ? '' : E('div', { 'class': 'em-remedy' }, [ remedy ])
	]);
}

function test(page) {
	const list = E('ul', { 'class': 'em-tests', 'aria-live': 'polite' });
	const state = E('p', { 'class': 'em-state', 'role': 'status' });
	const again = widgets.button('action', _('Test again'), () => run());
	const change = E('button', { 'type': 'button', 'class': 'btn cbi-button', 'click': () => page.go('coordinator') }, [ _('Change the answers') ]);

	function show(result) {
		list.textContent = '';
		result.tests.forEach(one => list.appendChild(tested(one)));
		state.textContent = result.passed ? _('All is well.')
			: _('Something is not right yet. You may go on all the same: the node tries on its own until it works.');
		widgets.show(change, !result.passed);
	}

	function run() {
		list.textContent = '';
		state.textContent = _('Testing. This takes some seconds, and changes nothing.');
		state.classList.add('spinning');
		widgets.show(change, false);

		return page.daemon().then(() => api.work('setup_test', [ page.patch(true) ])).then(job => {
			page.tested = { patch: JSON.stringify(page.patch(true)), result: job.result };
			show(job.result);
		}).catch(error => {
			state.textContent = _('It could not be tested: %s').format(error.message);
		}).then(() => state.classList.remove('spinning'));
	}

	if (page.tested && page.tested.patch === JSON.stringify(page.patch(true)))
		show(page.tested.result);
	else
		window.setTimeout(() => again.isConnected && again.click(), 0);

	widgets.show(change, page.tested != null && !page.tested.result.passed);

	return [
		E('p', {}, [ _('The coordinator is called once under a name that lives for this call alone, the resolver is asked for a name, and the port is opened and closed again.') ]),
		list, state, E('div', { 'class': 'em-row' }, [ again, change ])
	];
}

function summary(page) {
	const said = page.answers;

	if (!said.proxy)
		return [
			E('p', {}, [ _('You said no, so nothing runs.') ]),
			E('p', {}, [ page.settings.node.enabled ? _('The node is on now. Turning it off ends all work within a second; your limits stay.')
				: _('Nothing is changed. You can come back here at any time.') ])
		];

	const patch = page.patch(true);
	const caps = patch.network, times = page.presets.hours.find(preset => preset.id === said.windows);
	const rows = [
		[ _('Role'), ROLES.filter(role => said[role.id]).map(role => role.title()).join(', ') ],
		[ _('Place'), (patch.node.regionAllow || []).join(', ') || _('Wherever it is') ],
		[ _('Limits'), _('At most %s Mbit/s; %s a day; %s a month.').format(words.number(caps.maxMbps),
			caps.maxGBPerDay ? _('%s GB').format(words.number(caps.maxGBPerDay)) : _('no cap'),
			caps.maxGBPerMonth ? _('%s GB').format(words.number(caps.maxGBPerMonth)) : _('no cap')) ],
		[ _('Times'), said.windows === answers.NOW ? _('As they are now.')
			: times ? hoursWords(times).text === '' ? hoursWords(times).title : hoursWords(times).title + ' · ' + hoursWords(times).text
			: _('%s from %s until %s.').format(said.days.map(dayName).join(', '), said.start, said.end) ],
		[ _('Coordinator'), said.coordinator ],
		[ _('Buyers come'), said.reach === 'gateway' ? _('through the coordinator’s gateway') : _('directly, on port %s').format(said.port) ],
		[ _('Measurements'), patch.policy ? _('allowed, from the coordinator’s own host') : (page.settings.policy.probeHosts || []).join(', ') || _('not allowed') ],
		[ _('Health figures'), said.telemetry ? _('are sent along') : _('are not sent') ]
	];
	const warnings = [];
	const fresh = page.tested && page.tested.patch === JSON.stringify(patch);

	if (!fresh || !page.tested.result.passed)
		warnings.push(fresh ? _('A test failed. The node tries on its own until it works.') : _('These answers were not tested.'));

	if (page.nodeId && said.backedUp !== page.nodeId)
		warnings.push(_('There is no backup of the key yet. Make one on the Identity page.'));

	return [
		E('p', {}, [ _('This is what your router will do. Nothing has been changed so far.') ]),
		E('dl', { 'class': 'em-facts', 'data-em': 'summary' }, rows.reduce((all, row) => all.concat([ E('dt', {}, [ row[0] ]), E('dd', {}, [ String(row[1]) ]) ]), [])),
		warnings.length ? widgets.notice('warn', _('Before you turn it on'), [ E('ul', {}, warnings.map(line => E('li', {}, [ line ]))) ]) : ''
	];
}

return baseclass.extend({
	/* The steps that these answers lead through: {id, title, draw(page), on}. Where `on`, the answers are checked with the role on. */
	of(said) {
		const all = [
			{ id: 'what', title: _('What it does'), draw: what },
			{ id: 'consent', title: _('Consent'), draw: consent },
			{ id: 'limits', title: _('Place and limits'), draw: limits, check: true },
			{ id: 'coordinator', title: _('Coordinator'), draw: coordinator, check: true, on: true },
			{ id: 'identity', title: _('Identity and backup'), draw: identity },
			{ id: 'test', title: _('Self-test'), draw: test },
			{ id: 'summary', title: _('Summary'), draw: summary }
		];

		return said.proxy === false ? all.filter(step => [ 'what', 'consent', 'summary' ].includes(step.id)) : all;
	},

	/* What was found, for who may only look. */
	found: found
});
