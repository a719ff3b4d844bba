// The parts that need no browser, each file by Node's own runner.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { group } from '../harness/runner.mjs';

const FOLDER = fileURLToPath(new URL('../units', import.meta.url));

group('units', null, check => {
	for (const name of readdirSync(FOLDER).filter(name => name.endsWith('.test.mjs')).sort()) {
		check(name, async ({ note }) => {
			// What fails there is in its output.
			const { stdout } = await promisify(execFile)(process.execPath, ['--test', '--test-reporter=tap', name], { cwd: FOLDER }).catch(failed => assert.fail(failed.stdout));
			const tests = Number(/^# tests (\d+)$/m.exec(stdout)?.[1]);
			assert.ok(tests > 0, 'no test in it');
			note(`${tests} tests`);
		});
	}
});
