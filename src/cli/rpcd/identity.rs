//! What changes who this node is, and takes the service or its settings along: leaving, and taking a backup back.

use std::path::Path;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::answer::Plugin;
use super::here::{printed, started, switches};
use super::{aside, error, object};
use crate::codec::base64;
use crate::config;
use crate::core::exit;
use crate::identity::Passphrase;
use crate::identity::backup::{self, RestoreError};
use crate::identity::sealed::Sealed;

/// Id of leaving; also what confirms it.
pub(super) const OPT_OUT: &str = "opt-out";
/// Id of taking a backup back.
pub(super) const RESTORE: &str = "restore";

/// `identity_opt_out`: a program sees it to its end, as root: it waits for the coordinator, and resets what the daemon may not write.
pub(super) fn opt_out(run_dir: &Path, config: &Path, args: &Map<String, Value>) -> Map<String, Value> {
    if args.get("confirm").is_none_or(|word| word != OPT_OUT) {
        return error("bad-request", "to delete everything that makes this node, say \"confirm\": \"opt-out\"");
    }
    let program = aside::echomesh(run_dir, &["opt-out", "--yes", "--config"]).and_then(|mut program| {
        program.arg(config).args(switches(args));
        aside::start_watched(run_dir, OPT_OUT, &program, b"")
    });
    started(OPT_OUT, program)
}

/// `identity_restore`: what can be told at once is; the rest needs the service stopped, and a program sees to that as root. The
/// passphrase and the backup go to it by its standard input, and nowhere else.
pub(super) fn restore(plugin: &Plugin<'_>, args: &Map<String, Value>) -> Map<String, Value> {
    let text = |name: &str| args.get(name).and_then(Value::as_str).unwrap_or_default();
    let passphrase = match Passphrase::known(text("passphrase").to_owned()) {
        Ok(passphrase) if !passphrase.expose().contains(['\n', '\r']) => passphrase,
        Ok(_) => return error("bad-request", "a passphrase is one line"),
        Err(e) => return error("bad-request", &e.to_string()),
    };
    let Some(bytes) = base64::from_padded(text("backup").trim()) else {
        return error("bad-backup", "the backup is not base64, as identity_backup gives it");
    };
    let backup = match Sealed::parse(&bytes) {
        Ok(backup) => backup,
        Err(e) => return error("bad-backup", &format!("the backup: {e}")),
    };
    let state_dir = match config::read(plugin.config) {
        Ok((settings, _)) => settings.node.state_dir,
        Err(e) => return error("settings", &e.to_string()),
    };
    match backup::outcome(&state_dir, &backup, args.get("replace").is_some_and(|on| *on == true)) {
        Ok(_) => {}
        Err(RestoreError::Other(there)) => {
            let mut said = error("other-identity", &RestoreError::Other(there).to_string());
            said.extend(object(json!({ "nodeId": backup.node_id, "there": there })));
            return said;
        }
        Err(e) => return error("not-kept", &e.to_string()),
    }
    let program = aside::echomesh(plugin.run_dir, &["identity", "restore", "--restart", "--config"]).and_then(|mut program| {
        program.arg(plugin.config).args(switches(args));
        if let Some(service) = plugin.service {
            program.arg("--service").arg(service);
        }
        let mut input = Zeroizing::new(Vec::with_capacity(passphrase.expose().len() + 1 + bytes.len()));
        input.extend_from_slice(passphrase.expose().as_bytes());
        input.push(b'\n');
        input.extend_from_slice(&bytes);
        aside::start_watched(plugin.run_dir, RESTORE, &program, &input)
    });
    let mut said = started(RESTORE, program);
    said.insert("nodeId".into(), json!(backup.node_id));
    said
}

/// How the work begun under `id` stands: as a job of the daemon's, with what was printed so far.
pub(super) fn job(run_dir: &Path, id: &str) -> Map<String, Value> {
    let mut said = printed(run_dir, id);
    let Some(text) = said.get("printed").cloned() else { return said };
    let (state, reason) = match aside::ended(run_dir, id).map(i32::from) {
        None => ("running", None),
        Some(0) => ("done", None),
        Some(exit::NO_PERM) if id == RESTORE => ("failed", Some("wrong-passphrase")),
        Some(_) => ("failed", Some("failed")),
    };
    let message = if state == "failed" { text.as_str().map(|text| text.trim_start_matches("echomesh: ")) } else { None };
    said.extend(object(json!({ "kind": format!("identity/{id}"), "state": state, "reason": reason, "message": message, "result": null })));
    said
}
