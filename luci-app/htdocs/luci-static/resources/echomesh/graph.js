'use strict';
'require baseclass';
'require echomesh.series as series';
'require echomesh.words as words';

const SVG = 'http://www.w3.org/2000/svg';
/* Inner heights of the two drawings, in their own units; both are as wide as there are seconds. */
const RATE_HIGH = 100, DELAY_HIGH = 40;
/* The p95 from which on the daemon raises an alert, in ms. */
const DELAY_LIMIT = 250;
/* The axis ends here at least, in bit/s: an idle line must not look like a busy one. */
const LEAST_RATE = 100000;
/* Seconds that Page Up and Page Down move the cursor by. */
const PAGE = 30;
/* Seconds in a row of the table. */
const ROW = 30;

function svg(tag, attrs) {
	const node = document.createElementNS(SVG, tag);

	Object.keys(attrs).forEach(name => node.setAttribute(name, attrs[name]));

	return node;
}

/* The next of 1, 2, 5, 10, 20 … that is not below `n`. */
function round(n) {
	const power = Math.pow(10, Math.floor(Math.log10(n)));

	return [ 1, 2, 5, 10 ].map(step => step * power).find(end => end >= n);
}

/* A line through `list`, closed below the drawing where it begins and ends, so that it can be filled; unknown seconds are left out. */
function line(list, most) {
	let path = '', open = false;

	list.forEach((n, x) => {
		if (n == null) {
			path += open ? 'V' + (RATE_HIGH + 5) : '';
			open = false;
			return;
		}

		const y = Math.round((RATE_HIGH - n / most * RATE_HIGH) * 10) / 10;

		path += (open ? 'L' : 'M' + x + ' ' + (RATE_HIGH + 5) + 'L') + x + ' ' + y;
		open = true;
	});

	return path + (open ? 'V' + (RATE_HIGH + 5) : '');
}

/* An upright stroke for each second with a figure. */
function strokes(list, most) {
	let path = '';

	list.forEach((n, x) => {
		if (n != null)
			path += 'M' + (x + 0.5) + ' ' + DELAY_HIGH + 'V' + Math.round((DELAY_HIGH - n / most * DELAY_HIGH) * 10) / 10;
	});

	return path;
}

/* A sample of how a line is drawn, for the legend. */
function sample(kind) {
	const node = svg('svg', { 'class': 'em-graph-sample', viewBox: '0 0 24 12', 'aria-hidden': 'true' });

	node.appendChild(svg('path', { 'class': 'em-graph-' + kind, d: kind === 'delay' ? 'M4 12V6M12 12V2M20 12V5' : 'M-2 15L-2 5L26 5L26 15' }));

	return node;
}

/* A drawing with its axis: {node, paths by kind, scale(text)}. */
function plot(name, high, kinds, limit) {
	const drawing = svg('svg', { viewBox: '0 0 ' + (series.LENGTH - 1) + ' ' + high, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
	const most = E('span', { 'class': 'em-graph-most' });
	const paths = {};

	[ 0, high / 2 ].forEach(y => drawing.appendChild(svg('path', { 'class': 'em-graph-grid', d: 'M0 ' + y + 'H' + series.LENGTH })));

	if (limit)
		paths.limit = drawing.appendChild(svg('path', { 'class': 'em-graph-limit', d: '' }));

	kinds.forEach(kind => { paths[kind] = drawing.appendChild(svg('path', { 'class': 'em-graph-' + kind, d: '' })); });

	return { node: E('div', { 'class': 'em-graph-plot em-graph-plot-' + name }, [ drawing, most ]), paths: paths, most: most };
}

return baseclass.extend({
	/*
	 * Throughput in and out, and below it the p95 latency, over five minutes. set(store) draws what echomesh.series keeps. A
	 * second can be read by pointing at it, or with the arrow keys.
	 */
	make() {
		const rates = plot('rate', RATE_HIGH, [ 'in', 'out' ]);
		const delays = plot('delay', DELAY_HIGH, [ 'delay' ], true);
		const mark = E('div', { 'class': 'em-graph-mark hidden' });
		const read = E('p', { 'class': 'em-graph-read' });
		const cursor = E('div', {
			'class': 'em-graph-cursor', 'tabindex': '0', 'role': 'slider', 'aria-label': _('Read a second of the graph'),
			'aria-valuemin': String(1 - series.LENGTH), 'aria-valuemax': '0', 'aria-valuenow': '0', 'data-em': 'graph-cursor'
		}, [ mark ]);
		const summary = E('p', { 'class': 'em-visually-hidden', 'data-em': 'graph-summary' });
		const legend = {};
		const body = E('tbody');
		const table = E('details', { 'class': 'em-details', 'data-em': 'graph-table', 'toggle': () => rows() }, [
			E('summary', {}, [ _('The same as a table') ]),
			E('div', { 'class': 'em-scroll' }, [
				E('table', { 'class': 'table em-table' }, [
					E('thead', {}, [ E('tr', { 'class': 'tr table-titles' }, [ _('Until'), _('In, mean'), _('Out, mean'), _('p95, most'), _('Errors') ].map(title =>
						E('th', { 'class': 'th', 'scope': 'col' }, [ title ]))) ]),
					body
				])
			])
		]);

		const entry = (kind, name) => {
			const told = { now: E('strong'), more: E('span', { 'class': 'em-graph-more' }) };

			legend[kind] = told;

			return E('div', { 'class': 'em-graph-entry' }, [ sample(kind), E('span', {}, [ name ]), told.now, told.more ]);
		};

		/* What is drawn, and the Unix second the cursor is at, if it is anywhere; or the column the pointer is at. */
		let kept = null, at = null, column = null;

		function text(node, told) {
			if (node.textContent !== told)
				node.textContent = told;
		}

		/* The column that is read: 0 to 299, or null. */
		function where() {
			if (column != null)
				return column;

			return at == null || !kept ? null : Math.min(series.LENGTH - 1, Math.max(0, series.LENGTH - (kept.until - at)));
		}

		function told(x) {
			const moment = words.moment(new Date((kept.until - series.LENGTH + x) * 1000).toISOString());

			if (kept.bitsIn[x] == null)
				return _('%s: nothing is known').format(moment);

			return kept.p95[x] == null
				? _('%s: in %s, out %s, no latency measured').format(moment, words.rate(kept.bitsIn[x]), words.rate(kept.bitsOut[x]))
				: _('%s: in %s, out %s, p95 %s').format(moment, words.rate(kept.bitsIn[x]), words.rate(kept.bitsOut[x]), words.ms(kept.p95[x]));
		}

		function point() {
			const x = kept && kept.until != null ? where() : null;

			mark.classList.toggle('hidden', x == null);
			mark.style.left = x == null ? '0' : x / (series.LENGTH - 1) * 100 + '%';

			const now = kept && kept.until != null ? told(x == null ? series.LENGTH - 1 : x) : _('Nothing is known yet');

			text(read, x == null ? _('Point at the graph, or use the arrow keys on it, to read a second.') : now);
			cursor.setAttribute('aria-valuenow', String(x == null ? 0 : x - series.LENGTH + 1));
			cursor.setAttribute('aria-valuetext', now);
		}

		function pointed(ev) {
			const box = cursor.getBoundingClientRect();

			column = Math.round(Math.min(1, Math.max(0, (ev.clientX - box.left) / box.width)) * (series.LENGTH - 1));
			at = null;
			point();
		}

		function left() {
			column = null;
			point();
		}

		function pressed(ev) {
			if (!kept || kept.until == null)
				return;

			const x = where() == null ? series.LENGTH - 1 : where();
			const next = {
				ArrowLeft: x - 1, ArrowDown: x - 1, ArrowRight: x + 1, ArrowUp: x + 1, PageDown: x - PAGE, PageUp: x + PAGE,
				Home: 0, End: series.LENGTH - 1
			}[ev.key];

			if (ev.key === 'Escape')
				at = null;
			else if (next == null)
				return;
			else
				at = kept.until - series.LENGTH + Math.min(series.LENGTH - 1, Math.max(0, next));

			column = null;
			ev.preventDefault();
			point();
		}

		/* The rows of the table, where it is open. */
		function rows() {
			if (!table.open || !kept || kept.until == null)
				return;

			const made = [];

			for (let end = series.LENGTH; end > 0; end -= ROW) {
				const of = name => kept[name].slice(end - ROW, end);
				const errors = of('errors').filter(n => n != null);
				const cells = [
					words.moment(new Date((kept.until - series.LENGTH + end) * 1000).toISOString()),
					words.rate(series.figures(of('bitsIn')).mean), words.rate(series.figures(of('bitsOut')).mean),
					words.ms(series.figures(of('p95')).most), errors.length ? words.number(errors.reduce((a, b) => a + b, 0)) : '–'
				];

				made.push(cells);
			}

			made.forEach((cells, y) => {
				const row = body.children[y] || body.appendChild(E('tr', { 'class': 'tr cbi-rowstyle-' + (y % 2 + 1) }, cells.map(() => E('td', { 'class': 'td' }))));

				cells.forEach((cell, x) => text(row.children[x], cell));
			});
		}

		cursor.addEventListener('pointermove', pointed);
		cursor.addEventListener('pointerdown', pointed);
		cursor.addEventListener('pointerleave', left);
		cursor.addEventListener('pointercancel', left);
		cursor.addEventListener('keydown', pressed);
		cursor.addEventListener('blur', () => {
			at = null;
			point();
		});

		const node = E('div', { 'class': 'em-graph', 'data-em': 'graph' }, [
			summary,
			E('div', { 'class': 'em-graph-legend' }, [ entry('in', _('In')), entry('out', _('Out')), entry('delay', _('Latency (p95)')) ]),
			E('div', { 'class': 'em-graph-plots' }, [ rates.node, delays.node, cursor ]),
			E('div', { 'class': 'em-graph-times', 'aria-hidden': 'true' }, [ 5, 4, 3, 2, 1 ].map(n => E('span', {}, [ _('−%d min').format(n) ])).concat(E('span', {}, [ _('now') ]))),
			read, table
		]);

		node.set = store => {
			const known = store.until != null;
			const of = { 'in': series.figures(store.bitsIn), 'out': series.figures(store.bitsOut), delay: series.figures(store.p95) };
			const rate = round(Math.max(LEAST_RATE, of['in'].most || 0, of.out.most || 0));
			const delay = round(Math.max(DELAY_LIMIT * 1.5, of.delay.most || 0));

			kept = store;
			rates.paths['in'].setAttribute('d', line(store.bitsIn, rate));
			rates.paths.out.setAttribute('d', line(store.bitsOut, rate));
			delays.paths.delay.setAttribute('d', strokes(store.p95, delay));
			delays.paths.limit.setAttribute('d', 'M0 ' + (DELAY_HIGH - DELAY_LIMIT / delay * DELAY_HIGH) + 'H' + series.LENGTH);
			text(rates.most, words.rate(rate));
			text(delays.most, words.ms(delay));

			[ 'in', 'out' ].forEach(kind => {
				text(legend[kind].now, words.rate(of[kind].last));
				text(legend[kind].more, _('at most %s, on average %s').format(words.rate(of[kind].most), words.rate(of[kind].mean)));
			});

			const latest = store.p95.filter(n => n != null).pop();

			text(legend.delay.now, words.ms(latest));
			text(legend.delay.more, latest == null ? _('none measured') : _('at most %s, on average %s').format(words.ms(of.delay.most), words.ms(of.delay.mean)));
			text(summary, !known ? _('Nothing is known yet') : latest == null
				? _('The last five minutes: in %s now and %s on average, out %s now and %s on average. No latency was measured.').format(
					words.rate(of['in'].last), words.rate(of['in'].mean), words.rate(of.out.last), words.rate(of.out.mean))
				: _('The last five minutes: in %s now and %s on average, out %s now and %s on average. The latency (p95) was %s at most and is %s now.').format(
					words.rate(of['in'].last), words.rate(of['in'].mean), words.rate(of.out.last), words.rate(of.out.mean), words.ms(of.delay.most), words.ms(latest)));
			point();
			rows();
		};

		return node;
	}
});
