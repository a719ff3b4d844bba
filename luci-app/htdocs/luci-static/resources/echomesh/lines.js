'use strict';
'require baseclass';
'require echomesh.widgets as widgets';

/* The host of what may be the address of a page; null where there is none. */
function hostOf(text) {
	try {
		return new URL(text.includes('://') ? text : 'http://' + text).hostname || null;
	} catch (e) {
		return null;
	}
}

function isDomain(text) {
	const labels = text.replace(/\.$/, '').split('.');

	return text.length <= 254 && labels.every(label => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label)) && !/^\d+$/.test(labels[labels.length - 1]);
}

/*
 * The field. `check(text)` says what is wrong with a line, or null; `describe`, if given, says something about the entries.
 * Gives a node with get(), set(entries), problem(), focus(), and show(findings) for what the daemon found: [{index of the entry, message}].
 */
function field(id, title, description, rows, check, describe, changed) {
	const numbers = E('div', { 'class': 'em-lines-numbers', 'aria-hidden': 'true' });
	const problems = E('ul', { 'class': 'em-problems', 'id': id + '-problems', 'aria-live': 'polite' });
	const about = E('div', { 'class': 'em-lines-about' });
	const text = E('textarea', {
		'id': id, 'class': 'cbi-input-textarea', 'rows': rows, 'wrap': 'off', 'spellcheck': 'false', 'autocapitalize': 'off',
		'aria-describedby': id + '-about ' + id + '-problems'
	});
	const node = E('div', { 'class': 'cbi-value em-part' }, [
		E('label', { 'class': 'cbi-value-title', 'for': id }, [ title ]),
		E('div', { 'class': 'cbi-value-field' }, [
			E('div', { 'class': 'em-lines' }, [ numbers, text ]), problems, about,
			E('div', { 'class': 'cbi-value-description', 'id': id + '-about' }, [ description ])
		])
	]);
	/* What the daemon found, by line, until the text changes. */
	let found = new Map();

	const lines = () => text.value.split('\n');
	const entries = () => lines().map((line, i) => ({ text: line.trim(), line: i })).filter(one => one.text);

	/* Lines that are wrong: {line, message}. */
	function wrong() {
		return entries().map(one => ({ line: one.line, message: check(one.text) || found.get(one.line) })).filter(one => one.message);
	}

	function goTo(line) {
		const before = lines().slice(0, line).join('\n').length + (line ? 1 : 0);

		text.focus();
		text.setSelectionRange(before, before + lines()[line].length);
	}

	function draw() {
		/* What is being typed is not wrong yet. */
		const now = document.activeElement === text ? text.value.slice(0, text.selectionStart).split('\n').length - 1 : -1;
		const tell = wrong().filter(one => one.line !== now || found.has(one.line));
		const bad = new Set(tell.map(one => one.line));

		widgets.text(numbers, lines().map((line, i) => (bad.has(i) ? '✕ ' : '') + (i + 1)).join('\n'));
		numbers.scrollTop = text.scrollTop;
		text.classList.toggle('cbi-input-invalid', bad.size > 0);
		text.setAttribute('aria-invalid', String(bad.size > 0));
		problems.replaceChildren(...tell.map(one => E('li', {}, [
			E('button', { 'type': 'button', 'class': 'em-link', 'click': () => goTo(one.line) }, [ _('Line %d').format(one.line + 1) ]), ' ', one.message
		])));
		widgets.text(about, describe ? describe(node.get()) : '');
	}

	text.addEventListener('scroll', () => { numbers.scrollTop = text.scrollTop; });
	text.addEventListener('blur', draw);
	text.addEventListener('input', () => {
		found = new Map();
		draw();
		changed();
	});

	node.get = () => entries().map(one => one.text);
	node.set = list => {
		found = new Map();
		text.value = list.join('\n');
		draw();
	};
	node.problem = () => wrong().length ? _('A line of this list is not right.') : null;
	node.focus = () => text.focus();
	node.show = findings => {
		const all = entries();

		found = new Map(findings.map(one => [ (all[one.index] || { line: 0 }).line, one.message ]));
		draw();
	};

	return node;
}

/*
 * A list in a text field, an entry a line, its lines numbered, and what is wrong with one told by its number. The quick checks here
 * are for the person who types; the daemon decides.
 */
return baseclass.extend({
	/* What is wrong with a line of a list of domains; null = nothing. */
	domain(text) {
		const host = hostOf(text);

		return isDomain(text) ? null
			: text.startsWith('*.') ? _('Leave “*.” out: a domain covers its subdomains too.')
				: /^\[|:.*:|^\d+(\.\d+)+$/.test(text) ? _('This is an address. Only names of domains can be listed.')
					: host && host !== text && isDomain(host) ? _('Write it as %s.').format(host) : _('A domain looks like example.com.');
	},

	/* What is wrong with a line of a list of regions; null = nothing. */
	region(text) {
		return /^[a-z]{2}(-[\w.'-]([\w .'-]{0,62}[\w.'-])?)?$/i.test(text) ? null : _('A region is a country code like PH, or a part of a country like PH-Mindanao.');
	},

	/* The countries of regions, by name. */
	countries(regions) {
		const names = new Intl.DisplayNames([ document.documentElement.lang || 'en' ], { type: 'region', fallback: 'none' });
		const codes = regions.filter(region => /^[a-z]{2}(-|$)/i.test(region)).map(region => region.slice(0, 2).toUpperCase());

		return Array.from(new Set(codes)).map(code => names.of(code) || _('%s (no country is known by this code)').format(code)).join(', ');
	},

	field: field
});
