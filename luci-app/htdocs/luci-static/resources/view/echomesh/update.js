'use strict';
'require view';
'require echomesh.api as api';
'require echomesh.feed as feed';
'require echomesh.figures as figures';
'require echomesh.page as page';
'require echomesh.reasons as reasons';
'require echomesh.table as table';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/* Milliseconds between looks at work that was begun here, and after how many it counts as broken off. */
const LOOK_EVERY = 1000;
const LOOKS = 90;

/* The way of an update. `waiting` stands in it only while it waits. */
const STEPS = [ 'checking', 'downloading', 'verifying', 'waiting', 'trial', 'probation', 'installing' ];

/* What a phase is, as [ name, explanation ]. */
function phase(id) {
	return {
		'checking': [ _('Look at what is offered'), _('Signature, version and your settings are compared.') ],
		'downloading': [ _('Download'), _('Into memory; nothing is on the flash yet.') ],
		'verifying': [ _('Try whether it fits'), _('It must be what was signed, and take your settings.') ],
		'waiting': [ _('Wait for connections to end'), _('It goes on when no connection is open.') ],
		'trial': [ _('Start the new version'), _('Open connections end now; sessions come back by themselves.') ],
		'probation': [ _('Watch it'), _('The node must be as healthy as before. This takes up to two and a half minutes.') ],
		'installing': [ _('Keep it'), _('It is written to the flash.') ]
	}[id] || [ id, '' ];
}

/* How an update ended, as {word, tone}. */
function ended(id) {
	return {
		'done': { word: _('Installed'), tone: 'good' },
		'failed': { word: _('Failed'), tone: 'bad' },
		'rolled-back': { word: _('Gone back'), tone: 'warn' },
		'checked': { word: _('Not installed'), tone: 'info' }
	}[id] || { word: _('Broken off'), tone: 'warn' };
}

/* What an owner may ask for beyond the rules: argument of update_apply, the reason it overrules, and what it means. */
function wishes() {
	return [
		[ 'early', 'rollout', _('Take it early'), _('New versions go to a share of the nodes first, so that a mistake meets few. With this yours is among them.') ],
		[ 'again', 'refused', _('Try it again'), _('A version that failed here, or that you went back from, is not tried again by itself. With this it is, once.') ],
		[ 'allowDowngrade', 'not-newer', _('Take an older one, or the same again'), _('Older versions may lack fixes, and may not understand newer settings.') ],
		[ 'ignoreFeed', 'feed', _('Ignore the package feed'), _('Where your feed has a newer package, that is the better way: the package manager knows what it installed.') ]
	];
}

/* The host of the update server; the whole text where it is no URL. */
function host(url) {
	try {
		return new URL(url).host;
	} catch (e) {
		return String(url);
	}
}

return view.extend({
	load() {
		return api.ask('config_get').catch(error => ({ error: { message: error.message } }));
	},

	render(config) {
		const mayChange = widgets.mayChange();
		const settings = (config.settings || {}).updates || {};
		/* Where the settings cannot be read, the updater itself says what is missing. */
		const isSetUp = !!config.error || (!!settings.url && (settings.keys || []).length > 0);
		const settingsPage = L.url('admin/services/echomesh/settings');
		let lives = null, begun = null, looks = 0, last = null;

		const facts = table.facts();
		const notices = E('div', { 'data-em': 'notices' });
		const found = E('div', { 'class': 'em-found', 'data-em': 'found', 'aria-live': 'polite' });
		const offered = E('h3', {}, [ _('What there is') ]);
		const past = E('div', { 'data-em': 'last' });
		const steps = this.steps();
		const checks = wishes().map(wish => {
			const id = 'em-' + wish[0];
			const box = E('input', { 'type': 'checkbox', 'id': id, 'aria-describedby': id + '-why' });

			return Object.assign(E('div', { 'class': 'em-wish' }, [
				box, E('div', {}, [ E('label', { 'for': id }, [ wish[2] ]), E('div', { 'class': 'em-hint', 'id': id + '-why' }, [ wish[3] ]) ])
			]), { box: box, wish: wish });
		});
		const options = E('details', { 'class': 'em-options' }, [ E('summary', {}, [ _('Options for this install') ]) ].concat(checks));
		const check = widgets.button('action', _('Check now'), () => start('check', 'update_check'));
		const install = widgets.button('apply', _('Install'), () => askToInstall());
		const back = widgets.button('negative', _('Go back'), () => askToGoBack());
		const working = E('span', { 'class': 'spinning hidden', 'role': 'status' });

		const frame = page.make(_('EchoMesh: Update'), _('What is installed, and what there is. A new version is tried first and kept only if the node stays healthy.'), [
			notices, steps,
			E('div', { 'class': 'cbi-section', 'data-em': 'offer' }, [
				offered, found,
				mayChange ? E('div', { 'class': 'em-row em-tools' }, [ check, install, back, working ]) : '',
				mayChange ? options : ''
			]),
			E('div', { 'class': 'cbi-section' }, [
				E('h3', {}, [ _('What is installed') ]), facts,
				mayChange ? E('p', {}, [ E('a', { 'href': settingsPage }, [ _('Change server, channel or automatic updates in the settings') ]) ]) : ''
			]),
			past
		]);

		/* Puts nodes in place of others, where what they are made of has changed. */
		function put(node, about, make) {
			const key = JSON.stringify(about);

			if (node.emAbout !== key) {
				node.emAbout = key;
				node.replaceChildren(...make().filter(Boolean));
			}
		}

		function start(what, method, args) {
			return api.call(method, ...(args || [])).then(() => {
				begun = what;
				looks = 0;

				return lives.now();
			});
		}

		/* What was begun here is looked at more often, until it has said something. */
		function look(update) {
			if (!begun)
				return;

			const over = !update.busy && update.printed !== '';

			if (over || ++looks > LOOKS) {
				if (over && begun === 'back')
					widgets.done(_('Back to the packaged program.'));

				begun = null;
			} else {
				window.setTimeout(() => lives.now(), LOOK_EVERY);
			}
		}

		function chosen() {
			return checks.filter(check => check.box.checked);
		}

		function askToInstall() {
			const picked = chosen();

			return widgets.confirm(_('Install the new version?'), [
				E('p', {}, [ _('It is downloaded, tried for a minute and kept only if the node stays as healthy as it was. Otherwise the router goes back by itself.') ]),
				E('p', {}, [ _('Open connections end when it starts. It takes up to three minutes after the download; you may leave this page meanwhile.') ])
			].concat(picked.length ? [ E('ul', {}, picked.map(check => E('li', {}, [ check.wish[2] ]))) ] : []), _('Install'), null, 'apply').then(yes => {
				if (yes)
					return start('install', 'update_apply', checks.map(check => check.box.checked)).then(() => checks.forEach(check => { check.box.checked = false; }));
			});
		}

		function askToGoBack() {
			const busy = last && last.busy;

			return widgets.confirm(busy ? _('End the update?') : _('Go back to the packaged program?'), [
				E('p', {}, [ busy
					? _('What was installed before runs again. Open connections end.')
					: _('Version %s starts in place of %s. Open connections end, and what you go back from is not installed again by itself.').format(last.package, last.installed) ])
			], busy ? _('End the update') : _('Go back')).then(yes => {
				if (yes)
					return start('back', 'update_rollback');
			});
		}

		function why(id, message) {
			const said = reasons.update(id);

			return [ said ? E('p', {}, [ said[0] ]) : null, said && said[1] ? E('p', {}, [ E('strong', {}, [ said[1] ]) ]) : null,
				message ? E('p', { 'class': 'em-hint' }, [ message ]) : null ];
		}

		function drawFacts(update, status) {
			const node = status.update || {};

			facts.set([
				[ _('Version'), update.installed, update.from === 'update' ? _('An update, over the packaged %s.').format(update.package) : _('From the package.') ],
				[ _('Runs now'), { 'package': _('the packaged program'), 'update': _('the update'), 'trial': _('a new version, on trial') }[node.runs] || _('nothing') ],
				[ _('Newest that is known'), node.available || _('none newer') ],
				[ _('Update server'), settings.url ? host(settings.url) : config.error ? _('not known') : _('not set') ],
				[ _('Channel'), settings.channel ],
				[ _('Automatic updates'), config.error ? null : settings.autoUpdate ? _('on') : _('off'),
					settings.autoUpdate ? _('Once a day, when no connection is open.') : _('New versions are installed only when you say so.') ]
			]);
		}

		function drawNotices(update, status) {
			const about = [ isSetUp, update.busy, status.running, config.error && config.error.message ];

			put(notices, about, () => [
				config.error ? widgets.notice('warn', _('The settings cannot be read'), [ E('p', {}, [ config.error.message ]) ]) : null,
				!isSetUp && !config.error ? widgets.notice('info', _('No update server is set'), [
					E('p', {}, [ _('Updates then come with packages, as for everything else on the router. The program’s own updates need a server and a key of who makes the releases.') ])
				]) : null,
				status.running === false && !update.busy ? widgets.notice('idle', _('The EchoMesh daemon does not run'), [
					E('p', {}, [ _('A new version could not be compared with it, so none is installed now.') ])
				]) : null
			]);
		}

		function drawFound(update, status) {
			const offer = update.printed && typeof update.printed === 'object' ? update.printed : null;
			const node = status.update || {};

			/* What the last work printed is shown where the last update does not say it already. */
			const saying = typeof update.printed === 'string' && !(update.last && update.last.message && update.printed.includes(update.last.message)) ? update.printed.replace(/^echomesh: /, '') : '';

			put(found, [ offer, node.available, begun === 'check', saying, update.installed ], () => {
				if (begun === 'check')
					return [ E('p', {}, [ _('The server is asked…') ]) ];

				if (!offer)
					return [
						saying ? widgets.notice('info', _('What the updater said last'), [ E('p', {}, [ saying ]) ]) : null,
						E('p', {}, [ node.available ? _('Version %s is out; %s is installed.').format(node.available, update.installed)
							: _('Version %s is installed, and nothing newer is known.').format(update.installed) ])
					];

				const can = !offer.whyNot;

				return [
					widgets.notice(can ? 'good' : 'info', can ? _('Version %s can be installed').format(offer.offered) : _('The server offers %s').format(offer.offered),
						can ? [] : why(offer.whyNot.reason, offer.whyNot.message).filter(Boolean)),
					E('p', { 'class': 'em-hint' }, [ [
						_('Channel: %s.').format(offer.channel), offer.size ? _('Download: %s.').format(words.bytes(offer.size)) : '',
						offer.rollout < 100 ? _('It goes to %d %% of the nodes by now.').format(offer.rollout) : ''
					].filter(Boolean).join(' ') ]),
					offer.notes ? E('p', { 'class': 'em-notes' }, [ offer.notes ]) : null
				];
			});

			/* Where the rules stand against it, the wish that overrules them is in sight. */
			const stops = offer && offer.whyNot ? offer.whyNot.reason : (update.last || {}).reason;

			if (options.emFor !== stops) {
				options.emFor = stops;
				options.open = checks.some(check => check.wish[1] === stops) || chosen().length > 0;
				checks.forEach(check => check.classList.toggle('em-fits', check.wish[1] === stops));
			}

			const version = offer ? offer.offered : node.available;

			widgets.text(install, version && version !== update.installed ? _('Install %s').format(version) : _('Install'));
			widgets.text(back, update.busy ? _('End the update') : _('Go back to %s').format(update.package));
			widgets.show(offered, !update.busy);
			widgets.show(found, !update.busy);
			widgets.show(check, isSetUp && !update.busy);
			widgets.show(install, isSetUp && !update.busy && status.running !== false);
			widgets.show(options, isSetUp && !update.busy && status.running !== false);
			widgets.show(back, update.busy || update.from === 'update');
			check.disabled = install.disabled = !!begun;
			widgets.text(working, { 'check': _('Checking…'), 'install': _('Installing…'), 'back': _('Going back…') }[begun] || '');
			widgets.show(working, !!begun);
		}

		function drawPast(update) {
			const offer = update.printed && update.printed.whyNot;
			/* A look that led to nothing is told above already. */
			const at = update.busy || (offer && update.last && update.last.message === offer.message) ? null : update.last;

			put(past, [ at, update.refused ], () => !at && !(update.refused || []).length ? [] : [
				E('div', { 'class': 'cbi-section' }, [
					at ? E('h3', {}, [ _('The last update') ]) : null,
					at ? E('p', {}, [ widgets.badge(ended(at.phase).tone, ended(at.phase).word), ' ', at.version ? _('Version %s').format(at.version) : '', ' ',
						E('span', { 'class': 'em-hint' }, [ words.moment(at.at) ]) ]) : null
				].concat(at ? why(at.reason, at.message) : []).concat((update.refused || []).length ? [
					E('details', {}, [
						E('summary', {}, [ _('Programs that are not tried again by themselves') ]),
						E('ul', {}, update.refused.map(one => E('li', {}, [ E('span', { 'class': 'em-mono' }, [ one.hash ]), ' ', one.why ])))
					])
				] : []).filter(Boolean))
			]);
		}

		lives = feed.start(() => Promise.all([ api.ask('update_status'), api.ask('status') ]).then(said => ({ update: said[0], status: said[1] })), news => {
			const update = frame.told(news.error ? news : { answer: news.answer.update });

			if (!update)
				return;

			last = update;
			look(update);
			drawNotices(update, news.answer.status);
			drawFacts(update, news.answer.status);
			drawFound(update, news.answer.status);
			drawPast(update);
			steps.set(update);
		});
		lives.now();

		return frame;
	},

	/* The way of an update that is under way, step by step. set(update) with what update_status says. */
	steps() {
		const list = E('ol', { 'class': 'em-work' });
		const bar = figures.bar();
		const bytes = E('span', { 'class': 'em-hint' });
		const spoken = E('p', { 'class': 'em-visually-hidden', 'role': 'status' });
		const title = E('h3');
		const node = E('div', { 'class': 'cbi-section hidden', 'data-em': 'steps' }, [ title, spoken, list, E('div', { 'class': 'em-row' }, [ bar, bytes ]) ]);

		bar.setAttribute('aria-label', _('Download'));
		node.set = update => {
			const told = update.last || {}, at = STEPS.indexOf(told.phase);

			widgets.show(node, !!update.busy);

			if (!update.busy)
				return;

			widgets.text(title, told.version ? _('Version %s is being installed').format(told.version) : _('An update is under way'));
			widgets.text(spoken, at < 0 ? '' : _('Step: %s').format(phase(told.phase)[0]));
			widgets.list(list, STEPS.filter(id => id !== 'waiting' || told.phase === 'waiting').map(id => ({ id: id, is: STEPS.indexOf(id) - at })), step => step.id, step => {
				const symbol = E('span', { 'class': 'em-symbol', 'aria-hidden': 'true' }), done = E('span', { 'class': 'em-visually-hidden' });
				const li = E('li', {}, [ symbol, E('span', {}, [ phase(step.id)[0] ]), ' ', done, E('div', { 'class': 'em-hint' }, [ phase(step.id)[1] ]) ]);

				li.set = step => {
					li.dataset.step = step.is < 0 ? 'done' : step.is === 0 ? 'now' : 'next';
					widgets.text(symbol, step.is < 0 ? words.symbol('good') : step.is === 0 ? '▸' : '·');
					widgets.text(done, step.is < 0 ? _('done') : '');

					if (step.is === 0)
						li.setAttribute('aria-current', 'step');
					else
						li.removeAttribute('aria-current');
				};

				return li;
			});

			const loads = told.phase === 'downloading' && told.size > 0;

			widgets.show(bar, loads);
			widgets.text(bytes, loads ? _('%s of %s are here.').format(words.bytes(told.bytes), words.bytes(told.size)) : '');

			if (loads) {
				bar.set(told.bytes / told.size);
				bar.dataset.tone = 'good';
			}
		};

		return node;
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
