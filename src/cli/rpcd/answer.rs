//! From a checked call to the object that rpcd passes on.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::methods::Request;
use super::{error, export, here, identity, object, settings, tile};
use crate::cli::ask::{Answer, Daemon};
use crate::cli::report;
use crate::core::exit;

/// Longest answer that is passed on: half of what a ubus message holds, because numbers take more room there than as text.
const MAX_ANSWER: usize = 512 * 1024;

/// The plugin for one call.
pub(super) struct Plugin<'a> {
    /// The daemon's.
    pub(super) run_dir: &'a Path,
    /// The UCI file.
    pub(super) config: &'a Path,
    /// What starts and reloads the daemon, where it is not the router's init script.
    pub(super) service: Option<&'a Path>,
    /// The root folder of updates, where it is not the system's.
    pub(super) root: Option<&'a Path>,
    /// What the daemon has, from the connect to the last byte of its answer.
    pub(super) within: Duration,
}

impl Plugin<'_> {
    /// The answer to `request`.
    pub(super) fn answer(&self, request: &Request) -> Map<String, Value> {
        match request.method {
            "survey" => here::survey(self.config),
            "presets" => here::caps_and_hours(&request.args),
            "logs_export" => export::export(self.run_dir, &request.args),
            "update_status" => here::update_status(self),
            "setup_start" => here::set_up(self),
            "identity_restore" => identity::restore(self, &request.args),
            "identity_opt_out" => identity::opt_out(self.run_dir, self.config, &request.args),
            "job" => match request.args.get("id").and_then(Value::as_str) {
                Some(here::UPDATE) => here::update_status(self),
                Some(id @ (identity::OPT_OUT | identity::RESTORE)) => identity::job(self.run_dir, id),
                _ => self.asked(request),
            },
            method if request.verb == "-" => here::update(self, method, &request.args),
            _ => self.asked(request),
        }
    }

    fn asked(&self, request: &Request) -> Map<String, Value> {
        let daemon = Daemon::at(self.run_dir).within(self.within);
        let answer = match request.verb {
            "GET" => daemon.get(&request.target),
            verb => daemon.send(verb, &request.target, &request.body),
        };
        match answer {
            Ok(answer) if answer.body.len() > MAX_ANSWER => error("too-long", "the answer is longer than ubus passes on; ask the command line"),
            Ok(answer) => with_running(true, self.told(request, &answer)),
            Err(away) if away.code == exit::UNAVAILABLE => {
                let mut said = self.alone(request);
                if !said.contains_key("message") {
                    said.insert("message".into(), away.message.into());
                }
                with_running(false, said)
            }
            Err(late) if late.code == exit::IO => {
                let hint = if request.verb == "GET" { "" } else { "; it may still do what it was asked to" };
                error("no-answer", &format!("{}{hint}", late.message))
            }
            Err(failure) => error("not-asked", &failure.message),
        }
    }

    /// The daemon has answered.
    fn told(&self, request: &Request, answer: &Answer) -> Map<String, Value> {
        let said = serde_json::from_slice::<Value>(&answer.body);
        match (request.method, answer.status, said) {
            ("config_set", 409, Ok(said)) if said.get("batch").is_some() => settings::write(self, &request.body, true),
            ("config_set", 200, Ok(said)) => object(json!({ "written": true, "settings": said })),
            ("config_get", 200, Ok(said)) => object(json!({ "settings": said })),
            ("tile", 200, Ok(said)) => tile::tile(&said),
            (_, 200..300, Ok(Value::Object(said))) => said,
            (_, 200..300, _) => object(json!({ "text": String::from_utf8_lossy(&answer.body) })),
            (_, 422, Ok(found @ Value::Array(_))) => settings::findings(&found),
            (_, _, Ok(said)) if said["reason"].is_string() => object(json!({ "error": said })),
            (_, status, _) => error("unknown", &format!("the daemon answered {status}")),
        }
    }

    /// No daemon runs.
    fn alone(&self, request: &Request) -> Map<String, Value> {
        match request.method {
            "config_get" => settings::show(self.config),
            "config_set" => settings::write(self, &request.body, false),
            "config_check" => settings::check(self.config, &request.body),
            "report" => {
                let report = report::without_daemon(self.config);
                let text = request.args.get("text").is_some_and(|text| *text == true);
                if text { object(json!({ "text": report.text() })) } else { object(serde_json::to_value(report).unwrap_or_default()) }
            }
            _ => Map::new(),
        }
    }
}

fn with_running(running: bool, mut said: Map<String, Value>) -> Map<String, Value> {
    said.insert("running".into(), running.into());
    said
}
