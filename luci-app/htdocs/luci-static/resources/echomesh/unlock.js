'use strict';
'require baseclass';
'require echomesh.api as api';
'require echomesh.widgets as widgets';

return baseclass.extend({
	/* The form that opens a sealed identity. done() is called once it is open; a wrong passphrase is told at the field. */
	make(done) {
		const field = E('input', { 'type': 'password', 'class': 'cbi-input-text', 'id': 'em-passphrase', 'autocomplete': 'current-password', 'aria-describedby': 'em-passphrase-said' });
		const said = E('p', { 'id': 'em-passphrase-said', 'class': 'em-field-said', 'role': 'alert', 'data-em': 'unlock-said' });
		const wrong = text => {
			widgets.text(said, text);
			field.value = '';
			field.setAttribute('aria-invalid', 'true');
			field.focus();
		};
		const button = widgets.button('action', _('Unlock'), () => {
			if (!field.value)
				return wrong(_('Type the passphrase it was sealed with.'));

			widgets.text(said, '');
			field.removeAttribute('aria-invalid');

			return api.work('identity_unlock', [ field.value ]).then(() => {
				field.value = '';
				return done();
			}, error => wrong(error.reason === 'wrong-passphrase' ? _('That is not the passphrase it was sealed with.') : error.message));
		}, { 'data-em': 'unlock' });

		return E('form', { 'class': 'em-row', 'submit': ev => {
			ev.preventDefault();

			if (!button.disabled)
				button.click();
		} }, [ E('label', { 'for': 'em-passphrase' }, [ _('Passphrase') ]), field, button, said ]);
	}
});
