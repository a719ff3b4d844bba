//! The object `echomesh`: this program as `echomesh rpcd`, a process for each call, as rpcd runs it.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Map, Value, json};

use crate::core::exit::{self, Failure};

/// A browser and its tests share the processor with the daemon here, and a debug build takes its time.
const PATIENCE: [&str; 2] = ["--within", "2000"];

/// Where the daemon has what is its own, in the place of the router's.
#[derive(Clone, Debug)]
pub struct Place {
    /// Run folder.
    pub run_dir: PathBuf,
    /// UCI file.
    pub config: PathBuf,
    /// What starts and reloads it.
    pub service: PathBuf,
    /// Root folder of updates.
    pub root: PathBuf,
}

/// Runs the plugin.
#[derive(Debug)]
pub struct Plugin {
    exe: PathBuf,
    place: Place,
    /// Its methods with the types of their arguments, as `list` tells them.
    methods: Map<String, Value>,
}

impl Plugin {
    /// The plugin beside the daemon of `place`.
    ///
    /// # Errors
    /// It does not say what methods it has.
    pub fn new(place: Place) -> Result<Plugin, Failure> {
        let exe = std::env::current_exe().map_err(|e| Failure::new(exit::OS, format!("cannot find this executable: {e}")))?;
        let mut plugin = Plugin { exe, place, methods: Map::new() };
        let listed = plugin.run(&["list"], b"").map_err(|e| Failure::new(exit::OS, format!("`echomesh rpcd list`: {e}")))?;
        plugin.methods = object(&listed).ok_or_else(|| Failure::new(exit::SOFTWARE, "`echomesh rpcd list` does not tell the methods"))?;
        Ok(plugin)
    }

    /// The methods with the types of their arguments.
    pub fn methods(&self) -> &Map<String, Value> {
        &self.methods
    }

    /// What `method` answers; `None` where the plugin failed.
    pub fn call(&self, method: &str, args: &Map<String, Value>, session: &str) -> Option<Map<String, Value>> {
        let mut args = args.clone();
        args.insert("ubus_rpc_session".into(), json!(session));
        object(&self.run(&["call", method], Value::Object(args).to_string().as_bytes()).ok()?)
    }

    fn run(&self, words: &[&str], given: &[u8]) -> io::Result<Output> {
        let mut command = Command::new(&self.exe);
        let Place { run_dir, config, service, root } = &self.place;
        command.arg("--run-dir").arg(run_dir).arg("rpcd").arg("--config").arg(config);
        command.arg("--service").arg(service).arg("--root").arg(root).args(PATIENCE).args(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A plugin that refuses early does not read all; what it printed says why.
            let _ = stdin.write_all(given);
        }
        child.wait_with_output()
    }
}

fn object(output: &Output) -> Option<Map<String, Value>> {
    serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())
}
