'use strict';
'require baseclass';

/*
 * What the owner answered in the set-up, and what it comes to: the questions and their meaning are those of `echomesh setup` in
 * the terminal. Answers are texts and truths, none of them secret; they are kept in this browser until the set-up is done.
 */
const PLACE = 'echomesh-setup';
const VERSION = 1;

/* What `own` stands for among the presets, and `now` for times that no preset has. */
const OWN = 'own';
const NOW = 'now';
const DAYS = [ 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun' ];

/* Members of the settings by the question that they answer: the longest that fits counts. */
const MEMBERS = {
	'node.regionAllow': 'region',
	'node.schedules': 'windows',
	'network.lineMbps': 'line',
	'network.maxMbps': 'rate',
	'network.burstMB': 'rate',
	'network.maxGBPerDay': 'gbPerDay',
	'network.maxGBPerMonth': 'gbPerMonth',
	'proxy.reach': 'reach',
	'proxy.listen': 'port',
	'coordinator.url': 'coordinator',
	'coordinator.keys': 'key',
	'coordinator.caFile': 'caFile',
	'policy.probeHosts': 'probes',
	'ui.telemetryOptIn': 'telemetry'
};

function words(text) {
	return String(text || '').split(/[\s,;]+/).filter(word => word);
}

/* A number, where it is one; else the text, for the daemon to refuse. */
function number(text) {
	const trimmed = String(text == null ? '' : text).trim().replace(',', '.');

	return trimmed === '' ? null : /^[0-9]+(\.[0-9]+)?$/.test(trimmed) ? Number(trimmed) : trimmed;
}

/* Times without their order and their rates, to compare them. */
function plain(schedules) {
	return JSON.stringify((schedules || []).map(s => [ DAYS.filter(day => !s.days || !s.days.length || s.days.includes(day)).join(), s.start, s.end ].join(' ')).sort());
}

return baseclass.extend({
	OWN: OWN,
	NOW: NOW,
	DAYS: DAYS,

	/* The proposals: what the settings are, and where nothing is set, what the box is like. */
	proposed(settings, survey, presets, place) {
		const node = settings.node || {}, network = settings.network || {}, proxy = settings.proxy || {}, coordinator = settings.coordinator || {};
		const fresh = !proxy.enabled && network.maxMbps === 10 && network.maxGBPerDay === 20;
		const same = (presets.caps || []).find(p => p.maxMbps === network.maxMbps && p.maxGBPerDay === network.maxGBPerDay);
		const times = (presets.hours || []).find(p => plain(p.schedules) === plain(node.schedules));

		return {
			region: (node.regionAllow || []).join(' ') || place || '',
			line: network.lineMbps == null ? '' : String(network.lineMbps),
			caps: fresh ? 'gentle' : same ? same.id : OWN,
			rate: String(network.maxMbps),
			gbPerDay: String(network.maxGBPerDay),
			gbPerMonth: String(network.maxGBPerMonth || 0),
			windows: times ? times.id : NOW,
			days: DAYS.slice(),
			start: '23:00',
			end: '07:00',
			/* Consent is never presumed; who gave it before may confirm it. */
			proxy: node.enabled && proxy.enabled ? true : null,
			reach: proxy.reach === 'gateway' || (!proxy.enabled && survey.needsGateway) ? 'gateway' : 'direct',
			port: String((proxy.listen || [])[0] || '').replace(/^.*:/, ''),
			coordinator: coordinator.url || '',
			key: (coordinator.keys || []).join(' '),
			caFile: coordinator.caFile || '',
			probes: !proxy.enabled,
			telemetry: (settings.ui || {}).telemetryOptIn === true
		};
	},

	/* The coordinator's host as probes name it; null where it is an address. */
	probeHost(answers) {
		const host = /^https:\/\/([^/]+)$/.exec(answers.coordinator || '');

		return host && /[a-z]/i.test(host[1].replace(/:\d+$/, '')) && !host[1].startsWith('[') ? host[1] : null;
	},

	/* Whether the owner is asked about probes: there is a host to fetch from, and none is named yet. */
	asksProbes(answers, settings) {
		return !!this.probeHost(answers) && !((settings.policy || {}).probeHosts || []).length;
	},

	/*
	 * The merge patch that the answers come to, onto `settings`. `presets` are for the answered line. Where `on` is false, it leaves
	 * the role off, so that answers can be checked before all are given.
	 */
	patch(answers, settings, presets, on) {
		const caps = (presets.caps || []).find(p => p.id === answers.caps);
		const times = (presets.hours || []).find(p => p.id === answers.windows);
		const patch = {
			node: { enabled: on, regionAllow: words(answers.region) },
			network: { lineMbps: number(answers.line), maxGBPerMonth: number(answers.gbPerMonth) },
			proxy: { enabled: on }
		};

		if (caps)
			Object.assign(patch.network, { maxMbps: caps.maxMbps, burstMB: caps.burstMB, maxGBPerDay: caps.maxGBPerDay });
		else
			Object.assign(patch.network, { maxMbps: number(answers.rate), maxGBPerDay: number(answers.gbPerDay) });

		/* The same times stay as they are, with the rates they may have. */
		if (times && plain(times.schedules) !== plain((settings.node || {}).schedules))
			patch.node.schedules = times.schedules;
		else if (answers.windows === OWN)
			patch.node.schedules = [ { days: answers.days, start: answers.start, end: answers.end } ];

		if (!on)
			return patch;

		patch.proxy.reach = answers.reach;
		patch.coordinator = { url: answers.coordinator || null, keys: words(answers.key), caFile: answers.caFile || null };
		patch.ui = { telemetryOptIn: answers.telemetry === true };

		const listens = String(((settings.proxy || {}).listen || [])[0] || '').replace(/^.*:/, '');

		if (answers.reach === 'direct' && answers.port && answers.port !== listens)
			patch.proxy.listen = [ '[::]:' + answers.port ];

		if (answers.probes && this.asksProbes(answers, settings))
			patch.policy = { probeHosts: [ this.probeHost(answers) ] };

		return patch;
	},

	/* The question that a finding's path is about; null where it is about none. */
	question(path) {
		const member = Object.keys(MEMBERS).find(member => String(path).startsWith(member));

		return member ? MEMBERS[member] : null;
	},

	/* Address and key out of what an operator sent, whatever stands around them. */
	pasted(text) {
		const url = /https:\/\/[A-Za-z0-9.:[\]-]+/.exec(text);
		const keys = String(text).match(/ed25519:[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g);

		return { coordinator: url ? url[0].replace(/[.:-]+$/, '') : null, key: keys ? keys.filter((key, i) => keys.indexOf(key) === i).join(' ') : null };
	},

	/* The country whose time zone this is, by the browser's tables; null where it has none. */
	country(zone) {
		if (!zone || !zone.includes('/') || !window.Intl || !Intl.Locale || !Intl.Locale.prototype.getTimeZones)
			return null;

		return this.countries().find(code => {
			try {
				return (new Intl.Locale('und-' + code).getTimeZones() || []).includes(zone);
			}
			catch (e) {
				return false;
			}
		}) || null;
	},

	/* Codes of all countries, as far as the browser can name them. */
	countries() {
		if (this.codes)
			return this.codes;

		this.codes = [];

		if (window.Intl && Intl.DisplayNames) {
			const names = new Intl.DisplayNames([ 'en' ], { type: 'region', fallback: 'none' });
			/* Names of things that are no country's. */
			const others = [ 'EU', 'EZ', 'UN', 'XA', 'XB', 'ZZ', 'QO' ];

			for (let i = 0; i < 26 * 26; i++) {
				const code = String.fromCharCode(65 + Math.floor(i / 26), 65 + i % 26);

				/* One that is gone has another for its canonical form. */
				if (!others.includes(code) && names.of(code) && Intl.getCanonicalLocales('und-' + code)[0] === 'und-' + code)
					this.codes.push(code);
			}
		}

		return this.codes;
	},

	/* Keeps answers, and at which step the owner is. */
	keep(answers, step) {
		try {
			window.localStorage.setItem(PLACE, JSON.stringify({ version: VERSION, answers: answers, step: step }));
		}
		catch (e) {
			/* A browser that keeps nothing: the set-up goes on without. */
		}
	},

	/* What was kept: {answers, step}, or null. */
	kept() {
		try {
			const kept = JSON.parse(window.localStorage.getItem(PLACE));

			return kept && kept.version === VERSION && kept.answers ? kept : null;
		}
		catch (e) {
			return null;
		}
	},

	/* Forgets them. */
	forget() {
		try {
			window.localStorage.removeItem(PLACE);
		}
		catch (e) {
			/* As above. */
		}
	}
});
