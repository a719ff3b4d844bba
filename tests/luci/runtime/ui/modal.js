/** Dialogs: one at a time, in #modal_overlay. */
import { dom, E } from '../dom.js';

function overlay() {
	return document.getElementById('modal_overlay');
}

export const modal = {
	/** @returns {Element} the dialog; `title` is HTML where it is a string, as all of E's children are */
	showModal(title, children, ...classes) {
		const place = overlay();
		const dialog = place.firstElementChild;
		const heading = E('h4', { 'id': 'modal_title' }, title);
		dialog.setAttribute('class', 'modal');
		dialog.classList.add(...classes.filter(Boolean));
		dom.content(dialog, heading);
		dom.append(dialog, children);
		document.body.classList.add('modal-overlay-active');
		place.scrollTop = 0;
		place.focus();
		return dialog;
	},

	hideModal() {
		document.body.classList.remove('modal-overlay-active');
	},

	/** Escape presses the first button of the last row. */
	cancelModal(ev) {
		if (ev.key !== 'Escape')
			return;
		const button = overlay().querySelector('.right > button, .right > .btn, .button-row > .btn');
		if (button)
			button.click();
	}
};

/** Puts the overlay into the page. */
export function installModal() {
	document.body.appendChild(E('div', { 'id': 'modal_overlay', 'tabindex': '-1', 'keydown': modal.cancelModal }, [
		E('div', { 'class': 'modal', 'role': 'dialog', 'aria-modal': 'true', 'aria-labelledby': 'modal_title' })
	]));
}
