// The plan of the policy page: windows of the settings to hours of a week, and back.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

const source = readFileSync(new URL('../../../luci-app/htdocs/luci-static/resources/echomesh/plan.js', import.meta.url), 'utf8');
const plan = new Function('baseclass', source)({ extend: members => members });

const ALL = plan.DAYS;
const window = (days, start, end, maxMbps = null) => ({ days, start, end, maxMbps });
const closed = () => new Array(168).fill(null);

/** What holds in each minute of a week, by the rule of the settings alone: undefined = closed, 0 = open, else Mbps. */
function minutesOpen(windows) {
	const open = new Array(7 * 1440);

	for (const one of windows) {
		const [ from, to ] = [ one.start, one.end ].map(text => text.split(':').map(Number)).map(([ h, m ]) => h * 60 + m);
		const span = (to - from + 1440) % 1440 || 1440;

		for (const day of one.days.length ? one.days : ALL) {
			for (let i = 0; i < span; i++) {
				const at = (ALL.indexOf(day) * 1440 + from + i) % open.length;
				const rates = [ open[at], one.maxMbps || 0 ].filter(rate => rate > 0);

				open[at] = rates.length ? Math.min(...rates) : 0;
			}
		}
	}

	return windows.length ? open : open.fill(0);
}

/** Numbers from 0 to 1 that are the same in every run. */
function dice(seed) {
	return () => {
		seed = (seed * 1103515245 + 12345) % 2147483648;
		return seed / 2147483648;
	};
}

test('no window is any time, and any time is no window', () => {
	const read = plan.read([]);

	assert.deepEqual(read.cells, new Array(168).fill(0));
	assert.deepEqual(plan.write(read), { windows: [], painted: 0 });
	assert.equal(plan.openMinutes(read), 168 * 60);
});

test('nothing open cannot be written', () => {
	assert.equal(plan.write({ cells: closed(), exact: [] }), null);
});

test('nights come back as the one window they were', () => {
	for (const windows of [
		[ window(ALL, '23:00', '07:00') ],
		[ window([ 'Mon', 'Tue', 'Wed', 'Thu', 'Sun' ], '23:00', '07:00') ],
		[ window([ 'Mon', 'Tue', 'Wed', 'Thu', 'Fri' ], '09:00', '17:00') ],
		[ window([ 'Sun' ], '22:00', '06:00', 2.5) ],
		[ window(ALL, '00:00', '00:00', 5) ]
	])
		assert.deepEqual(plan.write(plan.read(windows)).windows, windows);
});

test('Sunday night reaches into Monday', () => {
	const { cells } = plan.read([ window([ 'Sun' ], '22:00', '06:00') ]);

	assert.equal(cells[6 * 24 + 22], 0);
	assert.equal(cells[0], 0);
	assert.equal(cells[5], 0);
	assert.equal(cells[6], null);
	assert.equal(cells.filter(value => value != null).length, 8);
});

test('a stretch of several days is cut at midnight', () => {
	const cells = closed();

	// Friday 18:00 to Monday 06:00
	for (let at = 4 * 24 + 18; at < 7 * 24 + 6; at++)
		cells[at % 168] = 0;

	assert.deepEqual(plan.write({ cells, exact: [] }).windows, [
		window([ 'Fri' ], '18:00', '00:00'), window([ 'Sat', 'Sun' ], '00:00', '00:00'), window([ 'Mon' ], '00:00', '06:00')
	]);
});

test('a rate of its own stays with its hours, the lowest where windows overlap', () => {
	const read = plan.read([ window([ 'Mon' ], '08:00', '12:00'), window([ 'Mon' ], '10:00', '14:00', 2), window([ 'Mon' ], '11:00', '12:00', 5) ]);

	assert.deepEqual(read.cells.slice(8, 14), [ 0, 0, 2, 2, 2, 2 ]);
	assert.deepEqual(plan.write(read).windows, [ window([ 'Mon' ], '08:00', '10:00'), window([ 'Mon' ], '10:00', '14:00', 2) ]);
});

test('windows beside whole hours are kept as they are', () => {
	const odd = window([ 'Sat' ], '22:30', '06:15', 3);
	const read = plan.read([ odd, window([ 'Mon' ], '01:00', '02:00') ]);
	const cover = plan.cover(read.exact);

	assert.deepEqual(read.exact, [ odd ]);
	assert.deepEqual(plan.write(read), { windows: [ window([ 'Mon' ], '01:00', '02:00'), odd ], painted: 1 });
	assert.deepEqual(cover[5 * 24 + 22], { minutes: 30, rate: 3 });
	assert.deepEqual(cover[5 * 24 + 23], { minutes: 60, rate: 3 });
	assert.deepEqual(cover[6 * 24 + 6], { minutes: 15, rate: 3 });
	assert.equal(cover[6 * 24 + 7], null);
	assert.equal(plan.openMinutes(read), 60 + 465);
});

test('any time but for a slower window to the minute needs a window for the rest', () => {
	const odd = window(ALL, '17:30', '22:00', 1);

	assert.deepEqual(plan.write({ cells: new Array(168).fill(0), exact: [ odd ] }).windows, [ window(ALL, '00:00', '00:00'), odd ]);
});

test('no days are every day, and other spellings of the same are the same', () => {
	assert.ok(plan.same([ window([], '23:00', '07:00') ], [ window(ALL, '23:00', '00:00'), window(ALL, '00:00', '07:00') ]));
	assert.ok(plan.same([ { days: [], start: '23:30', end: '07:00' } ], [ window(ALL, '23:30', '07:00') ]));
	assert.ok(!plan.same([ window(ALL, '23:30', '07:00') ], [ window(ALL, '23:30', '07:00', 4) ]));
	assert.ok(!plan.same([], [ window(ALL, '00:00', '00:00', 4) ]));
});

test('whatever is painted holds minute by minute, and is read as it was painted', () => {
	const roll = dice(7);

	for (let round = 0; round < 60; round++) {
		const cells = closed();
		let value = null;

		for (let at = 0; at < 168; at++) {
			if (roll() < 0.25)
				value = [ null, 0, 2, 4.5 ][Math.floor(roll() * 4)];

			cells[at] = value;
		}

		const exact = roll() < 0.3 ? [ window([ ALL[Math.floor(roll() * 7)] ], '22:30', '06:15', 1) ] : [];
		const written = plan.write({ cells, exact });
		const open = minutesOpen(written.windows);

		assert.deepEqual(plan.read(written.windows), { cells, exact }, `round ${round}`);

		cells.forEach((wanted, hour) => {
			const held = open.slice(hour * 60, hour * 60 + 60).map(rate => rate === undefined ? null : rate);

			if (!exact.length)
				assert.ok(held.every(rate => rate === wanted), `round ${round}, hour ${hour}`);
		});
	}
});

test('whatever windows there are, writing their plan changes nothing they say', () => {
	const roll = dice(23);
	const hour = () => `${Math.floor(roll() * 24)}`.padStart(2, '0') + (roll() < 0.2 ? ':30' : ':00');

	for (let round = 0; round < 60; round++) {
		const windows = Array.from({ length: 1 + Math.floor(roll() * 5) }, () =>
			window(ALL.filter(() => roll() < 0.4), hour(), hour(), roll() < 0.3 ? 1 + Math.floor(roll() * 9) : null));

		assert.deepEqual(minutesOpen(plan.write(plan.read(windows)).windows), minutesOpen(windows), JSON.stringify(windows));
	}
});
