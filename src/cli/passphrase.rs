//! A passphrase from the terminal, without echo, or the first line of standard input. Never an argument: those can be
//! read by every process of the system.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::os::fd::AsFd as _;

use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::core::exit::{self, Failure};
use crate::identity::Passphrase;
use crate::identity::passphrase::MOST_BYTES;

/// Ctrl-C.
const INTERRUPT: u8 = 3;

/// A new one; at a terminal it is asked for twice. `what` it is for.
pub fn new(what: &str) -> Result<Passphrase, Failure> {
    let first = read(&format!("New passphrase for {what}: "))?;
    let passphrase = Passphrase::new(std::mem::take(&mut *text(first)?)).map_err(|e| Failure::new(exit::DATA, e.to_string()))?;
    if io::stdin().is_terminal() && *text(read("The same again: ")?)? != passphrase.expose() {
        return Err(Failure::new(exit::DATA, "the two are not the same; nothing was changed"));
    }
    Ok(passphrase)
}

/// The one that something was sealed with.
pub fn known(what: &str) -> Result<Passphrase, Failure> {
    let read = read(&format!("Passphrase of {what}: "))?;
    Passphrase::known(std::mem::take(&mut *text(read)?)).map_err(|e| Failure::new(exit::DATA, e.to_string()))
}

fn text(bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, Failure> {
    let text = std::str::from_utf8(&bytes).map_err(|_| Failure::new(exit::DATA, "a passphrase is UTF-8 text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// One line without its end.
fn read(prompt: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |e: io::Error| Failure::new(exit::IO, format!("the passphrase cannot be read: {e}"));
    let stdin = io::stdin();
    let quiet = if stdin.is_terminal() {
        let _ = write!(io::stderr(), "{prompt}");
        Some(Quiet::start().map_err(|e| failed(e.into()))?)
    } else {
        None
    };
    let mut line = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 2));
    let read = stdin.lock().take(MOST_BYTES as u64 + 2).read_until(b'\n', &mut line);
    if quiet.is_some() {
        drop(quiet);
        let _ = writeln!(io::stderr());
    }
    read.map_err(failed)?;
    if line.last() == Some(&INTERRUPT) {
        return Err(Failure::new(exit::USAGE, "cancelled; nothing was changed"));
    }
    for end in [b'\n', b'\r'] {
        line.pop_if(|last| *last == end);
    }
    Ok(line)
}

/// The terminal does not show what is typed, until this is dropped. Ctrl-C ends the line instead of the program, so that
/// the terminal is never left mute.
struct Quiet(Termios);

impl Quiet {
    fn start() -> nix::Result<Quiet> {
        let stdin = io::stdin();
        let before = tcgetattr(stdin.as_fd())?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
        quiet.control_chars[SpecialCharacterIndices::VEOL as usize] = INTERRUPT;
        tcsetattr(stdin.as_fd(), SetArg::TCSAFLUSH, &quiet)?;
        Ok(Quiet(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, &self.0);
    }
}
