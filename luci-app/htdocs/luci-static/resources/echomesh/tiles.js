'use strict';
'require baseclass';
'require echomesh.words as words';

const GB = 1e9;
/* The daemon's own thresholds for its alerts: docs/reference/alerts.md. */
const DELAY_LIMIT = 250, ERRORS_LIMIT = 1.5, PROBES_LIMIT = 90;

/* Credits from micro-credits: two decimals, more where there is next to nothing. */
function credits(micro) {
	const n = micro / 1e6;

	return n.toLocaleString(document.documentElement.lang || undefined, { minimumFractionDigits: 2, maximumFractionDigits: n !== 0 && n < 0.1 ? 4 : 2 });
}

function tier(name) {
	return { 'new': _('New'), probation: _('On probation'), bronze: _('Bronze'), silver: _('Silver'), gold: _('Gold') }[name] || name;
}

/* A volume against its cap in GB: `hint` tells the share, the cap and, where it is given, when it begins `anew`; `none` that there is no cap. */
function volume(used, most, hint, none, anew) {
	const share = used / (most * GB);

	return most > 0
		? { value: words.bytes(used), used: share, hint: hint.format(words.percent(Math.floor(share * 100)), words.bytes(most * GB), anew) }
		: { value: words.bytes(used), hint: none };
}

function household(caps) {
	if (caps.yielding)
		return { tone: 'info', value: _('Giving way now'), hint: _('Your household uses the line: %s instead of %s.').format(words.rate(caps.effectiveMbps * 1e6), words.rate(caps.maxMbps * 1e6)) };

	return {
		off: { value: _('Off'), hint: _('It does not give way to your household.') },
		marks: { value: _('By marks only'), hint: _('Its packets are marked as less urgent. To slow down for your household, it needs the rate of the line.') },
		rate: { value: _('Not needed now'), hint: _('It slows down when your household uses the line.') }
	}[caps.giveWay] || { value: '–', hint: '' };
}

function place(status) {
	const sure = status.qos.geoConfidence;

	return {
		tone: status.geo.mismatch ? 'warn' : '',
		value: sure == null ? '–' : words.percent(Math.round(sure * 100)),
		hint: status.geo.mismatch || (status.geo.observed ? _('Seen in %s.').format(status.geo.observed) : _('The coordinator has not said yet where it sees this node.'))
	};
}

function coordinator(told) {
	const waits = told.spooledBundles === 0 ? '' :
		told.spooledBundles === 1 ? _('One record waits to be handed in.') : _('%d records wait to be handed in.').format(told.spooledBundles);

	if (told.reachable)
		return { tone: 'good', value: _('Connected'), hint: waits || _('Heard %s.').format(words.ago(told.lastContact)) };

	return {
		tone: 'warn', value: _('Not connected'),
		hint: waits || (told.lastContact ? _('Last heard %s.').format(words.ago(told.lastContact)) : _('It has not been heard since the start.'))
	};
}

function sandbox(level) {
	return {
		strict: { tone: 'good', value: _('Strict'), hint: _('Its own user, no privileges, and few files in sight.') },
		standard: { value: _('Standard'), hint: _('No privileges. What is missing for strict stands below.') },
		none: { tone: 'warn', value: _('None'), hint: _('It could not give up its privileges. Why stands below.') }
	}[level] || { value: level, hint: '' };
}

function offload(told) {
	const cipher = { 'aes-gcm': 'AES-GCM', 'chacha20-poly1305': 'ChaCha20' }[told.cipherFirst] || told.cipherFirst;

	return {
		value: told.relay === 'splice' ? _('In the kernel') : _('By copying'),
		hint: !cipher ? '' :
			(told.aesInstructions == null ? _('First cipher: %s.') :
				told.aesInstructions ? _('First cipher: %s; the processor has AES instructions.') : _('First cipher: %s; the processor has no AES instructions.')).format(cipher)
	};
}

function unsaid() {
	return { value: '–', hint: _('The coordinator has not said yet.') };
}

/* The groups of tiles, in their order: [title, [[name, title, told(status)], …]]. */
function groups() {
	return [
		[ _('Now'), [
			[ 'sessions', _('Sessions'), s => {
				const tunnels = s.sessions.reduce((sum, session) => sum + session.tunnels, 0);

				return { value: words.number(s.sessions.length), hint: tunnels === 1 ? _('One connection is open.') : _('%d connections are open.').format(tunnels) };
			} ],
			[ 'p95', _('Latency (p95)'), s => ({
				tone: s.qos.latencyMsP95 > DELAY_LIMIT ? 'warn' : '', value: words.ms(s.qos.latencyMsP95),
				hint: s.qos.latencyMsP95 == null ? _('None measured in the last 10 minutes.') : _('Half of the requests take %s at most.').format(words.ms(s.qos.latencyMsP50))
			}) ],
			[ 'errors', _('Error rate'), s => ({
				tone: s.qos.errorRatePct > ERRORS_LIMIT ? 'warn' : '', value: words.percent(s.qos.errorRatePct), hint: _('Of the requests of the last 10 minutes.')
			}) ],
			[ 'probes', _('Probe pass rate'), s => ({
				tone: s.qos.probePassRatePct != null && s.qos.probePassRatePct < PROBES_LIMIT ? 'warn' : '', value: words.percent(s.qos.probePassRatePct),
				hint: s.qos.probePassRatePct == null ? _('The coordinator has not tried this node yet.') : _('Of the last test fetches of the coordinator.')
			}) ]
		] ],
		[ _('Limits'), [
			[ 'today', _('Today'), s => volume(s.caps.usedTodayBytes, s.caps.maxGBPerDay, _('%s of %s; anew at %s.'), _('There is no limit for a day.'), words.soon(s.caps.resetsAt)) ],
			[ 'month', _('This month'), s => volume(s.caps.usedMonthBytes, s.caps.maxGBPerMonth, _('%s of %s; anew with the next month.'), _('There is no limit for a month.')) ],
			[ 'rate', _('Speed limit'), s => ({
				value: words.rate(s.caps.effectiveMbps * 1e6),
				hint: s.caps.effectiveMbps < s.caps.maxMbps ? _('Just now less than your limit of %s.').format(words.rate(s.caps.maxMbps * 1e6)) : _('Both directions together.')
			}) ],
			[ 'household', _('Giving way'), s => household(s.caps) ]
		] ],
		[ _('Standing'), [
			[ 'credits', _('Credits today'), s => (s.earnings
				? { value: credits(s.earnings.creditsToday), hint: _('As the coordinator counts them.') } : unsaid()) ],
			[ 'forecast', _('Bonus forecast'), s => (s.earnings
				? { value: credits(s.earnings.bonusForecast), hint: _('More credits, about, until midnight UTC.') } : unsaid()) ],
			[ 'reputation', _('Reputation'), s => (s.reputation
				? { value: tier(s.reputation.tier), hint: _('%s of 100 points.').format(words.number(Math.round(s.reputation.score * 1000) / 10)) } : unsaid()) ],
			[ 'geo', _('Place'), place ]
		] ],
		[ _('The node itself'), [
			[ 'coordinator', _('Coordinator'), s => coordinator(s.coordinator) ],
			[ 'sandbox', _('Sandbox'), s => sandbox(s.sandbox.level) ],
			[ 'offload', _('Offload'), s => offload(s.offload) ],
			[ 'memory', _('Memory'), s => ({
				value: words.bytes(s.memory.rssBytes), hint: s.memory.ramBytes ? _('Of %s in the router.').format(words.bytes(s.memory.ramBytes)) : ''
			}) ],
			[ 'flash', _('Flash today'), s => ({
				value: words.bytes(s.flash.bytesToday), hint: s.flash.writesToday === 1 ? _('Written once.') : _('Written %d times.').format(s.flash.writesToday)
			}) ],
			[ 'clock', _('Time'), s => (s.clockSynced ? { tone: 'good', value: _('Certain'), hint: _('What it signs carries the right time.') } :
				{ tone: 'warn', value: _('Not certain'), hint: _('Nothing is signed before the time is certain.') }) ],
			[ 'program', _('Program'), s => ({ value: s.version, hint: _('Up for %s.').format(words.span(s.uptimeSec)) }) ]
		] ]
	];
}

return baseclass.extend({
	groups: groups,

	/* What a role is called. */
	roleName(name) {
		return { proxy: _('Proxy') }[name] || name;
	},

	/* How a role stands, for its tile: what fails, else where it is reached. */
	role(role) {
		const told = {
			off: { tone: 'idle', value: _('Off') }, starting: { tone: 'info', value: _('Starting') }, running: { tone: 'good', value: _('Running') },
			restarting: { tone: 'warn', value: _('Restarting') }, stopped: { tone: 'idle', value: _('Stopped') }
		}[role.state] || { tone: 'info', value: role.state };
		const gateway = role.gateway;

		return Object.assign(told, {
			hint: role.error ? role.error :
				!gateway ? role.listen.length ? _('Listens on %s.').format(role.listen.join(', ')) : '' :
					gateway.connected ? _('Reached through the gateway %s.').format(gateway.address) : _('The gateway is not connected. %s').format(gateway.error || '')
		});
	}
});
