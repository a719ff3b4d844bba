/** LuCI's `uci`: configurations loaded once, changed here, staged with save(), brought into force with apply(). */
import { emptyState, resolve, sectionsOf, setValue, valueOf } from './state.js';

const list = (packages) => (Array.isArray(packages) ? packages : [packages]);

/** @param {{rpc: object, env: object}} runtime */
export function makeUci({ rpc, env }) {
	const state = emptyState();
	const loading = new Map();
	const call = (method, params, expect) => rpc.declare({ object: 'uci', method, params, expect, reject: true });
	const callGet = call('get', ['config'], { values: {} });
	const callAdd = call('add', ['config', 'type', 'name', 'values'], { section: '' });
	const callSet = call('set', ['config', 'section', 'values']);
	const callDelete = call('delete', ['config', 'section', 'options']);
	const callOrder = call('order', ['config', 'sections']);
	const callApply = call('apply', ['timeout', 'rollback']);
	const callConfirm = call('confirm');

	/** Stages what was changed in one configuration. */
	async function saveOne(conf) {
		const tasks = [];
		const { creates, changes, deletes } = state;
		for (const sid of Object.keys(creates[conf] || {})) {
			const made = creates[conf][sid];
			const values = Object.fromEntries(Object.keys(made).filter((key) => !key.startsWith('.')).map((key) => [key, made[key]]));
			tasks.push(callAdd(conf, made['.type'], made['.anonymous'] ? null : sid, values).then((name) => { made['.create'] = name; }));
		}
		for (const sid of Object.keys(changes[conf] || {}))
			if (Object.keys(changes[conf][sid]).length)
				tasks.push(callSet(conf, sid, changes[conf][sid]));
		for (const sid of Object.keys(deletes[conf] || {})) {
			const gone = deletes[conf][sid];
			if (gone === true || Object.keys(gone).length)
				tasks.push(callDelete(conf, sid, gone === true ? null : Object.keys(gone)));
		}
		await Promise.all(tasks);
		if (!state.reorder[conf])
			return;
		const order = sectionsOf(state, conf).map((section) => section['.create'] || section['.name']);
		await callOrder(conf, order);
	}

	const uci = {
		createSID(conf) {
			let sid;
			do
				sid = `new${(state.counter += 1).toString(16).padStart(6, '0')}`;
			while (state.values[conf] && state.values[conf][sid]);
			return sid;
		},

		resolveSID: (conf, sid) => resolve(state, conf, sid),

		/** Loads what is not loaded yet; gives the names. */
		async load(packages) {
			await Promise.all(list(packages).map((conf) => {
				if (!loading.has(conf))
					loading.set(conf, callGet(conf).then((values) => { state.values[conf] = values; }, (e) => {
						loading.delete(conf);
						throw e;
					}));
				return loading.get(conf);
			}));
			return list(packages);
		},

		unload(packages) {
			for (const conf of list(packages)) {
				loading.delete(conf);
				for (const part of ['values', 'creates', 'changes', 'deletes', 'reorder'])
					delete state[part][conf];
			}
		},

		add(conf, type, name) {
			const sid = name || uci.createSID(conf);
			state.creates[conf] = state.creates[conf] || {};
			state.creates[conf][sid] = { '.type': type, '.name': sid, '.create': name || null, '.anonymous': !name, '.index': 1000 + state.counter++ };
			return sid;
		},

		remove(conf, sid) {
			const name = resolve(state, conf, sid);
			if (state.creates[conf] && state.creates[conf][name]) {
				delete state.creates[conf][name];
				return;
			}
			if (state.changes[conf])
				delete state.changes[conf][name];
			(state.deletes[conf] = state.deletes[conf] || {})[name] = true;
		},

		sections(conf, type, cb) {
			const found = sectionsOf(state, conf, type);
			if (typeof cb === 'function')
				found.forEach((section) => cb(section, section['.name']));
			return found;
		},

		get: (conf, sid, opt) => valueOf(state, conf, sid, opt),
		set: (conf, sid, opt, val) => setValue(state, conf, sid, opt, val),
		unset: (conf, sid, opt) => setValue(state, conf, sid, opt, null),

		get_first(conf, type, opt) {
			const first = sectionsOf(state, conf, type)[0];
			return first ? valueOf(state, conf, first['.name'], opt) : null;
		},

		get_bool(conf, type, opt) {
			const value = String(valueOf(state, conf, type, opt)).toLowerCase();
			return ['1', 'on', 'true', 'yes', 'enabled'].includes(value);
		},

		set_first(conf, type, opt, val) {
			const first = sectionsOf(state, conf, type)[0];
			if (first)
				setValue(state, conf, first['.name'], opt, val);
		},

		unset_first(conf, type, opt) {
			uci.set_first(conf, type, opt, null);
		},

		/** Moves a section before (or after) another, or to the end. */
		move(conf, sid1, sid2, after) {
			const order = sectionsOf(state, conf).map((section) => section['.name']);
			const from = order.indexOf(resolve(state, conf, sid1));
			if (from < 0)
				return false;
			const [moved] = order.splice(from, 1);
			const to = sid2 == null ? order.length : order.indexOf(resolve(state, conf, sid2));
			if (to < 0)
				return false;
			order.splice(sid2 == null ? to : to + (after ? 1 : 0), 0, moved);
			order.forEach((name, i) => {
				const section = state.creates[conf] && state.creates[conf][name] || state.values[conf][name];
				section['.index'] = i;
			});
			state.reorder[conf] = true;
			return true;
		},

		/** Stages all changes, and reads anew what they touched. */
		async save() {
			const touched = Object.keys(Object.assign({}, state.creates, state.changes, state.deletes, state.reorder));
			for (const conf of touched)
				await saveOne(conf);
			uci.unload(touched);
			await uci.load(touched);
			document.dispatchEvent(new CustomEvent('uci-loaded'));
		},

		/** Brings into force what is staged; without the confirmation within `timeout` seconds the router takes it back. */
		async apply(timeout) {
			await callApply(typeof timeout === 'number' && timeout >= 1 ? timeout : 10, true);
			await new Promise((done) => window.setTimeout(done, env.apply_holdoff * 1000));
			return callConfirm();
		},

		changes: rpc.declare({ object: 'uci', method: 'changes', expect: { changes: {} } })
	};
	return uci;
}
