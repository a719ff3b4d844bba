'use strict';
'require baseclass';
'require ui';
'require echomesh.words as words';

/*
 * What every page is put together from. Pages are drawn once; afterwards only what changed is written, so that focus, selection
 * and an open list survive the poll. Text from outside goes in as text nodes only.
 */
return baseclass.extend({
	/* Loads the pages' style sheet, once. Gives a promise: a view that waits for it in load() is never seen without. */
	style() {
		if (!this.styled)
			this.styled = new Promise(done => document.head.appendChild(E('link', { 'id': 'echomesh-style', 'rel': 'stylesheet',
				'href': L.resource('echomesh/echomesh.css'), 'load': done, 'error': done })));

		return this.styled;
	},

	/* Whether this login may change anything. */
	mayChange() {
		return L.hasViewPermission() === true;
	},

	/* Writes `text` into `node` if it is not there already. Gives the node. */
	text(node, text) {
		const wanted = text == null ? '' : String(text);

		if (node.textContent !== wanted)
			node.textContent = wanted;

		return node;
	},

	/* Shows a node, or hides it. Gives the node. */
	show(node, visible) {
		node.classList.toggle('hidden', !visible);
		return node;
	},

	/* A state: symbol and word in the colour of its tone. set(tone, word) changes it. */
	badge(tone, word) {
		const symbol = E('span', { 'class': 'em-symbol', 'aria-hidden': 'true' });
		const label = E('span');
		const node = E('span', { 'class': 'em-badge' }, [ symbol, label ]);

		node.set = (tone, word) => {
			node.dataset.tone = tone;
			this.text(symbol, words.symbol(tone));
			this.text(label, word);
		};
		node.set(tone || 'info', word);

		return node;
	},

	/* A message that stays: what is the case, and what to do. Tones as those of words.symbol. */
	notice(tone, title, children) {
		const kind = { good: 'success', warn: 'warning', bad: 'danger', info: 'notice', idle: 'notice' }[tone] || 'notice';

		return E('div', { 'class': 'alert-message ' + kind + ' em-notice', 'role': tone === 'bad' ? 'alert' : 'status' }, [
			E('h4', {}, [ E('span', { 'class': 'em-symbol', 'aria-hidden': 'true' }, [ words.symbol(tone) ]), title ])
		].concat(children || []));
	},

	/* A button; `tone` as LuCI's cbi-button-TONE. While `fn`'s promise runs it turns, and its failure is told. */
	button(tone, label, fn, attrs) {
		return E('button', Object.assign({
			'type': 'button',
			'class': 'btn cbi-button cbi-button-' + tone,
			'click': ui.createHandlerFn(this, ev => Promise.resolve().then(() => fn(ev)).catch(error => this.failed(error)))
		}, attrs), [ label ]);
	},

	/* A field under its label. */
	field(label, input) {
		return E('label', { 'class': 'em-field' }, [ E('span', {}, [ label ]), input ]);
	},

	/* Tells that something was not done, and why. */
	failed(error) {
		ui.addNotification(_('That was not done'), E('p', {}, [ error.message || String(error) ]), 'danger');
	},

	/* Tells in passing that something was done. Not every LuCI has a notification that goes by itself. */
	done(text) {
		const said = ui.addNotification(null, E('p', {}, [ text ]), 'success');

		window.setTimeout(() => said.remove(), 4000);
	},

	/*
	 * Asks before something that cannot be undone. Gives a promise of true or false. With `typed`, the button works only once that
	 * word was typed; `tone` is the button's, where it destroys nothing.
	 */
	confirm(title, children, label, typed, tone) {
		return new Promise(answered => {
			const end = said => {
				ui.hideModal();
				answered(said);
			};
			const yes = E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-%s important'.format(tone || 'negative'), 'click': () => end(true) }, [ label ]);
			const rows = [].concat(children);

			if (typed) {
				const field = E('input', { 'type': 'text', 'class': 'cbi-input-text', 'id': 'em-typed', 'autocomplete': 'off', 'autocapitalize': 'off',
					'input': () => { yes.disabled = field.value.trim() !== typed; } });

				yes.disabled = true;
				rows.push(E('p', {}, [ E('label', { 'for': 'em-typed' }, [ _('Type %s to confirm:').format(typed) ]), ' ', field ]));
			}

			ui.showModal(title, rows.concat([
				E('div', { 'class': 'right' }, [
					E('button', { 'type': 'button', 'class': 'btn cbi-button', 'click': () => end(false) }, [ _('Cancel') ]), ' ', yes
				])
			]));
		});
	},

	/*
	 * Keeps the children of `parent` in step with `items`: a node for each, made by make(item) and updated by its set(item), in
	 * their order. `key` gives what an item is known by. What stays keeps its node, and so its focus.
	 */
	list(parent, items, key, make) {
		const known = parent.emNodes || new Map();
		const next = new Map(items.map(item => [ key(item), item ]));
		const focus = document.activeElement;

		/* What is gone goes first: then what stays need not be moved up. */
		known.forEach((node, id) => {
			if (!next.has(id))
				node.remove();
		});

		items.forEach((item, index) => {
			const id = key(item);
			const node = known.get(id) || make(item);

			node.set(item);
			next.set(id, node);

			if (parent.children[index] !== node)
				parent.insertBefore(node, parent.children[index] || null);
		});
		parent.emNodes = next;

		/* What was moved lost the focus. */
		if (focus !== document.activeElement && parent.contains(focus))
			focus.focus({ preventScroll: true });

		return parent;
	},

	/* Hands a text to the browser as a file. */
	download(name, type, text) {
		const url = URL.createObjectURL(new Blob([ text ], { type: type }));
		const link = E('a', { 'href': url, 'download': name, 'style': 'display:none' });

		document.body.appendChild(link);
		link.click();
		link.remove();
		window.setTimeout(() => URL.revokeObjectURL(url), 60000);
	},

	/*
	 * What stands in the way of a page that needs the daemon: a notice with the one thing to do, or null. `answer` is of `status`,
	 * or of any method.
	 */
	obstacle(answer) {
		const wizard = L.url('admin/services/echomesh/wizard');
		const overview = L.url('admin/services/echomesh/overview');

		if (answer.running === false)
			return this.notice('idle', _('The EchoMesh daemon does not run'), [
				E('p', {}, [ _('Your router does nothing for others now. What needs the daemon cannot be shown.') ]),
				this.mayChange() ? E('p', {}, [ E('a', { 'class': 'btn cbi-button cbi-button-action', 'href': wizard }, [ _('Set it up') ]) ]) : ''
			]);

		const status = answer.status || answer;

		if (status.state === 'locked' || (answer.error && answer.error.reason === 'locked'))
			return this.notice('warn', _('The keys are locked'), [
				E('p', {}, [ _('They are sealed with a passphrase. Until it is given, the node serves nobody.') ]),
				this.mayChange() ? E('p', {}, [ E('a', { 'class': 'btn cbi-button cbi-button-action', 'href': overview }, [ _('Unlock') ]) ]) : ''
			]);

		return null;
	}
});
