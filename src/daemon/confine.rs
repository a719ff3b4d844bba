//! What the daemon needs of the system once it is confined, and how far that goes.

use std::path::{Path, PathBuf};

use super::run::Options;
use super::world::World;
use super::{answers, node::Node};
use crate::config::Settings;
use crate::config::settings::SandboxMode;
use crate::control::status;
use crate::platform::files;
use crate::platform::sandbox::{self, Level, Needs, Sandbox};

/// What root keeps beside the run folder for the daemon to read: `RUN-root`, `RUN-update`. Only what is there at the start is seen.
const ROOTS: [&str; 2] = ["-root", "-update"];

/// Confines this process, which has no second thread yet and has heard nobody.
pub fn confine(options: &Options, settings: &Settings, world: &World) -> Sandbox {
    let state_dir = &settings.node.state_dir;
    // A rule needs what it is about to be there. Whoever cannot make it says so when the first file is to be written.
    let _ = files::folder(state_dir, 0o700);
    let config = options.config.parent().map(|folder| if folder.as_os_str().is_empty() { ".".into() } else { folder.to_owned() });
    let own_settings = answers::writable(&options.config, &options.run_dir);
    let lists = [&settings.network.allow_file, &settings.network.block_file, &settings.coordinator.ca_file];
    let sandbox = sandbox::confine(&Needs {
        keeps: [options.run_dir.clone(), state_dir.clone()].into_iter().chain(config.filter(|_| own_settings)).collect(),
        reads: ROOTS.iter().map(|end| beside(&options.run_dir, end)).chain([world.counters.folder().to_owned()]).collect(),
        files: lists.into_iter().flatten().chain([&options.config]).cloned().collect(),
    });
    log::info!("the sandbox reaches {}", sandbox.level().name());
    sandbox
}

fn beside(run_dir: &Path, end: &str) -> PathBuf {
    let mut name = run_dir.file_name().unwrap_or_default().to_owned();
    name.push(end);
    run_dir.with_file_name(name)
}

/// As `status` tells it.
pub fn view(sandbox: &Sandbox) -> status::Sandbox {
    status::Sandbox { level: sandbox.level().name().into(), parts: sandbox.parts() }
}

impl Node {
    /// Why no role may run in this sandbox, where the owner asks for more than it is.
    pub fn sandbox_falls_short(&self) -> Option<String> {
        let strict = self.settings().security.sandbox_mode == SandboxMode::Strict;
        (strict && self.sandbox.level() < Level::Strict).then(|| self.sandbox.short_of_strict()).flatten()
    }
}
