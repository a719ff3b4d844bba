//! The version a server chose, from its first record.

use super::records::{Handshake, Reassembly};
use super::{Reader, SUPPORTED_VERSIONS};

/// Bytes of a ServerHello message: real ones take 80 to 200, with a post-quantum key share 1.2 KiB.
const MAX_SERVER_HELLO: usize = 4 * 1024;

/// What a server's first bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerHello {
    /// More must come.
    Incomplete,
    /// No ServerHello: an alert, not TLS, or a broken one.
    Other,
    /// The negotiated version: 0x0304 = TLS 1.3. A HelloRetryRequest tells the same.
    Version(u16),
}

/// Judges the first bytes a server sent. Often less than the whole message tells.
pub fn server_hello(bytes: &[u8]) -> ServerHello {
    let mut records = Reassembly::new(MAX_SERVER_HELLO);
    match records.advance(bytes) {
        Handshake::Message { kind: 2, body, .. } => version(body, true),
        Handshake::Incomplete => match records.so_far() {
            [2, _, _, _, body @ ..] => version(body, false),
            [] | [2, ..] => ServerHello::Incomplete,
            _ => ServerHello::Other,
        },
        Handshake::Broken | Handshake::Message { .. } => ServerHello::Other,
    }
}

/// The version that `body` tells, which is the `whole` message's or its beginning (RFC 8446, 4.1.3).
fn version(body: &[u8], whole: bool) -> ServerHello {
    let missing = if whole { ServerHello::Other } else { ServerHello::Incomplete };
    let mut message = Reader(body);
    let Some(legacy) = message.u16() else { return missing };
    if legacy >> 8 != 3 {
        return ServerHello::Other;
    }
    // Random, session id, cipher suite and compression.
    let fixed = message.take(32).and_then(|_| message.short()).and_then(|_| message.take(3));
    if fixed.is_none() {
        return missing;
    }
    if whole && message.0.is_empty() {
        return ServerHello::Version(legacy);
    }
    if message.u16().is_none() {
        return missing;
    }
    while !message.0.is_empty() {
        let extension = message.u16().and_then(|kind| Some((kind, message.long()?)));
        match extension {
            Some((SUPPORTED_VERSIONS, mut content)) => return content.u16().map_or(ServerHello::Other, ServerHello::Version),
            Some(_) => {}
            None => return missing,
        }
    }
    if whole { ServerHello::Version(legacy) } else { ServerHello::Incomplete }
}
