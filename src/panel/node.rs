//! A node that the panel keeps up, as procd does on a router.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::core::{Clock, Mono};

/// How often is looked whether it still runs.
const LOOK: Duration = Duration::from_millis(100);
/// One that ended by itself is started again after this; procd waits 5 s.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long it has to end.
const END_WITHIN: Duration = Duration::from_secs(10);

/// What the init script is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// Run, though the settings say off: a page sets the node up.
    Setup,
    /// Run where the settings say so.
    Start,
    /// End.
    Stop,
    /// End and start.
    Restart,
    /// Read the settings again; start or end where they say so.
    Reload,
    /// End for good.
    End,
    /// A word that the stand-in does not know.
    Odd,
}

impl Word {
    /// The word on a line.
    pub fn read(line: &str) -> Word {
        match line {
            "setup" => Word::Setup,
            "start" => Word::Start,
            "stop" => Word::Stop,
            "restart" => Word::Restart,
            "reload" => Word::Reload,
            _ => Word::Odd,
        }
    }
}

/// How to run it.
#[derive(Debug)]
pub struct Node {
    /// Run folder.
    pub run_dir: PathBuf,
    /// UCI file.
    pub config: PathBuf,
    /// Whether it is in the demonstration's world, where 127.77.0.0/16 is public.
    pub in_demo: bool,
}

/// A node, and whether it is to run.
#[derive(Debug)]
struct Kept {
    node: Node,
    child: Option<Child>,
    /// The mark that a page sets the node up; gone once the settings say on.
    setup: bool,
    stopped: bool,
    again: Option<Mono>,
    clock: Clock,
}

impl Node {
    /// Runs it as `words` say, until [`Word::End`]. On this thread: the kernel ends the node with the thread that started it.
    pub fn keep(self, words: &Receiver<Word>) {
        let mut kept = Kept { node: self, child: None, setup: false, stopped: false, again: None, clock: Clock::system() };
        kept.bring_about();
        loop {
            match words.recv_timeout(LOOK) {
                Ok(Word::End) | Err(RecvTimeoutError::Disconnected) => return kept.end(),
                Ok(word) => kept.obey(word),
                Err(RecvTimeoutError::Timeout) => kept.look(),
            }
        }
    }

    fn start(&self) -> std::io::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["demo", "leashed", "--", "--run-dir"]).arg(&self.run_dir);
        command.args(if self.in_demo { &["demo", "part", "node"][..] } else { &["run"] });
        command.arg("--config").arg(&self.config).stdin(Stdio::null()).stdout(Stdio::null()).spawn()
    }

    /// Whether the settings say that it runs.
    fn is_on(&self) -> bool {
        crate::config::read(&self.config).is_ok_and(|(settings, _)| settings.node.enabled)
    }
}

impl Kept {
    fn obey(&mut self, word: Word) {
        let ran = self.child.is_some();
        match word {
            Word::Setup => (self.setup, self.stopped) = (true, false),
            Word::Start => self.stopped = false,
            Word::Stop => (self.setup, self.stopped) = (false, true),
            Word::Restart => {
                self.stopped = false;
                self.end();
            }
            Word::Reload | Word::End | Word::Odd => {}
        }
        self.bring_about();
        if let (Word::Reload, true, Some(child)) = (word, ran, &self.child) {
            signal(child, Signal::SIGHUP);
        }
    }

    /// Starts or ends it, as is wanted.
    fn bring_about(&mut self) {
        let on = self.node.is_on();
        let wanted = (on || self.setup) && !self.stopped;
        self.setup &= !on;
        match (wanted, &self.child) {
            (true, None) => match self.node.start() {
                Ok(child) => self.child = Some(child),
                Err(e) => log::error!("the node cannot be started: {e}"),
            },
            (false, Some(_)) => self.end(),
            _ => {}
        }
    }

    /// One that ended by itself is started again.
    fn look(&mut self) {
        if self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None))) {
            self.child = None;
            self.again = Some(self.clock.now().plus(AGAIN_AFTER));
        }
        if self.again.is_some_and(|at| at <= self.clock.now()) {
            self.again = None;
            self.bring_about();
        }
    }

    fn end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        signal(&child, Signal::SIGTERM);
        let late = self.clock.now().plus(END_WITHIN);
        while matches!(child.try_wait(), Ok(None)) {
            if self.clock.now() > late {
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // Not reaped before `try_wait`, so the number is still its own.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}
