/** A form over an object in place of a configuration: {section: {option: value}} or {type: [{option: value}]}. */

function sectionsOf(data) {
	const found = {};
	let index = 0;
	for (const type of Object.keys(data || {}))
		for (const [i, values] of (Array.isArray(data[type]) ? data[type] : [data[type]]).entries())
			if (values && typeof values === 'object') {
				const anonymous = Array.isArray(data[type]);
				const name = anonymous ? `@${type}[${i}]` : type;
				found[name] = Object.assign(values, { '.type': type, '.name': name, '.anonymous': anonymous, '.index': index++ });
			}
	return found;
}

/** What stands in for `uci`. */
function store(data) {
	const kept = sectionsOf(data);
	let made = 0;
	const self = {
		load: () => Promise.resolve([]),
		save: () => Promise.resolve(),
		resolveSID: (config, sid) => sid,
		get: (config, sid, option) => (option == null ? kept[sid] || null : kept[sid] && option in kept[sid] ? kept[sid][option] : null),
		set(config, sid, option, value) {
			if (kept[sid])
				kept[sid][option] = value;
		},
		unset(config, sid, option) {
			if (kept[sid])
				delete kept[sid][option];
		},
		sections(config, type, callback) {
			const found = Object.values(kept).filter((section) => !type || section['.type'] === type).sort((a, b) => a['.index'] - b['.index']);
			if (typeof callback === 'function')
				found.forEach((section) => callback(section, section['.name']));
			return found;
		},
		add(config, type, name) {
			const sid = name || `@${type}[new${++made}]`;
			kept[sid] = { '.type': type, '.name': sid, '.anonymous': !name, '.index': Object.keys(kept).length };
			if (Array.isArray(data[type]))
				data[type].push(kept[sid]);
			else
				data[name || type] = kept[sid];
			return sid;
		},
		remove(config, sid) {
			const type = kept[sid] && kept[sid]['.type'];
			if (Array.isArray(data[type]))
				data[type].splice(data[type].indexOf(kept[sid]), 1);
			else
				delete data[sid];
			delete kept[sid];
		},
		move: () => false
	};
	return self;
}

/** @param {object} Map the class */
export function makeJsonMap(Map) {
	return Map.extend({
		__name__: 'form.JSONMap',
		_asksRights: false,

		__init__(data, title, description) {
			this.super('__init__', ['json', title, description]);
			this.data = store(data);
		}
	});
}
