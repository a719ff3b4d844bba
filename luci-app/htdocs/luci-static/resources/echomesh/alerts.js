'use strict';
'require baseclass';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/* What each alert means and what to do, by its id. The daemon's own sentence, with the figures, stands beside it. `page` is where it is done. */
function known(id) {
	return {
		'integrity': { title: _('Something stored or signed is not as it should be'), page: 'log',
			todo: _('Nothing is lost by waiting. Download the log, and tell the operator of the coordinator what is said here.') },
		'duplicate-identity': { title: _('Another node runs with this identity'), page: 'identity',
			todo: _('Stop the other one and restart this one. A router with a restored backup is the same node as the one before.') },
		'quarantine': { title: _('The node took itself out of service') },
		'locked': { title: _('The keys are locked') },
		'coordinator': { title: _('The coordinator does not answer'), page: 'settings',
			todo: _('Check the Internet connection, and the address and key of the coordinator in the settings. Sessions go on until their leases end.') },
		'gateway': { title: _('The gateway is not reached, so no buyer gets here'), page: 'settings',
			todo: _('It is tried again by itself. If it lasts, ask the operator of the coordinator. Where buyers can connect to this router, let them reach it directly.') },
		'uplink': { title: _('The uplink is not there'), page: 'settings',
			todo: _('Choose the device that leads to the Internet now, or none: then those with a default route count.') },
		'geo': { title: _('The node is seen elsewhere, and sessions are refused'), page: 'policy',
			todo: _('If the router stands there, correct the regions. If not, ask the operator of the coordinator. If it lasts, the node goes into quarantine.') },
		'reputation-guard': { title: _('Some work is held back, because sites had enough of it'), page: 'policy',
			todo: _('There is nothing to do: it comes back step by step. If it happens often, opt out of the category or block the sites.') },
		'coordinator-distrust': { title: _('Something from the address of the coordinator was not signed by it'), page: 'settings',
			todo: _('Check the address and key of the coordinator. If they are right, tell its operator what is said here.') },
		'update-failed': { title: _('An update failed'), page: 'update',
			todo: _('There is nothing to do: the version before runs. The page about updates says what there is now.') },
		'clock': { title: _('The time is not certain, so nothing is signed yet'),
			todo: _('Turn time synchronisation on (System → System → Time Synchronization), and see that it reaches a server.') },
		'daily-cap': { title: _('The volume for today is used up'), page: 'policy',
			todo: _('There is nothing to do: it begins anew with the next day. You can raise the limit.') },
		'monthly-cap': { title: _('The volume for this month is used up'), page: 'policy',
			todo: _('There is nothing to do: it begins anew with the next month. You can raise the limit.') },
		'daily-cap-near': { title: _('The volume for today is nearly used up'), page: 'policy', todo: _('There is nothing to do. You can raise the limit.') },
		'monthly-cap-near': { title: _('The volume for this month is nearly used up'), page: 'policy', todo: _('There is nothing to do. You can raise the limit.') },
		'update-available': { title: _('A newer version is there'), page: 'update', todo: _('Install it when it suits you.') },
		'error-rate': { title: _('Too many requests fail'), page: 'sessions',
			todo: _('See in the sessions and in the log what fails. Often the line is overloaded: a lower speed limit helps.') },
		'latency': { title: _('Requests take too long'), page: 'policy',
			todo: _('Check whether the line is busy. A lower speed limit, or giving way to the household, leaves more room.') },
		'probes': { title: _('Too many test fetches of the coordinator fail'), page: 'log',
			todo: _('Check the Internet connection and whether the name servers answer. The log says what failed.') }
	}[id] || {};
}

/* What the links to the pages say. */
function pages() {
	return {
		log: _('See the log'), identity: _('See the identity'), settings: _('Open the settings'), policy: _('Open the policy'),
		update: _('See the updates'), sessions: _('See the sessions')
	};
}

return baseclass.extend({
	/* What an alert is called: words for its id, else the daemon's message. */
	title(alert) {
		return known(alert.id).title || alert.message || alert.id;
	},

	/*
	 * A notice for an alert {id, severity, message, remedy, since} as the status has it. set(alert) updates it. The symbol and
	 * the word tell how severe it is.
	 */
	notice(alert) {
		const about = known(alert.id);
		const told = E('p', { 'class': 'em-said' });
		const link = about.page && pages()[about.page];
		const node = widgets.notice(words.tone(alert.severity), this.title(alert), [
			told,
			E('p', {}, [ about.todo || alert.remedy, ' ', link ? E('a', { 'href': L.url('admin/services/echomesh/' + about.page) }, [ link ]) : '' ])
		]);

		node.dataset.em = 'alert';
		node.dataset.alert = alert.id;
		node.set = now => {
			widgets.text(told, _('%s since %s: %s').format(words.severity(now.severity), words.moment(now.since), now.message));
		};

		return node;
	}
});
