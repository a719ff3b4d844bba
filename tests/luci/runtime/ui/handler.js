/** Event handlers that show that they are at work, and fields that are checked. */

export const handler = {
	/**
	 * A listener that calls `fn` (a function, or the name of a method of `ctx`) with `args` and the event. Until its promise ends the
	 * element is disabled and turns.
	 */
	createHandlerFn(ctx, fn, ...args) {
		const called = typeof fn === 'string' ? ctx[fn] : fn;
		if (typeof called !== 'function')
			return null;
		return (...event) => {
			const at = event.find((one) => one instanceof Event);
			const element = at && at.currentTarget;
			if (element && element.nodeType) {
				element.classList.add('spinning');
				element.disabled = true;
				if (element.blur)
					element.blur();
			}
			return Promise.resolve(called.call(ctx, ...args, ...event)).catch((e) => {
				/* What was told on the page already is no error of the page. */
				if (!e || !e.reported)
					throw e;
			}).finally(() => {
				if (element && element.nodeType) {
					element.classList.remove('spinning');
					element.disabled = false;
				}
			});
		};
	}
};
