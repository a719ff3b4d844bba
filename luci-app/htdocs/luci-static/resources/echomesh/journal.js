'use strict';
'require baseclass';
'require echomesh.reasons as reasons';

/* Lines kept; the daemon itself keeps 256. */
const MOST = 500;

/*
 * Parts of the daemon by the beginning of a line's target, the longest first: which role or part of the node speaks.
 */
const PARTS = [
	[ 'daemon::gateway', 'coordinator' ], [ 'daemon::link', 'coordinator' ], [ 'daemon::follow', 'coordinator' ], [ 'daemon::trials', 'coordinator' ],
	[ 'daemon::distrust', 'coordinator' ], [ 'daemon::duplicate', 'coordinator' ], [ 'daemon::telemetry', 'coordinator' ],
	[ 'daemon::probing', 'probe' ], [ 'daemon::books', 'meter' ], [ 'daemon::roster', 'meter' ], [ 'daemon::updates', 'update' ],
	[ 'daemon::keys', 'identity' ], [ 'daemon::locked', 'identity' ], [ 'daemon::rotation', 'identity' ], [ 'daemon::opt_out', 'identity' ],
	[ 'cli::update', 'update' ], [ 'proxy', 'proxy' ], [ 'session', 'proxy' ], [ 'guard', 'proxy' ], [ 'net', 'network' ], [ 'platform', 'network' ],
	[ 'daemon::uplink', 'network' ], [ 'daemon::household', 'network' ], [ 'daemon::giving_way', 'network' ], [ 'daemon::offloading', 'network' ],
	[ 'meter', 'meter' ], [ 'probe', 'probe' ], [ 'update', 'update' ], [ 'identity', 'identity' ], [ 'coordinator', 'coordinator' ],
	[ 'reflector', 'reflector' ], [ 'relay', 'relay' ], [ 'control', 'control' ], [ 'config', 'settings' ], [ 'daemon::reload', 'settings' ],
	[ 'daemon', 'node' ], [ 'core', 'node' ], [ 'cli', 'node' ]
];

/* Reasons of one plain word count only where the line names them as a reason: it may be a word of the sentence otherwise. */
const NAMED = /(?:^|\balert |\brefused(?: as)?:? |\bas |\bends: |\()([a-z]+(?:-[a-z]+)*)(?=[):.;,]|$| is over)/g;
const HYPHENED = /\b[a-z]+(?:-[a-z]+)+\b/g;

/*
 * The lines of the daemon's log as they come in by pieces, and what they are about.
 */
return baseclass.extend({
	/* Which part of the node says a line: an id for part(). */
	partOf(target, text) {
		/* What becomes of sessions is told by the node, and is of the role that serves them. */
		if (/^session /.test(text))
			return 'proxy';

		const found = PARTS.find(part => target === part[0] || target.startsWith(part[0] + '::'));
		return found ? found[1] : 'other';
	},

	/* The word for a part. */
	part(id) {
		return {
			proxy: _('Proxy'), reflector: _('Reflector'), relay: _('Relay'), coordinator: _('Coordinator'), network: _('Network'), meter: _('Metering'),
			probe: _('Probes'), update: _('Updates'), identity: _('Identity'), control: _('Control'), settings: _('Settings'), node: _('Node')
		}[id] || _('Other');
	},

	/* The word for a level, and its tone. */
	level(id) {
		return {
			error: { word: _('Error'), tone: 'bad' },
			warn: { word: _('Warning'), tone: 'warn' },
			info: { word: _('Info'), tone: 'info' },
			debug: { word: _('Debug'), tone: 'idle' },
			trace: { word: _('Trace'), tone: 'idle' }
		}[id] || { word: id, tone: 'info' };
	},

	/* What an id means, as a sentence; empty where it is not known. */
	meaning(id) {
		return (reasons.refusal(id) || reasons.ending(id) || reasons.update(id) || [ '' ])[0];
	},

	/* The stable ids that a line names: of refusals, ends and updates, and of alerts. */
	reasonsOf(text) {
		const found = new Set();
		let match;

		NAMED.lastIndex = 0;

		while ((match = NAMED.exec(text)))
			if (match[0].startsWith('alert ') || this.meaning(match[1]))
				found.add(match[1]);

		(text.match(HYPHENED) || []).forEach(id => {
			if (this.meaning(id))
				found.add(id);
		});

		return Array.from(found);
	},

	/*
	 * The lines so far. since() is what to ask for next; take(answer) takes in {lines} and gives whether to ask again at once: the
	 * daemon was started anew, and counts from 1 again. Lines have `key`, `part` and `reasons` beside what the daemon says.
	 */
	lines() {
		const journal = this;
		let all = [], last = null, boot = 0;

		function same(line) {
			return line.number === last.number && line.text === last.text && line.time === last.time;
		}

		return {
			/* The last known line is asked for once more: where another one comes, the daemon is another one. */
			since() {
				return last ? last.number - 1 : 0;
			},

			all() {
				return all;
			},

			take(answer) {
				let news = answer.lines || [];

				if (last) {
					const first = news[0];

					if (!first || (first.number === last.number && !same(first))) {
						boot++;
						last = null;
						return true;
					}

					news = news.filter(line => line.number > last.number);
				}

				if (news.length) {
					last = news[news.length - 1];
					all = all.concat(news.map(line => Object.assign({}, line, {
						key: boot + '/' + line.number, order: boot * 1e12 + line.number, part: journal.partOf(line.target, line.text), reasons: journal.reasonsOf(line.text)
					}))).slice(-MOST);
				}

				return false;
			}
		};
	}
});
