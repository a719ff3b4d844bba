//! Refusals after the 200: by the TLS alert, or the bare end, and by the node's own count of the reason.

use std::io;
use std::time::Duration;

use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Refusals;
use crate::core::Reason;
use crate::core::exit::Failure;
use crate::demo::buyer::{Access, WITHIN};
use crate::demo::hello::Hello;
use crate::demo::names;
use crate::demo::node::Node;
use crate::demo::wait::until;
use crate::net::within;

/// The node counts a reason as soon as it acts on it.
const COUNTED_WITHIN: Duration = Duration::from_secs(5);
/// Largest farewell: one alert record is 7 bytes.
const FAREWELL: u64 = 64;

/// Provokes each.
///
/// # Errors
/// The node's control API does not answer.
pub async fn provoke(node: &Node, access: &Access, book: &Refusals) -> Result<(), Failure> {
    let host = names::origin(2);
    let good = Hello { sni: Some(&host), alpn: &["http/1.1"], ech: false };
    let other = names::origin(1);
    let cases = [
        (Reason::NotTls, b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        (Reason::SniMissing, Hello { sni: None, ..good }.record()),
        (Reason::SniMismatch, Hello { sni: Some(&other), ..good }.record()),
        (Reason::Alpn, Hello { alpn: &["http/1.1", "smtp"], ..good }.record()),
        (Reason::Ech, Hello { ech: true, ..good }.record()),
    ];
    for (reason, bytes) in cases {
        let before = node.gave(reason).await?;
        let came = match farewell(access, &host, &bytes).await {
            Err(e) => Err(format!("no tunnel: {e}")),
            Ok(farewell) => right(reason, &farewell),
        };
        let counted = until("counted", COUNTED_WITHIN, async || Ok((node.gave(reason).await? > before).then_some(()))).await;
        book.note(reason, came.and_then(|()| counted.map_err(|_| "the node's metrics do not count it".into())));
    }
    Ok(())
}

/// Opens a tunnel, sends `bytes` where a ClientHello belongs, and takes what comes until the end.
async fn farewell(access: &Access, host: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let (answer, mut tunnel) = access.connect(&format!("{host}:{}", names::PORT)).await?;
    if answer.status != 200 {
        return Err(io::Error::other(format!("{} {}", answer.status, answer.reason.unwrap_or_default())));
    }
    let exchange = async {
        tunnel.write_all(bytes).await?;
        tunnel.flush().await?;
        let mut came = Vec::new();
        match (&mut tunnel).take(FAREWELL).read_to_end(&mut came).await {
            // A bare end is one without TLS's goodbye, too.
            Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => Err(e),
            _ => Ok(came),
        }
    };
    within(WITHIN, exchange).await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}

/// A fatal alert with the reason's description (RFC 8446, 6), or nothing where it has none.
fn right(reason: Reason, farewell: &[u8]) -> Result<(), String> {
    let alert = match farewell {
        [] => None,
        [21, 3, _, 0, 2, 2, description] => Some(*description),
        other => return Err(format!("{} bytes that are no fatal alert", other.len())),
    };
    if alert == reason.alert() { Ok(()) } else { Err(format!("wanted alert {:?}, got {alert:?}", reason.alert())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_farewell_counts() {
        assert_eq!(right(Reason::NotTls, &[]), Ok(()));
        assert_eq!(right(Reason::SniMissing, &[21, 3, 3, 0, 2, 2, 109]), Ok(()));
        assert!(right(Reason::SniMissing, &[21, 3, 3, 0, 2, 2, 112]).is_err());
        assert!(right(Reason::SniMissing, &[21, 3, 3, 0, 2, 1, 109]).is_err());
        assert!(right(Reason::SniMissing, &[]).is_err());
        assert!(right(Reason::NotTls, b"HTTP/1.1 400").is_err());
    }
}
