//! Settings written by root: what the daemon has checked but may not write, and what it cannot check because it does not run.

use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

use super::answer::Plugin;
use super::{aside, error, object};
use crate::cli::config::set::{self, INIT_SCRIPT};
use crate::cli::config::usable;
use crate::config::{batch, json};

/// Commits `patch` to the file at `config`, under libuci's lock; a daemon that `runs` is made to read it.
pub(super) fn write(plugin: &Plugin<'_>, patch: &Value, runs: bool) -> Map<String, Value> {
    let config = plugin.config;
    let old = match usable(config) {
        Ok(old) => old,
        Err(failure) => return error("settings", &failure.message),
    };
    let new = match json::merge(&old, patch) {
        Ok(new) => new,
        Err(found) => return findings(&serde_json::to_value(found).unwrap_or_default()),
    };
    if let Err(e) = batch::try_commit(config, &old, &new) {
        return error("not-written", &format!("{}: {e}", config.display()));
    }
    let told = if runs { reload(plugin) } else { Ok(()) };
    let mut done = object(json!({ "written": true, "settings": json::to_json(&new) }));
    if let Err(why) = told {
        done.extend(error("not-reloaded", &why));
    }
    done
}

/// The init script takes a good part of a second, so it runs beside us.
fn reload(plugin: &Plugin<'_>) -> Result<(), String> {
    let (config, run_dir) = (plugin.config, plugin.run_dir);
    let router = || set::has_init_script(config).then_some(Path::new(INIT_SCRIPT));
    if let Some(service) = plugin.service.or_else(router) {
        let started = aside::start(run_dir, "reload", Command::new(service).arg("reload"));
        return started.map_err(|e| format!("written, but `{} reload` cannot be run: {e}", service.display()));
    }
    set::reload(config, run_dir).map(drop).map_err(|failure| failure.message)
}

/// What the file at `config` says, for where no daemon tells what is in force.
pub(super) fn show(config: &Path) -> Map<String, Value> {
    match usable(config) {
        Ok(settings) => object(json!({ "settings": json::to_json(&settings) })),
        Err(failure) => error("settings", &failure.message),
    }
}

/// What is wrong with `patch`.
pub(super) fn check(config: &Path, patch: &Value) -> Map<String, Value> {
    match usable(config).map(|settings| json::merge(&settings, patch)) {
        Ok(checked) => object(json!({ "findings": checked.err().unwrap_or_default() })),
        Err(failure) => error("settings", &failure.message),
    }
}

/// The answer to settings that are wrong: an array of `{path, message}`.
pub(super) fn findings(found: &Value) -> Map<String, Value> {
    let mut said = error("findings", "these settings are wrong; nothing was changed");
    said.insert("findings".into(), found.clone());
    said
}
