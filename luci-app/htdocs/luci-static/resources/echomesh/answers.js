'use strict';
'require baseclass';

/*
 * What the owner answered in the set-up, and what it comes to: the questions and their meaning are those of `echomesh setup` in
 * the terminal. Answers are texts and truths, none of them secret; they are kept in this browser until the set-up is done.
 */
const PLACE = 'echomesh-setup';
const VERSION = 1;

/* Beside the presets: figures of one's own, and times that no preset has, as they are now. */
const OWN = 'own';
const NOW = 'now';
const DAYS = [ 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun' ];

/* The question that a member of the settings answers. */
const QUESTIONS = {
	'node.regionAllow': 'region', 'node.schedules': 'windows', 'network.lineMbps': 'line', 'network.maxMbps': 'rate',
	'network.maxGBPerDay': 'gbPerDay', 'network.maxGBPerMonth': 'gbPerMonth', 'proxy.reach': 'reach', 'proxy.listen': 'port',
	'coordinator.url': 'coordinator', 'coordinator.keys': 'key', 'coordinator.caFile': 'caFile'
};

function words(text) {
	return text.split(/[\s,;]+/).filter(word => word);
}

/* A number where it is one; else the text, for the daemon to refuse. */
function number(text) {
	const trimmed = text.trim().replace(',', '.');

	return trimmed === '' ? null : /^\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : trimmed;
}

/* Times without their order and their rates, to compare them. */
function plain(schedules) {
	return schedules.map(s => [ DAYS.filter(day => !s.days.length || s.days.includes(day)), s.start, s.end ].join()).sort().join(';');
}

function listenPort(settings) {
	return (settings.proxy.listen[0] || '').replace(/^.*:/, '');
}

return baseclass.extend({
	OWN: OWN,
	NOW: NOW,

	/* The proposals: what the settings are, and where nothing is set, what the box is like. `place` is a country code. */
	proposed(settings, survey, presets, place) {
		const network = settings.network, consented = settings.node.enabled && settings.proxy.enabled;
		const caps = presets.caps.find(p => p.maxMbps === network.maxMbps && p.maxGBPerDay === network.maxGBPerDay);
		const times = presets.hours.find(p => plain(p.schedules) === plain(settings.node.schedules));

		return {
			region: settings.node.regionAllow.join(' ') || place || '',
			line: network.lineMbps == null ? '' : String(network.lineMbps),
			/* What the package has is nobody's choice. */
			caps: !settings.proxy.enabled && network.maxMbps === 10 && network.maxGBPerDay === 20 ? presets.caps[0].id : caps ? caps.id : OWN,
			rate: String(network.maxMbps),
			gbPerDay: String(network.maxGBPerDay),
			gbPerMonth: String(network.maxGBPerMonth),
			windows: times ? times.id : NOW,
			/* Consent is never presumed; who gave it before may confirm it. */
			proxy: consented ? true : null,
			reach: settings.proxy.reach === 'gateway' || (!settings.proxy.enabled && survey.needsGateway) ? 'gateway' : 'direct',
			port: listenPort(settings),
			coordinator: settings.coordinator.url || '',
			key: settings.coordinator.keys.join(' '),
			caFile: settings.coordinator.caFile || '',
			probes: !settings.proxy.enabled,
			telemetry: settings.ui.telemetryOptIn
		};
	},

	/* The host that probes may be asked for: the coordinator's, where it has a name and none is allowed yet. */
	probeHost(said, settings) {
		const host = /^https:\/\/([^/[]*[a-z][^/]*)$/i.exec(said.coordinator);

		return host && !settings.policy.probeHosts.length ? host[1] : null;
	},

	/*
	 * The merge patch that the answers come to, onto `settings`; `presets` are for the answered line. Where `on` is false, it leaves
	 * the role off, so that answers can be checked before all are given.
	 */
	patch(said, settings, presets, on) {
		const caps = presets.caps.find(p => p.id === said.caps), times = presets.hours.find(p => p.id === said.windows);
		const patch = {
			node: { enabled: on, regionAllow: words(said.region) },
			network: Object.assign({ lineMbps: number(said.line), maxGBPerMonth: number(said.gbPerMonth) }, caps
				? { maxMbps: caps.maxMbps, burstMB: caps.burstMB, maxGBPerDay: caps.maxGBPerDay }
				: { maxMbps: number(said.rate), maxGBPerDay: number(said.gbPerDay) }),
			proxy: { enabled: on }
		};

		/* The same times stay as they are, with the rates they may have. */
		if (times && plain(times.schedules) !== plain(settings.node.schedules))
			patch.node.schedules = times.schedules;

		if (!on)
			return patch;

		patch.proxy.reach = said.reach;
		patch.coordinator = { url: said.coordinator || null, keys: words(said.key), caFile: said.caFile || null };
		patch.ui = { telemetryOptIn: said.telemetry };

		if (said.reach === 'direct' && said.port !== listenPort(settings))
			patch.proxy.listen = [ '[::]:' + said.port ];

		if (said.probes && this.probeHost(said, settings))
			patch.policy = { probeHosts: [ this.probeHost(said, settings) ] };

		return patch;
	},

	/* The question that a finding's path is about. */
	question(path) {
		return QUESTIONS[Object.keys(QUESTIONS).find(member => path.startsWith(member))];
	},

	/* Address and keys out of what an operator sent, whatever stands around them; empty where there is none. */
	pasted(text) {
		const url = /https:\/\/[\w.:[\]-]+/.exec(text);
		const keys = text.match(/ed25519:[\w-]{43}(?![\w-])/g) || [];

		return { coordinator: url ? url[0].replace(/[.:-]+$/, '') : '', key: Array.from(new Set(keys)).join(' ') };
	},

	/* The country whose time zone this is, by the browser's tables; null where they do not tell. */
	country(zone) {
		for (let i = 0; i < 26 * 26; i++) {
			const place = 'und-' + String.fromCharCode(65 + Math.floor(i / 26), 65 + i % 26);

			try {
				/* A country that is gone has another for its canonical form. */
				if ((new Intl.Locale(place).getTimeZones() || []).includes(zone) && Intl.getCanonicalLocales(place)[0] === place)
					return place.slice(4);
			}
			catch (e) {
				return null;
			}
		}

		return null;
	},

	/* Keeps answers, and at which step the owner is; without answers, forgets them. */
	keep(said, step) {
		try {
			if (said)
				window.localStorage.setItem(PLACE, JSON.stringify({ version: VERSION, answers: said, step: step }));
			else
				window.localStorage.removeItem(PLACE);
		}
		catch (e) {
			/* A browser that keeps nothing: the set-up goes on without. */
		}
	},

	/* What was kept: {answers, step}, or null. */
	kept() {
		try {
			const kept = JSON.parse(window.localStorage.getItem(PLACE));

			return kept && kept.version === VERSION ? kept : null;
		}
		catch (e) {
			return null;
		}
	}
});
