'use strict';
'require baseclass';
'require echomesh.api as api';
'require echomesh.passphrase as passphrase';
'require echomesh.widgets as widgets';

/* Making a backup of the identity. */
return baseclass.extend({
	/* Fields and button that make a backup and hand it to the browser as a file. `told` is called once it is. */
	make(nodeId, told) {
		const state = E('p', { 'class': 'em-state', 'role': 'status' });
		const button = widgets.button('action', _('Make the backup'), () => {
			if (!secret.check())
				return null;

			state.textContent = _('The backup is being made. This takes some seconds.');

			return api.work('identity_backup', [ secret.value() ]).then(job => {
				const inner = window.atob(job.result.backup);
				const name = 'echomesh-%s-%s.backup'.format(nodeId().slice(8, 14), new Date().toISOString().slice(0, 10));

				widgets.download(name, 'application/octet-stream', Uint8Array.from(inner, c => c.charCodeAt(0)));
				secret.clear();
				state.textContent = _('The backup is in your browser’s downloads as %s. Keep it away from this router, and the passphrase away from it.').format(name);

				if (told)
					told();
			}).catch(error => {
				state.textContent = '';
				secret.problem(error.message, true);
			});
		}, { 'data-em': 'backup' });
		const secret = passphrase.field(_('Passphrase for the backup'), true, _('Only this passphrase opens the file. Nobody can reset it.'), () => button);

		return E('div', { 'class': 'em-form' }, [ secret, E('div', { 'class': 'em-row' }, [ button ]), state ]);
	}
});
