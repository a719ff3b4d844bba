'use strict';
'require baseclass';
'require echomesh.words as words';

const GB = 1e9;

/* A place to go to, and what the link says. */
function to(page, label) {
	return { page: page, label: label };
}

function serving(status) {
	const active = status.sessions.filter(s => s.state === 'active' || s.state === 'probing').length;

	return active === 0 ? _('It is ready. Nobody is served at the moment.') :
		active === 1 ? _('One session is served.') : _('%d sessions are served.').format(active);
}

function stopped(status, settings) {
	const roles = Object.keys(status.roles).map(name => status.roles[name]);
	const on = roles.some(role => role.state !== 'off');
	const told = { tone: 'idle', title: _('Stopped'), does: [] };

	if (on && settings && settings.security.sandboxMode === 'strict' && status.sandbox.level !== 'strict')
		return Object.assign(told, {
			tone: 'warn', title: _('Stopped: the sandbox is not strict enough'), why: status.stateReason, link: to('settings', _('Open the settings')),
			text: _('The settings ask for a strict sandbox, and this router does not give it. So nothing is served.')
		});

	if (on)
		return Object.assign(told, {
			does: [ 'start' ], next: 'start',
			text: _('Your router does nothing for others, also after a reboot, until you start it again.')
		});

	/* Everything that was chosen in the set-up is still there; only the main switch is off. */
	if (settings && !settings.node.enabled && settings.proxy.enabled && settings.coordinator.url)
		return Object.assign(told, {
			title: _('Turned off'), does: [ 'enable' ], next: 'enable', text: _('It is set up, and turned off in the settings. Your router does nothing for others.')
		});

	return Object.assign(told, {
		title: _('Not set up yet'), link: to('wizard', _('Finish set-up')), next: 'link',
		text: _('Nothing is turned on, so your router does nothing for others. The set-up asks what it may do; it takes about three minutes.')
	});
}

/* What of the volume is used up: a sentence, or null. */
function spent(caps) {
	if (caps.maxGBPerMonth > 0 && caps.usedMonthBytes >= caps.maxGBPerMonth * GB)
		return _('The volume for this month is used up. New connections are refused until the next month begins.');

	if (caps.maxGBPerDay > 0 && caps.usedTodayBytes >= caps.maxGBPerDay * GB)
		return _('The volume for today is used up. New connections are refused until %s.').format(words.soon(caps.resetsAt));

	return null;
}

return baseclass.extend({
	/*
	 * How the node stands, and the one thing to do about it. `answer` is of `overview`, or null; `settings` of config_get, or null.
	 * Gives {tone, title, text, why, does[], next, link}: `why` is the daemon's own sentence; `does` are the actions that make sense,
	 * of start, start-daemon, enable, resume, pause, stop, clear, unlock; `next` is the one of them to stand out, or 'link'.
	 */
	judge(answer, settings) {
		if (answer.running === false)
			return settings && settings.node.enabled
				? { tone: 'bad', title: _('The EchoMesh daemon does not run'), text: _('It is turned on in the settings, but it is not there. Your router does nothing for others now.'),
					why: answer.message, does: [ 'start-daemon' ], next: 'start-daemon', link: to('log', _('See the log')) }
				: { tone: 'idle', title: _('The EchoMesh daemon does not run'), text: _('Your router does nothing for others. The set-up asks what it may do; it takes about three minutes.'),
					why: answer.message, does: [], next: 'link', link: to('wizard', _('Set it up')) };

		const status = answer.status;
		const word = words.state(status.state);

		if (status.state === 'locked')
			return { tone: 'warn', title: _('Locked'), text: _('The keys are sealed with a passphrase. Until it is given, nobody is served.'), does: [ 'unlock' ], next: 'unlock' };

		if (status.quarantine)
			return { tone: 'bad', title: _('In quarantine'), text: _('The node found something wrong with itself and serves nobody.'), does: [ 'clear' ], next: 'clear', quarantine: status.quarantine };

		if (status.state === 'stopped')
			return stopped(status, settings);

		if (status.state === 'stopping')
			return { tone: 'info', title: word.word, text: _('It hands in what it counted.'), does: [] };

		if (status.paused)
			return {
				tone: 'idle', title: _('Paused'), does: [ 'resume', 'stop' ], next: 'resume',
				text: status.paused.leftSec == null ? _('It waits until you resume it.') :
					_('It goes on by itself at %s, in %s.').format(words.soon(status.paused.until), words.span(status.paused.leftSec))
			};

		if (status.schedule && !status.schedule.open)
			return {
				tone: 'idle', title: _('Outside its hours'), does: [ 'pause', 'stop' ], link: to('policy', _('See the plan of the week')),
				text: status.schedule.opensAt ? _('It goes on by itself at %s.').format(words.soon(status.schedule.opensAt)) :
					_('It goes on with the next hours of its plan, once the time is certain.')
			};

		const used = spent(status.caps);

		if (used)
			return { tone: 'warn', title: _('Limit reached'), text: used, does: [ 'pause', 'stop' ], link: to('policy', _('See the limits')) };

		if (status.state === 'reconnecting' && settings && !settings.coordinator.url)
			return { tone: 'warn', title: _('No coordinator is set'), text: _('Without one nobody assigns any work.'), does: [ 'stop' ], next: 'link', link: to('wizard', _('Finish set-up')) };

		if (status.state === 'reconnecting')
			return {
				tone: 'warn', title: word.word, why: status.stateReason, does: [ 'pause', 'stop' ], link: to('log', _('See why')),
				text: status.coordinator.retryInSec == null ? _('The coordinator does not answer. Sessions go on until their leases end.') :
					_('The coordinator does not answer. It is asked again in %s; sessions go on until their leases end.').format(words.span(status.coordinator.retryInSec))
			};

		if (status.state === 'degraded')
			return { tone: 'warn', title: word.word, why: status.stateReason, text: _('Something failed and is started again by itself.'), does: [ 'pause', 'stop' ], link: to('log', _('See why')) };

		if (status.state === 'running')
			return { tone: 'good', title: word.word, text: serving(status), does: [ 'pause', 'stop' ] };

		return { tone: word.tone, title: word.word, text: _('It gets ready.'), why: status.stateReason, does: [ 'pause', 'stop' ] };
	}
});
