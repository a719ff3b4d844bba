'use strict';
'require baseclass';

/* A NodeID is the text `ed25519:` and 43 base64url characters. */
const HEAD = 'ed25519:';
const GROUP = 4;

/* The picture: so many rows, and so many columns of which the right half mirrors the left. */
const ROWS = 9;
const COLUMNS = 9;

function bytes(id) {
	const text = id.slice(HEAD.length).replace(/-/g, '+').replace(/_/g, '/');

	try {
		return Array.from(window.atob(text), c => c.charCodeAt(0));
	}
	catch (e) {
		return [];
	}
}

function svg(name, attrs) {
	const node = document.createElementNS('http://www.w3.org/2000/svg', name);

	Object.keys(attrs).forEach(key => node.setAttribute(key, attrs[key]));

	return node;
}

/* NodeIDs as people read, compare and copy them. */
return baseclass.extend({
	/* Its beginning and end, for where there is no room for all of it. */
	brief(id) {
		const key = String(id).slice(HEAD.length);

		return key.length > 12 ? key.slice(0, 6) + '…' + key.slice(-6) : String(id);
	},

	/* The whole of it, in groups that are easy to compare; what is copied has no gaps. set(id) changes it. */
	whole() {
		const node = E('code', { 'class': 'em-key', 'data-em': 'node-id' });

		node.set = id => {
			if (node.emId === id)
				return;

			node.emId = id;
			node.textContent = '';
			node.appendChild(E('span', { 'class': 'em-key-head' }, [ HEAD ]));

			for (let rest = String(id).slice(HEAD.length); rest; rest = rest.slice(GROUP))
				node.appendChild(E('span', { 'class': 'em-key-group' }, [ rest.slice(0, GROUP) ]));
		};

		return node;
	},

	/*
	 * A picture of it: two that differ in one character differ in the picture, so that a glance tells routers apart. It is drawn
	 * from the key itself, mirrored, in the colour of the text. set(id) changes it.
	 */
	picture() {
		const node = svg('svg', { 'class': 'em-key-picture', 'viewBox': '0 0 %d %d'.format(COLUMNS, ROWS), 'width': 112, 'height': 112, 'role': 'img', 'focusable': 'false' });

		node.set = id => {
			if (node.emId === id)
				return;

			node.emId = id;
			node.textContent = '';
			node.setAttribute('aria-label', _('Picture of the NodeID %s').format(this.brief(id)));

			/* Each byte goes into the whole picture: a little mixing, no cryptography. */
			let mixed = 2166136261;
			const key = bytes(id);
			const half = Math.ceil(COLUMNS / 2);

			key.forEach(byte => { mixed = Math.imul(mixed ^ byte, 16777619) >>> 0; });

			for (let cell = 0; cell < ROWS * half; cell++) {
				mixed = Math.imul(mixed ^ (key[cell % key.length] || cell), 16777619) >>> 0;

				if (!(mixed >>> 16 & 1))
					continue;

				const x = cell % half, y = Math.floor(cell / half);

				node.appendChild(svg('rect', { x: x, y: y, width: 1.02, height: 1.02 }));

				if (COLUMNS - 1 - x !== x)
					node.appendChild(svg('rect', { x: COLUMNS - 1 - x, y: y, width: 1.02, height: 1.02 }));
			}
		};

		return node;
	},

	/* Puts a text into the clipboard, also where the page came without TLS. Gives a promise. */
	copy(text) {
		if (navigator.clipboard && window.isSecureContext)
			return navigator.clipboard.writeText(text);

		const field = E('textarea', { 'style': 'position:fixed;opacity:0', 'readonly': '' });
		const before = document.activeElement;

		field.value = text;
		document.body.appendChild(field);
		field.select();

		const done = document.execCommand('copy');

		field.remove();

		if (before)
			before.focus();

		return done ? Promise.resolve() : Promise.reject(new Error(_('The browser did not copy it. Mark it and copy it by hand.')));
	}
});
