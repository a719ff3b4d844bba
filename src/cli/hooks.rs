//! `echomesh hooks`: hands on to the router what happens on the node. A root process beside the daemon, which may do nothing
//! of this itself: events go to ubus, and sessions and relays that come and go to the owner's scripts.
//!
//! The daemon is the less trusted side here: its words are bounded, its values plain, and it names no program.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use argh::FromArgs;
use log::LevelFilter;
use nix::sys::signal::{SigSet, Signal};

use crate::control::run_dir::SOCKET;
use crate::core::Clock;
use crate::core::exit::{self, Failure};
use crate::core::logging::{self, Dest};
use crate::platform::errand::Errands;
use queue::Queue;
use scripts::Scripts;
use updates::Updates;

pub mod feed;
mod follow;
pub mod news;
mod queue;
mod scripts;
mod ubus;
mod updates;

/// Stack of each thread: the deepest is serde_json's, over a line of at most [`feed::MOST_LINE`] bytes.
const STACK: usize = 256 * 1024;

#[derive(FromArgs)]
#[argh(subcommand, name = "hooks")]
/// Hand events of the daemon to ubus and to the owner's scripts, and let the updater look once a day, until a signal ends it. Runs as root beside the daemon.
pub struct Hooks {
    /// folder of the scripts [/etc/echomesh/offload.d]
    #[argh(option, default = "\"/etc/echomesh/offload.d\".into()")]
    dir: PathBuf,
    /// the ubus client; where there is none, nothing is sent [/bin/ubus]
    #[argh(option, default = "\"/bin/ubus\".into()")]
    ubus: PathBuf,
    /// the packaged program, which updates where update.auto_update is 1; where there is none, nothing does [/usr/bin/echomesh]
    #[argh(option, default = "\"/usr/bin/echomesh\".into()")]
    updater: PathBuf,
    /// seconds without a daemon after which the updater is to see whether an update is to blame [120]
    #[argh(option, default = "120")]
    rescue_after: u64,
}

impl Hooks {
    /// Until a signal ends it.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        if ![&self.dir, &self.ubus, &self.updater].iter().all(|path| path.is_absolute()) {
            return Err(Failure::new(exit::USAGE, "--dir, --ubus and --updater are named from / on"));
        }
        logging::init(Dest::Auto, LevelFilter::Info, Clock::system());
        // Before any thread is there, so that all have it; programs that are run start without it.
        let ending = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
        ending.thread_block().map_err(os)?;
        let (to_scripts, to_ubus) = (Arc::new(Queue::new("the scripts")), Arc::new(Queue::new("ubus")));
        let (script_errands, ubus_errands) = (Arc::new(Errands::new()), Arc::new(Errands::new()));
        let mut scripts = Scripts::new(self.dir, nix::unistd::geteuid().as_raw());
        let (queue, errands) = (to_scripts.clone(), script_errands.clone());
        thread("scripts", move || scripts.serve(&queue, &errands))?;
        let ubus = self.ubus.exists().then_some(to_ubus.clone());
        if ubus.is_some() {
            let (program, errands) = (self.ubus, ubus_errands.clone());
            thread("ubus", move || ubus::serve(&program, &to_ubus, &errands))?;
        }
        let mut updates = None;
        if self.updater.exists() {
            let (told, bell) = Updates::new(&self.updater, run_dir, Duration::from_secs(self.rescue_after));
            updates = Some(told);
            let (program, run_dir) = (self.updater, run_dir.to_owned());
            thread("updates", move || updates::serve(&program, &run_dir, &bell))?;
        }
        let socket = run_dir.join(SOCKET);
        thread("events", move || follow::for_ever(&socket, &to_scripts, ubus.as_deref(), updates.as_ref()))?;
        loop {
            match ending.wait() {
                // A script's folder is read for every event: there is nothing to reload.
                Ok(Signal::SIGHUP) => {}
                Ok(_) => break,
                Err(e) => return Err(os(e)),
            }
        }
        script_errands.over();
        ubus_errands.over();
        Ok(())
    }
}

fn os(e: impl std::fmt::Display) -> Failure {
    Failure::new(exit::OS, e.to_string())
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    std::thread::Builder::new().name(name.into()).stack_size(STACK).spawn(work).map(drop).map_err(os)
}
