'use strict';
'require baseclass';
'require echomesh.plan as plan';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

const HOURS = 24;

/* The days of the week in the reader's language, Monday first; 2024 began with one. */
function days(length) {
	const words = new Intl.DateTimeFormat(document.documentElement.lang || 'en', { weekday: length, timeZone: 'UTC' });

	return plan.DAYS.map((id, i) => words.format(Date.UTC(2024, 0, 1 + i)));
}

function slower(mbps) {
	return _('open, with at most %s').format(words.rate(mbps * 1e6));
}

/* A window in words. */
function inWords(one) {
	const on = plan.days(one), names = days('short'), last = on[on.length - 1];
	const when = on.length === 7 ? _('Every day')
		: on.length > 2 && last - on[0] === on.length - 1 ? '%s–%s'.format(names[on[0]], names[last]) : on.map(day => names[day]).join(', ');
	const end = one.end === '00:00' ? '24:00' : one.end;
	const times = (end <= one.start ? _('%s %s to %s on the next day') : _('%s %s to %s')).format(when, one.start, end);

	return one.maxMbps ? '%s, %s'.format(times, slower(one.maxMbps)) : times;
}

/* Hours of the rectangle between two of them. */
function between(a, b) {
	const within = (x, from, to) => x >= Math.min(from, to) && x <= Math.max(from, to);
	const day = i => Math.floor(i / HOURS);

	return Array.from({ length: 7 * HOURS }, (none, i) => i).filter(i => within(day(i), day(a), day(b)) && within(i % HOURS, a % HOURS, b % HOURS));
}

/*
 * The plan of a week: seven days by 24 hours to be painted, by mouse, touch and keyboard, and a list of the windows that do not
 * fall on whole hours. Without `changed` it is only shown.
 *
 * Gives a node with set(windows), get(), problem() → what is wrong or null (told in the node, too), focus(), and show(findings) for
 * what the daemon found: [{index of the window, message}].
 */
function editor(presets, changed) {
	const cells = [], buttons = [], names = days('long'), short = days('short');
	const summary = E('p', { 'aria-live': 'polite' });
	const spoken = E('ul');
	const problem = E('p', { 'class': 'em-problem', 'role': 'alert' });
	const exact = E('div');
	const slow = E('input', { 'type': 'radio', 'name': 'em-brush', 'id': 'em-brush-slow' });
	const rate = E('input', { 'type': 'number', 'class': 'cbi-input-text em-short', 'min': '0.1', 'max': '100000', 'step': 'any', 'value': '2',
		'aria-label': _('Rate to paint with, in Mbps'), 'input': () => { slow.checked = true; } });
	const grid = E('div', { 'class': 'em-plan', 'role': changed ? 'grid' : 'table', 'aria-label': _('Hours of the week') });
	/* `at` has the focus. A stroke is {from, to, value, before, pointer}: what is painted, and what was there before. */
	let week = plan.read([]), cover = [], at = 0, stroke = null;

	function drawCells() {
		cells.forEach((cell, i) => {
			const own = week.cells[i], other = cover[i];
			const part = own == null && other && other.minutes < 60;
			const mbps = [ own, other && other.rate ].filter(Boolean).sort((a, b) => a - b)[0];
			const is = part ? 'part' : own == null && !other ? 'closed' : mbps ? 'slow' : 'open';
			const label = _('%s %d to %d: %s').format(names[Math.floor(i / HOURS)], i % HOURS, i % HOURS + 1,
				part ? _('open for part of it') : is === 'closed' ? _('closed') : mbps ? slower(mbps) : _('open'));

			if (cell.title !== label) {
				cell.dataset.state = is;
				cell.title = label;
				cell.setAttribute('aria-label', label);
			}

			if (changed) {
				cell.setAttribute('aria-selected', String(is === 'open' || is === 'slow'));
				cell.tabIndex = i === at ? 0 : -1;
			}
		});
	}

	function draw() {
		const written = plan.write(week);
		const open = plan.openMinutes(week) / 60;

		cover = plan.cover(week.exact);
		drawCells();
		widgets.text(summary, open === 168 ? _('Open all 168 hours of the week.') : _('Open %s of 168 hours a week.').format(words.number(Math.round(open * 10) / 10)));
		spoken.replaceChildren(...(written ? written.windows : []).map(one => E('li', {}, [ inWords(one) ])));
		buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(!!written && plan.same(written.windows, presets[i].schedules))));
	}

	function touched() {
		draw();
		widgets.text(problem, '');
		changed();
	}

	/* Begins to paint at an hour. Painting over what is so already closes it. */
	function begin(i, pointer) {
		const mbps = parseFloat(rate.value);
		const brush = slow.checked && mbps >= 0.1 && mbps <= 100000 ? mbps : 0;

		stroke = { from: i, to: null, value: week.cells[i] === brush ? null : brush, before: week.cells, pointer: pointer };
	}

	function paint(to) {
		week.cells = stroke.before.slice();
		between(stroke.from, to).forEach(i => { week.cells[i] = stroke.value; });
		stroke.to = to;
		drawCells();
	}

	function key(ev) {
		const hour = at % HOURS;
		const to = {
			ArrowLeft: hour ? at - 1 : at, ArrowRight: hour < HOURS - 1 ? at + 1 : at,
			ArrowUp: at < HOURS ? at : at - HOURS, ArrowDown: at < 6 * HOURS ? at + HOURS : at,
			Home: at - hour, End: at - hour + HOURS - 1
		}[ev.key];

		if (to != null) {
			if (ev.shiftKey && !stroke)
				begin(at);

			at = to;

			if (ev.shiftKey) {
				paint(at);
				touched();
			} else {
				stroke = null;
				drawCells();
			}

			cells[at].focus();
		} else if (ev.key === ' ' || ev.key === 'Enter') {
			begin(at);
			paint(at);
			touched();
		} else {
			return;
		}

		ev.preventDefault();
	}

	function down(ev) {
		const i = cells.indexOf(ev.target);

		if (i < 0 || ev.button !== 0)
			return;

		at = i;
		begin(i, ev.pointerId);

		/* A finger may be about to scroll: it paints once it moves along a day, or is lifted. */
		if (ev.pointerType !== 'touch') {
			paint(i);
			cells[i].focus({ preventScroll: true });
			ev.preventDefault();
		}
	}

	function mine(ev) {
		return stroke && stroke.pointer != null && stroke.pointer === ev.pointerId;
	}

	function move(ev) {
		const i = mine(ev) ? cells.indexOf(document.elementFromPoint(ev.clientX, ev.clientY)) : -1;

		if (i >= 0 && i !== stroke.to && (stroke.to != null || i !== stroke.from))
			paint(i);
	}

	function up(ev) {
		if (!mine(ev))
			return;

		if (stroke.to == null)
			paint(stroke.from);

		stroke = null;
		touched();
	}

	function cancel(ev) {
		if (!mine(ev))
			return;

		week.cells = stroke.before;
		stroke = null;
		drawCells();
	}

	/* The fields of a window that does not fall on whole hours. */
	function exactRow(one, index) {
		const wrong = E('p', { 'class': 'em-problem', 'role': 'alert' });
		const field = (title, type, member, attrs) => E('label', {}, [ title, ' ', E('input', Object.assign({
			'type': type, 'class': 'cbi-input-text em-short', 'value': one[member] || '', 'input': ev => {
				one[member] = type === 'time' || ev.target.validity.badInput ? ev.target.value : Number(ev.target.value) || null;
				widgets.text(wrong, '');
				touched();
			}
		}, attrs)) ]);
		const day = (name, i) => E('label', { 'class': 'em-day' }, [
			E('input', { 'type': 'checkbox', 'aria-label': names[i], 'checked': plan.days(one).includes(i) ? '' : null, 'change': ev => {
				const left = plan.DAYS.filter((id, j) => (j === i ? ev.target.checked : plan.days(one).includes(j)));

				/* No day would mean every day. */
				ev.target.checked = ev.target.checked || !left.length;
				one.days = left.length ? left : one.days;
				touched();
			} }), name
		]);
		const row = E('div', { 'class': 'em-exact', 'role': 'group', 'aria-label': _('Time %d').format(index + 1) }, [
			E('div', { 'class': 'em-row' }, short.map(day)),
			E('div', { 'class': 'em-row' }, [
				field(_('From'), 'time', 'start'),
				field(_('To'), 'time', 'end'),
				field(_('At most (Mbps)'), 'number', 'maxMbps', { 'step': 'any', 'placeholder': '–' }),
				widgets.button('remove', _('Remove'), () => {
					week.exact.splice(week.exact.indexOf(one), 1);
					drawExact();
					touched();
					add.focus();
				})
			]),
			wrong
		]);

		row.tell = text => widgets.text(wrong, text);
		row.problem = () => plan.minutes(one.start) == null || plan.minutes(one.end) == null ? _('Give both times, like 22:30 and 06:15.')
			: one.maxMbps != null && !(one.maxMbps >= 0.1 && one.maxMbps <= 100000) ? _('A rate is from 0.1 to 100000 Mbps.') : null;

		return row;
	}

	function drawExact() {
		exact.replaceChildren(...week.exact.map(exactRow));
	}

	const add = widgets.button('add', _('Add a time'), () => {
		/* Beside any time another says nothing: then it is to be the first. */
		if (week.cells.every(value => value === 0))
			week.cells = week.cells.map(() => null);

		week.exact.push({ days: plan.DAYS.slice(), start: '22:30', end: '06:30', maxMbps: null });
		drawExact();
		touched();
		exact.lastElementChild.querySelector('input[type=time]').focus();
	});

	function row(head, content) {
		grid.appendChild(E('div', { 'class': 'em-plan-row', 'role': 'row' }, [ head ].concat(content)));
	}

	row(E('div', { 'role': 'columnheader' }, [ E('span', { 'class': 'em-visually-hidden' }, [ _('Day') ]) ]),
		Array.from({ length: HOURS }, (none, hour) => E('div', { 'class': 'em-plan-hour', 'role': 'columnheader' }, [ String(hour) ])));
	names.forEach((name, day) => {
		for (let hour = 0; hour < HOURS; hour++)
			cells.push(E('div', { 'class': 'em-cell', 'role': changed ? 'gridcell' : 'cell' }));

		row(E('div', { 'class': 'em-plan-day', 'role': 'rowheader', 'aria-label': name }, [ short[day] ]), cells.slice(-HOURS));
	});

	const legend = E('ul', { 'class': 'em-legend' }, [
		[ 'open', _('open') ], [ 'slow', _('open, slower') ], [ 'part', _('open for part of it') ], [ 'closed', _('closed') ]
	].map(one => E('li', {}, [ E('span', { 'class': 'em-cell', 'data-state': one[0], 'aria-hidden': 'true' }), one[1] ])));
	const node = E('div', { 'class': 'em-planner' }, [ grid, legend, summary, spoken ]);

	node.set = windows => {
		week = plan.read(windows.map(one => Object.assign({}, one, { days: plan.days(one).map(day => plan.DAYS[day]) })));
		widgets.text(problem, '');
		drawExact();
		draw();
	};

	if (!changed)
		return node;

	const called = {
		'always': _('At any time'), 'nights': _('Every night'), 'weekday-nights': _('Nights before working days'), 'office-hours': _('Office hours')
	};

	presets.forEach(preset => {
		buttons.push(widgets.button('neutral', called[preset.id] || preset.id, () => {
			node.set(preset.schedules);
			changed();
		}));
	});
	grid.before(
		E('div', { 'class': 'em-row', 'role': 'group', 'aria-label': _('Ready-made plans') }, buttons),
		E('div', { 'class': 'em-row', 'role': 'group', 'aria-label': _('Paint hours as') }, [
			E('span', {}, [ _('Paint hours as') ]),
			E('input', { 'type': 'radio', 'name': 'em-brush', 'id': 'em-brush-open', 'checked': '' }), E('label', { 'for': 'em-brush-open' }, [ _('open') ]),
			slow, E('label', { 'for': 'em-brush-slow' }, [ _('open, with at most (Mbps)') ]), rate
		]),
		E('p', { 'class': 'cbi-value-description', 'id': 'em-plan-help' }, [
			_('Click, tap or drag to open hours, and again to close them. With the keyboard, arrows move, Space opens or closes, and Shift with arrows goes on with it.')
		])
	);
	node.append(problem, E('h4', {}, [ _('Times to the minute') ]),
		E('p', { 'class': 'cbi-value-description' }, [ _('For times that do not fall on whole hours. They count beside the hours above; where both are open, the lower rate holds.') ]),
		exact, E('p', {}, [ add ]));
	grid.setAttribute('aria-multiselectable', 'true');
	grid.setAttribute('aria-describedby', 'em-plan-help');
	grid.addEventListener('keydown', key);
	grid.addEventListener('pointerdown', down);
	window.addEventListener('pointermove', move);
	window.addEventListener('pointerup', up);
	window.addEventListener('pointercancel', cancel);

	node.get = () => (plan.write(week) || { windows: [] }).windows;
	node.problem = () => {
		let said = null;

		Array.from(exact.children).forEach(row => {
			row.tell(row.problem() || '');
			said = said || row.problem();
		});

		if (said)
			return said;

		said = plan.write(week) ? null : _('No hour is open. To have the node rest for good, stop it or switch it off.');
		widgets.text(problem, said);

		return said;
	};
	node.show = findings => findings.forEach(one => {
		const row = exact.children[one.index - (plan.write(week) || { painted: 0 }).painted];

		if (row)
			row.tell(one.message);
		else
			widgets.text(problem, one.message);
	});
	node.focus = () => cells[at].focus();

	return node;
}

return baseclass.extend({
	/* Windows in words, a text each. */
	inWords: windows => windows.length ? windows.map(inWords) : [ _('At any time') ],
	editor: editor
});
