//! `echomesh rpcd`: what ubus offers as the object `echomesh`. rpcd runs it by `/usr/libexec/rpcd/echomesh`, a program for each call.
//!
//! The daemon answers; the plugin checks arguments, hurries, and does as root what the daemon may not: it writes UCI and starts
//! what updates the program. It never waits for work that takes longer than a moment.
//!
//! rpcd gives the arguments as JSON on standard input and passes on the object that is printed, whatever the exit code.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use argh::FromArgs;
use serde_json::{Map, Value, json};

use super::print;
use crate::codec::json::MAX_BODY;
use crate::core::exit::{self, Failure};

mod answer;
mod aside;
mod export;
mod here;
mod identity;
pub mod methods;
mod settings;
mod tile;

use answer::Plugin;

#[derive(FromArgs)]
#[argh(subcommand, name = "rpcd")]
/// Answer rpcd, as its exec plugins do: `list`, or `call METHOD` with the arguments as JSON on standard input.
pub struct Rpcd {
    /// list, or call METHOD
    #[argh(positional)]
    words: Vec<String>,
    /// UCI file [/etc/config/echomesh]
    #[argh(option, default = "super::CONFIG.into()")]
    config: PathBuf,
    /// program that starts and reloads the daemon [/etc/init.d/echomesh]
    #[argh(option)]
    service: Option<PathBuf>,
    /// the system's root folder, for updates [/]
    #[argh(option)]
    root: Option<PathBuf>,
    /// milliseconds the daemon has for its answer, for which a page and a shell wait [40]
    #[argh(option, default = "40")]
    within: u64,
}

impl Rpcd {
    /// Prints one JSON object.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let said = match words.as_slice() {
            ["list"] => methods::list(),
            ["call", method] => {
                let mut given = Vec::new();
                let read = std::io::stdin().take(MAX_BODY as u64 + 1).read_to_end(&mut given);
                read.map_err(|e| Failure::new(exit::IO, format!("standard input: {e}")))?;
                match methods::request(method, &given) {
                    Ok(request) => self.plugin(run_dir).answer(&request),
                    Err(why) => error("bad-arguments", &why),
                }
            }
            _ => return Err(Failure::new(exit::USAGE, "say `list`, or `call METHOD` with the arguments on standard input")),
        };
        print::text(&format!("{}\n", Value::Object(said)))
    }
}

impl Rpcd {
    fn plugin<'a>(&'a self, run_dir: &'a Path) -> Plugin<'a> {
        Plugin {
            run_dir,
            config: &self.config,
            service: self.service.as_deref(),
            root: self.root.as_deref(),
            within: Duration::from_millis(self.within),
        }
    }
}

/// An answer that says what went wrong: `{"error": {reason, message}}`.
fn error(reason: &str, message: &str) -> Map<String, Value> {
    object(json!({ "error": { "reason": reason, "message": message } }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
