'use strict';
'require view';
'require echomesh.api as api';
'require echomesh.backup as backup';
'require echomesh.feed as feed';
'require echomesh.fields as fields';
'require echomesh.passphrase as passphrase';
'require echomesh.keyname as keyname';
'require echomesh.restore as restore';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/* What confirms leaving, as the daemon wants it. */
const LEAVE = 'opt-out';

/* Work that the page does once the owner says so: its title, what it means, and its fields, folded away until they are wanted. */
function fold(name, title, text, fields) {
	return E('details', { 'class': 'cbi-section em-fold', 'data-em': name }, [
		E('summary', {}, [ E('h3', {}, [ title ]), E('span', { 'class': 'em-fold-text' }, [ text ]) ]),
		E('div', { 'class': 'cbi-section-node' }, fields)
	]);
}

function points(title, lines) {
	return E('div', {}, [ E('strong', {}, [ title ]), E('ul', {}, lines.map(line => E('li', {}, [ line ]))) ]);
}

return view.extend({
	load() {
		return Promise.all([ this.ask().catch(error => ({ error: error })), widgets.style() ]).then(both => both[0]);
	},

	/* Who the node is, and how it stands: two calls of one request. */
	ask() {
		return Promise.all([ api.ask('identity'), api.ask('status') ]).then(both => ({ identity: both[0], status: both[1] }));
	},

	render(news) {
		this.may = widgets.mayChange();
		this.now = {};
		this.trouble = E('div');
		this.content = E('div', {}, [ this.whoSection() ].concat(this.may ? [
			this.unlockSection(), this.backupSection(), this.sealSection(), this.unsealSection(), this.restoreSection(), this.rotateSection(), this.leaveSection()
		] : []));
		this.root = E('div', { 'class': 'cbi-map em' }, [
			E('h2', {}, [ _('EchoMesh: Identity') ]),
			E('div', { 'class': 'cbi-map-descr' }, [
				_('The key in this router is the node: its reputation and credits hang on it, and whoever has the key is this node.')
			]),
			this.trouble, this.content
		]);

		this.show(news.error ? { error: news.error, retrySec: 3 } : { answer: news });
		this.feed = feed.start(() => this.ask(), news => this.show(news));

		return this.root;
	},

	/* Writes what came of a call into the page. */
	show(news) {
		if (this.left)
			return;

		if (news.error)
			return this.tell(widgets.notice('warn', _('The router does not answer'), [
				E('p', {}, [ _('What is shown may be old. The page asks again in %s.').format(words.span(news.retrySec)) ]),
				E('p', { 'class': 'em-mono' }, [ news.error.message ])
			]), 'error' + news.retrySec);

		const identity = news.answer.identity, status = news.answer.status;
		const locked = status.state === 'locked';
		const known = identity.running !== false && !!identity.nodeId;

		this.now = { identity: identity, status: status };
		this.tell(identity.running === false ? this.downNotice() : locked ? this.lockedNotice() : null, identity.running === false ? 'down' : locked ? 'locked' : '');
		widgets.show(this.who, known);

		if (known) {
			this.whole.set(identity.nodeId);
			this.picture.set(identity.nodeId);
			widgets.text(this.brief, keyname.brief(identity.nodeId));
			widgets.text(this.spki, identity.spki || '–');
			this.kept.set(locked ? 'warn' : 'good', locked ? _('Locked') : identity.sealed ? _('Sealed with a passphrase') : _('Kept in clear'));
			widgets.text(this.keptText, locked ? _('The passphrase has not been given since the last start.')
				: identity.sealed ? _('After each start the node waits for its passphrase.')
				: _('The node starts by itself. Whoever has the router in hand has the key.'));
		}

		if (!this.may)
			return;

		const works = known && !locked;

		widgets.show(this.unlock, locked);
		widgets.show(this.backup, works);
		widgets.show(this.seal, works && !identity.sealed);
		widgets.show(this.unseal, works && identity.sealed);
		widgets.show(this.rotate, works);
		widgets.show(this.oldKey, identity.sealed === true);

		const sessions = (status.sessions || []).length, bundles = (status.coordinator || {}).spooledBundles || 0;

		this.noSessions.set(sessions ? 'warn' : 'good', sessions ? _('Open sessions: %d').format(sessions) : _('No session is open'));
		this.noBundles.set(bundles ? 'warn' : 'good', bundles ? _('Signed bundles that wait for the coordinator: %d').format(bundles) : _('Every signed bundle is handed in'));
	},

	/* Puts a notice above the page, or takes it away; one that stands there already is left alone. */
	tell(node, key) {
		if (this.told === key)
			return;

		this.told = key;
		this.trouble.textContent = '';

		if (node)
			this.trouble.appendChild(node);
	},

	downNotice() {
		return widgets.notice('idle', _('The EchoMesh daemon does not run'), [
			E('p', {}, [ this.may ? _('Without it nobody can say who the node is. A backup can be taken back, and you can leave.')
				: _('Without it nobody can say who the node is.') ])
		]);
	},

	lockedNotice() {
		return widgets.notice('warn', _('The keys are locked'), [
			E('p', {}, [ _('They are sealed with a passphrase. Until it is given, the node serves nobody and signs nothing.') ])
		]);
	},

	whoSection() {
		const copied = E('span', { 'role': 'status' });

		this.whole = keyname.whole();
		this.picture = keyname.picture();
		this.brief = E('code', { 'class': 'em-key' });
		this.spki = E('code', { 'class': 'em-mono' });
		this.kept = widgets.badge('good', '');
		this.keptText = E('span');
		this.who = E('div', { 'class': 'cbi-section' }, [
			E('h3', {}, [ _('Who this node is') ]),
			E('div', { 'class': 'cbi-section-node em-who' }, [
				this.picture,
				E('dl', { 'class': 'em-terms' }, [
					[ _('NodeID'), [ this.whole, E('div', { 'class': 'em-row' }, [
						widgets.button('neutral', _('Copy'), () => keyname.copy(this.now.identity.nodeId).then(() => {
							copied.textContent = _('Copied.');
							window.setTimeout(() => { copied.textContent = ''; }, 4000);
						})), copied
					]) ] ],
					[ _('In short'), [ this.brief ] ],
					[ _('At rest'), [ this.kept, ' ', this.keptText ] ],
					[ _('Listener’s key'), [ this.spki ] ]
				].map(row => E('div', {}, [ E('dt', {}, [ row[0] ]), E('dd', {}, row[1]) ])))
			])
		]);

		return this.who;
	},

	unlockSection() {
		const button = widgets.button('apply', _('Unlock'), () => {
			if (!secret.check())
				return null;

			return api.work('identity_unlock', [ secret.value() ]).then(() => {
				secret.clear();
				widgets.done(_('The keys are unlocked. The node starts.'));

				return this.feed.now();
			}).catch(error => secret.problem(error.reason === 'wrong-passphrase' ? _('This is not the passphrase.') : error.message, true));
		}, { 'data-em': 'unlock' });
		const secret = passphrase.field(_('Passphrase of the identity'), false, null, () => button);

		this.unlock = E('div', { 'class': 'cbi-section hidden' }, [
			E('h3', {}, [ _('Unlock') ]),
			E('div', { 'class': 'cbi-section-node em-form' }, [ secret, E('div', { 'class': 'em-row' }, [ button ]) ])
		]);

		return this.unlock;
	},

	backupSection() {
		this.backup = fold('backup-section', _('Back up'), _('A file that brings this node back on a new or reset router.'), [
			E('p', {}, [ _('The backup covers the keys of all roles and opens with its own passphrase only. After a rotation it is old: make another one then.') ]),
			backup.make(() => this.now.identity.nodeId)
		]);

		return this.backup;
	},

	sealSection() {
		const button = widgets.button('apply', _('Seal'), () => {
			if (!secret.check())
				return null;

			return api.work('identity_seal', [ secret.value() ]).then(() => {
				secret.clear();
				widgets.done(_('The keys are sealed. This node goes on, and waits for the passphrase after its next start.'));

				return this.feed.now();
			}).catch(error => secret.problem(error.message, true));
		}, { 'data-em': 'seal' });
		const secret = passphrase.field(_('New passphrase'), true, _('Without it nobody opens the keys. Make a backup with a passphrase you know.'), () => button);

		this.seal = fold('seal-section', _('Seal with a passphrase'), _('Who steals the router then does not have the key.'), [
			E('p', {}, [
				_('After each start (a reboot, an update, a power cut) the node is locked: it serves nobody until you type the passphrase here. The running node holds its key in memory.')
			]),
			E('div', { 'class': 'em-form' }, [ secret, E('div', { 'class': 'em-row' }, [ button ]) ])
		]);

		return this.seal;
	},

	unsealSection() {
		const button = widgets.button('apply', _('Unseal'), () => {
			if (!secret.check())
				return null;

			return api.work('identity_unseal', [ secret.value() ]).then(() => {
				secret.clear();
				widgets.done(_('The keys are kept in clear. A start waits for nobody.'));

				return this.feed.now();
			}).catch(error => secret.problem(error.reason === 'wrong-passphrase' ? _('This is not the passphrase.') : error.message, true));
		}, { 'data-em': 'unseal' });
		const secret = passphrase.field(_('Passphrase of the identity'), false, null, () => button);

		this.unseal = fold('unseal-section', _('Unseal'), _('The node starts by itself again, and the key lies in clear on the router.'), [
			E('p', {}, [ _('To change the passphrase: unseal, then seal again.') ]),
			E('div', { 'class': 'em-form' }, [ secret, E('div', { 'class': 'em-row' }, [ button ]) ])
		]);

		return this.unseal;
	},

	restoreSection() {
		return fold('restore-section', _('Restore a backup'), _('This router becomes the node of the backup.'), [
			E('p', {}, [ _('The node stops for a moment. With a wrong file or passphrase nothing is changed.') ]),
			E('p', {}, [ _('Two routers must not run with one identity: the older one is told, and serves nobody.') ]),
			restore.form(() => this.feed.now())
		]);
	},

	rotateSection() {
		const said = E('p', { 'class': 'em-state', 'role': 'status' });
		const problem = E('div', { 'class': 'em-problem', 'role': 'alert' });
		const button = widgets.button('action', _('Rotate the key'), () => {
			problem.textContent = '';

			if (this.now.identity.sealed && !secret.check())
				return null;

			return widgets.confirm(_('Give this node a new key?'), [
				E('p', {}, [ _('The node has another NodeID then. Backups made before are of the old key: make a new one.') ])
			], _('Rotate the key')).then(yes => yes && api.work('identity_rotate', this.now.identity.sealed ? [ secret.value() ] : []).then(job => {
				secret.clear();
				said.textContent = _('The node is %s now; it was %s. Make a new backup.').format(keyname.brief(job.result.nodeId), keyname.brief(job.result.previousNodeId));

				return this.feed.now();
			})).catch(error => { problem.textContent = error.message; });
		}, { 'data-em': 'rotate' });
		const secret = passphrase.field(_('Passphrase of the identity'), false, null, () => button);

		this.oldKey = E('div', { 'class': 'hidden' }, [ secret ]);
		this.noSessions = widgets.badge('good', '');
		this.noBundles = widgets.badge('good', '');
		this.rotate = fold('rotate-section', _('Rotate the key'), _('A new key for the same node, when others may have had the old one in hand.'), [
			points(_('Kept'), [ _('Reputation and credits: the coordinator moves them to the new key.'), _('Your settings.') ]),
			points(_('Lost'), [ _('The old NodeID, and all backups made before.') ]),
			E('p', {}, [
				_('Who has had a backup and its passphrase can derive the new key, too. Then leave, and start anew.')
			]),
			E('p', {}, [ E('strong', {}, [ _('Needed first') ]) ]),
			E('p', { 'class': 'em-row' }, [ this.noSessions, this.noBundles ]),
			E('p', {}, [ _('Stop the node on the Overview page, so that no new session begins, and close those that are open.') ]),
			E('div', { 'class': 'em-form' }, [ this.oldKey, E('div', { 'class': 'em-row' }, [ button ]), problem, said ])
		]);

		return this.rotate;
	},

	leaveSection() {
		const offline = fields.tick(_('Do not tell the coordinator'), false, null, _('For where it cannot be reached: it learns by the silence.'));
		const problem = E('div', { 'class': 'em-problem', 'role': 'alert' });
		const state = E('p', { 'class': 'em-state', 'role': 'status' });
		const button = widgets.button('negative', _('Leave'), () => {
			problem.textContent = '';

			return widgets.confirm(_('Leave for good?'), [
				E('p', {}, [ _('Keys, counters and settings are deleted. Reputation and credits are lost, unless you have a backup.') ])
			], _('Delete all and leave'), LEAVE).then(yes => {
				if (!yes)
					return null;

				state.textContent = _('The node leaves: sessions end, what is signed is handed in, then all is deleted. This may take half a minute.');

				return api.work('identity_opt_out', [ LEAVE, offline.box.checked ]).then(job => this.hasLeft(job));
			}).catch(error => {
				state.textContent = '';
				problem.textContent = error.message;
			});
		}, { 'data-em': 'leave' });

		return fold('leave-section', _('Leave'), _('Ends the work for good and deletes everything that makes this node.'), [
			points(_('What happens'), [
				_('All sessions end, and the last signed bundles are handed in.'),
				_('The coordinator is told that you leave.'),
				_('Keys, counters, the list of whom you served, and the settings are deleted; all is off.'),
				_('The daemon ends. The package stays installed until you remove it.')
			]),
			E('div', { 'class': 'em-form' }, [ offline, E('div', { 'class': 'em-row' }, [ button ]), problem, state ])
		]);
	},

	/* The end of the page: there is no node any more. */
	hasLeft(job) {
		const heading = E('h4', { 'tabindex': '-1' }, [ E('span', { 'class': 'em-symbol', 'aria-hidden': 'true' }, [ words.symbol('good') ]), _('You have left') ]);

		this.left = true;
		this.feed.stop();
		this.trouble.textContent = '';
		this.content.textContent = '';
		this.content.appendChild(E('div', { 'class': 'alert-message success em-notice', 'data-em': 'left' }, [
			heading,
			E('p', {}, [ _('Keys, counters and settings are deleted. Your router does nothing for others any more.') ]),
			E('p', {}, [ _('Thank you for what it did.') ]),
			E('details', {}, [ E('summary', {}, [ _('What was done') ]), E('pre', { 'class': 'em-mono' }, [ job.printed || '' ]) ]),
			E('p', {}, [ E('a', { 'class': 'btn cbi-button', 'href': L.url('admin/services/echomesh/wizard') }, [ _('Set up a new node') ]) ])
		]));
		heading.focus();
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
