'use strict';
'require baseclass';

/*
 * Fields outside of LuCI's own forms: each has its label, its explanation and its problem beside it, bound to it for those who
 * do not see. Nothing that is typed here is kept.
 */

/* A new passphrase has at least so many characters; the daemon refuses shorter ones. */
const LEAST = 8;

let made = 0;

/* How hard a passphrase is to guess, roughly, in bits: its alphabet by its length, less for what repeats. */
function bits(text) {
	const kinds = [ [ /[a-z]/, 26 ], [ /[A-Z]/, 26 ], [ /[0-9]/, 10 ], [ /[^a-zA-Z0-9]/, 30 ] ];
	const letters = kinds.reduce((sum, kind) => sum + (kind[0].test(text) ? kind[1] : 0), 0);
	const different = new Set(text).size;

	return letters ? Math.min(text.length, different * 2) * Math.log2(letters) : 0;
}

return baseclass.extend({
	/* An id that no other field of the page has. */
	id() {
		return 'em-field-' + (++made);
	},

	/*
	 * A row of a label and a field. problem(text) shows what is wrong with it, or that nothing is (null); the field gets the
	 * focus where `focus` is true.
	 */
	row(label, field, hint) {
		const id = field.id || this.id();
		const said = hint ? E('div', { 'class': 'cbi-value-description', 'id': id + '-hint' }, [].concat(hint)) : '';
		const problem = E('div', { 'class': 'em-problem hidden', 'id': id + '-problem', 'role': 'alert' });
		const frame = field.emFrame || field;

		field.id = id;
		field.setAttribute('aria-describedby', id + '-problem' + (hint ? ' ' + id + '-hint' : ''));

		const node = E('div', { 'class': 'cbi-value' }, [
			E('label', { 'class': 'cbi-value-title', 'for': id }, [ label ]),
			E('div', { 'class': 'cbi-value-field' }, [ frame, problem, said ])
		]);

		node.problem = (text, focus) => {
			problem.textContent = text || '';
			problem.classList.toggle('hidden', !text);
			field.classList.toggle('cbi-input-invalid', !!text);
			field.setAttribute('aria-invalid', text ? 'true' : 'false');

			if (text && focus)
				field.focus();
		};

		return node;
	},

	/* A field for one line. */
	text(value, attrs, tell) {
		const field = E('input', Object.assign({ 'type': 'text', 'class': 'cbi-input-text', 'id': this.id(), 'autocomplete': 'off', 'spellcheck': 'false' }, attrs));

		field.value = value == null ? '' : String(value);

		if (tell)
			field.addEventListener('input', () => tell(field.value.trim()));

		return field;
	},

	/* A box to tick, with its words beside it. `node.box` is the box. */
	tick(label, on, tell, hint) {
		const id = this.id();
		const box = E('input', { 'type': 'checkbox', 'id': id, 'aria-describedby': hint ? id + '-hint' : null });

		box.checked = !!on;

		if (tell)
			box.addEventListener('change', () => tell(box.checked));

		const node = E('div', { 'class': 'em-tick' }, [
			box, E('label', { 'for': id }, [ label ]),
			hint ? E('div', { 'class': 'cbi-value-description', 'id': id + '-hint' }, [ hint ]) : ''
		]);

		node.box = box;

		return node;
	},

	/*
	 * One of several, as a list of {id, title, text}. set(id) chooses, `node.value` is what is chosen. words(options) writes titles
	 * and texts anew.
	 */
	choice(legend, options, value, tell) {
		const name = this.id();
		const nodes = {};
		const list = options.map(option => {
			const box = E('input', { 'type': 'radio', 'name': name, 'id': name + '-' + option.id, 'value': option.id,
				'aria-describedby': name + '-' + option.id + '-text' });
			const title = E('span', { 'class': 'em-choice-title' });
			const text = E('span', { 'class': 'em-choice-text', 'id': name + '-' + option.id + '-text' });

			box.checked = option.id === value;
			box.addEventListener('change', () => {
				node.value = option.id;
				tell(option.id);
			});
			nodes[option.id] = { box: box, title: title, text: text };

			return E('div', { 'class': 'em-choice' }, [ box, E('label', { 'for': name + '-' + option.id }, [ title ]), text ]);
		});
		const problem = E('div', { 'class': 'em-problem hidden', 'role': 'alert' });
		const node = E('fieldset', { 'class': 'em-choices' }, [ E('legend', {}, [ legend ]) ].concat(list, [ problem ]));

		node.value = value;
		node.words = options => options.forEach(option => {
			nodes[option.id].title.textContent = option.title;
			nodes[option.id].text.textContent = option.text || '';
		});
		node.set = id => {
			node.value = id;
			Object.keys(nodes).forEach(key => { nodes[key].box.checked = key === id; });
		};
		node.problem = (text, focus) => {
			problem.textContent = text || '';
			problem.classList.toggle('hidden', !text);

			if (text && focus)
				(nodes[node.value] || nodes[options[0].id]).box.focus();
		};
		node.words(options);

		return node;
	},

	/*
	 * A passphrase: `fresh` = a new one, typed twice, with a word on how good it is. `node.value()` gives it; `check(focus)` says at
	 * the fields what is wrong and gives whether it can be used; clear() forgets it. Enter presses `button`.
	 */
	passphrase(label, fresh, hint, button) {
		const field = E('input', { 'type': 'password', 'class': 'cbi-input-password', 'id': this.id(), 'autocapitalize': 'off', 'spellcheck': 'false',
			'autocomplete': fresh ? 'new-password' : 'current-password' });
		const again = E('input', { 'type': 'password', 'class': 'cbi-input-password', 'id': this.id(), 'autocapitalize': 'off', 'spellcheck': 'false',
			'autocomplete': 'new-password' });
		const show = E('button', { 'type': 'button', 'class': 'btn cbi-button em-show', 'aria-pressed': 'false', 'aria-controls': field.id }, [ _('Show') ]);
		const good = E('div', { 'class': 'em-strength', 'aria-live': 'polite' });

		field.emFrame = E('div', { 'class': 'em-row' }, [ field, show ]);

		const first = this.row(label, field, [ hint || '', good ]);
		const second = this.row(_('The same again'), again);
		const node = E('div', { 'class': 'em-passphrase' }, fresh ? [ first, second ] : [ first ]);

		show.addEventListener('click', () => {
			const shown = field.type === 'password';

			field.type = again.type = shown ? 'text' : 'password';
			show.textContent = shown ? _('Hide') : _('Show');
			show.setAttribute('aria-pressed', String(shown));
		});
		field.addEventListener('input', () => {
			first.problem(null);

			if (!fresh)
				return;

			const n = bits(field.value);

			good.textContent = !field.value ? ''
				: field.value.length < LEAST ? _('Too short: at least %d characters.').format(LEAST)
				: n < 45 ? _('Easy to guess. A few random words are better.')
				: n < 70 ? _('Fair. A word more makes it good.')
				: _('Good.');
		});
		again.addEventListener('input', () => second.problem(null));
		node.addEventListener('keydown', ev => {
			if (ev.key === 'Enter' && button) {
				ev.preventDefault();
				button().click();
			}
		});

		node.field = field;
		node.value = () => field.value;
		node.problem = first.problem;
		node.clear = () => {
			field.value = again.value = '';
			field.type = again.type = 'password';
			show.textContent = _('Show');
			show.setAttribute('aria-pressed', 'false');
			good.textContent = '';
			first.problem(null);
			second.problem(null);
		};
		node.check = () => {
			const wrong = !field.value ? _('Type a passphrase.')
				: fresh && field.value.length < LEAST ? _('Too short: at least %d characters.').format(LEAST) : null;
			const other = !wrong && fresh && again.value !== field.value ? _('The two are not the same.') : null;

			first.problem(wrong, true);
			second.problem(other, true);

			return !wrong && !other;
		};

		return node;
	}
});
