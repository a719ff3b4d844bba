'use strict';
'require baseclass';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

/* A daemon that has much to do may miss a call or two: that is worth a word only when it lasts. */
const MISSES = 3;

/*
 * The frame of a page that lives on a feed: its title, what stands in the way, and the contents once there is something to show.
 */
return baseclass.extend({
	/*
	 * A frame around the nodes of `contents`. told(news), with what a feed tells, gives the answer where it can be shown, else null:
	 * then the frame says why. What was shown before stays while the router does not answer.
	 */
	make(title, text, contents) {
		widgets.style();

		const before = E('div', { 'class': 'em-before' }, [ E('p', { 'class': 'spinning' }, [ _('Asking the router…') ]) ]);
		const body = E('div', { 'class': 'hidden' }, contents);
		const node = E('div', { 'class': 'cbi-map em' }, [
			E('h2', {}, [ title ]), E('div', { 'class': 'cbi-map-descr' }, [ text ]), before, body
		]);
		let said = null, misses = 0;

		/* What is said stays as it is until something else is to be said: it is read out once. */
		function say(key, make) {
			if (said === key)
				return;

			said = key;
			before.replaceChildren();

			if (key)
				before.appendChild(make());
		}

		node.told = news => {
			if (news.error) {
				say('error ' + news.error.message + news.retrySec, () => widgets.notice('bad', _('The router does not answer'), [
					E('p', {}, [ news.error.message ]),
					E('p', {}, [ _('What you see may be out of date. The next try is in %s.').format(words.span(news.retrySec)) ])
				]));

				return null;
			}

			misses = news.answer.error && news.answer.error.reason === 'no-answer' ? misses + 1 : 0;

			if (misses && misses < MISSES)
				return null;

			const obstacle = widgets.obstacle(news.answer);
			const refused = !obstacle && news.answer.error;

			if (obstacle)
				say(obstacle.textContent, () => obstacle);
			else if (refused)
				say('refused ' + refused.message, () => widgets.notice('warn', _('The node does not tell'), [ E('p', {}, [ refused.message ]) ]));
			else
				say('', null);

			if (!refused)
				widgets.show(body, !obstacle);

			return obstacle || refused ? null : news.answer;
		};

		return node;
	}
});
