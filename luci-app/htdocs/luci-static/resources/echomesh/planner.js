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

/* Days in words: "every day", "Mon–Fri", "Sat, Sun". */
function inDays(one) {
	const days = plan.days(one), names = shortNames();

	if (days.length === 7)
		return _('every day');

	const inARow = days.length > 2 && days[days.length - 1] - days[0] === days.length - 1;

	return inARow ? '%s–%s'.format(names[days[0]], names[days[days.length - 1]]) : days.map(day => names[day]).join(', ');
}

function inWords(one) {
	const next = plan.minutes(one.end) <= plan.minutes(one.start);
	const times = (next && one.end !== '00:00' ? _('%s %s to %s on the next day') : _('%s %s to %s')).format(inDays(one), one.start,
		one.end === '00:00' ? '24:00' : one.end);

	return one.maxMbps ? _('%s, with at most %s').format(times, words.rate(one.maxMbps * 1e6)) : times;
}

return baseclass.extend({
	/* A list of windows in words, a line each. */
	inWords(windows) {
		return windows.length ? windows.map(inWords) : [ _('At any time') ];
	},

	/*
	 * The plan of a week: seven days by 24 hours to be painted, by mouse, touch and keyboard, with a list of the windows that do not
	 * fall on whole hours. `presets` are the daemon's ({id, text, schedules}). Without `changed` it is only shown.
	 *
	 * Gives a node with set(windows), get() → windows, problem() → what is wrong with it or null, and show(findings), which tells
	 * what the daemon found: [{index: of the window as get() gave it, member, message}].
	 */
	editor(presets, changed) {
		const editable = !!changed;
		const cells = [], days = dayNames();
		const state = { plan: plan.read([]), cover: [], at: 0, anchor: 0, drag: null };
		const summary = E('p', { 'class': 'em-plan-summary', 'aria-live': 'polite' });
		const spoken = E('ul', { 'class': 'em-plan-words' });
		const problem = E('p', { 'class': 'em-problem', 'role': 'alert' });
		const exact = E('div', { 'class': 'em-plan-exact' });
		const rate = E('input', { 'type': 'number', 'class': 'cbi-input-text em-short', 'min': '0.1', 'max': '100000', 'step': 'any', 'value': '2',
			'aria-label': _('Rate to paint with, in Mbps') });
		const full = E('input', { 'type': 'radio', 'name': 'em-brush', 'id': 'em-brush-full', 'checked': '' });
		const slow = E('input', { 'type': 'radio', 'name': 'em-brush', 'id': 'em-brush-slow' });
		const buttons = new Map();
		const grid = E('div', { 'class': 'em-plan', 'role': editable ? 'grid' : 'table', 'aria-label': _('Hours of the week') });

		/* What is painted: 0 = open, else Mbps. */
		function brush() {
			const mbps = parseFloat(rate.value);

			return slow.checked && mbps >= 0.1 && mbps <= 100000 ? mbps : 0;
		}

		function stateOf(i) {
			const own = state.plan.cells[i], other = state.cover[i];

			if (own == null && other && other.minutes < 60)
				return { kind: 'part', word: _('open for part of it') };

			const mbps = own == null ? other && other.rate : own && other && other.rate ? Math.min(own, other.rate) : own || (other && other.rate);

			if (own == null && !other)
				return { kind: 'closed', word: _('closed') };

			return mbps ? { kind: 'slow', word: _('open, with at most %s').format(words.rate(mbps * 1e6)) } : { kind: 'open', word: _('open') };
		}

		/* The rectangle of hours between two of them, whichever comes first. */
		function between(a, b) {
			const rows = [ a, b ].map(i => Math.floor(i / HOURS)).sort((x, y) => x - y);
			const columns = [ a % HOURS, b % HOURS ].sort((x, y) => x - y);
			const out = [];

			for (let day = rows[0]; day <= rows[1]; day++)
				for (let hour = columns[0]; hour <= columns[1]; hour++)
					out.push(day * HOURS + hour);

			return out;
		}

		function drawCells() {
			const chosen = new Set(state.anchor === state.at ? [] : between(state.anchor, state.at));

			cells.forEach((cell, i) => {
				const is = stateOf(i);

				if (cell.dataset.state !== is.kind)
					cell.dataset.state = is.kind;

				const label = _('%s %d to %d: %s').format(days[Math.floor(i / HOURS)], i % HOURS, i % HOURS + 1, is.word);

				if (cell.getAttribute('aria-label') !== label) {
					cell.setAttribute('aria-label', label);
					cell.title = label;
				}

				if (editable) {
					cell.setAttribute('aria-selected', String(chosen.has(i)));
					cell.tabIndex = i === state.at ? 0 : -1;
				}
			});
		}

		function drawWords() {
			const written = plan.write(state.plan);
			const open = plan.openMinutes(state.plan);
			const windows = written ? written.windows : null;

			widgets.text(summary, open === 7 * HOURS * 60 ? _('Open all 168 hours of the week.')
				: _('Open %s of 168 hours a week.').format(words.number(Math.round(open / 6) / 10)));
			widgets.list(spoken, windows ? windows.map((one, i) => [ i, inWords(one) ]) : [], one => one.join(), one => {
				const item = E('li', {}, [ one[1] ]);

				item.set = () => {};
				return item;
			});
			widgets.show(spoken, !!windows && windows.length > 0);
			buttons.forEach((button, preset) => {
				button.setAttribute('aria-pressed', String(!!windows && plan.same(windows, preset.schedules)));
			});
		}

		function redraw() {
			state.cover = plan.cover(state.plan.exact);
			drawCells();
			drawWords();
		}

		function touched() {
			redraw();
			widgets.text(problem, '');
			changed();
		}

		function paint(indices, value) {
			indices.forEach(i => { state.plan.cells[i] = value; });
		}

		/* Painting over what is so already closes it. */
		function toggled(i) {
			return state.plan.cells[i] === brush() ? null : brush();
		}

		function go(i, extend) {
			state.at = i;

			if (!extend)
				state.anchor = i;

			drawCells();
			cells[i].focus();
		}

		function key(ev) {
			const day = Math.floor(state.at / HOURS), hour = state.at % HOURS;
			const to = {
				ArrowLeft: [ day, Math.max(0, hour - 1) ], ArrowRight: [ day, Math.min(HOURS - 1, hour + 1) ],
				ArrowUp: [ Math.max(0, day - 1), hour ], ArrowDown: [ Math.min(6, day + 1), hour ],
				Home: [ ev.ctrlKey ? 0 : day, 0 ], End: [ ev.ctrlKey ? 6 : day, HOURS - 1 ],
				PageUp: [ 0, hour ], PageDown: [ 6, hour ]
			}[ev.key];

			if (to) {
				go(to[0] * HOURS + to[1], ev.shiftKey);
			} else if (ev.key === ' ' || ev.key === 'Enter') {
				paint(between(state.anchor, state.at), toggled(state.anchor));
				touched();
			} else if (ev.key === 'Delete' || ev.key === 'Backspace') {
				paint(between(state.anchor, state.at), null);
				touched();
			} else if (ev.key === 'Escape' && state.anchor !== state.at) {
				go(state.at);
			} else if ((ev.key === 'a' || ev.key === 'A') && (ev.ctrlKey || ev.metaKey)) {
				state.anchor = 0;
				go(7 * HOURS - 1, true);
			} else {
				return;
			}

			ev.preventDefault();
		}

		function cellAt(ev) {
			const under = document.elementFromPoint(ev.clientX, ev.clientY);

			return under ? cells.indexOf(under) : -1;
		}

		/* The hours from where a drag began to where it is, over what was there before. */
		function dragTo(i) {
			state.plan.cells = state.drag.before.slice();
			paint(between(state.drag.from, i), state.drag.value);
			state.drag.to = i;
			drawCells();
		}

		function down(ev) {
			const i = cells.indexOf(ev.target);

			if (i < 0 || ev.button !== 0)
				return;

			state.drag = { id: ev.pointerId, from: i, to: null, value: toggled(i), before: state.plan.cells.slice() };
			state.at = state.anchor = i;

			/* A finger may be about to scroll: it paints once it moves along a day, or is lifted. */
			if (ev.pointerType !== 'touch') {
				dragTo(i);
				cells[i].focus({ preventScroll: true });
				ev.preventDefault();
			}
		}

		function move(ev) {
			if (!state.drag || ev.pointerId !== state.drag.id)
				return;

			const i = cellAt(ev);

			if (i >= 0 && i !== state.drag.to && (state.drag.to != null || i !== state.drag.from))
				dragTo(i);
		}

		function up(ev) {
			if (!state.drag || ev.pointerId !== state.drag.id)
				return;

			if (state.drag.to == null)
				dragTo(state.drag.from);

			state.drag = null;
			touched();
		}

		function cancel(ev) {
			if (!state.drag || ev.pointerId !== state.drag.id)
				return;

			state.plan.cells = state.drag.before;
			state.drag = null;
			drawCells();
		}

		function drawGrid() {
			const head = E('div', { 'class': 'em-plan-row em-plan-head', 'role': 'row' }, [
				E('div', { 'class': 'em-plan-day', 'role': 'columnheader' }, [ E('span', { 'class': 'em-visually-hidden' }, [ _('Day') ]) ])
			]);

			for (let hour = 0; hour < HOURS; hour++)
				head.appendChild(E('div', { 'class': 'em-plan-hour', 'role': 'columnheader', 'aria-label': _('%d to %d').format(hour, hour + 1) }, [ String(hour) ]));

			grid.appendChild(head);
			days.forEach((name, day) => {
				const row = E('div', { 'class': 'em-plan-row', 'role': 'row' }, [
					E('div', { 'class': 'em-plan-day', 'role': 'rowheader', 'aria-label': name }, [ shortNames()[day] ])
				]);

				for (let hour = 0; hour < HOURS; hour++) {
					const cell = E('div', { 'class': 'em-cell', 'role': editable ? 'gridcell' : 'cell' });

					cells.push(cell);
					row.appendChild(cell);
				}

				grid.appendChild(row);
			});

			if (editable) {
				grid.setAttribute('aria-multiselectable', 'true');
				grid.setAttribute('aria-describedby', 'em-plan-help');
				grid.addEventListener('keydown', key);
				grid.addEventListener('pointerdown', down);
				window.addEventListener('pointermove', move);
				window.addEventListener('pointerup', up);
				window.addEventListener('pointercancel', cancel);
				cells.forEach((cell, i) => cell.addEventListener('focus', () => {
					if (!state.drag && state.at !== i)
						go(i);
				}));
			}
		}

		/* The fields of a window that does not fall on whole hours. */
		function exactRow(one, index) {
			const wrong = E('p', { 'class': 'em-problem', 'role': 'alert' });
			const input = (type, member, attrs) => E('input', Object.assign({
				'type': type, 'class': 'cbi-input-text em-short', 'value': one[member] || '',
				'input': ev => {
					one[member] = type === 'number' ? parseFloat(ev.target.value) || null : ev.target.value;
					ev.target.dataset.bad = ev.target.validity.badInput ? '1' : '';
					widgets.text(wrong, '');
					touched();
				}
			}, attrs));
			const day = (name, i) => E('label', { 'class': 'em-day', 'title': name }, [
				E('input', { 'type': 'checkbox', 'aria-label': name, 'checked': plan.days(one).includes(i) ? '' : null, 'change': ev => {
					const days = plan.DAYS.filter((id, j) => (j === i ? ev.target.checked : plan.days(one).includes(j)));

					/* No day would mean every day. */
					ev.target.checked = ev.target.checked || !days.length;
					one.days = days.length ? days : one.days;
					widgets.text(wrong, days.length ? '' : _('A time needs a day at least. Remove it if you do not want it.'));
					touched();
				} }), shortNames()[i]
			]);
			const row = E('div', { 'class': 'em-exact', 'role': 'group', 'aria-label': _('Time %d').format(index + 1) }, [
				E('div', { 'class': 'em-row' }, days.map(day)),
				E('div', { 'class': 'em-row' }, [
					E('label', {}, [ _('From'), ' ', input('time', 'start') ]),
					E('label', {}, [ _('To'), ' ', input('time', 'end') ]),
					E('label', {}, [ _('At most (Mbps)'), ' ', input('number', 'maxMbps', { 'min': '0.1', 'max': '100000', 'step': 'any', 'placeholder': '–' }) ]),
					E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-remove', 'click': () => {
						state.plan.exact.splice(state.plan.exact.indexOf(one), 1);
						drawExact();
						touched();
						add.focus();
					} }, [ _('Remove') ])
				]),
				wrong
			]);

			row.wrong = text => widgets.text(wrong, text);
			row.problem = () => {
				if (plan.minutes(one.start) == null || plan.minutes(one.end) == null)
					return _('Give both times, like 22:30 and 06:15.');

				const field = row.querySelector('input[type=number]');

				return field.dataset.bad || (one.maxMbps != null && (one.maxMbps < 0.1 || one.maxMbps > 100000)) ? _('A rate is from 0.1 to 100000 Mbps.') : null;
			};

			return row;
		}

		const add = E('button', { 'type': 'button', 'class': 'btn cbi-button cbi-button-add', 'click': () => {
			state.plan.exact.push({ days: plan.DAYS.slice(), start: '22:30', end: '06:30', maxMbps: null });

			/* Beside times that are open anyway another says nothing. */
			if (plan.openMinutes({ cells: state.plan.cells, exact: [] }) === 7 * HOURS * 60 && state.plan.cells.every(value => value === 0))
				state.plan.cells.fill(null);

			drawExact();
			touched();
			exact.lastElementChild.querySelector('input[type=time]').focus();
		} }, [ _('Add a time') ]);

		function drawExact() {
			exact.replaceChildren(...state.plan.exact.map(exactRow));
		}

		function load(windows) {
			state.plan = plan.read(windows.map(one => Object.assign({}, one, { days: plan.DAYS.filter((id, i) => plan.days(one).includes(i)) })));
			widgets.text(problem, '');

			if (editable)
				drawExact();

			redraw();
		}

		function presetButton(preset) {
			const button = E('button', { 'type': 'button', 'class': 'btn cbi-button', 'title': words.preset(preset).text, 'click': () => {
				load(preset.schedules);
				changed();
			} }, [ words.preset(preset).name ]);

			buttons.set(preset, button);

			return button;
		}

		function legend() {
			return E('ul', { 'class': 'em-legend' }, [
				[ 'open', _('open') ], [ 'slow', _('open, slower') ], [ 'part', _('open for part of the hour') ], [ 'closed', _('closed') ]
			].map(one => E('li', {}, [ E('span', { 'class': 'em-cell', 'data-state': one[0], 'aria-hidden': 'true' }), one[1] ])));
		}

		drawGrid();
		rate.addEventListener('input', () => { slow.checked = true; });

		const node = E('div', { 'class': 'em-planner' }, !editable ? [ grid, legend(), summary, spoken ] : [
			E('div', { 'class': 'em-row', 'role': 'group', 'aria-label': _('Ready-made plans') }, presets.map(presetButton)),
			E('div', { 'class': 'em-row', 'role': 'group', 'aria-label': _('Paint hours as') }, [
				E('span', {}, [ _('Paint hours as') ]),
				full, E('label', { 'for': 'em-brush-full' }, [ _('open') ]),
				slow, E('label', { 'for': 'em-brush-slow' }, [ _('open, with at most (Mbps)') ]), rate
			]),
			E('p', { 'class': 'cbi-value-description', 'id': 'em-plan-help' }, [
				_('Click, tap or drag to open hours, again to close them. With the keyboard: arrows move, Space opens or closes, Shift with arrows takes several at once.')
			]),
			grid, legend(), summary, spoken, problem,
			E('h4', {}, [ _('Times to the minute') ]),
			E('p', { 'class': 'cbi-value-description' }, [ _('For times that do not fall on whole hours. They count beside the hours above; where both are open, the lower rate holds.') ]),
			exact, E('p', {}, [ add ])
		]);

		node.set = load;
		node.get = () => {
			const written = plan.write(state.plan);

			return written ? written.windows : [];
		};
		node.problem = () => {
			const written = plan.write(state.plan);
			const rows = Array.from(exact.children).map(row => [ row, row.problem() ]).filter(one => one[1]);

			rows.forEach(one => one[0].wrong(one[1]));

			if (rows.length)
				return rows[0][1];

			if (!written)
				return widgets.text(problem, _('No hour is open. To have the node rest for good, stop it or switch it off.')).textContent;

			if (written.windows.length > plan.MOST)
				return widgets.text(problem, _('This plan is too intricate: it takes %d windows, and %d are allowed.').format(written.windows.length, plan.MOST)).textContent;

			return null;
		};
		node.show = findings => {
			const painted = (plan.write(state.plan) || {}).painted || 0;

			findings.forEach(one => {
				const row = exact.children[one.index - painted];

				if (row)
					row.wrong(one.message);
				else
					widgets.text(problem, one.message);
			});
		};
		node.focus = () => cells[state.at].focus();

		return node;
	}
});
