'use strict';
'require baseclass';

/* Tones, from calm to urgent, with a symbol each: a state is never told by its colour alone. */
const SYMBOLS = { good: '✓', idle: '–', info: 'i', warn: '!', bad: '✕' };

function plural(n, one, many) {
	return (n === 1 ? one : many).format(n);
}

function language() {
	return document.documentElement.lang || undefined;
}

/* A figure with its decimal unit, as the reader's language writes it: three digits or so, and no 1000.0 of anything. */
function measured(n, units) {
	let unit = 0;

	for (n = Math.max(0, n); n >= 999.5 && unit < units.length - 1; unit++)
		n /= 1000;

	return _('%s %s').format(n.toLocaleString(language(), { maximumFractionDigits: n < 99.95 && unit > 0 ? 1 : 0 }), units[unit]);
}

return baseclass.extend({
	/* The symbol of a tone: good, idle, info, warn or bad. */
	symbol(tone) {
		return SYMBOLS[tone] || SYMBOLS.info;
	},

	/* The tone of an alert's severity. */
	tone(severity) {
		return { critical: 'bad', warning: 'warn', info: 'info' }[severity] || 'info';
	},

	/* The word for an alert's severity. */
	severity(severity) {
		return { critical: _('Critical'), warning: _('Warning'), info: _('Note') }[severity] || severity;
	},

	/* A node's state as {word, tone}. */
	state(state) {
		return {
			init: { word: _('Starting'), tone: 'info' },
			starting: { word: _('Starting'), tone: 'info' },
			locked: { word: _('Locked'), tone: 'warn' },
			running: { word: _('Running'), tone: 'good' },
			degraded: { word: _('Degraded'), tone: 'warn' },
			reconnecting: { word: _('Reconnecting'), tone: 'warn' },
			stopping: { word: _('Stopping'), tone: 'info' },
			stopped: { word: _('Stopped'), tone: 'idle' }
		}[state] || { word: state || _('Unknown'), tone: 'info' };
	},

	/* A session's state as {word, tone}. */
	session(state) {
		return {
			pending: { word: _('Pending'), tone: 'info' },
			active: { word: _('Active'), tone: 'good' },
			halted: { word: _('Halted'), tone: 'warn' },
			closing: { word: _('Closing'), tone: 'info' },
			closed: { word: _('Closed'), tone: 'idle' }
		}[state] || { word: state || _('Unknown'), tone: 'info' };
	},

	/* Bytes, in decimal units as the caps are. */
	bytes(n) {
		return n == null ? '–' : measured(n, [ 'B', 'kB', 'MB', 'GB', 'TB' ]);
	},

	/* Bits a second. */
	rate(bits) {
		return bits == null ? '–' : measured(bits, [ 'bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s' ]);
	},

	/* Milliseconds. */
	ms(n) {
		return n == null ? '–' : _('%d ms').format(n);
	},

	/* Percent: with one decimal below ten. */
	percent(n) {
		return n == null ? '–' : _('%s %%').format(Number(n).toLocaleString(language(), { maximumFractionDigits: n < 10 ? 1 : 0 }));
	},

	/* A whole or broken number as the reader's language writes it. */
	number(n) {
		return n == null ? '–' : Number(n).toLocaleString(language());
	},

	/* A length of time in seconds, by its two largest units at most. */
	span(seconds) {
		const s = Math.max(0, Math.round(seconds));

		if (s < 60)
			return plural(s, _('%d second'), _('%d seconds'));

		if (s < 3600)
			return plural(Math.round(s / 60), _('%d minute'), _('%d minutes'));

		if (s < 86400) {
			const h = Math.floor(s / 3600), m = Math.floor(s % 3600 / 60);
			return m ? _('%d h %d min').format(h, m) : plural(h, _('%d hour'), _('%d hours'));
		}

		return plural(Math.floor(s / 86400), _('%d day'), _('%d days'));
	},

	/* A moment (RFC 3339) by the reader's own clock: the time alone where it is today; `exact` gives seconds on other days, too. */
	moment(iso, exact) {
		const at = new Date(iso);

		if (iso == null || isNaN(at))
			return '–';

		return at.toDateString() === new Date().toDateString()
			? at.toLocaleTimeString(language())
			: at.toLocaleString(language(), exact ? { dateStyle: 'short', timeStyle: 'medium' } : { dateStyle: 'medium', timeStyle: 'short' });
	},

	/* A moment to come (RFC 3339), to the minute: within a day the time alone, within a week with the day's name. */
	soon(iso) {
		const at = new Date(iso), ahead = (at - Date.now()) / 3600000;

		if (iso == null || isNaN(at) || ahead < 0 || ahead > 160)
			return this.moment(iso);

		return at.toLocaleString(language(), Object.assign({ hour: 'numeric', minute: '2-digit' }, ahead < 24 ? {} : { weekday: 'long' }));
	},

	/* How long ago a moment (RFC 3339) was. */
	ago(iso) {
		return iso == null ? _('never') : _('%s ago').format(this.span((Date.now() - new Date(iso)) / 1000));
	}
});
