/** What `uci` knows: values as the router has them, and what was changed here since. */

/** Empty shells of the four kinds of change. */
export function emptyState() {
	return { values: {}, creates: {}, changes: {}, deletes: {}, reorder: {}, counter: 0 };
}

/** `@type[index]` as a section's name; null where there is none. */
export function resolve(state, conf, sid) {
	if (typeof sid !== 'string')
		return sid;
	const m = /^@([A-Za-z0-9_-]+)\[(-?\d+)\]$/.exec(sid);
	if (!m)
		return sid;
	const found = sectionsOf(state, conf, m[1]);
	const at = Number(m[2]);
	const section = found[at < 0 ? found.length + at : at];
	return section ? section['.name'] : null;
}

/** All sections as they are now, in order; of one type where it is given. */
export function sectionsOf(state, conf, type) {
	const values = state.values[conf] || {};
	const creates = state.creates[conf] || {};
	const deletes = state.deletes[conf] || {};
	const changes = state.changes[conf] || {};
	const found = [];
	for (const sid of Object.keys(values)) {
		if (deletes[sid] === true || type && values[sid]['.type'] !== type)
			continue;
		const section = Object.assign({}, values[sid], changes[sid]);
		for (const option of Object.keys(deletes[sid] || {}))
			delete section[option];
		found.push(section);
	}
	for (const sid of Object.keys(creates))
		if (!type || creates[sid]['.type'] === type)
			found.push(Object.assign({}, creates[sid]));
	return found.sort((a, b) => a['.index'] - b['.index']).map((section, i) => Object.assign(section, { '.index': i }));
}

/** An option's value as it is now; without `option` the section. */
export function valueOf(state, conf, sid, option) {
	const name = resolve(state, conf, sid);
	const made = state.creates[conf] && state.creates[conf][name];
	if (option == null)
		return sectionsOf(state, conf).find((section) => section['.name'] === name) || null;
	if (made)
		return option in made ? made[option] : null;
	const dropped = state.deletes[conf] && state.deletes[conf][name];
	if (dropped === true || dropped && dropped[option])
		return null;
	const changed = state.changes[conf] && state.changes[conf][name];
	if (changed && option in changed)
		return changed[option];
	const section = state.values[conf] && state.values[conf][name];
	return section && option in section ? section[option] : null;
}

/** Sets an option; an empty value removes it. Sections that are not there stay so. */
export function setValue(state, conf, sid, option, value) {
	const name = resolve(state, conf, sid);
	if (name == null || option == null || String(option).startsWith('.'))
		return;
	const made = state.creates[conf] && state.creates[conf][name];
	const isEmpty = value == null || value === '';
	if (made) {
		if (isEmpty)
			delete made[option];
		else
			made[option] = value;
		return;
	}
	const section = state.values[conf] && state.values[conf][name];
	const deletes = state.deletes[conf] = state.deletes[conf] || {};
	if (!section || deletes[name] === true)
		return;
	const changes = state.changes[conf] = state.changes[conf] || {};
	if (isEmpty) {
		if (changes[name])
			delete changes[name][option];
		if (option in section)
			(deletes[name] = deletes[name] || {})[option] = true;
		return;
	}
	if (deletes[name])
		delete deletes[name][option];
	(changes[name] = changes[name] || {})[option] = value;
}
