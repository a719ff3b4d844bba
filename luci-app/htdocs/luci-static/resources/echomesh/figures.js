'use strict';
'require baseclass';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/* Figures: on tiles, and as bars. */
return baseclass.extend({
	/* A figure under its title, with a line of explanation. set({value, hint, tone, used}) changes it; `used` (0 to 1) draws a bar. */
	tile(title, attrs) {
		const value = E('div', { 'class': 'em-tile-value' });
		const hint = E('div', { 'class': 'em-tile-hint' });
		const bar = this.bar();
		const symbol = E('span', { 'class': 'em-symbol', 'aria-hidden': 'true' });
		const node = E('div', Object.assign({ 'class': 'em-tile', 'role': 'group', 'aria-label': title }, attrs), [
			E('div', { 'class': 'em-tile-title' }, [ symbol, E('span', {}, [ title ]) ]), value, bar, hint
		]);

		node.set = told => {
			node.dataset.tone = told.tone || '';
			widgets.text(symbol, told.tone ? words.symbol(told.tone) : '');
			widgets.text(value, told.value);
			widgets.text(hint, told.hint);
			widgets.show(bar, told.used != null);
			bar.set(told.used || 0);
		};

		return node;
	},

	/* How much of something is used up. set(share, text) with 0 to 1; the text says it to those who do not see. */
	bar() {
		const fill = E('div', { 'class': 'em-bar-fill' });
		const node = E('div', { 'class': 'em-bar', 'role': 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-label': _('Used') }, [ fill ]);

		node.set = (share, text) => {
			const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);

			node.setAttribute('aria-valuenow', String(percent));
			node.dataset.tone = percent >= 100 ? 'bad' : percent >= 80 ? 'warn' : 'good';
			fill.style.width = percent + '%';

			if (text)
				node.setAttribute('aria-valuetext', text);
		};

		return node;
	}
});
