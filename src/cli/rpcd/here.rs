//! What the plugin answers itself: as root it sees more of the box than the daemon in its jail, and needs no daemon for it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::answer::Plugin;
use super::{aside, error, object};
use crate::cli::config::set::INIT_SCRIPT;
use crate::config::settings::Rate;
use crate::config::{self, form, presets};
use crate::control::survey::Survey;
use crate::net::deadline::within;

/// How long the program has to say how an update stands.
const STATUS_WITHIN: Duration = Duration::from_secs(1);
/// Id of work on updates.
pub(super) const UPDATE: &str = "update";

/// `survey`.
pub(super) fn survey(config: &Path) -> Map<String, Value> {
    let uplinks = config::read(config).map(|(settings, _)| settings.network.uplink).unwrap_or_default();
    object(serde_json::to_value(Survey::here(&uplinks)).unwrap_or_default())
}

/// `presets`.
pub(super) fn caps_and_hours(args: &Map<String, Value>) -> Map<String, Value> {
    let line = args.get("line").map(|line| form::bits(&line.to_string()).filter(|bits| *bits > 0).map(Rate));
    match line {
        Some(None) => error("bad-arguments", "line is a number of Mbps, like 40 or 2.5"),
        line => object(presets::to_json(line.flatten())),
    }
}

/// `setup_start`: runs the daemon with everything off, so that a page can set the node up.
pub(super) fn set_up(plugin: &Plugin<'_>) -> Map<String, Value> {
    let service = plugin.service.unwrap_or(Path::new(INIT_SCRIPT));
    started("setup", aside::start(plugin.run_dir, "setup", Command::new(service).arg("setup")))
}

/// `update_check`, `update_apply`, `update_rollback`: started, and not waited for.
pub(super) fn update(plugin: &Plugin<'_>, method: &str, args: &Map<String, Value>) -> Map<String, Value> {
    let verb = method.trim_start_matches("update_");
    let program = updater(plugin, verb).and_then(|mut program| {
        program.args(switches(args));
        if verb == "check" {
            program.arg("--json");
        }
        aside::start(plugin.run_dir, UPDATE, &mut program)
    });
    started(UPDATE, program)
}

/// `echomesh update VERB`, in the plugin's own place where that is not the router.
fn updater(plugin: &Plugin<'_>, verb: &str) -> std::io::Result<Command> {
    let mut program = aside::echomesh(plugin.run_dir, &["update"])?;
    if let Some(root) = plugin.root {
        program.arg("--root").arg(root).arg("--config").arg(plugin.config);
    }
    if let Some(service) = plugin.service {
        program.arg("--service").arg(service);
    }
    program.arg(verb);
    Ok(program)
}

/// The arguments that are true, as switches: `allowDowngrade` is `--allow-downgrade`.
pub(super) fn switches(args: &Map<String, Value>) -> impl Iterator<Item = String> {
    args.iter().filter(|(_, on)| **on == true).map(|(name, _)| switch(name))
}

fn switch(name: &str) -> String {
    let mut switch = "--".to_owned();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            switch.push('-');
        }
        switch.push(c.to_ascii_lowercase());
    }
    switch
}

/// How work begun under `id` is told: `job` asks after it.
pub(super) fn started(id: &str, outcome: std::io::Result<()>) -> Map<String, Value> {
    match outcome {
        Ok(()) => object(json!({ "id": id, "state": "running" })),
        Err(e) => error("not-started", &format!("the program for it cannot be started: {e}")),
    }
}

/// What the work begun under `id` printed so far.
pub(super) fn printed(run_dir: &Path, id: &str) -> Map<String, Value> {
    aside::printed(run_dir, id).map_or_else(
        || error("job-unknown", "there is no such job, or none any more"),
        // What a check found is JSON itself.
        |text| object(json!({ "id": id, "printed": serde_json::from_str(&text).unwrap_or(Value::String(text)) })),
    )
}

/// `update_status`: what `echomesh update status --json` says, and what the last work printed.
pub(super) fn update_status(plugin: &Plugin<'_>) -> Map<String, Value> {
    let asked = updater(plugin, "status").ok().and_then(|mut program| {
        program.arg("--json");
        // Where it hangs, the thread that waits for it ends with this process.
        smol::block_on(within(STATUS_WITHIN, smol::unblock(move || program.stdin(Stdio::null()).output())))?.ok()
    });
    let mut said = match asked.and_then(|output| serde_json::from_slice(&output.stdout).ok()) {
        Some(Value::Object(status)) => status,
        _ => error("no-status", "`echomesh update status --json` does not tell how it stands; run it to see why"),
    };
    said.extend(printed(plugin.run_dir, UPDATE).remove("printed").map(|printed| ("printed".into(), printed)));
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_switches_and_lines_rates() {
        assert_eq!((switch("early"), switch("allowDowngrade")), ("--early".into(), "--allow-downgrade".into()));
        let told = |line: Value| caps_and_hours(&object(json!({ "line": line })));
        assert_eq!(told(json!(40))["caps"][1]["maxMbps"], 10);
        assert_eq!(told(json!(2.5))["caps"][2]["maxMbps"], 1.2);
        for wrong in [json!(0), json!(-3), json!(1e300), json!(0.000_000_01)] {
            assert!(told(wrong.clone()).contains_key("error"), "{wrong}");
        }
        assert_eq!(caps_and_hours(&Map::new())["caps"][0]["maxMbps"], 2);
    }
}
