/** Tabs: panes with data-tab and data-tab-title, a menu before them, the active one kept for the session. */
import { dom, E } from '../dom.js';

const KEPT = 'tabs';

function kept() {
	return JSON.parse(window.sessionStorage.getItem(KEPT) || '{}');
}

function panesOf(group) {
	return Array.from(group.children).filter((pane) => pane.hasAttribute('data-tab'));
}

function menuOf(group) {
	const before = group.previousElementSibling;
	return before && before.classList.contains('cbi-tabmenu') ? before : null;
}

function activate(group, name) {
	for (const pane of panesOf(group)) {
		const active = pane.getAttribute('data-tab') === name;
		const changed = active && pane.getAttribute('data-tab-active') !== 'true';
		pane.setAttribute('data-tab-active', String(active));
		if (changed)
			pane.dispatchEvent(new CustomEvent('cbi-tab-active', { detail: { tab: name } }));
	}
	for (const tab of menuOf(group).children)
		tab.className = tab.getAttribute('data-tab') === name ? 'cbi-tab' : 'cbi-tab-disabled';
}

export function makeTabs({ env }) {
	const tabs = {
		/** Makes tabs of the panes among `panes`, siblings in one parent. */
		initTabGroup(panes) {
			const list = Array.from(panes || []).filter((pane) => pane.getAttribute && pane.getAttribute('data-tab'));
			if (!list.length || list[0].parentNode.getAttribute('data-initialized') === 'true')
				return;
			const group = list[0].parentNode;
			const menu = E('ul', { 'class': 'cbi-tabmenu' });
			for (const pane of list)
				menu.appendChild(E('li', { 'data-tab': pane.getAttribute('data-tab'), 'class': 'cbi-tab-disabled' }, [
					E('a', { 'href': '#', 'click': tabs.switchTab }, [pane.getAttribute('data-tab-title')])
				]));
			group.parentNode.insertBefore(menu, group);
			group.setAttribute('data-initialized', 'true');
			const marked = list.findIndex((pane) => pane.getAttribute('data-tab-active') === 'true');
			const last = tabs.getActiveTabId(list[0]);
			const index = marked >= 0 ? marked : last >= 0 && last < list.length ? last : 0;
			activate(group, list[index].getAttribute('data-tab'));
			tabs.updateTabs(null, group);
		},

		isEmptyPane(pane) {
			return dom.isEmpty(pane, (node) => node.classList.contains('cbi-tab-descr'));
		},

		/** Where a pane is in the page, to keep its state by. */
		getPathForPane(pane) {
			const path = [];
			for (let node = pane.parentNode; node && node.getAttribute && node !== document.body; node = node.parentNode)
				path.push(node.getAttribute('data-name') || node.id || `${node.nodeName.toLowerCase()}.${Array.from(node.parentNode ? node.parentNode.children : []).indexOf(node)}`);
			return `${env.requestpath.join('/')}:${path.reverse().join('/')}`;
		},

		getActiveTabState() {
			return kept();
		},

		getActiveTabId(pane) {
			const index = kept()[tabs.getPathForPane(pane)];
			return index === undefined ? -1 : index;
		},

		setActiveTabId(pane, tabIndex) {
			window.sessionStorage.setItem(KEPT, JSON.stringify(Object.assign(kept(), { [tabs.getPathForPane(pane)]: tabIndex })));
			return true;
		},

		/** Marks tabs with faults inside, and hides those of empty panes. */
		updateTabs(ev, root) {
			for (const pane of (root || document).querySelectorAll('[data-tab-title]')) {
				const menu = pane.parentNode && menuOf(pane.parentNode);
				const tab = menu && Array.from(menu.children).find((one) => one.getAttribute('data-tab') === pane.getAttribute('data-tab'));
				if (!tab)
					continue;
				const faults = pane.querySelectorAll('.cbi-input-invalid').length;
				tab.style.display = tabs.isEmptyPane(pane) ? 'none' : '';
				tab.toggleAttribute('data-errors', faults > 0);
				if (faults)
					tab.setAttribute('data-errors', faults);
			}
		},

		switchTab(ev) {
			ev.preventDefault();
			const tab = ev.target.closest('li');
			const group = tab.parentNode.nextElementSibling;
			const name = tab.getAttribute('data-tab');
			activate(group, name);
			const list = panesOf(group);
			tabs.setActiveTabId(list[0], list.findIndex((pane) => pane.getAttribute('data-tab') === name));
		}
	};
	document.addEventListener('dependency-update', (ev) => tabs.updateTabs(ev));
	document.addEventListener('validation-failure', (ev) => tabs.updateTabs(ev));
	document.addEventListener('validation-success', (ev) => tabs.updateTabs(ev));
	return tabs;
}
