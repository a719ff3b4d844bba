//! Printing that a closed pipe ends quietly: `echomesh logs show | head` is no error.

use std::io::{self, Write as _};

use crate::codec;
use crate::core::exit::{self, Failure};

/// Writes `text` to standard output. Ends the program, successfully, when nobody reads any more.
pub fn text(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// The same for bytes.
pub fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => Err(Failure::new(exit::IO, format!("standard output: {e}"))),
    }
}

/// One JSON value, indented, with a line end.
pub fn json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    let mut out = codec::json::pretty(&codec::json::text(value));
    out.push(b'\n');
    bytes(&out)
}
