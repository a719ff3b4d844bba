'use strict';
'require baseclass';
'require echomesh.fold as fold';
'require echomesh.series as series';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

const SVG = 'http://www.w3.org/2000/svg';
/* Inner heights of the two drawings, in their own units; both are as wide as there are seconds. */
const HIGH = 100, LOW = 40;
/* The p95 from which on the daemon raises an alert, in ms. */
const LIMIT = 250;
/* The axis ends here at least, in bit/s: an idle line must not look like a busy one. */
const LEAST_RATE = 100000;
/* Seconds that Page Up and Page Down move the cursor by, and seconds in a row of the table. */
const STEP = 30;
const LAST = series.LENGTH - 1;

/* The next of 1, 2, 5, 10, 20 … that is not below `n`. */
function round(n) {
	const power = Math.pow(10, Math.floor(Math.log10(n)));

	return [ 1, 2, 5, 10 ].map(step => step * power).find(end => end >= n);
}

/* How far down `n` is in a drawing of this height where `most` is at the top. */
function down(n, most, height) {
	return Math.round((1 - n / most) * height * 10) / 10;
}

/* A line through `list`, closed below the drawing, so that it can be filled; unknown seconds are left out. */
function line(list, most) {
	let path = '', open = false;

	list.forEach((n, x) => {
		if (n != null)
			path += (open ? 'L' : 'M' + x + ' ' + (HIGH + 5) + 'L') + x + ' ' + down(n, most, HIGH);
		else if (open)
			path += 'V' + (HIGH + 5);

		open = n != null;
	});

	return open ? path + 'V' + (HIGH + 5) : path;
}

/* An upright stroke for each second with a figure. */
function strokes(list, most) {
	return list.map((n, x) => (n == null ? '' : 'M' + x + ' ' + LOW + 'V' + down(n, most, LOW))).join('');
}

/* A drawing with its axis: {node, most, paths by kind}. */
function plot(height, kinds) {
	const svg = document.createElementNS(SVG, 'svg');
	const most = E('span', { 'class': 'em-graph-most', 'aria-hidden': 'true' });
	const paths = {};

	svg.setAttribute('viewBox', '0 0 ' + LAST + ' ' + height);
	svg.setAttribute('preserveAspectRatio', 'none');
	svg.setAttribute('aria-hidden', 'true');
	[ 'grid' ].concat(kinds).forEach(kind => {
		paths[kind] = svg.appendChild(document.createElementNS(SVG, 'path'));
		paths[kind].setAttribute('class', 'em-graph-' + kind);
	});
	paths.grid.setAttribute('d', 'M0 0H' + LAST + 'M0 ' + height / 2 + 'H' + LAST);

	return { node: E('div', { 'class': 'em-graph-plot' }, [ svg, most ]), most: most, paths: paths };
}

return baseclass.extend({
	/*
	 * Throughput in and out, and below it the p95 latency, over five minutes. set(store) draws what echomesh.series keeps. A
	 * second can be read by pointing at it, or with the arrow keys.
	 */
	make() {
		const rates = plot(HIGH, [ 'in', 'out' ]), delays = plot(LOW, [ 'limit', 'delay' ]);
		const mark = E('div', { 'class': 'em-graph-mark hidden' });
		const read = E('p', { 'class': 'em-graph-read', 'data-em': 'graph-read' });
		const cursor = E('div', {
			'class': 'em-graph-cursor', 'tabindex': '0', 'role': 'slider', 'aria-label': _('Read a second of the graph'),
			'aria-valuemin': String(-LAST), 'aria-valuemax': '0', 'aria-valuenow': '0', 'data-em': 'graph-cursor'
		}, [ mark ]);
		const summary = E('p', { 'class': 'em-visually-hidden', 'data-em': 'graph-summary' });
		const legend = {};
		const table = fold.make('graph-table', _('The same as a table'), [ _('Until'), _('In, mean'), _('Out, mean'), _('p95, most'), _('Errors') ], rows);

		/* What is drawn; the Unix second that the keys are at, and the column that the pointer is at, or null. */
		let kept = { until: null }, at = null, column = null;

		function clock(x) {
			return words.moment(new Date((kept.until - series.LENGTH + x) * 1000).toISOString());
		}

		/* The column that is read, or null. */
		function where() {
			return kept.until == null ? null : column != null ? column : at == null ? null : Math.min(LAST, Math.max(0, at - kept.until + series.LENGTH));
		}

		function told(x) {
			return kept.until == null ? _('Nothing is known yet.') : kept.bitsIn[x] == null ? _('%s: nothing is known').format(clock(x)) :
				(kept.p95[x] == null ? _('%s: in %s, out %s, no latency measured') : _('%s: in %s, out %s, latency (p95) %s'))
					.format(clock(x), words.rate(kept.bitsIn[x]), words.rate(kept.bitsOut[x]), words.ms(kept.p95[x]));
		}

		function point() {
			const x = where();

			mark.classList.toggle('hidden', x == null);
			mark.style.left = (x || 0) / LAST * 100 + '%';
			widgets.text(read, x == null ? _('Point at the graph, or use the arrow keys on it, to read a second.') : told(x));
			cursor.setAttribute('aria-valuenow', String(x == null ? 0 : x - LAST));
			cursor.setAttribute('aria-valuetext', told(x == null ? LAST : x));
		}

		function left() {
			column = at = null;
			point();
		}

		function pointed(ev) {
			const box = cursor.getBoundingClientRect();

			column = Math.round(Math.min(1, Math.max(0, (ev.clientX - box.left) / box.width)) * LAST);
			at = null;
			point();
		}

		function pressed(ev) {
			const x = where() == null ? LAST : where();
			const next = {
				ArrowLeft: x - 1, ArrowDown: x - 1, ArrowRight: x + 1, ArrowUp: x + 1, PageDown: x - STEP, PageUp: x + STEP, Home: 0, End: LAST, Escape: null
			}[ev.key];

			if (next === undefined || kept.until == null)
				return;

			ev.preventDefault();
			column = null;
			at = next == null ? null : kept.until - series.LENGTH + Math.min(LAST, Math.max(0, next));
			point();
		}

		/* Writes the table, where it is open. */
		function rows() {
			if (!table.open || kept.until == null)
				return;

			const made = [];

			for (let end = series.LENGTH; end > 0; end -= STEP) {
				const of = name => series.figures(kept[name].slice(end - STEP, end));

				made.push([ clock(end), words.rate(of('bitsIn').mean), words.rate(of('bitsOut').mean), words.ms(of('p95').most), words.number(of('errors').sum) ]);
			}

			table.set(made);
		}

		[ 'pointermove', 'pointerdown' ].forEach(name => cursor.addEventListener(name, pointed));
		[ 'pointerleave', 'pointercancel', 'blur' ].forEach(name => cursor.addEventListener(name, left));
		cursor.addEventListener('keydown', pressed);

		const node = E('div', { 'class': 'em-graph', 'data-em': 'graph' }, [
			summary,
			E('div', { 'class': 'em-graph-legend' }, [ [ 'in', _('In') ], [ 'out', _('Out') ], [ 'delay', _('Latency (p95)') ] ].map(kind => {
				const now = E('strong'), more = E('span', { 'class': 'em-graph-more' });

				legend[kind[0]] = { now: now, more: more };

				return E('div', { 'class': 'em-graph-entry' }, [ E('span', { 'class': 'em-graph-sample em-graph-sample-' + kind[0] }), E('span', {}, [ kind[1], ' ', now ]), more ]);
			})),
			E('div', { 'class': 'em-graph-plots' }, [ rates.node, delays.node, cursor ]),
			E('div', { 'class': 'em-graph-times', 'aria-hidden': 'true' }, [ 5, 4, 3, 2, 1 ].map(n => E('span', {}, [ _('−%d min').format(n) ])).concat(E('span', {}, [ _('now') ]))),
			read, table
		]);

		node.set = store => {
			const of = { in: series.figures(store.bitsIn), out: series.figures(store.bitsOut), delay: series.figures(store.p95) };
			const rate = round(Math.max(LEAST_RATE, of.in.most, of.out.most)), delay = round(Math.max(LIMIT * 1.5, of.delay.most));

			kept = store;
			rates.paths.in.setAttribute('d', line(store.bitsIn, rate));
			rates.paths.out.setAttribute('d', line(store.bitsOut, rate));
			delays.paths.delay.setAttribute('d', strokes(store.p95, delay));
			delays.paths.limit.setAttribute('d', 'M0 ' + down(LIMIT, delay, LOW) + 'H' + LAST);
			widgets.text(rates.most, words.rate(rate));
			widgets.text(delays.most, words.ms(delay));
			Object.keys(of).forEach(kind => {
				const say = kind === 'delay' ? words.ms : words.rate;

				widgets.text(legend[kind].now, say(of[kind].last));
				widgets.text(legend[kind].more, of[kind].last == null ? _('none measured') : _('at most %s, on average %s').format(say(of[kind].most), say(of[kind].mean)));
			});
			widgets.text(summary, _('The last five minutes: in %s now, %s at most, %s on average; out %s now, %s at most, %s on average; latency (p95) %s at most.').format(
				...[ of.in, of.out ].map(f => [ f.last, f.most, f.mean ].map(n => words.rate(n))).reduce((a, b) => a.concat(b)), words.ms(of.delay.most)));
			point();
			rows();
		};

		return node;
	}
});
