// Groups of checks over a world each. A check is a line of output; its pages must have been silent and must have stayed at home.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './process.mjs';
import { Browser, Pages } from './browser.mjs';

/** Milliseconds of one check. */
const CHECK_WITHIN = 60_000;
/** Groups at once: much of a check is waiting. */
const LANES = 2;
/** What pages looked like when their check failed. */
const KEPT = join(ROOT, 'target/luci');

const groups = [];

/**
 * Declares a group. `world` (or null) makes what its checks stand on, once; `fill` is given a function (title, check) to declare
 * each check with; a check gets {world, pages, note}.
 */
export function group(name, world, fill) {
	const checks = [];
	fill((title, run) => checks.push({ title, run }));
	groups.push({ name, world, checks });
}

/** Runs the checks whose names hold all of `words`, of which `a,b` is either; gives the exit code. */
export async function run(words, { list = false } = {}) {
	const holds = (whole, word) => word.toLowerCase().split(',').some(part => whole.includes(part));
	const wanted = (name, title) => words.every(word => holds(`${name}: ${title}`.toLowerCase(), word));
	const chosen = groups.map(g => ({ ...g, checks: g.checks.filter(c => wanted(g.name, c.title)) })).filter(g => g.checks.length);
	if (list) {
		chosen.forEach(g => g.checks.forEach(c => console.log(`${g.name}: ${c.title}`)));
		return 0;
	}
	if (!chosen.length) {
		console.error(`no check's name holds all of: ${words.join(' ')} (a,b is either); --list names them`);
		return 64;
	}
	const start = performance.now();
	const outcome = { passed: 0, failed: [] };
	const waiting = [...chosen];
	const lane = async () => {
		const browser = new Browser();
		for (let next; (next = waiting.shift());) await oneGroup(browser, next, outcome);
		await browser.end();
	};
	await Promise.all(Array.from({ length: LANES }, lane));
	const took = Math.round((performance.now() - start) / 1000);
	console.log(`\n${outcome.passed} passed, ${outcome.failed.length} failed, in ${took} s${outcome.failed.map(name => `\n  FAILED ${name}`).join('')}`);
	return outcome.failed.length ? 1 : 0;
}

async function oneGroup(browser, { name, world, checks }, outcome) {
	let made = null;
	try {
		made = await world?.();
	} catch (error) {
		tell('FAIL', name, 'its world stands', error);
		outcome.failed.push(`${name}: its world stands`);
		return;
	}
	let bad = false;
	for (const check of checks) {
		if (await one(browser, name, made, check)) outcome.passed++;
		else bad = Boolean(outcome.failed.push(`${name}: ${check.title}`));
	}
	await made?.end(bad).catch(error => console.error(`the world of ${name}: ${error.message}`));
	if (bad && made) console.log(`     its world's files and logs: ${made.folder}`);
}

async function one(browser, name, world, check) {
	const once = await attempt(browser, name, world, check);
	if (once !== 'died') return once;
	// That Chromium itself crashes, seldom, is no fault of a page; that it does so twice in one check may be.
	console.log(`     the browser died in: ${name}: ${check.title}; once more with another`);
	return await attempt(browser, name, world, check) === true;
}

/** Whether the check passed; `died` where the browser ended on the way. */
async function attempt(browser, name, world, { title, run }) {
	const pages = new Pages(await browser.alive(), world);
	const notes = [];
	const start = performance.now();
	let timer;
	try {
		const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`not over within ${CHECK_WITHIN} ms`)), CHECK_WITHIN); });
		await Promise.race([run({ world, pages, note: text => notes.push(text) }), late]);
		await pages.wereGood();
		tell('ok  ', name, `${title}${notes.map(text => ` [${text}]`).join('')} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
		return true;
	} catch (error) {
		if (!pages.browser.isConnected()) return 'died';
		tell('FAIL', name, title, error);
		await keep(pages, `${name} ${title}`).catch(() => {});
		return false;
	} finally {
		clearTimeout(timer);
		await pages.close().catch(() => {});
	}
}

function tell(mark, name, title, error) {
	console.log(`${mark} ${name}: ${title}`);
	if (!error) return;
	// Of the stack only where it is in a spec: what went wrong is in the message.
	const at = String(error.stack).split('\n').find(line => /^\s+at .*\/specs\//.test(line)) ?? '';
	console.log(`${error.message ?? error}\n${at.trim()}`.trimEnd().replace(/^/gm, '     '));
}

/** Pictures and text of what is open. */
async function keep(pages, title) {
	mkdirSync(KEPT, { recursive: true });
	const file = join(KEPT, title.replace(/[^\w]+/g, '-').slice(0, 80));
	for (const [n, page] of pages.open.entries()) {
		await page.screenshot({ path: `${file}.${n}.png`, fullPage: true, timeout: 5000 });
		writeFileSync(`${file}.${n}.html`, await page.content());
		console.log(`     the page: ${file}.${n}.png`);
	}
	for (const line of pages.said) console.log(`     it said: ${line}`);
}
