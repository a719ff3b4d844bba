'use strict';
'require view';
'require ui';
'require echomesh.api as api';
'require echomesh.feed as feed';
'require echomesh.figures as figures';
'require echomesh.journal as journal';
'require echomesh.page as page';
'require echomesh.table as table';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/* Milliseconds until an export is asked after again, and how often. */
const EXPORT_EVERY = 700;
const EXPORT_TRIES = 120;

/* From the most urgent on: a filter shows a level and all before it. */
const LEVELS = [ 'error', 'warn', 'info', 'debug', 'trace' ];

/* A file name of today, like echomesh-log-2026-01-31.txt. */
function named(what, ending) {
	return 'echomesh-%s-%s.%s'.format(what, new Date().toISOString().slice(0, 10), ending);
}

function wait(ms) {
	return new Promise(done => window.setTimeout(done, ms));
}

/*
 * Fetches the node's books piece by piece; tell(done, size) with bytes on the way, and stopped() ends it. Gives the text, or null
 * when it was stopped.
 */
function books(tell, stopped) {
	const pieces = [];

	function ready(id, tries) {
		return api.call('logs_export', id).then(piece => {
			if (stopped())
				return null;

			if (piece.ready)
				return take(id, piece);

			if (!tries)
				throw new Error(_('The export is not ready yet. Try again in a minute.'));

			return wait(EXPORT_EVERY).then(() => ready(id, tries - 1));
		});
	}

	function take(id, piece) {
		pieces.push(piece.text);
		tell(piece.next == null ? piece.size : piece.next, piece.size);

		if (piece.next == null)
			return pieces.join('');

		return api.call('logs_export', id, piece.next).then(next => stopped() ? null : take(id, next));
	}

	return api.call('logs_export').then(begun => ready(begun.id, EXPORT_TRIES));
}

/* Copies a text, also where the page did not come over HTTPS and browsers keep the clipboard closed. Gives whether it was done. */
function copy(field) {
	if (window.isSecureContext && navigator.clipboard)
		return navigator.clipboard.writeText(field.value).then(() => true, () => false);

	field.focus();
	field.select();

	return Promise.resolve(document.execCommand('copy'));
}

return view.extend({
	load() {
		return null;
	},

	render() {
		const mayChange = widgets.mayChange();
		const lines = journal.lines();
		let follows = true, held = [], seen = 0;

		const rows = table.make({
			name: _('Log'),
			key: line => line.key,
			columns: [
				{ id: 'time', title: _('Time'), css: 'em-time', text: line => line.time ? words.moment(line.time, true) : _('clock not set'), by: line => line.order },
				{ id: 'level', title: _('Level'), by: line => LEVELS.indexOf(line.level), make: () => {
					const badge = widgets.badge();
					const node = E('span', {}, [ badge ]);
					node.set = line => badge.set(journal.level(line.level).tone, journal.level(line.level).word);
					return node;
				} },
				{ id: 'part', title: _('Part'), by: line => journal.part(line.part), make: () => {
					const node = E('span');
					node.set = line => {
						widgets.text(node, journal.part(line.part));
						node.title = line.target;
					};
					return node;
				} },
				{ id: 'message', title: _('Message'), css: 'em-message', make: () => {
					const text = E('span'), hint = E('div', { 'class': 'em-hint' });
					const node = E('div', {}, [ text, hint ]);
					node.set = line => {
						widgets.text(text, line.text);
						widgets.text(hint, line.reasons.map(id => journal.meaning(id)).filter(Boolean).join(' '));
					};
					return node;
				} }
			],
			sort: { id: 'time', down: true }
		});

		const select = choices => E('select', { 'class': 'cbi-input-select', 'change': () => draw() }, choices);
		const option = (value, label) => E('option', { 'value': value }, [ label ]);
		const search = E('input', { 'type': 'search', 'class': 'cbi-input-text', 'autocomplete': 'off', 'spellcheck': 'false', 'input': () => draw() });
		const level = select([
			option('trace', _('All levels')), option('info', _('Info and worse')), option('warn', _('Warnings and errors')), option('error', _('Errors'))
		]);
		const part = select([ option('', _('All parts')) ]);
		const reason = select([ option('', _('All reasons')) ]);
		const count = E('span', { 'class': 'em-hint', 'data-em': 'count' });
		const follow = E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-neutral', 'click': () => toggle() }, [ _('Pause') ]);
		const waiting = E('span', { 'class': 'em-hint', 'data-em': 'waiting', 'role': 'status' });
		const progress = E('div', { 'class': 'em-row hidden', 'data-em': 'export' });

		const frame = page.make(_('EchoMesh: Log'), _('What the daemon said lately. It keeps its last 256 lines; this page keeps up to 500 while it is open.'), [
			E('div', { 'class': 'cbi-section' }, [
				E('div', { 'class': 'em-row em-tools', 'role': 'search' }, [
					widgets.field(_('Search'), search), widgets.field(_('Level'), level), widgets.field(_('Part'), part), widgets.field(_('Reason'), reason)
				]),
				E('div', { 'class': 'em-row em-tools' }, [ follow, waiting, count ]),
				E('div', { 'class': 'em-log', 'role': 'region', 'aria-label': _('Log'), 'tabindex': '0' }, [ rows ])
			])
		]);

		/* Beside the frame: a report can be made of a node that does not run, and matters most then. */
		frame.appendChild(E('div', { 'class': 'cbi-section' }, [
			E('h3', {}, [ _('To pass on') ]),
			E('div', { 'class': 'em-row' }, [ widgets.button('action', _('Make a report'), () => api.call('report', true).then(show, tellOf)) ]),
			E('p', { 'class': 'em-hint' }, [ _('A report for an issue: version, settings that differ, state and last lines. It names nobody: addresses, hosts, sessions and keys are taken out.') ])
		].concat(mayChange ? [
			E('div', { 'class': 'em-row' }, [ widgets.button('action', _('Download the books'), () => download()), progress ]),
			E('p', { 'class': 'em-hint' }, [ _('What the node counted and signed lately, with its access log, in which hosts stand as keyed hashes only. “echomesh verify” checks the file.') ])
		] : [])));

		/* Without a daemon the plugin makes the report from the settings, and says so beside it. */
		function tellOf(error) {
			return error.reason === 'not-running' ? api.ask('report', true).then(show) : Promise.reject(error);
		}

		function choices(node, all, word) {
			const known = Array.from(node.options).map(option => option.value);

			all.filter(id => !known.includes(id)).sort().forEach(id => node.appendChild(option(id, word(id))));
		}

		function draw() {
			const all = follows ? lines.all() : held, needle = search.value.trim().toLowerCase();

			choices(part, Array.from(new Set(all.map(line => line.part))), id => journal.part(id));
			choices(reason, Array.from(new Set([].concat(...all.map(line => line.reasons)))), id => id);
			rows.empty(all.length ? _('No line fits the filter.') : _('Nothing was said yet.'), '');
			rows.set(all);

			const shown = rows.filter(line => LEVELS.indexOf(line.level) <= LEVELS.indexOf(level.value) && (!part.value || line.part === part.value) &&
				(!reason.value || line.reasons.includes(reason.value)) &&
				(!needle || (line.text + ' ' + line.target).toLowerCase().includes(needle)));
			const fresh = follows ? 0 : seen - held.seen;

			widgets.text(count, shown === all.length ? _('%d lines').format(shown) : _('%d of %d lines shown').format(shown, all.length));
			widgets.text(waiting, follows ? '' : fresh === 0 ? _('Paused.') : fresh === 1 ? _('Paused; 1 new line since.') : _('Paused; %d new lines since.').format(fresh));
		}

		function toggle() {
			follows = !follows;
			held = follows ? [] : lines.all().slice();
			held.seen = seen;
			widgets.text(follow, follows ? _('Pause') : _('Follow'));
			draw();
		}

		function show(report) {
			const field = E('textarea', { 'class': 'cbi-input-textarea em-report', 'readonly': '', 'rows': '16', 'spellcheck': 'false', 'aria-label': _('Report') });
			const told = E('span', { 'role': 'status', 'class': 'em-hint' });

			field.value = report.text;
			ui.showModal(_('Report'), [
				E('p', {}, [ _('This names nobody: addresses, hosts, sessions and keys are taken out. Read it before you pass it on; nothing is sent by itself.') ]),
				field,
				E('div', { 'class': 'right em-row em-end' }, [
					told,
					widgets.button('action', _('Copy'), () => copy(field).then(done => {
						widgets.text(told, done ? _('Copied.') : _('The browser did not allow it: mark the text and copy it by hand.'));
					})),
					widgets.button('action', _('Download'), () => widgets.download(named('report', 'txt'), 'text/plain', field.value)),
					E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-neutral', 'click': () => ui.hideModal() }, [ _('Close') ])
				])
			]);
		}

		function download() {
			const bar = figures.bar(), text = E('span', { 'role': 'status' }, [ _('The node writes its books…') ]);
			let stop = false;

			bar.setAttribute('aria-label', _('Download'));
			progress.replaceChildren(text, bar, E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-neutral', 'click': () => { stop = true; } }, [ _('Cancel') ]));
			widgets.show(progress, true);

			return books((done, size) => {
				bar.set(size ? done / size : 1);
				bar.dataset.tone = 'good';
				widgets.text(text, _('%s of %s are here.').format(words.bytes(done), words.bytes(size)));
			}, () => stop).then(all => {
				if (all != null) {
					widgets.download(named('books', 'jsonl'), 'application/x-ndjson', all);
					widgets.done(_('The books are downloaded: %s.').format(words.bytes(new Blob([ all ]).size)));
				}
			}).finally(() => widgets.show(progress, false));
		}

		const lives = feed.start(function ask() {
			return api.ask('logs', lines.since()).then(answer => {
				if (!answer.lines)
					return answer;

				const before = lines.all().length ? lines.all()[lines.all().length - 1].order : 0;
				const again = lines.take(answer);

				seen += lines.all().filter(line => line.order > before).length;

				return again ? ask() : answer;
			});
		}, news => {
			if (frame.told(news))
				draw();
		});
		lives.now();

		return frame;
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
