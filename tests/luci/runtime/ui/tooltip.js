/** Tooltips: what `data-tooltip` says, shown under the pointer, at the focus, and when a field turns out wrong. */
import { E } from '../dom.js';

let tip = null;

function targetOf(ev) {
	return ev.target && ev.target.closest ? ev.target.closest('[data-tooltip]') : null;
}

export const tooltip = {
	showTooltip(ev) {
		const target = targetOf(ev);
		if (!target)
			return;
		const style = target.getAttribute('data-tooltip-style');
		tip.className = `cbi-tooltip${style ? ` ${style}` : ''}`;
		tip.textContent = target.getAttribute('data-tooltip');
		const at = target.getBoundingClientRect();
		tip.style.top = `${at.bottom + window.scrollY + 4}px`;
		tip.style.left = `${Math.max(4, Math.min(at.left + window.scrollX, window.scrollX + document.documentElement.clientWidth - tip.offsetWidth - 8))}px`;
		tip.style.opacity = 1;
		target.dispatchEvent(new CustomEvent('tooltip-open', { bubbles: true, detail: { target } }));
	},

	hideTooltip(ev) {
		if (!ev || ev.target === tip || (ev.relatedTarget && ev.relatedTarget === tip))
			return;
		tip.style.opacity = 0;
		tip.style.top = tip.style.left = '-10000px';
		tip.dispatchEvent(new CustomEvent('tooltip-close', { bubbles: true }));
	}
};

export function installTooltip() {
	tip = document.body.appendChild(E('div', { 'class': 'cbi-tooltip' }));
	tip.style.top = tip.style.left = '-10000px';
	for (const name of ['mouseover', 'focus', 'validation-failure'])
		document.addEventListener(name, tooltip.showTooltip, true);
	for (const name of ['mouseout', 'blur', 'validation-success'])
		document.addEventListener(name, tooltip.hideTooltip, true);
}
