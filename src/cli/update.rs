//! `echomesh update`: what there is, install it, go back; and which program the service starts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use argh::FromArgs;
use serde_json::{Value, json};

use super::ask::Daemon;
use super::print;
use crate::config::Settings;
use crate::core::Clock;
use crate::core::exit::Failure;
use crate::update::apply::{Patience, Updater};
use crate::update::offer::Wish;
use crate::update::record::Record;
use crate::update::service::Service;
use crate::update::{Place, Trouble, progress, trial, which};

/// How long the daemon has for an answer; one that takes longer does not count as healthy.
const ANSWER: Duration = Duration::from_secs(5);
/// How long `auto` waits for tunnels to end.
const AUTO_IDLE: u32 = 600;

#[derive(FromArgs)]
#[argh(subcommand, name = "update")]
/// Updates of the program: look for one, install it, go back.
pub struct Update {
    #[argh(subcommand)]
    what: What,
    /// the system's root folder [/]
    #[argh(option, default = "\"/\".into()")]
    root: PathBuf,
    /// UCI file [ROOT/etc/config/echomesh]
    #[argh(option)]
    config: Option<PathBuf>,
    /// program that restarts the daemon when run with `restart` [ROOT/etc/init.d/echomesh]
    #[argh(option)]
    service: Option<PathBuf>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum What {
    Check(Check),
    Apply(Apply),
    Auto(Auto),
    Rollback(Rollback),
    Rescue(Rescue),
    Status(Status),
    Which(Which),
}

#[derive(FromArgs)]
#[argh(subcommand, name = "check")]
/// Say what there is; changes nothing.
struct Check {
    /// print it in its JSON shape
    #[argh(switch)]
    json: bool,
}

#[derive(FromArgs)]
#[argh(subcommand, name = "apply")]
/// Download, try and install what there is; goes back by itself where it is not healthy. Needs root.
struct Apply {
    /// although the rollout has not reached this node
    #[argh(switch)]
    early: bool,
    /// although it is older than what is installed, or the same
    #[argh(switch)]
    allow_downgrade: bool,
    /// although it failed here before
    #[argh(switch)]
    again: bool,
    /// although the package feed has a newer package
    #[argh(switch)]
    ignore_feed: bool,
    /// seconds to wait for tunnels to end before the restart [0]
    #[argh(option, default = "0")]
    idle: u32,
    /// seconds the new version has to become as healthy as the one before [90]
    #[argh(option, default = "90")]
    patience: u32,
    /// seconds it must stay so before it is kept [60]
    #[argh(option, default = "60")]
    probation: u32,
}

#[derive(FromArgs)]
#[argh(subcommand, name = "auto")]
/// The same where update.auto_update is 1, when no tunnel is open; for cron and `echomesh hooks`. Needs root.
struct Auto {}

#[derive(FromArgs)]
#[argh(subcommand, name = "rollback")]
/// Go back to the packaged program at once, or end an update that is under way. Needs root.
struct Rollback {}

#[derive(FromArgs)]
#[argh(subcommand, name = "rescue")]
/// Go back where the daemon does not answer and an update is in force; else do nothing. Needs root.
struct Rescue {}

#[derive(FromArgs)]
#[argh(subcommand, name = "status")]
/// Say what is installed, and how far an update is.
struct Status {
    /// print it in its JSON shape
    #[argh(switch)]
    json: bool,
}

#[derive(FromArgs)]
#[argh(subcommand, name = "which")]
/// Print the program the service shall start.
struct Which {}

impl Update {
    /// Does it.
    pub fn run(self, run_dir: &Path) -> Result<(), Failure> {
        let place = Place::new(&self.root, run_dir);
        match self.what {
            What::Which(_) => return print::text(&format!("{}\n", which::program(&place).display())),
            What::Status(status) => return status.run(&place, run_dir),
            _ => {}
        }
        let config = self.config.unwrap_or_else(|| place.system("/etc/config/echomesh"));
        // The way back must not need settings that are right.
        let back = matches!(self.what, What::Rollback(_) | What::Rescue(_));
        let settings = super::config::usable(&config).or_else(|e| if back { Ok(Settings::default()) } else { Err(e) })?;
        let clock = Clock::system();
        let ask = |target: &str| -> Option<Value> { Daemon::at(run_dir).within(ANSWER).get(target).ok()?.read().ok() };
        let script = self.service.unwrap_or_else(|| place.system("/etc/init.d/echomesh"));
        let service = Service { script, run_dir, ask: &ask, clock: &clock };
        let updater = Updater { place: &place, settings: &settings, config: &config, service, clock: &clock };
        match self.what {
            What::Check(check) => check.run(&updater),
            What::Apply(apply) => apply.run(&updater),
            What::Auto(_) => auto(&updater, &settings),
            What::Rollback(_) => told(updater.rollback()),
            What::Rescue(_) => told(updater.rescue()),
            What::Status(_) | What::Which(_) => Ok(()),
        }
    }
}

impl Check {
    fn run(self, updater: &Updater<'_>) -> Result<(), Failure> {
        let found = updater.check(Wish::default())?;
        let (offered, installed) = (found.manifest.version, found.installed);
        if self.json {
            let why_not = found.why_not.as_ref().map(|t| json!({"reason": t.id.name(), "message": t.message}));
            let manifest = &found.manifest;
            return print::json(&json!({
                "installed": installed.to_string(), "offered": offered.to_string(), "channel": manifest.channel, "notes": manifest.notes,
                "rollout": manifest.rollout, "size": manifest.file.as_ref().map(|f| f.size), "whyNot": why_not,
            }));
        }
        let mut text = match &found.why_not {
            None => format!("{offered} can be installed by `echomesh update apply`; {installed} is installed\n"),
            Some(why) => format!("{why}\n"),
        };
        if let Some(notes) = found.manifest.notes.filter(|_| offered > installed) {
            text.push_str(&format!("{offered}: {notes}\n"));
        }
        print::text(&text)
    }
}

impl Apply {
    fn run(self, updater: &Updater<'_>) -> Result<(), Failure> {
        let wish = Wish { early: self.early, allow_downgrade: self.allow_downgrade, again: self.again, ignore_feed: self.ignore_feed };
        told(updater.apply(wish, patience(self.idle, self.patience, self.probation), true))
    }
}

fn auto(updater: &Updater<'_>, settings: &Settings) -> Result<(), Failure> {
    if !settings.update.auto_update {
        return print::text("update.auto_update is 0: nothing was done\n");
    }
    match updater.apply(Wish::default(), patience(AUTO_IDLE, 90, 60), false) {
        // Nothing to do today is no failure of a daily run.
        Err(trouble) if trouble.id.is_patience() => print::text(&format!("{trouble}\n")),
        outcome => told(outcome),
    }
}

fn patience(idle: u32, start: u32, probation: u32) -> Patience {
    let seconds = |n: u32| Duration::from_secs(u64::from(n));
    Patience { idle: seconds(idle), start: seconds(start), probation: seconds(probation) }
}

fn told(outcome: Result<String, Trouble>) -> Result<(), Failure> {
    print::text(&format!("{}\n", outcome?))
}

impl Status {
    fn run(self, place: &Place, run_dir: &Path) -> Result<(), Failure> {
        let record = Record::read(place);
        let installed = which::installed(&record).to_string();
        let package = crate::update::Version::own().to_string();
        let (busy, last) = (place.is_held(), progress::read(run_dir));
        let of = if installed == package && record.active.is_none() { "package" } else { "update" };
        if self.json {
            let refused: Vec<Value> = record.refused.iter().map(|r| json!({"hash": r.hash.to_string(), "why": r.why})).collect();
            return print::json(&json!({
                "installed": installed, "from": of, "package": package, "busy": busy, "trial": trial::running(place).is_some(),
                "last": last, "refused": refused,
            }));
        }
        let mut text = match of {
            "package" => format!("{installed} is installed, the packaged program\n"),
            _ => format!("{installed} is installed, over the packaged {package}\n"),
        };
        let word = |name: &str| last[name].as_str().unwrap_or_default();
        if busy {
            let (bytes, size) = (last["bytes"].as_u64().unwrap_or(0), last["size"].as_u64().unwrap_or(0));
            text.push_str(&format!("an update to {} is under way: {}, {bytes} of {size} bytes are here\n", word("version"), word("phase")));
        } else if last.is_object() {
            let message = if word("message").is_empty() { "it was broken off" } else { word("message") };
            text.push_str(&format!("the last ({}, {}): {message}\n", word("at"), word("phase")));
        }
        print::text(&text)
    }
}
