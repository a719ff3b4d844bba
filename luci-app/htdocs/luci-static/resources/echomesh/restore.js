'use strict';
'require baseclass';
'require echomesh.api as api';
'require echomesh.fields as fields';
'require echomesh.passphrase as passphrase';
'require echomesh.keyname as keyname';
'require echomesh.widgets as widgets';

/* The first bytes of a backup, and more bytes than one has. */
const MARK = 'EMSEALED';
const MOST = 64 * 1024;

/* Both forms a backup is kept in become bytes of a string: the file as it is, or its base64. */
function unpacked(text) {
	if (text.startsWith(MARK))
		return text;

	try {
		const inner = window.atob(text.replace(/\s+/g, ''));

		return inner.startsWith(MARK) ? inner : null;
	}
	catch (e) {
		return null;
	}
}

/* A chosen file as base64; rejects where it is no backup. */
function read(file) {
	return new Promise((done, failed) => {
		const reader = new FileReader();

		reader.onerror = () => failed(new Error(_('The browser cannot read this file.')));
		reader.onload = () => {
			const inner = unpacked(Array.from(new Uint8Array(reader.result), c => String.fromCharCode(c)).join(''));

			if (inner)
				done(window.btoa(inner));
			else
				failed(new Error(_('This file is no backup of a node.')));
		};

		if (file.size > MOST)
			failed(new Error(_('This file is no backup of a node.')));
		else
			reader.readAsArrayBuffer(file);
	});
}

/* Taking a backup of the identity back. */
return baseclass.extend({
	/* Fields and button that take a backup back. `told` is called with the job once it is. */
	form(told) {
		const state = E('p', { 'class': 'em-state', 'role': 'status' });
		const file = E('input', { 'type': 'file', 'id': fields.id(), 'class': 'em-file' });
		const from = fields.row(_('Backup file'), file);
		const sealed = fields.tick(_('Keep it sealed on this router'), false, null,
			_('Then the node waits for this passphrase after each start.'));
		const button = widgets.button('action', _('Restore'), () => {
			from.problem(file.files.length ? null : _('Choose the file of the backup.'), true);

			if (!file.files.length || !secret.check())
				return null;

			return read(file.files[0]).then(text => this.put(text, secret, sealed.box.checked, false, state), error => from.problem(error.message, true)).then(job => {
				if (!job)
					return;

				secret.clear();
				file.value = '';
				sealed.box.checked = false;
				state.textContent = _('The backup is restored. Where another router still runs with this identity, stop that one.');
				told(job);
			});
		}, { 'data-em': 'restore' });
		const secret = passphrase.field(_('Passphrase of the backup'), false, null, () => button);

		file.addEventListener('change', () => from.problem(null));

		return E('div', { 'class': 'em-form' }, [
			from, secret, E('div', { 'class': 'cbi-value' }, [ E('div', { 'class': 'cbi-value-field' }, [ sealed ]) ]), E('div', { 'class': 'em-row' }, [ button ]), state
		]);
	},

	/* Asks for the work, once more with `replace` where the owner agrees to that. Gives the job, or nothing. */
	put(text, secret, sealed, replace, state) {
		state.textContent = _('The backup is being opened. The node then stops for a moment and starts again.');

		return api.ask('identity_restore', text, secret.value(), sealed, replace).then(answer => {
			if (answer.error && answer.error.reason === 'other-identity') {
				state.textContent = '';

				return widgets.confirm(_('Replace the node that is here?'), [
					E('p', {}, [ _('This router is %s now. The backup holds %s.').format(keyname.brief(answer.there), keyname.brief(answer.nodeId)) ]),
					E('p', {}, [ _('The keys, reputation and credits of the one that is here are lost, unless there is a backup of it.') ])
				], _('Replace it')).then(yes => yes ? this.put(text, secret, sealed, true, state) : null);
			}

			if (answer.error)
				throw new Error(answer.error.message);

			return api.follow(answer.id);
		}).catch(error => {
			state.textContent = '';
			secret.problem(error.reason === 'wrong-passphrase' ? _('This is not the passphrase of the backup. Nothing was changed.') : error.message, true);
		});
	}
});
