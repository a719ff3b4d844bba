// The parts that need no browser, each file by Node's own runner.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { group } from '../harness/runner.mjs';

const FOLDER = fileURLToPath(new URL('../units', import.meta.url));

group('units', null, check => {
	for (const name of readdirSync(FOLDER).filter(name => name.endsWith('.test.mjs')).sort()) {
		check(name, ({ note }) => {
			const { status, stdout, stderr } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', name], { cwd: FOLDER, encoding: 'utf8' });
			assert.equal(status, 0, stdout + stderr);
			const tests = Number(/^# tests (\d+)$/m.exec(stdout)?.[1]);
			assert.ok(tests > 0, 'no test in it');
			note(`${tests} tests`);
		});
	}
});
