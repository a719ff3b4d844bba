//! The way of an update, step by step: judged, downloaded, tried, watched, written; or back.

use std::path::Path;
use std::time::Duration;

use super::fetch::{self, Server};
use super::manifest::{Manifest, Program};
use super::offer::{self, Here, Wish};
use super::place::Held;
use super::probation::{Before, Probation, Verdict};
use super::progress::{Phase, Progress};
use super::record::{Active, Record};
use super::service::{Service, tunnels};
use super::{Place, Trouble, Version, child, feed, install, space, trial, trouble::Id, which};
use crate::config::Settings;
use crate::core::Clock;

/// How long a new program may take to tell its version, or to judge the settings.
const SMOKE: Duration = Duration::from_secs(10);
/// How long the version before has to answer once it is back.
const BACK: Duration = Duration::from_secs(30);

/// One system to update.
pub struct Updater<'a> {
    /// Where things are.
    pub place: &'a Place,
    /// The settings in the file.
    pub settings: &'a Settings,
    /// That file.
    pub config: &'a Path,
    /// The service that runs the program.
    pub service: Service<'a>,
    /// Node time, as far as it is known.
    pub clock: &'a Clock,
}

/// How patient an update is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long to wait for tunnels to end before the restart; they end with it else.
    pub idle: Duration,
    /// How long the new program has to become as healthy as the one before.
    pub start: Duration,
    /// How long it must stay so before it is kept.
    pub probation: Duration,
}

/// What a look at the server found.
#[derive(Debug)]
pub struct Found {
    /// What the channel offers.
    pub manifest: Manifest,
    /// Why it is not for this node now; none = it would be installed.
    pub why_not: Option<Trouble>,
    /// What is installed.
    pub installed: Version,
}

impl Updater<'_> {
    /// Looks what there is; changes nothing.
    pub fn check(&self, wish: Wish) -> Result<Found, Trouble> {
        let record = Record::read(self.place);
        let installed = which::installed(&record);
        let manifest = Server::new(self.settings, self.clock)?.manifest()?;
        let node_id = self.node_id();
        let here = Here { installed, node_id: node_id.as_deref(), record: &record, now: self.clock.unix() };
        let why_not = offer::judge(&manifest, &here, wish).err().or_else(|| self.feed(manifest.version, installed, wish));
        Ok(Found { manifest, why_not, installed })
    }

    /// Does all of it. The message is for the owner.
    pub fn apply(&self, wish: Wish, patience: Patience, by_hand: bool) -> Result<String, Trouble> {
        let held = self.claim()?;
        let mut progress = Progress::new(self.place, self.clock);
        let outcome = self.steps(&held, &mut progress, wish, patience, by_hand);
        match &outcome {
            Ok(message) => progress.end(Phase::Done, message),
            Err(trouble) if trouble.id.is_patience() => progress.failed(Phase::Checked, trouble),
            Err(trouble) => progress.failed(Phase::Failed, trouble),
        }
        outcome
    }

    /// Goes back to the packaged program at once, or ends an update that is under way.
    pub fn rollback(&self) -> Result<String, Trouble> {
        // Where the owner has the node off, no daemon comes up, and that is right.
        let runs = self.service.status().is_some();
        self.take_back("the owner went back from it", runs)
    }

    fn take_back(&self, why: &str, comes_up: bool) -> Result<String, Trouble> {
        let _held = match self.claim() {
            Err(busy) if busy.id == Id::Busy => {
                trial::ask_to_abort(self.place).map_err(|e| Trouble::new(Id::System, format!("{}: {e}", self.place.tmp().display())))?;
                let end = self.clock.now().plus(BACK * 4);
                self.service.poll(end, || self.claim().ok()).ok_or(busy)?
            }
            claimed => claimed?,
        };
        let record = Record::read(self.place);
        let blue = Version::own();
        let Some(active) = record.active else { return Ok(format!("{blue}, the packaged program, is what is installed")) };
        let mut progress = Progress::new(self.place, self.clock);
        progress.version = Some(active.version);
        install::uninstall(self.place, why)?;
        let back = self.service.restart().and_then(|()| if comes_up { self.answers(blue) } else { Ok(()) });
        match back {
            Ok(()) => {
                let message = format!("back to {blue}, the packaged program; {} is not installed again by itself ({why})", active.version);
                progress.end(Phase::RolledBack, &message);
                Ok(message)
            }
            Err(trouble) => {
                progress.failed(Phase::Failed, &trouble);
                Err(trouble)
            }
        }
    }

    /// For a service that does not come up: goes back where an update is what does not come up.
    pub fn rescue(&self) -> Result<String, Trouble> {
        if Record::read(self.place).active.is_none() {
            drop(self.claim()?);
            return Ok("no update is in force: nothing to go back from".into());
        }
        let end = self.clock.now().plus(BACK);
        if self.service.poll(end, || self.service.status()).is_some() {
            return Ok("the daemon answers: nothing to do".into());
        }
        self.take_back("it was in force, and the daemon no longer came up", true)
    }

    /// Takes the lock, and clears up what an updater before left behind when it was killed.
    fn claim(&self) -> Result<Held, Trouble> {
        let held = self.place.claim()?;
        trial::forget_abort(self.place);
        if let Some(hash) = trial::marked(self.place) {
            let _ = trial::unmark(self.place);
            let record = Record::read(self.place);
            if record.active.as_ref().is_none_or(|a| a.hash != hash) {
                log::warn!("an update was broken off in its trial: the service is restarted with what is installed");
                self.service.restart()?;
                // What comes next asks it. Where it does not come up, that is said there.
                let _ = self.answers(which::installed(&record));
            }
        }
        Ok(held)
    }

    fn steps(&self, _held: &Held, progress: &mut Progress<'_>, wish: Wish, patience: Patience, by_hand: bool) -> Result<String, Trouble> {
        progress.phase(Phase::Checking);
        if std::env::current_exe().and_then(std::fs::canonicalize).ok() != std::fs::canonicalize(self.place.blue()).ok() {
            let message = format!("updates are made by the packaged program: run {} update", self.place.blue().display());
            return Err(Trouble::new(Id::NotAllowed, message));
        }
        let status = self.service.status().ok_or_else(|| {
            Trouble::new(Id::NotRunning, "the daemon does not answer, so nothing could be compared with it: start the service first")
        })?;
        let sealed = self.service.is_sealed();
        if sealed && !by_hand {
            let message = "the identity is sealed, and a restart would wait for its passphrase: run `echomesh update apply` and then `echomesh identity unlock`";
            return Err(Trouble::new(Id::Sealed, message));
        }
        let found = self.check(wish)?;
        progress.version = Some(found.manifest.version);
        if let Some(why) = found.why_not {
            return Err(why);
        }
        let (manifest, program) = match found.manifest.file.clone() {
            Some(program) => (found.manifest, program),
            None => return Err(Trouble::new(Id::Target, "there is no file for this router")),
        };
        progress.size = program.size;
        self.download(progress, &program)?;
        progress.phase(Phase::Verifying);
        self.smoke(&manifest, &program)?;
        self.wait_for_idle(progress, patience.idle)?;
        let before = Before::of(&self.service.status().unwrap_or(status), sealed);
        progress.phase(Phase::Trial);
        let tried = self.try_out(progress, &manifest, &program, before, patience).and_then(|()| {
            progress.phase(Phase::Installing);
            let active = Active { version: manifest.version, hash: program.hash, over: Version::own() };
            install::install(self.place, &trial::program(self.place, program.hash), active, manifest.issued_at)
        });
        match tried {
            Ok(()) => {
                // From here on the next start is of flash; what runs is the same program, from tmpfs; its path leads to flash.
                trial::tidy(self.place, None);
                Ok(format!("{} is in force; {} was before", manifest.version, found.installed))
            }
            Err(trouble) => Err(self.go_back(&manifest, &program, trouble)),
        }
    }

    fn feed(&self, offered: Version, installed: Version, wish: Wish) -> Option<Trouble> {
        if wish.ignore_feed {
            return None;
        }
        let package = feed::newer(self.place, installed, self.clock).filter(|p| p.version >= offered)?;
        Some(Trouble::new(Id::Feed, format!("the package feed has {}: `{}` installs it", package.version, package.command)))
    }

    fn node_id(&self) -> Option<String> {
        Some(self.service.status()?["nodeId"].as_str()?.to_owned())
    }

    fn download(&self, progress: &Progress<'_>, program: &Program) -> Result<(), Trouble> {
        let part = fetch::part_of(program.hash);
        trial::tidy(self.place, Some(&part));
        let path = self.place.tmp_file(&part);
        let have = std::fs::metadata(&path).map_or(0, |m| m.len());
        space::check(self.place, program.size, have)?;
        progress.downloaded(have);
        let mut told = have;
        let step = program.size / 20;
        Server::new(self.settings, self.clock)?.program(&program.name, program.size, program.hash, &path, &mut |there| {
            if there.abs_diff(told) > step {
                told = there;
                progress.downloaded(there);
            }
            !trial::is_aborted(self.place)
        })?;
        fetch::finish(&path, &trial::program(self.place, program.hash))
    }

    /// What can be known without the service: that it runs here at all, is what it says, and takes the settings.
    fn smoke(&self, manifest: &Manifest, program: &Program) -> Result<(), Trouble> {
        let program = trial::program(self.place, program.hash);
        let unfit = |why: String| Trouble::new(Id::Unfit, format!("{} does not run here: {why}; nothing was changed", manifest.version));
        let run = |args: &[&str]| child::run(&program, args, SMOKE, self.clock).map_err(|e| unfit(e.to_string()));
        let (well, said) = run(&["--version"])?;
        let version = said.trim().strip_prefix("echomesh ").and_then(Version::parse);
        if !well || version != Some(manifest.version) {
            return Err(unfit(match version {
                Some(version) => format!("it says that it is {version}"),
                None => "it does not tell its version; it may be built for another processor".into(),
            }));
        }
        let config = self.config.to_string_lossy();
        let (well, said) = run(&["config", "check", "--config", &config])?;
        if well { Ok(()) } else { Err(unfit(format!("it does not take the settings: {}", said.lines().next().unwrap_or_default()))) }
    }

    fn wait_for_idle(&self, progress: &Progress<'_>, limit: Duration) -> Result<(), Trouble> {
        let busy = || self.service.status().is_some_and(|s| tunnels(&s) > 0);
        if limit.is_zero() || !busy() {
            return Ok(());
        }
        progress.phase(Phase::Waiting);
        let end = self.clock.now().plus(limit);
        let aborted = self.service.poll(end, || if trial::is_aborted(self.place) { Some(true) } else { (!busy()).then_some(false) });
        if aborted == Some(true) { Err(aborted_by_owner()) } else { Ok(()) }
    }

    fn try_out(&self, progress: &Progress<'_>, manifest: &Manifest, program: &Program, before: Before, patience: Patience) -> Result<(), Trouble> {
        trial::mark(self.place, program.hash).map_err(|e| Trouble::new(Id::System, format!("{}: {e}", self.place.tmp().display())))?;
        self.service.restart()?;
        progress.phase(Phase::Probation);
        let begun = self.clock.now();
        let mut probation = Probation::begin(before, manifest.version, begun, patience.start, patience.probation);
        // Every way out is a verdict: this end is far beyond all of them.
        let end = begun.plus((patience.start + patience.probation) * 100 + BACK);
        let outcome = self.service.poll(end, || {
            if trial::is_aborted(self.place) {
                return Some(Err(aborted_by_owner()));
            }
            let status = self.service.status();
            match probation.look(self.clock.now(), status.as_ref(), self.service.pid()) {
                Verdict::NotYet(_) | Verdict::Healthy => None,
                Verdict::Passed => Some(Ok(())),
                Verdict::Failed(why) => Some(Err(Trouble::new(Id::Unhealthy, format!("{} was tried and was not healthy: {why}", manifest.version)))),
            }
        });
        outcome.unwrap_or_else(|| Err(Trouble::new(Id::Unhealthy, "it was healthy now and then, and never for long enough")))
    }

    /// The trial failed: what was before runs again, and what failed is remembered.
    fn go_back(&self, manifest: &Manifest, program: &Program, mut trouble: Trouble) -> Trouble {
        let _ = trial::unmark(self.place);
        let installed = which::installed(&Record::read(self.place));
        let back = self.service.restart().and_then(|()| self.answers(installed));
        trial::tidy(self.place, None);
        if trouble.id == Id::Unhealthy {
            let mut record = Record::read(self.place);
            record.refuse(program.hash, &trouble.message);
            record.newest = record.newest.max(manifest.issued_at);
            if let Err(e) = record.write(self.place) {
                log::warn!("{}: {e}: that it failed is forgotten at the next start", self.place.green().display());
            }
        }
        match back {
            Ok(()) => trouble.message.push_str(&format!("; {installed} runs again")),
            Err(worse) => trouble.message.push_str(&format!("; and going back: {worse}")),
        }
        trouble
    }

    /// Waits until the daemon of `version` answers.
    fn answers(&self, version: Version) -> Result<(), Trouble> {
        let end = self.clock.now().plus(BACK);
        let answer = self.service.poll(end, || {
            let status = self.service.status()?;
            (status["version"].as_str().and_then(Version::parse) == Some(version)).then_some(())
        });
        answer.ok_or_else(|| {
            Trouble::new(Id::NotRunning, format!("{version} was started and does not answer within {} s; the system log may say why", BACK.as_secs()))
        })
    }
}

fn aborted_by_owner() -> Trouble {
    Trouble::new(Id::Aborted, "the owner ended it")
}
