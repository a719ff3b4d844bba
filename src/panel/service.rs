//! What the router's init script and procd do for the pages: the daemon reads its settings again, is started and stopped.
//!
//! The plugin runs a program with one word, as it runs the init script. Here that is a line of shell that passes the word on through a
//! pipe to a thread, which starts the node and keeps it up. Without a node of its own the panel only tells one that somebody else runs.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use super::node::{Node, Word};
use crate::control::run_dir::{self, SOCKET};
use crate::core::exit::{self, Failure};

/// Name of the program in the panel's folder.
const PROGRAM: &str = "service";
const PIPE: &str = "service.pipe";

/// The daemon of a run folder.
#[derive(Clone, Debug)]
pub struct Service {
    run_dir: PathBuf,
    /// Where words go to the thread that keeps a node up.
    node: Option<Sender<Word>>,
}

/// The thread that keeps a node up.
#[derive(Debug)]
pub struct Keeper {
    words: Sender<Word>,
    thread: JoinHandle<()>,
}

/// The program that the plugin shall run, in the panel's folder. It is there only where the panel has a node of its own.
pub fn program(folder: &Path) -> PathBuf {
    folder.join(PROGRAM)
}

impl Service {
    /// The daemon that has its run folder at `run_dir`, started by somebody else.
    pub fn of_another(run_dir: PathBuf) -> Service {
        Service { run_dir, node: None }
    }

    /// One whose daemon is `node`: started when its settings say so, and by words that come through the program in `folder`.
    ///
    /// # Errors
    /// The program or the pipe cannot be made.
    pub fn own(run_dir: PathBuf, folder: &Path, node: Node) -> Result<(Service, Keeper), Failure> {
        let pipe = open_pipe(folder).map_err(|e| Failure::new(exit::CANT_CREATE, format!("{}: {e}", folder.display())))?;
        let (words, said) = channel();
        let told = words.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if told.send(Word::read(&line)).is_err() {
                    return;
                }
            }
        });
        let thread = thread::spawn(move || node.keep(&said));
        let keeper = Keeper { words: words.clone(), thread };
        Ok((Service { run_dir, node: Some(words) }, keeper))
    }

    /// Has a daemon that runs read its settings again; one of its own is started or stopped where they say so.
    pub fn reload(&self) {
        if let Some(node) = &self.node {
            // Its thread ends with the panel only.
            let _ = node.send(Word::Reload);
            return;
        }
        // A file that a killed daemon left names a process that may be another's by now.
        let runs = UnixStream::connect(self.run_dir.join(SOCKET)).is_ok();
        if let Some(pid) = run_dir::pid(&self.run_dir).filter(|_| runs) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGHUP);
        }
    }
}

impl Keeper {
    /// Ends the node, and waits for it.
    pub fn end(self) {
        let _ = self.words.send(Word::End);
        let _ = self.thread.join();
    }
}

/// Makes the program and the pipe it writes to; open for both, so that the pipe never ends.
fn open_pipe(folder: &Path) -> std::io::Result<File> {
    let (path, program) = (folder.join(PIPE), program(folder));
    mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let quoted = path.display().to_string().replace('\'', r"'\''");
    fs::write(&program, format!("#!/bin/sh\necho \"$1\" > '{quoted}'\n"))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700))?;
    OpenOptions::new().read(true).write(true).mode(0o600).open(path)
}
