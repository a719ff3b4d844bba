// `tests/luci/run`: see there.
import { readdirSync } from 'node:fs';
import { run } from './harness/runner.mjs';
import * as worlds from './harness/worlds.mjs';

const given = process.argv.slice(2);
const words = given.filter(word => !word.startsWith('--'));
const flag = name => given.includes(`--${name}`);

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

if (flag('keep')) {
	const make = worlds[words[0] ?? 'served'];
	if (typeof make !== 'function') throw new Error(`no world is called ${words[0]}`);
	const world = await make();
	console.log(`${world.url}/cgi-bin/luci/admin/services/echomesh\nits files and logs: ${world.folder}\nCtrl-C ends it`);
	await new Promise(() => setInterval(() => {}, 1 << 30));
} else if (flag('screenshots')) {
	const { take } = await import('./harness/screenshots.mjs');
	process.exitCode = await take(words);
} else {
	for (const name of readdirSync(new URL('specs', import.meta.url)).sort()) await import(`./specs/${name}`);
	process.exitCode = await run(words, { list: flag('list') });
}
