/** Staged changes: how many there are, the dialog that lists them, and bringing them into force. */
import { dom, E } from '../dom.js';

const countOf = (changes) => Object.values(changes || {}).reduce((sum, list) => sum + list.length, 0);

/** One staged change as a line: [operation, section, option, value]. */
function lineOf(config, [operation, section, option, value]) {
	const path = `${config}.${section}${option && operation !== 'add' ? `.${option}` : ''}`;
	const text = { 'add': `${config}.${section}=${option}`, 'remove': path, 'order': `${path}=${value}`, 'rename': `${path}=${value}` }[operation] || `${path}='${value}'`;
	return E(operation === 'remove' ? 'del' : 'ins', {}, [`${operation === 'remove' ? '-' : '+'}${text}`, E('br')]);
}

/** @param {object} runtime {rpc, uci: function, env, modal, notify} */
export function makeChanges({ rpc, uci, env, modal, notify }) {
	const call = (method, params) => rpc.declare({ object: 'uci', method, params, reject: true });
	const callApply = call('apply', ['rollback', 'timeout']);
	const callConfirm = call('confirm');
	const callRevert = call('revert', ['config']);
	const later = (seconds) => new Promise((done) => window.setTimeout(done, seconds * 1000));
	let staged = {};

	async function read() {
		staged = await uci().changes();
		return staged;
	}

	function close() {
		return E('button', { 'type': 'button', 'class': 'btn cbi-button', 'click': modal.hideModal }, [_('Close')]);
	}

	async function confirmUntil(deadline) {
		for (;;) {
			try {
				return await callConfirm();
			}
			catch (e) {
				if (Date.now() > deadline)
					throw e;
			}
			await later(0.5);
		}
	}

	const changes = {
		init() {
			return read().then(changes.renderChangeIndicator);
		},

		setIndicator(n) {
			if (n > 0)
				notify.showIndicator('uci-changes', `${_('Unsaved Changes')}: ${n}`, changes.displayChanges);
			else
				notify.hideIndicator('uci-changes');
		},

		renderChangeIndicator(found) {
			staged = found;
			changes.setIndicator(countOf(found));
		},

		displayChanges() {
			const list = E('div', { 'class': 'uci-change-list' });
			for (const config of Object.keys(staged))
				list.append(E('h5', {}, [`# /etc/config/${config}`]), ...staged[config].map((change) => lineOf(config, change)));
			modal.showModal(_('Configuration / Changes'), [
				E('div', { 'class': 'cbi-section' }, [list]),
				E('div', { 'class': 'right' }, [
					close(), ' ',
					E('button', { 'type': 'button', 'class': 'cbi-button cbi-button-positive important', 'click': () => changes.apply(true) }, [_('Save & Apply')]), ' ',
					E('button', { 'type': 'button', 'class': 'cbi-button cbi-button-reset', 'click': changes.revert }, [_('Revert')])
				])
			]);
		},

		/** A dialog that says how it goes; `type` false closes it. */
		displayStatus(type, content) {
			if (!type) {
				modal.hideModal();
				return;
			}
			const message = modal.showModal('', [E('div', { 'class': `alert-message ${type}` })], 'cbi-status');
			message.querySelector('h4').hidden = true;
			message.setAttribute('aria-label', _('Status'));
			dom.content(message.querySelector('.alert-message'), content);
		},

		/**
		 * Brings what is staged into force. Checked: the router takes it back unless it is confirmed. Ends with the event `uci-applied` and,
		 * as LuCI does, the page loaded anew.
		 */
		async apply(checked) {
			changes.displayStatus('notice spinning', E('p', {}, [_('Starting configuration apply…')]));
			if (!countOf(await read())) {
				changes.displayStatus('notice', E('p', {}, [_('There are no changes to apply')]));
				await later(env.apply_display);
				changes.displayStatus(false);
				return;
			}
			try {
				await callApply(!!checked, checked ? env.apply_rollback : null);
				await later(env.apply_holdoff);
				if (checked)
					await confirmUntil(Date.now() + env.apply_rollback * 1000);
			}
			catch (e) {
				changes.displayStatus('warning', [E('p', {}, [_('Apply request failed: %s').format(e.message)]), E('div', { 'class': 'right' }, [close()])]);
				return;
			}
			document.dispatchEvent(new CustomEvent('uci-applied'));
			changes.setIndicator(0);
			changes.displayStatus('notice', E('p', {}, [_('Configuration changes applied.')]));
			await later(env.apply_display);
			changes.displayStatus(false);
			window.location.replace(window.location.href.split('#')[0]);
		},

		async revert() {
			for (const config of Object.keys(staged))
				await callRevert(config);
			document.dispatchEvent(new CustomEvent('uci-reverted'));
			changes.setIndicator(0);
			modal.hideModal();
			window.location.replace(window.location.href.split('#')[0]);
		}
	};
	document.addEventListener('uci-loaded', changes.init);
	return changes;
}
