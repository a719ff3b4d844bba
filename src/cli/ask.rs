//! The client of the control API: one request over the daemon's Unix socket.

use std::fmt::Write as _;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use smol::Async;

use crate::codec::json;
use crate::control::doorman::MAX_ANSWER;
use crate::control::run_dir::{self, SOCKET};
use crate::core::exit::{self, Failure};
use crate::net::deadline::within;
use crate::net::http::client::{self, ClientLimits, Outgoing};

/// How long a call may take; the daemon answers 503 well before.
const WITHIN: Duration = Duration::from_secs(20);
/// Longest head of an answer.
const MAX_HEAD: usize = 8 * 1024;

/// The daemon of one run folder.
pub struct Daemon {
    run_dir: PathBuf,
    limit: Duration,
}

/// What it answered.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body, at most [`MAX_ANSWER`].
    pub body: Vec<u8>,
}

impl Daemon {
    /// The daemon that has its run folder at `run_dir`.
    pub fn at(run_dir: &Path) -> Daemon {
        Daemon { run_dir: run_dir.to_owned(), limit: WITHIN }
    }

    /// With another limit than 20 s for a call.
    pub fn within(mut self, limit: Duration) -> Daemon {
        self.limit = limit;
        self
    }

    /// `GET target`.
    pub fn get(&self, target: &str) -> Result<Answer, Failure> {
        self.exchange("GET", target, &[])
    }

    /// `method target` with a JSON body.
    pub fn send(&self, method: &str, target: &str, body: &Value) -> Result<Answer, Failure> {
        self.exchange(method, target, &json::text(body))
    }

    fn exchange(&self, method: &str, target: &str, body: &[u8]) -> Result<Answer, Failure> {
        let path = self.run_dir.join(SOCKET);
        let exchange = async {
            let mut stream = Async::<UnixStream>::connect(&path).await.map_err(|e| self.unreachable(&e))?;
            let outgoing = Outgoing { method, target, host: "localhost", headers: &[], body, keep_alive: false };
            let limits = ClientLimits { head: MAX_HEAD, body: MAX_ANSWER as u64 };
            let answer = client::fetch(&mut stream, &outgoing, &limits).await;
            let answer = answer.map_err(|e| Failure::new(exit::IO, format!("the daemon broke off its answer: {e}")))?;
            Ok(Answer { status: answer.status, body: answer.body })
        };
        let late = || Failure::new(exit::IO, format!("the daemon did not answer within {:?}; its log may say why", self.limit));
        smol::block_on(within(self.limit, exchange)).ok_or_else(late)?
    }

    fn unreachable(&self, e: &io::Error) -> Failure {
        let (socket, folder) = (self.run_dir.join(SOCKET), self.run_dir.display());
        match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                let message = match run_dir::last_failure(&self.run_dir) {
                    Some(why) => format!("the daemon is not running; it ended with: {why}"),
                    None => format!(
                        "the daemon is not running (nothing listens in {folder}); start it with `service echomesh start` or `echomesh run`, or name its --run-dir"
                    ),
                };
                Failure::new(exit::UNAVAILABLE, message)
            }
            io::ErrorKind::PermissionDenied => {
                Failure::new(exit::NO_PERM, format!("{}: permission denied; run this as root or as a member of the group echomesh", socket.display()))
            }
            _ => Failure::new(exit::OS, format!("{}: {e}", socket.display())),
        }
    }
}

impl Answer {
    /// The body of a 2xx; any other status is the failure it says.
    pub fn bytes(self) -> Result<Vec<u8>, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let said = json::parse(&self.body).ok();
        let message = said.as_ref().and_then(|v| v.get("message")).and_then(Value::as_str);
        let message = message.map_or_else(|| format!("the daemon answered {}", self.status), str::to_owned);
        let code = match self.status {
            403 => exit::NO_PERM,
            400..=499 => exit::DATA,
            503 => exit::UNAVAILABLE,
            _ => exit::SOFTWARE,
        };
        Err(Failure::new(code, message))
    }

    /// The body of a 2xx as `T`.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Failure> {
        json::from_slice(&self.bytes()?)
            .map_err(|e| Failure::new(exit::SOFTWARE, format!("the daemon's answer is not what this version knows: {e}; are both the same version?")))
    }
}

/// Percent-encodes `text` for a query (RFC 3986: all but the unreserved characters).
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes() {
        for text in ["example.com", "a&b=c?d#e", "ü %41", "\u{0}\n"] {
            assert_eq!(crate::net::http::percent_decode(&encoded(text)).unwrap(), text);
        }
        assert_eq!(encoded("a&b"), "a%26b");
    }

    #[test]
    fn an_error_answer_is_a_failure_with_its_message() {
        let failure = |status, body: &str| Answer { status, body: body.into() }.bytes().unwrap_err();
        let busy = failure(503, r#"{"reason":"busy","message":"try again"}"#);
        assert_eq!((busy.code, busy.message.as_str()), (exit::UNAVAILABLE, "try again"));
        assert_eq!(failure(404, "gone").code, exit::DATA);
    }
}
