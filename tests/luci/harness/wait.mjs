// Waiting: polls with a deadline, never a sleep of a length that somebody thought was enough.

/** Milliseconds for what has no promised time: a busy machine is slow. */
export const SOON = Number(process.env.PATIENCE) || 20_000;

/**
 * Polls `look` until it gives something true, and gives that. What it throws counts as "not yet", and is told when time is up.
 * @param {string} what said when it does not come
 * @param {() => any} look may be asynchronous
 * @param {{within?: number, every?: number}} [limits] milliseconds
 */
export async function until(what, look, { within = SOON, every = 20 } = {}) {
	const start = performance.now();
	let last;
	for (;;) {
		try {
			last = await look();
			if (last) return last;
		} catch (error) {
			last = error;
		}
		if (performance.now() - start > within) {
			const seen = last instanceof Error ? last.message : JSON.stringify(last);
			throw new Error(`within ${within} ms it did not come to this: ${what} (last seen: ${seen})`);
		}
		await new Promise(resolve => setTimeout(resolve, every));
	}
}

/** Milliseconds that `act` and then the coming true of `look` take together, at most `within`. */
export async function timed(what, within, act, look) {
	const start = performance.now();
	// What acts may be slow itself: looking begins with it.
	const acted = act();
	acted.catch(() => {});
	await until(what, look, { within, every: 5 });
	const took = performance.now() - start;
	await acted;
	return took;
}
