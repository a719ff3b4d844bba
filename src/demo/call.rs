//! One HTTP call with a JSON answer: to the coordinator over TLS, to a node's control socket, to the origin's counts.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_rustls::TlsConnector;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::de::DeserializeOwned;
use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};

use super::wait::fail;
use crate::core::exit::Failure;
use crate::net::http::client::{self, ClientLimits, Outgoing};
use crate::net::within;

/// One call ends within this; longer than any long poll of the buyers' API.
const WITHIN: Duration = Duration::from_secs(40);
/// Largest answer taken: an export of a node's access log.
const LIMITS: ClientLimits = ClientLimits { head: 8 * 1024, body: 2 * 1024 * 1024 };

/// What is asked.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// `GET`, `POST`.
    pub method: &'a str,
    /// Path with query.
    pub target: &'a str,
    /// Beside Host and Content-Type.
    pub headers: &'a [(&'a str, &'a str)],
    /// JSON, or nothing.
    pub body: &'a [u8],
}

impl<'a> Ask<'a> {
    /// `GET target`.
    pub fn get(target: &'a str) -> Ask<'a> {
        Ask { method: "GET", target, headers: &[], body: &[] }
    }
}

/// What was answered.
pub struct Said {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

impl Said {
    /// The body of a 2xx.
    ///
    /// # Errors
    /// Any other status: with the body as text.
    pub fn good(self) -> Result<Vec<u8>, Failure> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        Err(fail(format!("answered {}: {}", self.status, String::from_utf8_lossy(&self.body))))
    }

    /// The body of a 2xx as `T`.
    ///
    /// # Errors
    /// Any other status, or another shape.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Failure> {
        serde_json::from_slice(&self.good()?).map_err(|e| fail(format!("the answer has another shape: {e}")))
    }
}

/// Over TLS to `addr`, whose certificate must be for that address.
///
/// # Errors
/// It cannot be reached, or breaks off.
pub async fn over_tls(addr: SocketAddr, tls: &Arc<ClientConfig>, ask: &Ask<'_>) -> Result<Said, Failure> {
    let call = async {
        let stream = Async::<TcpStream>::connect(addr).await.map_err(|e| fail(format!("{addr}: {e}")))?;
        let name = ServerName::IpAddress(addr.ip().into());
        let stream = TlsConnector::from(tls.clone()).connect(name, stream).await.map_err(|e| fail(format!("{addr}: {e}")))?;
        over(stream, &addr.to_string(), ask).await
    };
    timed(&addr.to_string(), call).await
}

/// Over plain TCP to `addr`.
///
/// # Errors
/// It cannot be reached, or breaks off.
pub async fn over_tcp(addr: SocketAddr, ask: &Ask<'_>) -> Result<Said, Failure> {
    let call = async {
        let stream = Async::<TcpStream>::connect(addr).await.map_err(|e| fail(format!("{addr}: {e}")))?;
        over(stream, &addr.to_string(), ask).await
    };
    timed(&addr.to_string(), call).await
}

/// Over the Unix socket at `path`.
///
/// # Errors
/// It cannot be reached, or breaks off.
pub async fn over_unix(path: &Path, ask: &Ask<'_>) -> Result<Said, Failure> {
    let call = async {
        let stream = Async::<UnixStream>::connect(path).await.map_err(|e| fail(format!("{}: {e}", path.display())))?;
        over(stream, "localhost", ask).await
    };
    timed(&path.display().to_string(), call).await
}

async fn over(mut stream: impl AsyncRead + AsyncWrite + Unpin, host: &str, ask: &Ask<'_>) -> Result<Said, Failure> {
    let mut headers = ask.headers.to_vec();
    if !ask.body.is_empty() {
        headers.push(("Content-Type", "application/json"));
    }
    let outgoing = Outgoing { method: ask.method, target: ask.target, host, headers: &headers, body: ask.body, keep_alive: false };
    let answer = client::fetch(&mut stream, &outgoing, &LIMITS).await;
    let answer = answer.map_err(|e| fail(format!("{} {}: {e}", ask.method, ask.target)))?;
    Ok(Said { status: answer.status, body: answer.body })
}

async fn timed(whom: &str, call: impl Future<Output = Result<Said, Failure>>) -> Result<Said, Failure> {
    within(WITHIN, call).await.unwrap_or_else(|| Err(fail(format!("{whom} did not answer within {} s", WITHIN.as_secs()))))
}
