/** Notifications at the head of the page, and indicators in its header. */
import { dom, E } from '../dom.js';

/** @param {{_: function}} runtime */
export function makeNotify({ _ }) {
	function place() {
		return document.getElementById('maincontent') || document.body;
	}

	function dismiss(message) {
		message.remove();
	}

	const notify = {
		addNotification(title, children, ...classes) {
			const body = E('div', { 'style': 'flex:10' });
			const message = E('div', { 'class': 'alert-message fade-in', 'style': 'display:flex' }, [
				body,
				E('div', { 'style': 'flex:1 1 auto; display:flex' }, [
					E('button', { 'type': 'button', 'class': 'btn', 'style': 'margin-left:auto; margin-top:auto', 'click': () => dismiss(message) }, [_('Dismiss')])
				])
			]);
			if (title != null)
				dom.append(body, E('h4', {}, title));
			/* LuCI appends: a plain string of HTML would take the place of the title. */
			dom.append(body, children);
			message.classList.add(...classes.filter(Boolean));
			place().insertBefore(message, place().firstElementChild);
			return message;
		},

		/** As addNotification(), for `timeout` milliseconds. */
		addTimeLimitedNotification(title, children, timeout, ...classes) {
			const message = notify.addNotification(title, children, ...classes);
			if (timeout > 0)
				window.setTimeout(() => dismiss(message), timeout);
			return message;
		},

		/** @returns {boolean} whether it is new */
		showIndicator(id, label, handler, style) {
			const bar = document.getElementById('indicators');
			const selector = `span[data-indicator="${CSS.escape(id)}"]`;
			let one = bar.querySelector(selector);
			const isNew = !one;
			if (isNew)
				one = bar.appendChild(E('span', { 'data-indicator': id }));
			one.setAttribute('data-style', style || 'active');
			one.setAttribute('data-clickable', handler ? 'true' : 'false');
			one.onclick = handler || null;
			dom.content(one, [label]);
			return isNew;
		},

		hideIndicator(id) {
			const one = document.querySelector(`#indicators span[data-indicator="${CSS.escape(id)}"]`);
			if (one)
				one.remove();
			return !!one;
		}
	};
	return notify;
}
