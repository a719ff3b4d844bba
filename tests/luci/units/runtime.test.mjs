// The parts of the stand-in that need no browser: placeholders, catalogues, datatypes, classes, the guard, requirements.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';

const RUNTIME = new URL('../runtime/', import.meta.url);
const { Class } = await import(new URL('class.js', RUNTIME));
const { format } = await import(new URL('format.js', RUNTIME));
const { guardClass, guardModule, parseApi } = await import(new URL('guard.js', RUNTIME));
const { requirementsOf } = await import(new URL('loader.js', RUNTIME));
const { joinPath } = await import(new URL('luci.js', RUNTIME));
const { parsePo, translator } = await import(new URL('po.js', RUNTIME));
const { emptyState, sectionsOf, setValue, valueOf } = await import(new URL('uci/state.js', RUNTIME));
const { makeValidation } = await import(new URL('validation/index.js', RUNTIME));
const api = parseApi(readFileSync(new URL('api.txt', RUNTIME), 'utf8'));

String.prototype.format = function(...args) { return format(this, ...args); };

test('placeholders are filled as in LuCI', () => {
	for (const [text, args, wanted] of [
		['%d of %s', [3.9, 'x'], '3 of x'],
		['%.2f %f', [1.005, '2.5'], '1.00 2.5'],
		['%05d|%-5s|%5s|', [42, 'ab', 'ab'], '00042|ab   |   ab|'],
		["%'*6d", [7], '*****7'],
		['%x %X %o %b %c', [255, 255, 8, 5, 65], 'ff FF 10 101 A'],
		['100%% of %s', ['it'], '100% of it'],
		['%1024.1mB', [1536], '1.5 KiB'],
		['%1024.1mB', [512], '512 B'],
		['%1000.2mbit/s', [12345678], '12.35 Mbit/s'],
		['%h', ['<a href="x">'], '&#60;a href=&#34;x&#34;&#62;'],
		['%t', [93784], '1d 2h 3m 4s'],
		['%j', [{ a: 1 }], '{"a":1}'],
	])
		assert.equal(format(text, ...args), wanted, text);
	assert.throws(() => format('%s and %s', 'one'), /no argument for "%s"/);
});

const PO = `msgid ""
msgstr ""
"Plural-Forms: nplurals=2; plural=(n > 1);\\n"

#: a.js:1
msgid "Save it"
msgstr "Guardar"

msgctxt "menu"
msgid "Open"
msgstr "Menü öffnen"

msgid "Open"
msgstr "Offen"

msgid "%d session"
msgid_plural "%d sessions"
msgstr[0] "%d Sitzung"
msgstr[1] "%d Sitzungen"

msgid ""
"A long "
"text with \\"quotes\\"\\n"
msgstr ""
"Ein "
"\\"Text\\""

msgid "untranslated"
msgstr ""
`;

test('a catalogue gives texts by context, plural form and whatever white space', () => {
	const { _, N_ } = translator([parsePo(PO), parsePo('msgid "Open"\nmsgstr "later"\n\nmsgid "Other"\nmsgstr "Andere"\n')]);
	assert.equal(_('Save  it'), 'Guardar');
	assert.equal(_('Open'), 'Offen');
	assert.equal(_('Open', 'menu'), 'Menü öffnen');
	assert.equal(_('Other'), 'Andere');
	assert.equal(_('A long text with "quotes"'), 'Ein "Text"');
	assert.equal(_('untranslated'), 'untranslated');
	assert.deepEqual([0, 1, 2].map(n => N_(n, '%d session', '%d sessions')), ['%d Sitzung', '%d Sitzung', '%d Sitzungen']);
	assert.deepEqual([1, 2].map(n => N_(n, 'one', 'many')), ['one', 'many']);
	assert.throws(() => parsePo('msgid ""\nmsgstr "Plural-Forms: plural=alert(1);"\n'), /plural rule/);
});

test('what the stand-in says is translated wholly', () => {
	const said = new Set(['Services', 'Status']);
	for (const file of readdirSync(RUNTIME, { recursive: true }).filter(name => name.endsWith('.js')))
		for (const m of readFileSync(new URL(file, RUNTIME), 'utf8').matchAll(/\b_\('((?:[^'\\]|\\.)+)'\)/g))
			said.add(m[1]);
	assert.ok(said.size > 60);
	for (const lang of ['de', 'es']) {
		const known = parsePo(readFileSync(new URL(`words/${lang}.po`, RUNTIME), 'utf8')).texts;
		assert.deepEqual([...said].filter(text => !known.has(text)), [], lang);
	}
});

test('datatypes', () => {
	const { compile } = makeValidation({ api, _: text => text });
	for (const [type, good, bad] of [
		['port', ['1', '65535'], ['65536', 'x', '-1']],
		['portrange', ['80', '80-90'], ['90-80', '80-']],
		['uinteger', ['0', '12'], ['-1', '1.5']],
		['float', ['1.5', '-2'], ['1,5', '1e3']],
		['range(1, 5)', ['1', '5'], ['0', '6', 'x']],
		['and(minlength(2),maxlength(3))', ['ab', 'äx'], ['a', 'abcd', 'ää']],
		['or(port,"auto")', ['443', 'auto'], ['never']],
		['list(hostname)', ['a.org b.org'], ['a.org b/c']],
		['ip4addr', ['1.2.3.4', '1.2.3.0/24'], ['1.2.3', '1.2.3.256', '1.2.3.4/33']],
		['ip4addr("nomask")', ['1.2.3.4'], ['1.2.3.0/24']],
		['ip6addr', ['::1', 'fe80::/10', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4'], [':::', '1:2', '1::2::3', '1:2:3:4:5:6:7:8:9']],
		['cidr', ['10.0.0.0/8', '2001:db8::/32'], ['10.0.0.1', '10.0.0.0/33']],
		['hostport', ['a.org:443'], ['a.org', 'a.org:x']],
		['uciname', ['a_1'], ['a-1', 'ä']],
		['macaddr', ['00:11:22:aa:bb:cc'], ['00:11:22:aa:bb']],
		['timehhmmss', ['23:59:59'], ['24:00:00', '23:59']],
		['dateyyyymmdd', ['2026-02-28'], ['2026-02-30']],
		['hexstring', ['00ff'], ['0f0', 'xx']],
	]) {
		for (const value of good)
			assert.equal(compile(type)(value), null, `${type}: ${value}`);
		for (const value of bad)
			assert.equal(typeof compile(type)(value), 'string', `${type}: ${value}`);
	}
	assert.throws(() => compile('porty'), /LuCI has no datatype porty/);
	assert.throws(() => compile('wepkey'), /wepkey is not made/);
	assert.throws(() => compile('range(1,2,3)'), /takes 2 arguments/);
	assert.throws(() => compile('or(port'), /cannot read/);
});

test('classes override and call what they override', () => {
	const Base = Class.extend({ __init__(x) { this.x = x; }, name(suffix) { return `base${this.x}${suffix}`; }, tag: 'b' });
	const Middle = Base.extend({ name(suffix) { return `middle ${this.super('name', [suffix])}`; } });
	const Leaf = Middle.extend({ name(suffix) { return `leaf ${this.super('name', suffix)}`; }, tag: 'l' });
	const leaf = new Leaf(7);
	assert.equal(leaf.name('!'), 'leaf middle base7!');
	assert.equal(leaf.super('tag'), 'b');
	leaf.name = function(suffix) { return `own ${this.super('name', [suffix])}`; };
	assert.equal(leaf.name('?'), 'own leaf middle base7?');
	assert.ok(Base.isSubclass(Leaf) && !Leaf.isSubclass(Base));
	assert.throws(() => Leaf(1), /without "new"/);
	assert.equal(Class.singleton({ __init__(a) { this.a = a; } }, 3).a, 3);
});

test('the guard refuses names and arguments that LuCI does not have', () => {
	const list = parseApi('# a remark\nmod: one(a); many(...all); later(); .sub; .soon\nmod.Base: new(a); go(a)\nmod.Kind < mod.Base: stay()\n');
	const mod = guardModule(list, 'mod', { one: a => a, many: (...all) => all.length, sub: 5 });
	assert.equal(mod.one(4), 4);
	assert.equal(mod.many(1, 2, 3), 3);
	assert.equal(mod.sub, 5);
	assert.equal(mod.one(1, undefined), 1, 'what a promise hands over');
	assert.throws(() => mod.one(1, 2), /mod\.one takes 1 arguments, not 2/);
	assert.throws(() => mod.two, /LuCI has no mod\.two/);
	assert.throws(() => mod.later(), /mod\.later is not made/);
	assert.throws(() => mod.soon, /mod\.soon is not made/);
	assert.throws(() => { mod.one = null; }, /not to be set/);
	assert.throws(() => guardModule(list, 'mod', { invented() {} }), /api\.txt does not list it/);
	const Base = guardClass(list, 'mod.Base', Class.extend({ __init__(a) { this.a = a; }, go: a => a }));
	const Kind = guardClass(list, 'mod.Kind', Base.extend({ _inner: () => 1 }));
	assert.equal(new Kind(1).go(2), 2);
	assert.throws(() => new Kind(1, 2), /new mod\.Base takes 1/);
	assert.throws(() => new Kind(1).go(1, 2), /mod\.Base\.go takes 1/);
	assert.throws(() => new Kind(1).stay(), /mod\.Kind\.stay is not made/);
	assert.throws(() => guardClass(list, 'mod.Kind', Base.extend({ fresh() {} })), /api\.txt does not list it/);
	assert.throws(() => parseApi('mod one(a)'), /cannot read/);
});

test('requirements are read off the head of a file, and only there', () => {
	const source = "'use strict';\n// 'require no';\n'require view';\n/* 'require none' */\n\"require a.b\";\n'require echomesh.api as api';\n\nreturn 'require late';";
	assert.deepEqual(requirementsOf(source), [{ name: 'view', as: 'view' }, { name: 'a.b', as: 'a_b' }, { name: 'echomesh.api', as: 'api' }]);
	assert.deepEqual(requirementsOf("return view.extend({});\n'require view';"), []);
});

test('paths', () => {
	assert.equal(joinPath('/cgi-bin/luci', ['admin/services', 'x']), '/cgi-bin/luci/admin/services/x');
	assert.equal(joinPath('/cgi-bin/luci', ['admin', '..//<b>']), '/cgi-bin/luci/admin');
	assert.equal(joinPath('', []), '/');
});

test('configuration values: what is changed is seen, what is not there is not made', () => {
	const state = emptyState();
	state.values.c = { a: { '.type': 't', '.name': 'a', '.index': 0, one: '1' }, b: { '.type': 't', '.name': 'b', '.index': 1 } };
	setValue(state, 'c', 'a', 'one', '2');
	setValue(state, 'c', '@t[1]', 'list', ['x', 'y']);
	setValue(state, 'c', 'nowhere', 'one', '2');
	assert.equal(valueOf(state, 'c', 'a', 'one'), '2');
	assert.deepEqual(valueOf(state, 'c', '@t[-1]', 'list'), ['x', 'y']);
	assert.equal(valueOf(state, 'c', 'nowhere'), null);
	setValue(state, 'c', 'a', 'one', '');
	assert.equal(valueOf(state, 'c', 'a', 'one'), null);
	assert.deepEqual(sectionsOf(state, 'c', 't').map(section => Object.keys(section).filter(key => key[0] !== '.')), [[], ['list']]);
	state.deletes.c.b = true;
	assert.deepEqual(sectionsOf(state, 'c').map(section => section['.name']), ['a']);
});
