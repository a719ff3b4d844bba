'use strict';
'require baseclass';

/*
 * Fields outside of LuCI's own forms: each has its label, its explanation and its problem beside it, bound to it for those who
 * do not see. Nothing that is typed here is kept.
 */

let made = 0;

/* A place for what is wrong: say(text) shows it, or nothing. */
function problem(id) {
	const node = E('div', { 'class': 'em-problem hidden', 'id': id, 'role': 'alert' });

	node.say = text => {
		node.textContent = text || '';
		node.classList.toggle('hidden', !text);
	};

	return node;
}

return baseclass.extend({
	/* An id that no other field of the page has. */
	id() {
		return 'em-field-' + (++made);
	},

	/*
	 * A row of a label and a field. problem(text, focus) shows what is wrong with it, or that nothing is (null); with `focus` the
	 * field gets it. What is to stand around the field is its `emFrame`.
	 */
	row(label, field, hint) {
		const id = field.id = field.id || this.id();
		const wrong = problem(id + '-problem');

		field.setAttribute('aria-describedby', id + '-problem ' + id + '-hint');

		const node = E('div', { 'class': 'cbi-value' }, [
			E('label', { 'class': 'cbi-value-title', 'for': id }, [ label ]),
			E('div', { 'class': 'cbi-value-field' }, [
				field.emFrame || field, wrong, E('div', { 'class': 'cbi-value-description', 'id': id + '-hint' }, [].concat(hint || []))
			])
		]);

		node.problem = (text, focus) => {
			wrong.say(text);
			field.classList.toggle('cbi-input-invalid', !!text);
			field.setAttribute('aria-invalid', String(!!text));

			if (text && focus)
				field.focus();
		};

		return node;
	},

	/* A box to tick, with its words beside it. `node.box` is the box. */
	tick(label, on, tell, hint) {
		const id = this.id();
		const box = E('input', { 'type': 'checkbox', 'id': id, 'aria-describedby': hint ? id + '-hint' : null });
		const node = E('div', { 'class': 'em-tick' }, [
			box, E('label', { 'for': id }, [ label ]), hint ? E('div', { 'class': 'cbi-value-description', 'id': id + '-hint' }, [ hint ]) : ''
		]);

		box.checked = !!on;
		box.addEventListener('change', () => tell && tell(box.checked));
		node.box = box;

		return node;
	},

	/* One of several {id, title, text}; tell(id) hears what is chosen. words(options) writes titles and texts anew. */
	choice(legend, options, value, tell) {
		const name = this.id();
		const wrong = problem(name + '-problem');
		const made = options.map(option => {
			const id = name + '-' + option.id;
			const box = E('input', { 'type': 'radio', 'name': name, 'id': id, 'aria-describedby': id + '-text', 'change': () => tell(option.id) });

			box.checked = option.id === value;

			return { box: box, title: E('label', { 'for': id }), text: E('span', { 'class': 'em-choice-text', 'id': id + '-text' }) };
		});
		const node = E('fieldset', { 'class': 'em-choices' }, [
			E('legend', {}, [ legend ]), made.map(one => E('div', { 'class': 'em-choice' }, [ one.box, one.title, one.text ])), wrong
		].flat());

		node.words = options => options.forEach((option, i) => {
			made[i].title.textContent = option.title;
			made[i].text.textContent = option.text || '';
		});
		node.problem = (text, focus) => {
			wrong.say(text);

			if (text && focus)
				made[0].box.focus();
		};
		node.words(options);

		return node;
	}
});
