'use strict';
'require baseclass';

/*
 * What the node's stable ids mean to its owner: of refusals, of how sessions end, and of updates that do not go on. Each gives [ what happened, what to
 * do ]; the latter may be empty.
 */
return baseclass.extend({
	/* Why a tunnel or a session was refused or ended. */
	refusal(id) {
		const nothing = _('Nothing: this is for the buyer to correct.');
		const site = _('Nothing, if it is a few. If many sites fail, look at your own line.');
		const lists = _('The lists stand on the page Policy.');
		const caps = _('Wait for the next period, or raise the cap on the page Policy.');

		return {
			'malformed': [ _('The request was not well-formed.'), nothing ],
			'https-only': [ _('Only encrypted connections are served, and this was none.'), nothing ],
			'bad-credentials': [ _('The session and its secret did not match.'), _('Nothing: who fails three times has to wait a minute.') ],
			'session-unknown': [ _('There is no such session on this node.'), nothing ],
			'session-expired': [ _('The session is over.'), nothing ],
			'port-not-allowed': [ _('The session may not use this port.'), _('The ports that you allow stand in the settings.') ],
			'ip-literal': [ _('An address was given in place of a name.'), nothing ],
			'blocked-domain': [ _('The site is on a block list.'), lists ],
			'not-allowed-domain': [ _('The site is not on the list of allowed ones.'), lists ],
			'category': [ _('The session is of a category that you do not serve.'), _('The categories stand on the page Policy.') ],
			'opt-out': [ _('You opted out of this category.'), _('The opt-outs stand on the page Policy.') ],
			'private-address': [ _('The name leads to no public address. Your home network is out of reach.'), nothing ],
			'geo': [ _('The node is not seen in the region that was asked for.'), _('Compare the regions on the page Policy with where your router is.') ],
			'session-cap': [ _('The session has used up its volume.'), nothing ],
			'daily-cap': [ _('Your volume for today is used up.'), caps ],
			'monthly-cap': [ _('Your volume for this month is used up.'), caps ],
			'tunnel-cap': [ _('The session has as many connections open as it may.'), nothing ],
			'rate-table-full': [ _('Too many strangers knocked at once.'), _('Nothing: the node protects itself.') ],
			'dns-failed': [ _('The name of the site was not found.'), site ],
			'dial-failed': [ _('The site did not take the connection.'), site ],
			'timed-out': [ _('The site did not answer in time.'), site ],
			'paused': [ _('You paused the node.'), _('Start it on the overview when you like.') ],
			'stopped': [ _('You stopped the node.'), _('Start it on the overview when you like.') ],
			'quarantine': [ _('The node took itself out of service.'), _('The overview says why, and what to do.') ],
			'schedule': [ _('It is outside the hours that you set.'), _('The hours stand on the page Policy.') ],
			'lease-expired': [ _('The node has lost touch with its coordinator.'), _('It tries again by itself. If it lasts, look at your line.') ],
			'overload': [ _('The node had no room for more.'), _('Nothing: it protects your router.') ],
			'not-tls': [ _('What came was not an encrypted connection.'), nothing ],
			'sni-missing': [ _('The connection did not name its site.'), nothing ],
			'sni-mismatch': [ _('The connection named another site than was asked for.'), nothing ],
			'alpn': [ _('The connection is of a kind that the session may not use.'), nothing ],
			'ech': [ _('The connection hides its site, which the session may not.'), nothing ],
			'gateway-lost': [ _('The connection to the gateway broke.'), _('It is made anew by itself.') ],
			'node-restart': [ _('The node was restarted.'), _('Sessions come back by themselves.') ],
			'insecure': [ _('An unencrypted connection came from where none is accepted.'), _('Nothing: it was closed.') ]
		}[id];
	},

	/* How a session ended. */
	ending(id) {
		return {
			'expired': [ _('The time of the session was over.'), '' ],
			'budget-reached': [ _('The session has used up its volume.'), '' ],
			'closed-by-coordinator': [ _('The buyer or the coordinator ended the session.'), '' ],
			'lease-lost': [ _('The coordinator no longer renewed the session.'), _('If it happens often, look at your line.') ],
			'closed-by-owner': [ _('You closed the session.'), '' ]
		}[id];
	},

	/* Why an update does not go on, or went back. */
	update(id) {
		const wait = _('Try again later.');
		const releaser = _('Tell who makes the releases, and stay with what is installed.');

		return {
			'not-set-up': [ _('Nothing says where updates come from, or whose signature counts.'), _('Enter both in the settings.') ],
			'busy': [ _('Another update is under way.'), _('Wait for its end, or end it.') ],
			'not-allowed': [ _('This program may not install updates.'), _('Only the packaged program does, as root.') ],
			'not-running': [ _('The daemon does not answer, so a new version could not be compared with it.'), _('Start EchoMesh first.') ],
			'sealed': [ _('The keys are sealed, and a restart would wait for the passphrase.'), _('Install it by hand, and unlock within a minute.') ],
			'server': [ _('The update server did not answer as it should.'), _('Try later. If it lasts, check its address in the settings.') ],
			'signature': [ _('None of your keys signed what the server offers.'), _('Check the keys in the settings. Somebody may be in between.') ],
			'manifest': [ _('What the server offers is signed, and this version does not understand it.'), _('Install the package of a newer version.') ],
			'stale': [ _('What the server offers is out of date.'), releaser ],
			'target': [ _('There is none for this kind of router.'), _('Look for a package.') ],
			'not-newer': [ _('There is nothing newer.'), _('Nothing to do.') ],
			'minimum': [ _('It is too far from what is installed for one step.'), _('Install the new package.') ],
			'rollout': [ _('It goes to a share of the nodes first, and not yet to this one.'), _('Wait, or take it early.') ],
			'refused': [ _('This version failed here before, or you went back from it.'), _('Wait for the next one, or try it again.') ],
			'feed': [ _('Your package feed has it.'), _('Install the package, or ignore the feed.') ],
			'space': [ _('There is not enough room on the flash or in the memory.'), _('Remove a package, or install the new package.') ],
			'hash': [ _('What was downloaded is not what was signed.'), _('Try later, and tell who makes the releases.') ],
			'unfit': [ _('It does not start here, or does not take your settings.'), _('Nothing to do: what was installed runs.') ],
			'unhealthy': [ _('It ran, and the node was not as healthy as before.'), _('Nothing to do: it was taken back, and is not tried again by itself.') ],
			'system': [ _('A file or a program of the router failed.'), wait ],
			'aborted': [ _('You ended it.'), '' ]
		}[id];
	},

	/* What a stable reason of a refusal or an end means, as a sentence; the id itself where it is not known. */
	reason(id) {
		return (this.refusal(id) || this.ending(id) || [ id ])[0];
	},

	/* What the owner can do about it, as a sentence; empty where nothing is known. */
	remedy(id) {
		return (this.refusal(id) || this.ending(id) || [ '', '' ])[1];
	}
});
