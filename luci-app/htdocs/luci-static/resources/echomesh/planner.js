'use strict';
'require baseclass';
'require echomesh.plan as plan';
'require echomesh.widgets as widgets';
'require echomesh.words as words';

const HOURS = 24;

function dayNames() {
	return [ _('Monday'), _('Tuesday'), _('Wednesday'), _('Thursday'), _('Friday'), _('Saturday'), _('Sunday') ];
}

function shortNames() {
	return [ _('Mon'), _('Tue'), _('Wed'), _('Thu'), _('Fri'), _('Sat'), _('Sun') ];
}

function slower(mbps) {
	return _('open, with at most %s').format(words.rate(mbps * 1e6));
}

/* A window in words. */
function inWords(one) {
	const days = plan.days(one), names = shortNames(), last = days[days.length - 1];
	const when = days.length === 7 ? _('Every day')
		: days.length > 2 && last - days[0] === days.length - 1 ? '%s–%s'.format(names[days[0]], names[last])
			: days.map(day => names[day]).join(', ');
	const end = one.end === '00:00' ? '24:00' : one.end;
	const times = (end <= one.start ? _('%s %s to %s on the next day') : _('%s %s to %s')).format(when, one.start, end);

	return one.maxMbps ? '%s, %s'.format(times, slower(one.maxMbps)) : times;
}

/* Hours of the rectangle between two of them. */
function between(a, b) {
	const [ top, bottom ] = [ a, b ].map(i => Math.floor(i / HOURS)).sort((x, y) => x - y);
	const [ left, right ] = [ a % HOURS, b % HOURS ].sort((x, y) => x - y);

	return Array.from({ length: 7 * HOURS }, (none, i) => i).filter(i => {
		const day = Math.floor(i / HOURS), hour = i % HOURS;

		return day >= top && day <= bottom && hour >= left && hour <= right;
	});
}

return baseclass.extend({
	/* Windows in words, a text each. */
	inWords(windows) {
		return windows.length ? windows.map(inWords) : [ _('At any time') ];
	},

	/*
	 * The plan of a week: seven days by 24 hours to be painted, by mouse, touch and keyboard, with a list of the windows that do not
	 * fall on whole hours. `presets` are the daemon's ({id, text, schedules}). Without `changed` it is only shown.
	 *
	 * Gives a node with set(windows), get() → windows, problem() → what is wrong or null (shown in the node, too), focus(), and
	 * show(findings), which tells what the daemon found: [{index: of the window as get() gave it, message}].
	 */
	editor(presets, changed) {
		const cells = [], buttons = [], names = dayNames();
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
			const day = Math.floor(at / HOURS), hour = at % HOURS;
			const to = {
				ArrowLeft: [ day, Math.max(0, hour - 1) ], ArrowRight: [ day, Math.min(HOURS - 1, hour + 1) ],
				ArrowUp: [ Math.max(0, day - 1), hour ], ArrowDown: [ Math.min(6, day + 1), hour ],
				Home: [ ev.ctrlKey ? 0 : day, 0 ], End: [ ev.ctrlKey ? 6 : day, HOURS - 1 ]
			}[ev.key];

			if (to) {
				if (ev.shiftKey && !stroke)
					begin(at);

				at = to[0] * HOURS + to[1];

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
					one[member] = type === 'number' ? Number(ev.target.value) || null : ev.target.value;
					row.odd = ev.target.validity.badInput;
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
				E('div', { 'class': 'em-row' }, shortNames().map(day)),
				E('div', { 'class': 'em-row' }, [
					field(_('From'), 'time', 'start'),
					field(_('To'), 'time', 'end'),
					field(_('At most (Mbps)'), 'number', 'maxMbps', { 'step': 'any', 'placeholder': '–' }),
					E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-remove', 'click': () => {
						week.exact.splice(week.exact.indexOf(one), 1);
						drawExact();
						touched();
						add.focus();
					} }, [ _('Remove') ])
				]),
				wrong
			]);

			row.tell = text => widgets.text(wrong, text);
			row.problem = () => plan.minutes(one.start) == null || plan.minutes(one.end) == null ? _('Give both times, like 22:30 and 06:15.')
				: row.odd || (one.maxMbps != null && !(one.maxMbps >= 0.1 && one.maxMbps <= 100000)) ? _('A rate is from 0.1 to 100000 Mbps.') : null;

			return row;
		}

		function drawExact() {
			exact.replaceChildren(...week.exact.map(exactRow));
		}

		const add = E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-add', 'click': () => {
			/* Beside any time another says nothing: then it is to be the first. */
			if (week.cells.every(value => value === 0))
				week.cells = week.cells.map(() => null);

			week.exact.push({ days: plan.DAYS.slice(), start: '22:30', end: '06:30', maxMbps: null });
			drawExact();
			touched();
			exact.lastElementChild.querySelector('input[type=time]').focus();
		} }, [ _('Add a time') ]);

		function row(head, content) {
			grid.appendChild(E('div', { 'class': 'em-plan-row', 'role': 'row' }, [ head ].concat(content)));
		}

		row(E('div', { 'role': 'columnheader' }, [ E('span', { 'class': 'em-visually-hidden' }, [ _('Day') ]) ]),
			Array.from({ length: HOURS }, (none, hour) => E('div', { 'class': 'em-plan-hour', 'role': 'columnheader' }, [ String(hour) ])));
		names.forEach((name, day) => {
			for (let hour = 0; hour < HOURS; hour++)
				cells.push(E('div', { 'class': 'em-cell', 'role': changed ? 'gridcell' : 'cell' }));

			row(E('div', { 'class': 'em-plan-day', 'role': 'rowheader', 'aria-label': name }, [ shortNames()[day] ]), cells.slice(-HOURS));
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

		presets.forEach(preset => {
			buttons.push(E('button', { 'type': 'button', 'class': 'btn cbi-button', 'title': words.preset(preset).text, 'click': () => {
				node.set(preset.schedules);
				changed();
			} }, [ words.preset(preset).name ]));
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
			const written = plan.write(week);
			let said = null;

			Array.from(exact.children).forEach(row => {
				row.tell(row.problem() || '');
				said = said || row.problem();
			});

			if (said)
				return said;

			said = !written ? _('No hour is open. To have the node rest for good, stop it or switch it off.')
				: written.windows.length > plan.MOST ? _('This plan takes %d windows, and %d are allowed. Make it simpler.').format(written.windows.length, plan.MOST) : null;
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
});
