'use strict';
'require baseclass';
'require echomesh.widgets as widgets';

/* What is left of an address of a page when only the host is wanted; null where there is none. */
function hostOf(text) {
	try {
		return new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : 'http://' + text).hostname || null;
	} catch (e) {
		return null;
	}
}

/* A domain as the daemon takes it. */
function isDomain(text) {
	const name = text.replace(/\.$/, '');
	const labels = name.split('.');

	return name.length <= 253 && labels.every(label => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label)) && !/^\d+$/.test(labels[labels.length - 1]);
}

/*
 * A list in a text field, an entry a line, with its lines numbered and what is wrong with one told by its number. The quick checks
 * here are for the person who types; the daemon decides.
 */
return baseclass.extend({
	/* What is wrong with a line of a list of domains; null = nothing. */
	domain(text) {
		const host = hostOf(text);

		if (isDomain(text))
			return null;

		if (/^\*\./.test(text))
			return _('Leave “*.” out: a domain covers its subdomains too.');

		if (/^\[|:.*:|^\d+(\.\d+)+$/.test(text))
			return _('This is an address. Only names of domains can be listed.');

		if (host && host !== text && isDomain(host))
			return _('Write it as %s.').format(host);

		return _('A domain looks like example.com.');
	},

	/* What is wrong with a line of a list of regions; null = nothing. */
	region(text) {
		return /^[a-z]{2}(-[a-z0-9_.'-]([a-z0-9 _.'-]{0,62}[a-z0-9_.'-])?)?$/i.test(text)
			? null : _('A region is a country code like PH, or a part of a country like PH-Mindanao.');
	},

	/* The country that a region is in, in the reader's language; null where nobody knows it. */
	country(region) {
		const code = region.slice(0, 2).toUpperCase();

		try {
			const name = new Intl.DisplayNames([ document.documentElement.lang || 'en' ], { type: 'region', fallback: 'none' }).of(code);

			return name && code !== 'ZZ' ? name : null;
		} catch (e) {
			return null;
		}
	},

	/*
	 * The field. `check(text)` says what is wrong with a line, or null; `describe`, if given, gets the entries and gives a line of
	 * text about them. Gives a node with get() and set(entries), bad() (whether a line is wrong), and show(findings), which tells
	 * what the daemon found: [{index: of the entry, message}].
	 */
	field(id, title, description, rows, check, describe, changed) {
		const numbers = E('div', { 'class': 'em-lines-numbers', 'aria-hidden': 'true' });
		const problems = E('ul', { 'class': 'em-problems', 'id': id + '-problems', 'aria-live': 'polite' });
		const about = E('div', { 'class': 'em-lines-about' });
		const text = E('textarea', {
			'id': id, 'class': 'cbi-input-textarea em-lines-text', 'rows': rows, 'wrap': 'off', 'spellcheck': 'false', 'autocomplete': 'off',
			'autocapitalize': 'off', 'autocorrect': 'off', 'aria-describedby': id + '-about ' + id + '-problems'
		});
		const node = E('div', { 'class': 'cbi-value em-field' }, [
			E('label', { 'class': 'cbi-value-title', 'for': id }, [ title ]),
			E('div', { 'class': 'cbi-value-field' }, [
				E('div', { 'class': 'em-lines' }, [ numbers, text ]),
				problems,
				about,
				E('div', { 'class': 'cbi-value-description', 'id': id + '-about' }, [ description ])
			])
		]);
		/* What the daemon found, by line, until the text changes. */
		let found = new Map();

		const lines = () => text.value.split('\n').map(line => line.trim());
		const entries = () => lines().map((entry, line) => ({ entry: entry, line: line })).filter(one => one.entry);

		function wrong() {
			const seen = new Map();

			return entries().map(one => {
				const key = one.entry.toLowerCase();
				const twice = seen.get(key);

				seen.set(key, twice == null ? one.line : twice);

				return {
					line: one.line,
					message: check(one.entry) || found.get(one.line) || (twice != null ? _('It is there already, in line %d.').format(twice + 1) : null),
					bad: !!(check(one.entry) || found.get(one.line))
				};
			}).filter(one => one.message);
		}

		function goTo(line) {
			const before = text.value.split('\n').slice(0, line).reduce((sum, one) => sum + one.length + 1, 0);

			text.focus();
			text.setSelectionRange(before, before + text.value.split('\n')[line].length);
		}

		/* What is being typed is not wrong yet. */
		function typing() {
			return document.activeElement === text ? text.value.slice(0, text.selectionStart).split('\n').length - 1 : null;
		}

		function draw() {
			const now = typing();
			const told = wrong().filter(one => one.line !== now || found.has(one.line));
			const bad = new Set(told.filter(one => one.bad).map(one => one.line));

			widgets.text(numbers, lines().map((line, i) => (bad.has(i) ? '✕ ' : '') + (i + 1)).join('\n'));
			numbers.scrollTop = text.scrollTop;
			text.classList.toggle('cbi-input-invalid', bad.size > 0);
			text.setAttribute('aria-invalid', String(bad.size > 0));
			widgets.list(problems, told, one => one.line + ' ' + one.message, one => {
				const item = E('li', {}, [
					E('button', { 'type': 'button', 'class': 'em-link', 'click': () => goTo(one.line) }, [ _('Line %d').format(one.line + 1) ]),
					' ', one.message
				]);

				item.set = () => {};
				return item;
			});
			widgets.text(about, describe ? describe(entries().map(one => one.entry)) : '');
		}

		text.addEventListener('scroll', () => { numbers.scrollTop = text.scrollTop; });
		text.addEventListener('blur', draw);
		text.addEventListener('input', () => {
			found = new Map();
			draw();
			changed();
		});

		node.get = () => entries().map(one => one.entry);
		node.set = list => {
			found = new Map();
			text.value = list.join('\n');
			draw();
		};
		node.bad = () => wrong().some(one => one.bad);
		node.focus = () => text.focus();
		node.show = findings => {
			const all = entries();

			found = new Map(findings.map(one => [ all[one.index] ? all[one.index].line : 0, one.message ]));
			draw();
		};

		return node;
	}
});
