/**
 * LuCI's `poll`: one tick a second; a function runs when the tick is a multiple of its interval and its last promise has ended.
 */

/** @param {function(): {pollinterval: number}} env */
export function makePoll(env) {
	const queue = [];
	let tick = null;
	let timer = null;
	const poll = {
		/** @param {number} [interval] seconds; false where the function is already there */
		add(fn, interval) {
			if (typeof fn !== 'function')
				throw new TypeError('poll.add: a function is needed');
			if (queue.some((entry) => entry.fn === fn))
				return false;
			queue.push({ fn, ready: true, interval: (interval > 0 ? interval : env().pollinterval) >>> 0 || 1 });
			if (tick !== null && !poll.active())
				poll.start();
			return true;
		},

		remove(fn) {
			const at = queue.findIndex((entry) => entry.fn === fn);
			if (at < 0)
				return false;
			queue.splice(at, 1);
			if (!queue.length)
				poll.stop();
			return true;
		},

		start() {
			if (poll.active())
				return false;
			tick = 0;
			if (queue.length) {
				timer = window.setInterval(poll.step, 1000);
				poll.step();
				document.dispatchEvent(new CustomEvent('poll-start'));
			}
			return true;
		},

		stop() {
			if (!poll.active())
				return false;
			document.dispatchEvent(new CustomEvent('poll-stop'));
			window.clearInterval(timer);
			timer = null;
			tick = null;
			return true;
		},

		step() {
			for (const entry of queue.slice()) {
				if (tick % entry.interval !== 0 || !entry.ready)
					continue;
				entry.ready = false;
				Promise.resolve(entry.fn()).finally(() => { entry.ready = true; });
			}
			tick = (tick + 1) >>> 0;
		},

		active() {
			return timer !== null;
		}
	};
	return poll;
}
