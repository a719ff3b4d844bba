/** Starts the stand-in: reads what the server wrote into the page, makes the modules, draws the theme, and loads the page's view. */
import { Class } from './class.js';
import { dom, E } from './dom.js';
import { install as installFormat } from './format.js';
import { makeForm } from './form/index.js';
import { guardClass, guardModule, parseApi } from './guard.js';
import { makeL } from './luci.js';
import { makeRequire } from './loader.js';
import { parsePo, translator } from './po.js';
import { makePoll } from './poll.js';
import { makeRequest } from './request.js';
import * as refused from './refused.js';
import { makeRpc } from './rpc.js';
import { drawTheme } from './theme.js';
import { makeSession } from './session.js';
import { installUi, makeUi } from './ui/index.js';
import { makeUci } from './uci/index.js';
import { makeValidation } from './validation/index.js';
import { makeView } from './view.js';

const HERE = '/luci-static/stand-in';
/** What LuCI's pages have by default beside what the server tells, in seconds. The hold-off is 4 s on a router, where services restart. */
const DEFAULTS = { pollinterval: 5, rpctimeout: 20, apply_rollback: 90, apply_holdoff: 0.2, apply_timeout: 5, apply_display: 1.5 };
const ENV_KEYS = ['sessionid', 'scriptname', 'resource', 'media', 'ubuspath', 'requestpath', 'nodespec'];

async function text(path) {
	const answer = await fetch(`${HERE}/${path}`, { cache: 'no-store' });
	return answer.ok ? answer.text() : '';
}

/** The catalogues of a language: the app's, then the stand-in's own. */
async function catalogues(lang) {
	if (lang === 'en')
		return [];
	const texts = await Promise.all([text(`po/${lang}.po`), text(`words/${lang}.po`)]);
	return texts.filter(Boolean).map(parsePo);
}

/** Refused calls are looked into: a session that is not known any more has ended. */
function expiryCheck({ rpc }, L) {
	const ask = rpc.declare({ object: 'session', method: 'access', params: ['scope', 'object', 'function'], expect: { access: true } });
	return (answer, req) => {
		if (!answer || !answer.error || answer.error.code !== -32002 || req.object === 'session')
			return null;
		return ask('uci', 'luci', 'read').then(() => null, () => L.notifySessionExpiry());
	};
}

async function start(told) {
	if (!told)
		throw new Error('stand-in: the server told nothing about this page');
	const [apiText, found] = await Promise.all([text('api.txt'), catalogues(told.lang)]);
	const api = parseApi(apiText);
	const { _, N_ } = translator(found);
	const env = Object.assign({}, DEFAULTS, Object.fromEntries(ENV_KEYS.map((key) => [key, told[key]])));
	env.dispatchpath = env.requestpath;
	Object.freeze(env);

	installFormat(String);
	const offered = {};
	let load = null;
	const L = makeL({ env, ui: () => raw.ui, require: () => load, E, _ });
	const offeredL = guardModule(api, 'L', L);
	Object.assign(window, { E, _, N_, L: offeredL });

	const request = makeRequest();
	const poll = makePoll(() => env);
	const raw = { rpc: makeRpc({ request, env, _ }), session: makeSession({ env }), validation: makeValidation({ api, _ }) };
	raw.uci = makeUci({ rpc: raw.rpc, env });
	load = makeRequire({ builtins: offered, L: offeredL, env });
	const runtime = { api, env, _, rpc: raw.rpc, session: raw.session, uci: () => raw.uci, require: () => load, L: () => L, validation: () => raw.validation };
	raw.ui = makeUi(runtime);
	raw.form = makeForm(Object.assign({ ui: () => raw.ui }, runtime));
	raw.view = guardClass(api, 'view', makeView({ L: () => L, ui: () => raw.ui, _ }));
	Object.assign(offered, {
		baseclass: Class, view: raw.view, dom: guardModule(api, 'dom', dom), poll: guardModule(api, 'poll', poll),
		request: guardModule(api, 'request', request), rpc: guardModule(api, 'rpc', raw.rpc), ui: guardModule(api, 'ui', raw.ui),
		session: guardModule(api, 'session', raw.session), uci: guardModule(api, 'uci', raw.uci), validation: guardModule(api, 'validation', raw.validation),
		form: guardModule(api, 'form', raw.form), fs: guardModule(api, 'fs', refused.fs), network: guardModule(api, 'network', refused.network)
	});

	raw.rpc.addInterceptor(expiryCheck(raw, L));
	drawTheme(told, _);
	installUi();
	document.dispatchEvent(new CustomEvent('luci-loaded'));
	poll.start();
	if (told.nodespec && !told.nodespec.readonly)
		raw.ui.changes.init().catch(() => {});
	await raw.ui.instantiateView(told.nodespec.action.path);
}

start(window.standIn).catch((e) => {
	const spinner = document.querySelector('#view > .spinning');
	if (spinner)
		spinner.remove();
	if (e.reported)
		return;
	console.error(e.stack || String(e));
	const place = document.getElementById('maincontent') || document.body;
	place.prepend(Object.assign(document.createElement('pre'), { className: 'alert-message danger', textContent: e.message }));
});
