// The app's source files, read as texts.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './process.mjs';

/** The app's folder. */
export const APP = join(ROOT, 'luci-app');
/** Where LuCI looks for views and modules. */
export const RESOURCES = join(APP, 'htdocs/luci-static/resources');

const json = path => JSON.parse(readFileSync(path, 'utf8'));

/** The menu: path → node. */
export const MENU = json(join(APP, 'root/usr/share/luci/menu.d/luci-app-echomesh.json'));
/** The access group. */
export const GROUP = json(join(APP, 'root/usr/share/rpcd/acl.d/luci-app-echomesh.json'))['luci-app-echomesh'];
/** Names of the pages: the last word of their paths. */
export const PAGES = Object.entries(MENU).filter(([, node]) => node.action?.type === 'view').map(([path]) => path.split('/').pop());
/** The tile's file. */
export const TILE = join(RESOURCES, 'view/status/include/25_echomesh.js');

/** The file of a page's view. */
export const view = name => join(RESOURCES, 'view', `${Object.entries(MENU).find(([path]) => path.endsWith(`/${name}`))[1].action.path}.js`);

/** Names that the file at `path` requires: [{module, as}]. */
export function requires(path) {
	return [...readFileSync(path, 'utf8').matchAll(/^'require ([\w.]+)(?: as (\w+))?';/gm)].map(([, module, as]) => ({ module, as: as ?? module.replace(/\W/g, '_') }));
}

/** The app's own files that a page loads: its view, and its modules with theirs. */
export function closure(path, seen = new Set()) {
	if (seen.has(path)) return seen;
	seen.add(path);
	for (const { module } of requires(path)) {
		const file = join(RESOURCES, `${module.replace(/\./g, '/')}.js`);
		if (existsSync(file)) closure(file, seen);
	}
	return seen;
}

/** All of the app's scripts. */
export function scripts(folder = RESOURCES) {
	return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
		const path = join(folder, entry.name);
		return entry.isDirectory() ? scripts(path) : entry.name.endsWith('.js') ? [path] : [];
	});
}
