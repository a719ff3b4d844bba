// The browser: one for each lane of checks, a context of its own for each page that a check opens.
import { chromium } from 'playwright-core';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { SOON } from './wait.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Where the app's pages are. */
export const HOME = '/cgi-bin/luci/admin/services/echomesh';
/** Quiet: nothing of the browser's own goes out. */
const FLAGS = [
	'--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export function launch() {
	return chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS });
}

/** A browser that is started when it is needed, and anew when it died. */
export class Browser {
	async alive() {
		if (!this.running?.isConnected()) this.running = await launch();
		return this.running;
	}

	async end() {
		await this.running?.close();
	}
}

/** The pages of one check, and what went wrong on any of them. */
export class Pages {
	constructor(browser, world) {
		this.browser = browser;
		this.world = world;
		this.open = [];
		this.contexts = [];
		this.said = [];
		this.allowed = [];
		this.answers = [];
	}

	/**
	 * Opens a page of the app, and waits until its view is drawn.
	 * @param {string} name of the page ("overview"), or a path from the root of the server
	 * @param {{as?: string, lang?: string, theme?: string, width?: number, height?: number, touch?: boolean, ready?: boolean,
	 *         before?: (page) => Promise}} [how] `before` is called before the page is asked for
	 */
	async at(name, { as = 'owner', lang = 'en', theme = 'light', width = 1280, height = 900, touch = false, ready = true, before } = {}) {
		const context = await this.browser.newContext({
			viewport: { width, height }, hasTouch: touch, isMobile: touch, locale: lang, colorScheme: theme === 'dark' ? 'dark' : 'light', acceptDownloads: true,
			reducedMotion: 'reduce',
		});
		context.setDefaultTimeout(SOON);
		this.contexts.push(context);
		const page = await context.newPage();
		this.open.push(page);
		this.watch(page);
		await before?.(page);
		const path = name.startsWith('/') ? name : `${HOME}/${name}`;
		await page.goto(`${this.world.url}${path}${path.includes('?') ? '&' : '?'}as=${as}&lang=${lang}&theme=${theme}`);
		if (ready) await drawn(page);
		return page;
	}

	watch(page) {
		page.on('console', message => {
			if (message.type() === 'error') this.said.push(`console: ${message.text()} (${message.location().url})`);
		});
		page.on('pageerror', error => this.said.push(`error: ${error.stack || error}`));
		page.on('request', request => {
			const url = request.url();
			if (!url.startsWith(`${this.world.url}/`) && !/^(data|blob):/.test(url)) this.said.push(`a request elsewhere: ${url}`);
		});
		// A view that asks what its login may not is broken, even where it hides the answer.
		page.on('response', response => {
			if (new URL(response.url()).pathname === '/ubus/') this.answers.push(this.judge(response));
		});
	}

	async judge(response) {
		const [asked, answered] = await Promise.all([response.request().postDataJSON(), response.json().catch(() => [])]);
		const answers = [answered].flat();
		for (const { id, params } of [asked].flat()) {
			const answer = answers.find(answer => answer.id === id);
			if (answer?.error || answer?.result?.[0]) this.said.push(`refused: ${params.slice(1, 3).join(' ')}: ${JSON.stringify(answer.error ?? answer.result)}`);
		}
	}

	/** From here on pages may say what `pattern` matches, in this check. */
	mayBeSaid(pattern) {
		this.allowed.push(pattern);
	}

	/** Throws where a page said an error, or asked anybody but the panel. */
	async wereGood() {
		await Promise.all(this.answers);
		const bad = this.said.filter(line => !this.allowed.some(pattern => pattern.test(line)));
		if (bad.length) throw new Error(`the pages were not silent:\n${bad.join('\n')}`);
	}

	async close() {
		await Promise.all(this.contexts.map(context => context.close()));
	}
}

/** Waits until the view stands where the spinner was; throws where it failed instead. */
export async function drawn(page) {
	const found = await page.waitForFunction(() => {
		const failed = [...document.querySelectorAll('#maincontent .alert-message.danger')].find(alert => !alert.closest('#view'));
		if (failed) return failed.innerText;
		const view = document.getElementById('view');
		return view?.children.length && !view.querySelector(':scope > .spinning') && 'drawn';
	});
	const said = await found.jsonValue();
	if (said !== 'drawn') throw new Error(`the view failed: ${said}`);
}

/** What axe-core finds serious or critical: [{id, impact, help, where[]}]. */
export async function faults(page) {
	await page.evaluate(AXE);
	return page.evaluate(async () => {
		const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
		return violations.filter(v => v.impact === 'serious' || v.impact === 'critical')
			.map(v => ({ id: v.id, impact: v.impact, help: v.help, where: v.nodes.slice(0, 5).map(n => `${n.target} ${n.any.concat(n.all)[0]?.message ?? ''}`) }));
	});
}

/** How much wider the document is than its window, in pixels. */
export function overhang(page) {
	return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** One call to ubus with the page's own session, past its views: what the server says, {result} or {error}. */
export function ubus(page, object, method, args = {}) {
	return page.evaluate(async ([object, method, args]) => {
		const sid = L.env.sessionid;
		const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'call', params: [sid, object, method, args] });
		const answer = await fetch(L.env.ubuspath, { method: 'POST', body, headers: { 'Content-Type': 'application/json' } });
		return answer.json();
	}, [object, method, args]);
}
