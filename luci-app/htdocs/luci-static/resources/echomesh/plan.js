'use strict';
'require baseclass';

/*
 * Time windows as the settings have them ({days, start, end, maxMbps}; an end that is not after the start is on the next day), and as
 * a plan to be painted: {cells, exact}. `cells` are the hours of a week from Monday 0:00 on: null = closed, 0 = open, else open with
 * at most so many Mbps. `exact` are the windows that do not fall on whole hours. Pure.
 */
const DAYS = [ 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun' ];
const DAY = 24;
const WEEK = 7 * DAY;

/* Minutes after midnight of HH:MM; null where it is none. */
function minutes(text) {
	const parts = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text || '');

	return parts ? parts[1] * 60 + +parts[2] : null;
}

/* HH:00 of an hour of any day. */
function clock(hour) {
	return ('0' + hour % DAY).slice(-2) + ':00';
}

/* Minutes that a window is open; 24 hours where start and end are the same. */
function length(one) {
	const span = (minutes(one.end) - minutes(one.start) + 1440) % 1440;

	return span === 0 ? 1440 : span;
}

/* The days a window starts on, as numbers from Monday = 0. */
function days(one) {
	const named = DAYS.map((day, i) => (one.days || []).includes(day) ? i : -1).filter(i => i >= 0);

	return named.length ? named : DAYS.map((day, i) => i);
}

/* Where two windows are open the lowest rate holds. */
function lowest(a, b) {
	return a == null ? b : b == null ? a : a === 0 ? b : b === 0 ? a : Math.min(a, b);
}

function windowOf(hour, hours, rate) {
	return { days: [ DAYS[Math.floor(hour / DAY) % 7] ], start: clock(hour), end: clock(hour + hours), maxMbps: rate || null };
}

/* The stretches of hours that have the same value, across Sunday's midnight, too: [first hour, hours, value]. */
function stretches(cells) {
	const edges = cells.map((value, i) => i).filter(i => cells[i] !== cells[(i + WEEK - 1) % WEEK]);

	return edges.map((first, i) => [ first, ((edges[(i + 1) % edges.length] - first + WEEK - 1) % WEEK) + 1, cells[first] ]);
}

/* Windows of a stretch; one longer than a day is cut at midnight, as people would write it. */
function cut(first, hours, rate) {
	if (hours <= DAY)
		return [ windowOf(first, hours, rate) ];

	const out = [];

	for (let at = first, left = hours; left > 0;) {
		const piece = Math.min(left, DAY - at % DAY);

		out.push(windowOf(at, piece, rate));
		at += piece;
		left -= piece;
	}

	return out;
}

/* Windows that differ by their days alone, as one each. */
function together(windows) {
	const found = new Map();

	windows.forEach(one => {
		const key = [ one.start, one.end, one.maxMbps ].join();
		const known = found.get(key);

		if (known)
			known.days = DAYS.filter(day => known.days.concat(one.days).includes(day));
		else
			found.set(key, one);
	});

	return Array.from(found.values());
}

/* A window in the one spelling that comparing needs. */
function spelled(one) {
	return JSON.stringify([ days(one), one.start, one.end, one.maxMbps || null ]);
}

return baseclass.extend({
	DAYS: DAYS,
	minutes: minutes,
	days: days,

	/* The plan of windows. No window at all is open at any time. */
	read(windows) {
		const cells = new Array(WEEK).fill(windows.length ? null : 0);
		const exact = [];

		windows.forEach(one => {
			if (minutes(one.start) % 60 || minutes(one.end) % 60) {
				exact.push(one);
				return;
			}

			days(one).forEach(day => {
				const first = day * DAY + minutes(one.start) / 60;

				for (let i = 0; i < length(one) / 60; i++)
					cells[(first + i) % WEEK] = lowest(cells[(first + i) % WEEK], one.maxMbps || 0);
			});
		});

		return { cells: cells, exact: exact };
	},

	/* The windows of a plan, of which the first `painted` are the painted ones: {windows, painted}. null = nothing is open: no window would mean the contrary. */
	write(plan) {
		const same = plan.cells.every(value => value === plan.cells[0]);
		let painted;

		if (same && plan.cells[0] == null) {
			if (!plan.exact.length)
				return null;

			painted = [];
		} else if (same) {
			const always = Object.assign(windowOf(0, DAY, plan.cells[0]), { days: DAYS.slice() });

			painted = plan.exact.length || plan.cells[0] ? [ always ] : [];
		} else {
			const open = stretches(plan.cells).filter(one => one[2] != null);

			painted = together([].concat(...open.map(one => cut(...one))));
		}

		return { windows: painted.concat(plan.exact), painted: painted.length };
	},

	/* What the exact windows do to each hour: {minutes: of it that are open, rate: the lowest} or null. */
	cover(exact) {
		const open = new Array(WEEK * 60).fill(null);

		exact.forEach(one => {
			if (minutes(one.start) == null || minutes(one.end) == null)
				return;

			days(one).forEach(day => {
				const first = day * 1440 + minutes(one.start);

				for (let i = 0; i < length(one); i++)
					open[(first + i) % open.length] = lowest(open[(first + i) % open.length], one.maxMbps || 0);
			});
		});

		return Array.from({ length: WEEK }, (none, hour) => {
			const within = open.slice(hour * 60, hour * 60 + 60).filter(value => value != null);

			return within.length ? { minutes: within.length, rate: within.reduce(lowest) } : null;
		});
	},

	/* How many minutes of a week are open. */
	openMinutes(plan) {
		const cover = this.cover(plan.exact);

		return plan.cells.reduce((sum, value, i) => sum + (value != null ? 60 : cover[i] ? cover[i].minutes : 0), 0);
	},

	/* Whether two lists of windows say the same; exact ones must be the same windows. */
	same(a, b) {
		const one = this.read(a), other = this.read(b);
		const exact = plan => plan.exact.map(spelled).sort().join();

		return one.cells.every((value, i) => value === other.cells[i]) && exact(one) === exact(other);
	}
});
