'use strict';
'require baseclass';
'require rpc';

/*
 * The ubus object `echomesh`: every method a page calls, with its arguments in the order of call(). What each answers is
 * described in docs/reference/ubus.md.
 */
const METHODS = {
	status: [],
	tile: [],
	overview: [ 'seconds' ],
	control: [ 'action', 'seconds' ],
	sessions_close: [ 'sessionId' ],
	config_get: [],
	config_check: [ 'patch' ],
	config_set: [ 'patch' ],
	policy_explain: [ 'host', 'port', 'session' ],
	logs: [ 'since' ],
	logs_export: [ 'id', 'offset' ],
	report: [ 'text' ],
	identity: [],
	identity_seal: [ 'passphrase' ],
	identity_unseal: [ 'passphrase' ],
	identity_unlock: [ 'passphrase' ],
	identity_backup: [ 'passphrase' ],
	identity_restore: [ 'backup', 'passphrase', 'sealed', 'replace' ],
	identity_rotate: [ 'passphrase' ],
	identity_opt_out: [ 'confirm', 'offline' ],
	survey: [],
	presets: [ 'line' ],
	setup_start: [],
	setup_test: [ 'patch' ],
	job: [ 'id' ],
	update_status: [],
	update_check: [],
	update_apply: [ 'early', 'again', 'allowDowngrade', 'ignoreFeed' ],
	update_rollback: []
};

/* What only reads is asked again where the daemon had too much to do to answer in its 40 ms: after so many milliseconds, so often. */
const READS = [ 'status', 'tile', 'overview', 'config_get', 'config_check', 'policy_explain', 'logs', 'report', 'identity' ];
const AGAIN_AFTER = 300;
const AGAIN = 4;

/* How often a job is asked after, in milliseconds, and how often it may fail to answer in a row: the daemon may restart under it. */
const JOB_EVERY = 1000;
const JOB_MISSES = 20;

const declared = {};

function refusal(reason, message) {
	const error = new Error(message);
	error.reason = reason;
	return error;
}

return baseclass.extend({
	/*
	 * Calls a method and gives its answer as it came: also one that says `error` or `running: false`.
	 * Rejects where ubus itself failed: no such object, access denied, no connection.
	 */
	ask(method, ...args) {
		if (!declared[method])
			declared[method] = rpc.declare({ object: 'echomesh', method: method, params: METHODS[method], reject: true });

		function asked(again) {
			return declared[method](...args).then(answer => again > 0 && answer.error && answer.error.reason === 'no-answer'
				? new Promise(done => window.setTimeout(done, AGAIN_AFTER)).then(() => asked(again - 1)) : answer);
		}

		return asked(READS.includes(method) ? AGAIN : 0);
	},

	/*
	 * Calls a method and gives its answer when it did what it was asked. Rejects with an Error that has the stable id `reason`
	 * beside its message: of the answer's `error`, or `not-running`.
	 */
	call(method, ...args) {
		return this.ask(method, ...args).then(answer => {
			if (answer.error)
				throw refusal(answer.error.reason, answer.error.message);

			if (answer.running === false)
				throw refusal('not-running', answer.message || _('The EchoMesh daemon does not run.'));

			return answer;
		});
	},

	/*
	 * Starts work that answers with a job, and waits for its end. `tell`, if given, gets each state of it on the way:
	 * {id, kind, state, reason, message, result}. Gives the job when it is done; rejects when it failed.
	 */
	work(method, args, tell) {
		return this.call(method, ...(args || [])).then(answer => this.follow(answer.id, tell));
	},

	/* Waits for the end of a job that was started before, as work() does. */
	follow(id, tell) {
		const api = this;
		let misses = 0;

		return new Promise((done, failed) => {
			function look() {
				api.ask('job', id).then(job => {
					if (job.error)
						throw refusal(job.error.reason, job.error.message);

					if (!job.state)
						throw refusal('no-answer', job.message || _('There is no answer yet.'));

					misses = 0;

					if (tell)
						tell(job);

					if (job.state === 'running')
						window.setTimeout(look, JOB_EVERY);
					else if (job.state === 'done')
						done(job);
					else
						failed(refusal(job.reason || 'failed', job.message || _('It failed; the log says more.')));
				}).catch(error => {
					if (++misses > JOB_MISSES || error.reason === 'job-unknown')
						failed(error);
					else
						window.setTimeout(look, JOB_EVERY);
				});
			}

			look();
		});
	}
});
