/** The theme's part of a page: header with menu, tabs of the third level, and the stand-in's own switches. */
import { dom, E } from './dom.js';

function childrenOf(node) {
	return Object.values(node && node.children || {}).sort((a, b) => a.order - b.order);
}

function link(told, path) {
	return `${told.scriptname}/${path}`;
}

/** Sections with their pages; a section opens by pointer, by focus, and by touch. */
function drawMenu(told, _) {
	const bar = document.getElementById('topmenu');
	for (const section of childrenOf(told.menu && told.menu.children && told.menu.children.admin)) {
		const pages = childrenOf(section);
		const label = E('button', { 'type': 'button', 'class': 'menu', 'aria-haspopup': 'true', 'aria-expanded': 'false', 'click': (ev) => {
			const open = ev.currentTarget.parentNode.classList.toggle('open');
			ev.currentTarget.setAttribute('aria-expanded', String(open));
		} }, [_(section.title)]);
		bar.appendChild(E('li', { 'class': 'dropdown' }, [
			label,
			E('ul', { 'class': 'dropdown-menu' }, pages.map((page) => E('li', {}, [E('a', { 'href': link(told, page.path) }, [_(page.title)])])))
		]));
	}
}

/** Tabs of what lies beside the page that is open. */
function drawTabs(told, _) {
	const [first, second, third, fourth] = told.requestpath;
	const path = [first, second, third];
	const node = path.reduce((at, name) => at && at.children && at.children[name], told.menu);
	const bar = document.getElementById('tabmenu');
	if (!node || !node.children)
		return;
	bar.appendChild(E('ul', { 'class': 'tabs' }, childrenOf(node).map((page) => {
		const active = page.path === `${path.join('/')}/${fourth}`;
		return E('li', { 'class': `tabmenu-item-${page.path.split('/').pop()}${active ? ' active' : ''}` }, [
			E('a', { 'href': link(told, page.path), 'aria-current': active ? 'page' : null }, [_(page.title)])
		]);
	})));
	bar.style.display = '';
}

/** Links that change login, language or theme and stay on the page. */
function drawSwitches(told) {
	const group = (label, key, values, now) => E('nav', { 'aria-label': label }, [
		E('span', {}, [`${label}: `]),
		...values.flatMap((value) => [E('a', { 'href': `?${key}=${encodeURIComponent(value)}`, 'aria-current': value === now ? 'true' : null }, [value]), ' '])
	]);
	dom.content(document.getElementById('switches'), [
		E('p', {}, ['This is no router: a stand-in for LuCI that shows the same pages over a node on this computer.']),
		group('Login', 'as', told.logins, told.login),
		group('Language', 'lang', told.languages, told.lang),
		group('Theme', 'theme', ['auto', 'light', 'dark'], told.theme)
	]);
}

/** Follows the system's choice where the theme is `auto`, as LuCI's own theme does. */
function followSystem(told) {
	if (told.theme !== 'auto')
		return;
	window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (ev) => {
		document.documentElement.setAttribute('data-darkmode', String(ev.matches));
	});
}

export function drawTheme(told, _) {
	document.title = `${_(told.nodespec.title)} - Stand-in for LuCI`;
	document.body.className = `lang_${told.lang} ${told.nodespec.title}`.trim();
	document.body.setAttribute('data-page', told.requestpath.join('-'));
	drawMenu(told, _);
	drawTabs(told, _);
	drawSwitches(told);
	followSystem(told);
}
