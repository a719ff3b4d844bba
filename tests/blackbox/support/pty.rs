//! A process of the real binary on a real pseudo-terminal: what it prints, and what is typed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::process::binary;
use super::wait::SOON;

/// The process and the near end of its terminal.
pub struct Pty {
    child: Child,
    keys: File,
    pieces: Receiver<Vec<u8>>,
    /// All it printed, what was typed in between.
    pub seen: String,
    /// From here on nothing was waited for yet.
    at: usize,
}

impl Pty {
    /// Starts the binary on a dumb terminal of 80 columns.
    pub fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Pty {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let ends = openpty(Some(&size), None).unwrap();
        let slave = File::from(ends.slave);
        let child = Command::new(binary())
            .args(args)
            .env("TERM", "dumb")
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave))
            .spawn()
            .unwrap();
        let keys = File::from(ends.master);
        let mut screen = keys.try_clone().unwrap();
        let (tell, pieces) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // The end of the last process on it shows as an error.
            while let Ok(n @ 1..) = screen.read(&mut piece) {
                if tell.send(piece[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Pty { child, keys, pieces, seen: String::new(), at: 0 }
    }

    /// Waits until `text` is printed, after what was waited for before.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        let end = Instant::now() + SOON;
        loop {
            if let Some(found) = self.seen[self.at..].find(text) {
                self.at += found + text.len();
                return;
            }
            match self.pieces.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(piece) => self.seen.push_str(&String::from_utf8(piece).unwrap().replace('\r', "")),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => panic!("`{text}` did not come; the screen:\n{}", self.seen),
            }
        }
    }

    /// Types a line.
    pub fn line(&mut self, text: &str) {
        self.keys.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    /// Waits for the question of that title, and answers it once it is put.
    #[track_caller]
    pub fn answer(&mut self, title: &str, text: &str) {
        self.expect(title);
        self.expect("> ");
        self.line(text);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for its end; all it printed is in `seen` then.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let status = super::until("the process on the terminal ends", || self.child.try_wait().unwrap());
        while let Ok(piece) = self.pieces.recv_timeout(std::time::Duration::from_millis(200)) {
            self.seen.push_str(&String::from_utf8_lossy(&piece).replace('\r', ""));
        }
        status
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
