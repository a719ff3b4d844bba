'use strict';
'require baseclass';
'require echomesh.answers as answers';
'require echomesh.api as api';
'require echomesh.fields as fields';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/*
 * The steps of the set-up, in their order, with the questions and words of `echomesh setup` in the terminal. Each is a function of
 * the page (the view: its answers and what it knows) that gives the step's nodes. What it puts into page.fields, by the name of the
 * question, shows what is wrong with that answer.
 */

/* Less memory than this is worth a word. */
const LITTLE_RAM = 64e6;

/* Milliseconds after the last key until the caps of the typed line are asked for. */
const SETTLED = 300;

/* The roles that can be consented to; each is offered where this program has settings for it. */
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

function p(text) {
	return E('p', {}, [ text ]);
}

/* A list of [term, what it is], each text or nodes. */
function terms(kind, rows, attrs) {
	return E('dl', Object.assign({ 'class': kind }, attrs), rows.map(row => E('div', {}, [ E('dt', {}, [ row[0] ]), E('dd', {}, [].concat(row[1])) ])));
}

/* What was found out about the router: how it stands, and what that means. */
function found(survey) {
	const uplinks = survey.uplinks.join(', ');
	const able = Object.keys(survey.sandbox).filter(name => /^yes/.test(survey.sandbox[name]));
	const gateway = _('Buyers come through the coordinator’s gateway.');
	const row = (title, tone, value, meaning) => [ title, [ widgets.badge(tone, value), ' ', meaning ] ];

	return terms('em-founds', [
		uplinks ? row(_('Uplink'), 'good', uplinks, _('Traffic of others leaves by this alone, never into your home network.'))
			: row(_('Uplink'), 'warn', _('None'), _('The router has no way to the Internet now. Check its connection.')),
		!survey.needsGateway ? row(_('Address'), 'good', _('Public'), _('Buyers can connect to this router.'))
			: row(_('Address'), 'info', { 'carrier-nat': _('Shared by the provider (CGNAT)'), 'private': _('Behind another router') }[survey.reachV4] || _('No public one'), gateway),
		survey.timeZone ? row(_('Time zone'), 'good', survey.timeZone, _('Your times are in it.'))
			: row(_('Time zone'), 'warn', _('Not set'), _('The router takes UTC. Set it under System before you choose times.')),
		survey.ramBytes >= LITTLE_RAM ? row(_('Memory'), 'good', words.bytes(survey.ramBytes), _('Enough: the node takes a small part of it.'))
			: row(_('Memory'), survey.ramBytes ? 'warn' : 'info', words.bytes(survey.ramBytes), _('With little memory the node serves fewer connections at once.')),
		row(_('Processors'), 'good', words.number(survey.cpus), survey.model || ''),
		able.length ? row(_('Sandbox'), 'good', able.join(', '), _('The node locks itself in with what the kernel has.'))
			: row(_('Sandbox'), 'info', _('A user of its own'), _('This kernel has nothing more to lock the node in with.'))
	], { 'data-em': 'survey' });
}

function countryName(code) {
	try {
		return new Intl.DisplayNames([ document.documentElement.lang || 'en' ], { type: 'region' }).of(code.slice(0, 2).toUpperCase());
	}
	catch (e) {
		return '';
	}
}

/* The words of the presets; one that this page does not know has the program's. */
function capsWords(preset, line) {
	const meaning = {
		gentle: [ _('Gentle'), _('Nobody will notice.'), _('A tenth of the line; nobody will notice.') ],
		balanced: [ _('Balanced'), _('Large downloads take a little longer.'), _('A quarter of the line; large downloads take a little longer.') ],
		generous: [ _('Generous'), _('For lines that are idle most of the day.'), _('Half of the line; for lines that are idle most of the day.') ]
	}[preset.id] || [ preset.id, preset.text, preset.text ];

	/* Without the line a share of it cannot be promised. */
	return { id: preset.id, title: meaning[0], text: _('%s Mbit/s, %s GB a day. %s').format(
		words.number(preset.maxMbps), words.number(preset.maxGBPerDay), meaning[line ? 2 : 1]) };
}

function hoursWords(preset) {
	const meaning = {
		'always': [ _('At any time'), _('It gives way while you use the line.') ],
		'nights': [ _('At night'), _('Every night from 23:00 to 07:00.') ],
		'weekday-nights': [ _('Nights before working days'), _('Sunday to Thursday, from 23:00 to 07:00.') ],
		'office-hours': [ _('Office hours'), _('Monday to Friday from 09:00 to 17:00, while nobody is at home.') ]
	}[preset.id] || [ preset.id, preset.text ];

	return { id: preset.id, title: meaning[0], text: meaning[1] };
}

/* The field for a line of text that answers `name`. `after` stands behind it; tell() hears of each change. */
function line(page, name, attrs, after, tell) {
	const field = E('input', Object.assign({ 'type': 'text', 'class': 'cbi-input-text', 'id': fields.id(), 'autocomplete': 'off', 'spellcheck': 'false', 'maxlength': '512' }, attrs));

	field.value = page.answers[name];
	field.emFrame = after ? E('div', { 'class': 'em-row' }, [ field ].concat(after)) : null;
	field.addEventListener('input', () => {
		page.answered(name, field.value.trim());

		if (tell)
			tell();
	});

	return field;
}

/* The row of such a field. */
function asked(page, name, field, label, hint) {
	return page.fields[name] = fields.row(label, field, hint);
}

function figure(page, name, unit, label, hint, tell) {
	return asked(page, name, line(page, name, { 'class': 'cbi-input-text em-short', 'inputmode': 'decimal' }, unit, tell), label, hint);
}

/* -- the steps -------------------------------------------------------------------------------------------------------- */

function what(page) {
	return [
		p(_('EchoMesh lets businesses see the web as your household sees it. Your router passes on a little of their encrypted traffic, and you earn credits for it.')),
		terms('em-terms', [
			[ _('Whose traffic'), _('That of buyers whom the coordinator knows, for purposes on a list you can read.') ],
			[ _('What it costs'), _('Some of your line and volume, never more than your limits, and some electricity. Your household comes first.') ],
			[ _('What it never does'), _('Read what is sent, reach into your home network, send mail, or run without your yes.') ],
			[ _('What you can do'), _('Pause or stop it with one click, and leave for good at any time.') ]
		]),
		E('h4', {}, [ _('What was found on this router') ]),
		page.survey ? found(page.survey) : p(_('The router could not be looked at.')),
		p(_('Nobody on the network was asked. Nothing is changed before the last step.'))
	];
}

function consent(page) {
	return [ p(_('The answer is no unless you say yes. You can change it at any time.')) ].concat(...ROLES.filter(role => page.settings[role.id]).map(role =>
		role.text().map(p).concat([ page.fields[role.id] = fields.choice(role.title(), [
			{ id: 'yes', title: _('Yes, relay'), text: _('Within the limits that come next.') },
			{ id: 'no', title: _('No'), text: _('Nothing runs.') }
		], { true: 'yes', false: 'no' }[page.answers[role.id]], id => page.answered(role.id, id === 'yes')) ])));
}

function limits(page) {
	const said = page.answers;
	const mbit = _('Mbit/s'), gb = _('GB');
	let latest = 0;

	/* Where */
	const name = E('span', { 'aria-live': 'polite' });
	const named = () => widgets.text(name, /^[a-z]{2}\b/i.test(said.region) ? countryName(said.region) : '');
	const region = line(page, 'region', { 'autocapitalize': 'characters' }, name, named);

	named();

	/* How much */
	const offers = () => page.presets.caps.map(preset => capsWords(preset, page.presetsLine)).concat([ { id: answers.OWN, title: _('Figures of your own') } ]);
	const speed = figure(page, 'line', mbit, _('How fast is your line?'),
		_('The slower direction, mostly the upload; a speed test tells. With it the node knows what a small share is, and sees when the household needs the line. Empty: not known.'), () => {
			const mine = ++latest;

			window.setTimeout(() => mine === latest && page.askPresets().then(() => caps.words(offers())), SETTLED);
		});
	const own = E('div', {}, [
		figure(page, 'rate', mbit, _('At most'), _('Of relayed bytes, both directions together.')),
		figure(page, 'gbPerDay', gb, _('At most a day'), _('Counted on your line: a relayed GB comes in and goes out, and counts as two. 0 = no cap.'))
	]);
	const caps = fields.choice(_('How much of it may the node use?'), offers(), said.caps, id => {
		page.answered('caps', id);
		widgets.show(own, id === answers.OWN);
	});

	/* When */
	const times = page.fields.windows = fields.choice(_('When may it work?'), page.presets.hours.map(hoursWords).concat(
		page.proposed.windows === answers.NOW ? [ { id: answers.NOW, title: _('As it is now'), text: _('The times on the Policy page stay.') } ] : []
	), said.windows, id => page.answered('windows', id));

	widgets.show(own, said.caps === answers.OWN);

	return [
		asked(page, 'region', region, _('Where is this router?'),
			_('A country like PH, or one of its regions like PH-Mindanao. The coordinator compares it with what it sees, so say where the router really is. Empty: wherever it is.')),
		speed, caps, own,
		figure(page, 'gbPerMonth', gb, _('At most a month'), _('Only where your provider counts or limits your volume; 0 = it does not. Leave room for yourself.')),
		times,
		p(_('Your household always comes first: while the line is busy, the node falls to a quarter. Times are in the router’s time zone; any week can be drawn on the Policy page.'))
	];
}

function coordinator(page) {
	const said = page.answers;
	const heard = E('p', { 'class': 'em-state', 'role': 'status' });
	const probes = fields.tick(_('Let the coordinator measure the line'), said.probes, on => page.answered('probes', on),
		_('Now and then the node fetches a file of at most 8 MB from the coordinator’s own host, 64 MB a day at most, within your limits. Without it your reputation grows more slowly.'));
	const telemetry = fields.tick(_('Send health figures along'), said.telemetry, on => page.answered('telemetry', on),
		_('Version, memory, state, counts of refusals: they help to find faults. No host, buyer or address is in them.'));
	const offered = () => widgets.show(probes, !!answers.probeHost(said, page.settings));
	const url = line(page, 'coordinator', { 'type': 'url', 'placeholder': 'https://coordinator.example.net:8440' }, null, offered);
	const key = line(page, 'key', { 'placeholder': 'ed25519:…' });
	const port = asked(page, 'port', line(page, 'port', { 'class': 'cbi-input-text em-short', 'inputmode': 'numeric' }), _('Port'),
		_('Buyers connect to it by TCP, 1024 to 65535. The service opens it in this router’s firewall while the node runs.'));
	const paste = E('textarea', { 'class': 'cbi-input-textarea', 'rows': '3', 'spellcheck': 'false', 'autocomplete': 'off', 'input': () => {
		const found = answers.pasted(paste.value);

		[ [ 'coordinator', url ], [ 'key', key ] ].forEach(one => {
			if (found[one[0]])
				page.answered(one[0], one[1].value = found[one[0]]);
		});
		offered();
		heard.textContent = !paste.value.trim() ? ''
			: found.coordinator && found.key ? _('Address and key were found in it.')
			: found.coordinator ? _('An address was found in it, and no key.')
			: found.key ? _('A key was found in it, and no address.')
			: _('Neither an address (https://…) nor a key (ed25519:…) was found in it.');
	} });

	offered();
	widgets.show(port, said.reach === 'direct');

	return [
		p(_('The coordinator assigns work and keeps the account. Whoever runs it gave you its address and key.')),
		fields.row(_('Paste what you were sent'), paste, _('The whole message will do: address and key are picked out of it.')), heard,
		asked(page, 'coordinator', url, _('Address'), _('Where the coordinator is reached.')),
		asked(page, 'key', key, _('Key'), _('It begins with ed25519:. The node obeys nothing that this key did not sign.')),
		E('details', said.caFile ? { 'open': '' } : {}, [ E('summary', {}, [ _('A certificate of its own making') ]),
			asked(page, 'caFile', line(page, 'caFile'), _('Certificate file'), _('A PEM file on this router. Only where the operator said that it is needed.')) ]),
		page.fields.reach = fields.choice(_('How do buyers get here?'), [
			{ id: 'direct', title: _('Directly'), text: page.survey && page.survey.needsGateway ? _('They connect to this router, which has no public address of its own now.') : _('They connect to this router.') },
			{ id: 'gateway', title: _('Through the coordinator’s gateway'), text: _('No port is opened.') }
		], said.reach, id => {
			page.answered('reach', id);
			widgets.show(port, id === 'direct');
		}),
		port,
		E('fieldset', { 'class': 'em-choices' }, [ E('legend', {}, [ _('What else it may') ]), probes, telemetry ])
	];
}

function identity(page) {
	const name = E('code', { 'class': 'em-mono', 'data-em': 'node-id' });
	const waits = E('p', { 'class': 'em-state', 'role': 'status' }), safe = E('p', { 'class': 'em-state', 'role': 'status' });
	const make = E('div');

	/* Not before it is wanted: most of the set-up goes without. */
	L.require('echomesh.backup').then(backup => make.appendChild(backup.make(() => page.nodeId, () => {
		page.answered('backedUp', page.nodeId);
		page.tell();
	})));

	page.tell = () => {
		const id = page.nodeId;

		widgets.text(name, id);
		widgets.text(waits, id ? '' : page.daemonError || _('The daemon is being started, with everything off. Its first start makes the key.'));
		widgets.text(safe, !id ? '' : page.answers.backedUp === id ? _('A backup of this key was made here.')
			: _('Without a backup, a broken router or a reset takes reputation and credits with it. You may go on without one and make it later on the Identity page.'));
		widgets.show(make, !!id);
	};
	page.tell();

	return [
		p(_('The node has a key of its own. Reputation and credits hang on it.')), waits, name,
		E('h4', {}, [ _('Back it up') ]), safe, make,
		E('p', {}, [ E('a', { 'href': L.url('admin/services/echomesh/identity') }, [ _('Do you have a backup of another router? Restore it first; your answers are kept.') ]) ])
	];
}

/* A test that was done. */
function tested(test) {
	const known = {
		coordinator: [ _('Coordinator'), _('It answers, and its key is the one you gave.'), _('Compare address and key with what the operator gave you, and check that the router is online.') ],
		names: [ _('Names (DNS)'), _('The resolver answers.'), _('Check the line, or name another resolver on the Settings page.') ],
		port: [ _('Port'), _('It can be listened on. Whether the Internet reaches it shows once the node runs.'), _('Choose another port, or stop what uses it.') ],
		certificates: [ _('Certificates'), '', _('Check the certificate file that you named.') ]
	}[test.name] || [ test.name, test.message, '' ];

	return E('li', { 'data-em': 'test-' + test.name }, [
		widgets.badge(test.passed ? 'good' : 'bad', test.passed ? _('Passed') : _('Failed')), ' ', E('strong', {}, [ known[0] ]), ' ',
		test.passed ? known[1] : test.message, test.passed ? '' : E('div', { 'class': 'em-remedy' }, [ known[2] ])
	]);
}

function selfTest(page) {
	const list = E('ul', { 'class': 'em-tests', 'aria-live': 'polite' });
	const state = E('p', { 'class': 'em-state', 'role': 'status' });
	const change = E('button', { 'type': 'button', 'class': 'btn cbi-button', 'click': () => page.go('coordinator') }, [ _('Change the answers') ]);
	const show = result => {
		list.textContent = '';
		result.tests.forEach(one => list.appendChild(tested(one)));
		state.textContent = result.passed ? _('All is well.') : _('Something is not right yet. You may go on all the same: the node tries on its own until it works.');
		widgets.show(change, !result.passed);
	};
	const again = widgets.button('action', _('Test again'), () => {
		const patch = page.patch(true);

		list.textContent = '';
		state.textContent = _('Testing. This takes some seconds, and changes nothing.');

		return page.daemon().then(() => api.work('setup_test', [ patch ])).then(job => {
			page.tested = { patch: JSON.stringify(patch), result: job.result };
			show(job.result);
		}).catch(error => { state.textContent = _('It could not be tested: %s').format(error.message); });
	});

	widgets.show(change, false);

	if (page.testResult())
		show(page.testResult());
	else
		window.setTimeout(() => again.click(), 0);

	return [
		p(_('The coordinator is called once under a name that lives for this call alone, the resolver is asked for a name, and the port is opened and closed again.')),
		list, state, E('div', { 'class': 'em-row' }, [ again, change ])
	];
}

function summary(page) {
	const said = page.answers;

	if (!said.proxy)
		return [ p(page.settings.node.enabled ? _('You said no. The node is on now: turning it off ends all work within a second, and your limits stay.')
			: _('You said no, so nothing runs, and nothing is changed. You can come back here at any time.')) ];

	const patch = page.patch(true), result = page.testResult();
	const times = page.presets.hours.find(preset => preset.id === said.windows);
	const cap = gb => gb ? _('%s GB').format(words.number(gb)) : _('no cap');
	const warnings = [
		!result ? _('These answers were not tested.') : result.passed ? '' : _('A test failed. The node tries on its own until it works.'),
		page.nodeId && said.backedUp !== page.nodeId ? _('There is no backup of the key yet. Make one on the Identity page.') : ''
	].filter(text => text);

	return [
		p(_('This is what your router will do. Nothing has been changed so far.')),
		terms('em-terms', [
			[ _('Roles'), ROLES.filter(role => said[role.id]).map(role => role.title()).join(', ') ],
			[ _('Place'), patch.node.regionAllow.join(', ') || _('Wherever it is') ],
			[ _('Limits'), _('At most %s Mbit/s; a day: %s; a month: %s.').format(words.number(patch.network.maxMbps), cap(patch.network.maxGBPerDay), cap(patch.network.maxGBPerMonth)) ],
			[ _('Times'), times ? hoursWords(times).title : _('As they are now') ],
			[ _('Coordinator'), said.coordinator ],
			[ _('Buyers come'), said.reach === 'gateway' ? _('Through the coordinator’s gateway') : _('Directly, on port %s').format(said.port) ],
			[ _('Measurements'), patch.policy || page.settings.policy.probeHosts.length ? _('Allowed') : _('Not allowed') ],
			[ _('Health figures'), said.telemetry ? _('Sent along') : _('Not sent') ]
		], { 'data-em': 'summary' }),
		warnings.length ? widgets.notice('warn', _('Before you turn it on'), warnings.map(p)) : ''
	];
}

return baseclass.extend({
	/* The steps that these answers lead through: {id, title, draw(page), check}. `check`: with the role off or on. */
	of(said) {
		return [
			{ id: 'what', title: _('What it does'), draw: what },
			{ id: 'consent', title: _('Consent'), draw: consent },
			{ id: 'limits', title: _('Place and limits'), draw: limits, check: 'off' },
			{ id: 'coordinator', title: _('Coordinator'), draw: coordinator, check: 'on' },
			{ id: 'identity', title: _('Identity and backup'), draw: identity },
			{ id: 'test', title: _('Self-test'), draw: selfTest },
			{ id: 'summary', title: _('Summary'), draw: summary }
		].filter(step => said.proxy !== false || [ 'what', 'consent', 'summary' ].includes(step.id));
	},

	/* What was found, for who may only look. */
	found: found
});
