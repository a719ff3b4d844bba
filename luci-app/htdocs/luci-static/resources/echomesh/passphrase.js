'use strict';
'require baseclass';
'require echomesh.fields as fields';

/* A new passphrase has at least so many characters; the daemon refuses shorter ones. */
const LEAST = 8;

/* How hard a passphrase is to guess, roughly, in bits: its alphabet by its length, less for what repeats. */
function bits(text) {
	const letters = [ [ /[a-z]/, 26 ], [ /[A-Z]/, 26 ], [ /[0-9]/, 10 ], [ /[^a-zA-Z0-9]/, 30 ] ]
		.reduce((sum, kind) => sum + (kind[0].test(text) ? kind[1] : 0), 1);

	return Math.min(text.length, new Set(text).size * 2) * Math.log2(letters);
}

/* Fields for a passphrase. Nothing that is typed here is kept. */
return baseclass.extend({
	/*
	 * A passphrase: `fresh` = a new one, typed twice, with a word on how good it is. value() gives it, check() says at the fields
	 * what is wrong and gives whether it can be used, clear() forgets it. Enter presses what button() gives.
	 */
	field(label, fresh, hint, button) {
		const box = () => E('input', { 'type': 'password', 'class': 'cbi-input-password', 'id': fields.id(), 'autocapitalize': 'off',
			'spellcheck': 'false', 'autocomplete': fresh ? 'new-password' : 'current-password' });
		const field = box(), again = box();
		const show = E('button', { 'type': 'button', 'class': 'btn cbi-button' });
		const good = E('div', { 'class': 'em-strength', 'aria-live': 'polite' });
		const shown = on => {
			field.type = again.type = on ? 'text' : 'password';
			show.textContent = on ? _('Hide') : _('Show');
			show.setAttribute('aria-pressed', String(on));
		};
		const short = () => field.value.length < LEAST ? _('Too short: at least %d characters.').format(LEAST) : null;

		field.emFrame = E('div', { 'class': 'em-row' }, [ field, show ]);
		shown(false);

		const first = fields.row(label, field, fresh ? [ hint || '', good ] : hint);
		const second = fields.row(_('The same again'), again);
		/* A form is what password managers know, with a name beside the passphrase. It is never sent. */
		const node = E('form', { 'class': 'em-passphrase', 'submit': ev => {
			ev.preventDefault();
			button().click();
		} }, [ E('input', { 'type': 'text', 'class': 'hidden', 'autocomplete': 'username', 'value': 'echomesh', 'tabindex': '-1', 'aria-hidden': 'true' }), first, fresh ? second : '' ]);

		show.addEventListener('click', () => shown(field.type === 'password'));
		node.addEventListener('keydown', ev => {
			/* Two fields and no button of its own: the browser would not submit it. */
			if (ev.key === 'Enter' && ev.target !== show) {
				ev.preventDefault();
				button().click();
			}
		});
		node.addEventListener('input', () => {
			first.problem(null);
			second.problem(null);

			const n = bits(field.value);

			if (fresh)
				good.textContent = !field.value ? '' : short() || (n < 45 ? _('Easy to guess. A few random words are better.')
					: n < 70 ? _('Fair. A word more makes it good.') : _('Good.'));
		});

		node.value = () => field.value;
		node.problem = first.problem;
		node.clear = () => {
			field.value = again.value = good.textContent = '';
			shown(false);
			node.problem(null);
		};
		node.check = () => {
			const wrong = !field.value ? _('Type a passphrase.') : fresh ? short() : null;
			const other = !wrong && fresh && again.value !== field.value ? _('The two are not the same.') : null;

			first.problem(wrong, true);
			second.problem(other, true);

			return !wrong && !other;
		};

		return node;
	}
});
