'use strict';
'require baseclass';
'require poll';

/* Seconds between two calls, and between two tries at most while they fail. */
const EVERY = 3;
const MOST = 60;

/*
 * The one poll of a page: a call every three seconds, none while the tab is hidden, ever fewer while calls fail.
 * The listener gets {answer} or {error, retrySec}.
 */
return baseclass.extend({
	/*
	 * Calls `ask` (a function that gives a promise) now and then every three seconds, and hands `listener` what came of it.
	 * Gives {now, stop}: now() asks at once, beside the rhythm, and gives a promise; stop() ends it.
	 */
	start(ask, listener) {
		let wait = EVERY, due = 0, running = null, stopped = false;

		function once() {
			if (running)
				return running;

			const asked = Date.now();

			running = Promise.resolve().then(ask).then(answer => {
				/* From question to question: an answer that takes its time must not cost the next turn. */
				wait = EVERY;
				due = asked + wait * 1000;
				return { answer: answer };
			}, error => {
				wait = Math.min(wait * 2, MOST);
				due = Date.now() + wait * 1000;
				return { error: error, retrySec: wait };
			}).then(news => {
				running = null;

				if (!stopped)
					listener(news);
			});

			return running;
		}

		function tick() {
			/* The poll's own clock and ours are not the same: half a second early is not early. */
			if (document.hidden || Date.now() + 500 < due)
				return Promise.resolve();

			return once();
		}

		function shown() {
			if (!document.hidden)
				tick();
		}

		document.addEventListener('visibilitychange', shown);
		poll.add(tick, EVERY);

		return {
			now() {
				/* What runs already may have been asked before what we want to see. */
				return running ? running.then(once) : once();
			},
			stop() {
				stopped = true;
				document.removeEventListener('visibilitychange', shown);
				poll.remove(tick);
			}
		};
	}
});
