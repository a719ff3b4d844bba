'use strict';
'require view';
'require form';
'require uci';
'require ui';
'require echomesh.api as api';
'require echomesh.words as words';
'require echomesh.widgets as widgets';

/* JSON groups of the daemon's settings by UCI section, where they are called otherwise. */
const GROUPS = { update: 'updates' };
const SECTIONS = [ 'node', 'network', 'policy', 'security', 'coordinator', 'proxy', 'update', 'ui' ];

/* From UCI's texts to the JSON of the daemon's settings. */
const JSON_OF = {
	flag: text => [ '1', 'on', 'true', 'yes', 'enabled' ].includes(text),
	number: text => Number(text),
	text: text => text,
	texts: list => L.toArray(list),
	numbers: list => L.toArray(list).map(Number)
};

/* A check of a text by its form. Empty is for the option to allow or not. */
function like(form, message) {
	return (section, value) => value == null || value === '' || form.test(value) || message;
}

const PATH = /^\/(?!(.*\/)?\.{1,2}(\/|$))[^\x00-\x1f]*$/;

return view.extend({
	load() {
		return Promise.all([
			uci.load('echomesh'),
			L.resolveDefault(api.ask('status'), {}),
			L.resolveDefault(api.ask('survey'), {})
		]);
	},

	/* The name of the section of a type: it may have none of its own, and may not be there yet. */
	sectionOf(type) {
		const known = uci.sections('echomesh', type)[0];

		return known ? known['.name'] : uci.add('echomesh', type, type);
	},

	render(data) {
		const status = data[1], survey = data[2];

		widgets.style();
		/* What is in the form: {group, member} of the settings' JSON, {section, option} of UCI, kind, and LuCI's field. */
		this.rows = [];
		this.names = {};
		SECTIONS.forEach(type => { this.names[type] = this.sectionOf(type); });

		const map = this.map = new form.Map('echomesh', _('EchoMesh: Settings'),
			[ _('What the node is and how it works.'), ' ', E('a', { 'href': L.url('admin/services/echomesh/policy') },
				[ _('How much it may use, when and what for is set on the page Policy.') ]) ]);

		map.readonly = !widgets.mayChange();

		/* Who may only look finds no buttons, not ones that do not work. */
		if (map.readonly)
			this.handleSave = this.handleSaveApply = this.handleReset = null;

		const main = this.main = map.section(form.NamedSection, this.names.node, 'node');

		main.tab('basic', _('Basic'));
		main.tab('advanced', _('Advanced'));
		this.basic(survey);
		this.advanced();

		return map.render().then(node => E('div', { 'class': 'em' }, [ this.notices = this.notice(status), node ]));
	},

	notice(status) {
		const out = E('div', { 'aria-live': 'polite' });

		if (status.running === false)
			out.appendChild(widgets.notice('idle', _('The EchoMesh daemon does not run'), [
				E('p', {}, [ _('This is what its file says. Changes are written there and hold as soon as it runs.') ])
			]));
		else if (status.state === 'locked')
			out.appendChild(widgets.obstacle(status));

		return out;
	},

	/* The options of another section, under a heading of their own in a tab. */
	part(tab, type, title, description) {
		return this.main.taboption(tab, form.SectionValue, '_' + type + '_' + tab, form.NamedSection, this.names[type], type, title, description).subsection;
	},

	/*
	 * An option: of `section` (what part() gave, or [tab] of the main section), of UCI section `type`. `kind` is a name of JSON_OF.
	 * Gives LuCI's option, for the rest.
	 */
	option(section, type, kind, widget, name, member, title, description) {
		const looks = this.map.readonly ? form.DummyValue : widget;
		const option = Array.isArray(section)
			? this.main.taboption(section[0], looks, name, title, description)
			: section.option(looks, name, title, description);

		this.rows.push({ group: GROUPS[type] || type, member: member, section: this.names[type], option: name, kind: kind, field: option });

		/* Who may only look finds what is set in words: an input that does not work would say less. */
		if (this.map.readonly)
			option.cfgvalue = id => {
				const text = uci.get('echomesh', id, name);
				const otherwise = option.default || option.placeholder;
				const value = text == null ? (kind === 'flag' || option.says ? otherwise : null) : text;

				return value == null ? _('not set') : option.says ? option.says[value] || value
					: kind === 'flag' ? JSON_OF.flag(value) ? _('Yes') : _('No') : L.toArray(value).join(', ');
			};
		/* UCI has several words for yes and no, the check box one each. */
		else if (kind === 'flag')
			option.load = function(id) {
				const text = uci.get('echomesh', id, name);

				return text == null ? null : JSON_OF.flag(text) ? '1' : '0';
			};

		return option;
	},

	/* A check box. `on` = what holds where nothing is set. */
	flag(section, type, name, member, title, description, on) {
		const option = this.option(section, type, 'flag', form.Flag, name, member, title, description);

		option.default = on ? '1' : '0';

		return option;
	},

	/* A number, with what holds where nothing is set. */
	number(section, type, name, member, title, description, datatype, otherwise) {
		const option = this.option(section, type, 'number', form.Value, name, member, title, description);

		option.datatype = datatype;
		option.placeholder = otherwise;

		return option;
	},

	text(section, type, name, member, title, description, validate, otherwise) {
		const option = this.option(section, type, 'text', form.Value, name, member, title, description);

		option.validate = validate;
		option.placeholder = otherwise;

		return option;
	},

	/* A list. `check` is a datatype, or a function. */
	list(section, type, name, member, title, description, check, otherwise) {
		const option = this.option(section, type, 'texts', form.DynamicList, name, member, title, description);

		if (typeof check === 'function')
			option.validate = check;
		else
			option.datatype = check;

		option.placeholder = otherwise;

		return option;
	},

	/* A choice: [[value, words], …], the first holds where nothing is set. */
	choice(section, type, name, member, title, description, choices) {
		const option = this.option(section, type, 'text', form.ListValue, name, member, title, description);

		option.says = {};
		choices.forEach(one => {
			option.says[one[0]] = one[1];

			if (!this.map.readonly)
				option.value(one[0], one[1]);
		});
		option.default = choices[0][0];

		return option;
	},

	basic(survey) {
		const main = [ 'basic' ];
		const enabled = this.flag(main, 'node', 'enabled', 'enabled', _('EchoMesh is on'),
			_('The main switch. While it is off, your router does nothing for anybody.'));

		enabled.rmempty = false;

		const proxy = this.part('basic', 'proxy', _('What your router does'));
		const relay = this.flag(proxy, 'proxy', 'enabled', 'enabled', _('Relay HTTPS for others'),
			_('I agree that companies whose sessions my coordinator assigns reach websites through my line and with its address. Only encrypted connections pass, within the limits of my policy, and I can stop it at any time.'));

		relay.rmempty = false;
		this.choice(proxy, 'proxy', 'reach', 'reach', _('How buyers reach it'), _('Without a public address of its own, as behind a carrier’s NAT, the line needs the gateway.'), [
			[ 'direct', _('Directly, at this router') ], [ 'gateway', _('Through the coordinator’s gateway') ]
		]);

		const coordinator = this.part('basic', 'coordinator', _('Coordinator'), _('Who assigns the work. Address and key come from whoever runs it.'));

		this.text(coordinator, 'coordinator', 'url', 'url', _('Address'), '',
			like(/^https:\/\/[^\s/@?#\\"'<>]+\/?$/i, _('An address like https://coordinator.example.com, without a path.')), 'https://coordinator.example.com');
		this.list(coordinator, 'coordinator', 'key', 'keys', _('Keys'), _('Only what one of these keys signed is obeyed.'),
			like(/^ed25519:[A-Za-z0-9_-]{43}$/, _('A key is “ed25519:” and 43 characters, as the coordinator prints it.')), 'ed25519:…');

		const network = this.part('basic', 'network', _('Your line'));

		this.number(network, 'network', 'line_mbps', 'lineMbps', _('Rate of the line (Mbps)'),
			_('In its slower direction, mostly the upload. Without it the node cannot see when the household needs the line.'), 'and(ufloat,range(0.1,100000))', _('not known'));
		this.flag(network, 'network', 'yield', 'yield', _('Give way to the household'),
			_('Marks its own packets as less urgent, and falls to a quarter of the rate while you use the line.'), true);

		const uplink = this.list(network, 'network', 'uplink', 'uplinks', _('Devices to the Internet'), _('Traffic leaves by no other device. None: those with a default route.'),
			'and(netdevname,maxlength(15))');

		if (!this.map.readonly)
			(survey.uplinks || []).forEach(device => uplink.value(device));

		const update = this.part('basic', 'update', _('Updates and figures'));

		this.flag(update, 'update', 'auto_update', 'autoUpdate', _('Install updates by itself'), _('Only those that a key you trust has signed. Needs the address and a key of updates, under Advanced.'));
		this.flag(this.part('basic', 'ui'), 'ui', 'telemetry_opt_in', 'telemetryOptIn', _('Send health figures'), _('Tells the coordinator how the node is, beside what the work needs. Nothing about you or your traffic.'));
	},

	advanced() {
		const main = [ 'advanced' ];

		this.choice(main, 'node', 'log_level', 'logLevel', _('What is logged'), _('From Detail on lines may hold names of hosts. Up to Notes they appear only as hashes.'), [
			[ 'info', _('Notes') ], [ 'off', _('Nothing') ], [ 'error', _('Errors') ], [ 'warn', _('Warnings') ], [ 'debug', _('Detail') ], [ 'trace', _('Everything') ]
		]);
		this.choice(main, 'node', 'log_dest', 'logDest', _('Where lines go'), _('A change holds after a restart.'), [
			[ 'auto', _('By itself') ], [ 'syslog', _('System log') ], [ 'stderr', _('Standard error') ]
		]);
		this.text(main, 'node', 'state_dir', 'stateDir', _('Folder of key and journal'), _('It must outlive a reboot. A change holds after a restart.'),
			like(PATH, _('A path that starts with / and has no . or .. in it.')), '/etc/echomesh');

		const network = this.part('advanced', 'network', _('Line and destinations'));

		this.number(network, 'network', 'burst_mb', 'burstMB', _('At once above the rate (MB)'), _('How much may pass at once above the rate of the policy.'), 'and(uinteger,range(1,1024))', '4');
		this.number(network, 'network', 'yield_above_pct', 'yieldAbovePct', _('The household counts from (%)'), _('From which share of the line’s rate on the household counts as using it.'), 'and(uinteger,range(1,100))', '50');
		this.number(network, 'network', 'max_tunnels', 'maxTunnels', _('Connections at once'), _('All sessions together. Each takes about 12 KiB of memory.'), 'and(uinteger,range(1,16384))', '512');

		const ports = this.list(network, 'network', 'port', 'ports', _('Ports of destinations'), '', 'port', '443');

		this.rows[this.rows.length - 1].kind = 'numbers';
		ports.rmempty = true;

		const https = network.option(form.DummyValue, 'https_only', _('HTTPS only'));

		https.cfgvalue = () => _('Always. Nothing else is relayed, whatever is set.');
		this.text(network, 'network', 'allow_file', 'allowlistFile', _('File of allowed domains'), _('On the router, a domain a line; for lists too long for the policy.'),
			like(PATH, _('A path that starts with / and has no . or .. in it.')), _('none'));
		this.text(network, 'network', 'block_file', 'blocklistFile', _('File of blocked domains'), '',
			like(PATH, _('A path that starts with / and has no . or .. in it.')), _('none'));

		const proxy = this.part('advanced', 'proxy', _('Where buyers connect to'));

		this.list(proxy, 'proxy', 'listen', 'listen', _('Addresses'), _('Ports below 1024 the daemon may not open.'), 'ipaddrport(1)', '[::]:8443');

		const policy = this.part('advanced', 'policy', _('Probes and quarantine'));

		this.choice(policy, 'policy', 'category_profile', 'categoryProfile', _('Profile'), _('What sessions may be for at most.'), [
			[ 'COMPLIANT_DEFAULT', _('Ad verification and testing of websites, by HTTPS') ]
		]);
		this.list(policy, 'policy', 'probe_host', 'probeHosts', _('Hosts of probes'), _('What the coordinator’s probes may fetch from. None: no probes.'), 'or(hostname,hostport)');
		this.flag(policy, 'policy', 'allow_plain_http_probes', 'allowPlainHttpProbes', _('Probes by plain HTTP'), _('Only to the hosts of probes. Plain HTTP can be read and altered on its way.'));
		this.number(policy, 'policy', 'quarantine_cooldown', 'quarantineCooldownSec', _('Quarantine ends after (seconds)'), _('0: you end it.'), 'and(uinteger,range(0,2592000))', '0');

		const security = this.part('advanced', 'security', _('Protection'));

		this.choice(security, 'security', 'sandbox_mode', 'sandboxMode', _('Sandbox'), '', [
			[ 'strict', _('Serve only in a strict sandbox') ], [ 'standard', _('Serve in whatever the system has') ]
		]);

		const doh = this.flag(security, 'security', 'dns_over_https', 'dnsOverHttps', _('Names by DNS over HTTPS'), _('Off: by the router’s own resolver.'), true);
		const urls = this.list(security, 'security', 'doh_url', 'dohUrls', _('DNS servers'), _('By their address, like https://1.1.1.1/dns-query.'),
			like(/^https:\/\/(\d+(\.\d+){3}|\[[0-9a-f:.]+\])(:\d+)?\/[^\s?#@]+$/i, _('An https address whose host is an IP address, like https://1.1.1.1/dns-query.')), 'https://1.1.1.1/dns-query');

		if (!this.map.readonly)
			urls.depends(doh.option, '1');

		urls.retain = true;

		const coordinator = this.part('advanced', 'coordinator', _('Trust'));

		this.text(coordinator, 'coordinator', 'ca_file', 'caFile', _('Certificate authorities'), _('PEM file of those trusted beside the system’s.'),
			like(PATH, _('A path that starts with / and has no . or .. in it.')), _('none'));

		const update = this.part('advanced', 'update', _('Updates'));

		this.text(update, 'update', 'channel', 'channel', _('Channel'), '', like(/^[a-z0-9_-]{1,64}$/, _('A word of a–z, 0–9, _ and -.')), 'stable');
		this.text(update, 'update', 'url', 'url', _('Address'), _('Where it is told what is new.'), like(/^https:\/\/[^\s@?#\\"'<>]+$/i, _('An https address without ? and #.')), 'https://updates.example.com/manifest.json');
		this.list(update, 'update', 'key', 'keys', _('Keys'), _('One of them must have signed an update.'), like(/^RW[A-Za-z0-9+/]{54}$/, _('A minisign key: 56 characters that start with RW.')), 'RW…');
	},

	/* What the form says, as a patch for the daemon's own check: what is empty has its default. */
	patch() {
		const out = {};

		this.rows.forEach(row => {
			const value = uci.get('echomesh', row.section, row.option);
			const empty = value == null || value === '' || (Array.isArray(value) && !value.length);

			out[row.group] = out[row.group] || {};
			out[row.group][row.member] = empty ? null : JSON_OF[row.kind](value);
		});

		return out;
	},

	/* The frame of an option on the page. */
	frame(row) {
		return this.map.root.querySelector('[data-field="cbid.echomesh.%s.%s"]'.format(row.section, row.option))
			|| document.getElementById('cbi-echomesh-%s-%s'.format(row.section, row.option));
	},

	/* Opens the tab that a node is in, and goes to its first field. */
	reveal(node) {
		const pane = node.closest('[data-tab]');
		const tab = pane && this.map.root.querySelector('.cbi-tabmenu > [data-tab="%s"] > a'.format(pane.dataset.tab));
		const field = node.querySelector('input:not([type=hidden]), select, textarea') || node;

		if (tab)
			tab.click();

		field.focus();
	},

	clear() {
		this.notices.replaceChildren();
		this.map.root.querySelectorAll('.em-finding').forEach(node => node.remove());
	},

	/* Says what is wrong with an option, until it is changed. Gives its frame. */
	tellAt(row, text) {
		const frame = this.frame(row);

		if (frame) {
			const said = E('p', { 'class': 'em-problem em-finding', 'role': 'alert' }, [ text ]);

			(frame.querySelector('.cbi-value-field') || frame).appendChild(said);
			[ 'input', 'widget-change' ].forEach(kind => frame.addEventListener(kind, () => said.remove(), { once: true }));
		}

		return frame;
	},

	/* Shows what the daemon found, each at its field. What is missing is said in the reader's language. */
	show(findings, patch) {
		const missing = {
			'coordinator.url': _('To relay for others the node needs a coordinator.'),
			'coordinator.keys': _('To relay for others the node needs the key of its coordinator.'),
			'updates.url': _('To install updates by itself the node needs their address.'),
			'updates.keys': _('To install updates by itself the node needs a key to check them with.')
		};
		const left = [];
		let first = null;

		findings.forEach(one => {
			const row = this.rows.find(row => (one.path + '[').startsWith('%s.%s['.format(row.group, row.member)));
			const frame = row && this.tellAt(row, patch[row.group][row.member] == null && missing[one.path] || one.message);

			if (!frame)
				left.push(E('li', {}, [ '%s: %s'.format(one.path, one.message) ]));

			first = first || frame;
		});
		this.refuse(first ? _('What is wrong is said at its field.') : _('The daemon does not take these settings.'), left);

		if (first)
			this.reveal(first);
	},

	refuse(text, more) {
		this.notices.replaceChildren(widgets.notice('bad', _('Nothing was saved'), [ E('p', {}, [ text ]) ].concat(more && more.length ? E('ul', {}, more) : [])));
	},

	/* The daemon's own check of what the form says. Gives true, or rejects once what is wrong is shown. */
	check() {
		const patch = this.patch();

		return api.ask('config_check', patch).then(answer => {
			if (answer.findings && !answer.findings.length)
				return true;

			if (answer.findings)
				this.show(answer.findings, patch);
			else
				this.refuse((answer.error || {}).message || _('There is no answer yet.'));

			throw Object.assign(new Error(), { told: true });
		});
	},

	/* Stages what the form says, once it is right. Gives whether it was. */
	stage() {
		const before = this.rows.map(row => uci.get('echomesh', row.section, row.option));

		this.clear();

		return this.map.save(() => this.check(), true).then(() => true, error => {
			/* What was taken over from the fields is taken back: a field that is put right again counts as unchanged. */
			this.rows.forEach((row, i) => {
				if (before[i] == null)
					uci.unset('echomesh', row.section, row.option);
				else
					uci.set('echomesh', row.section, row.option, before[i]);
			});

			if (error && error.told)
				return false;

			const wrong = this.rows.filter(row => row.field.isActive(row.section) && !row.field.isValid(row.section));
			const frames = wrong.map(row => this.tellAt(row, row.field.getValidationError(row.section)));

			this.refuse(wrong.length ? _('What is wrong is said at its field.') : error && error.message ? error.message : String(error));

			if (frames[0])
				this.reveal(frames[0]);

			return false;
		});
	},

	handleSave() {
		return this.stage();
	},

	handleSaveApply(ev, mode) {
		return this.stage().then(good => good ? ui.changes.apply(mode == '0') : null);
	}
});
