/** LuCI's `session`: its id, and data that the browser keeps for the tab. */

export function makeSession({ env }) {
	const all = () => JSON.parse(window.sessionStorage.getItem('luci-session-store') || '{}');
	return {
		getID: () => env.sessionid,
		getToken: () => null,
		getLocalData(key) {
			const kept = all();
			return key ? (key in kept ? kept[key] : null) : kept;
		},
		setLocalData(key, value) {
			const kept = all();
			if (value == null)
				delete kept[key];
			else
				kept[key] = value;
			window.sessionStorage.setItem('luci-session-store', JSON.stringify(kept));
			return true;
		}
	};
}
