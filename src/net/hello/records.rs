//! Putting the first handshake message of a stream together from however many records it comes in (RFC 8446, 5.1).

/// Bytes of a record's header, and the most of a plaintext record's content.
const HEADER: usize = 5;
const MAX_RECORD: usize = 1 << 14;
/// Record type.
const HANDSHAKE: u8 = 22;
/// Bytes of a handshake message's own header: type and length.
const MESSAGE_HEADER: usize = 4;

/// What the records so far hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Handshake<'a> {
    Incomplete,
    /// No handshake records, or a message over the limit.
    Broken,
    /// The first message.
    Message {
        /// 1 = ClientHello, 2 = ServerHello.
        kind: u8,
        /// Without its header.
        body: &'a [u8],
        /// Bytes of the stream up to the end of the message's last record, as far as they came.
        used: usize,
        /// The message ends where its last record ends.
        alone: bool,
    },
}

/// Reassembly in progress. RAM: the message, at most `limit`.
#[derive(Clone, Debug)]
pub(super) struct Reassembly {
    limit: usize,
    /// Bytes of the stream that were looked at.
    at: usize,
    /// Content of the current record that is still to come.
    left: usize,
    /// The message with its header, as far as it came.
    message: Vec<u8>,
    broken: bool,
}

impl Reassembly {
    /// For messages of at most `limit` bytes, header included.
    pub(super) const fn new(limit: usize) -> Reassembly {
        Reassembly { limit, at: 0, left: 0, message: Vec::new(), broken: false }
    }

    /// Goes on with `stream`: all its bytes since the start.
    pub(super) fn advance(&mut self, stream: &[u8]) -> Handshake<'_> {
        while !self.broken && !self.is_whole() {
            let rest = stream.get(self.at..).unwrap_or_default();
            if self.left == 0 {
                if !looks_like_records(rest) {
                    self.broken = true;
                } else if let [_, _, _, high, low, ..] = *rest {
                    self.left = usize::from(high) << 8 | usize::from(low);
                    self.at += HEADER;
                } else {
                    return Handshake::Incomplete;
                }
                continue;
            }
            let wanted = self.expected().unwrap_or(MESSAGE_HEADER) - self.message.len();
            let take = wanted.min(self.left).min(rest.len());
            if take == 0 {
                return Handshake::Incomplete;
            }
            self.message.extend_from_slice(&rest[..take]);
            self.at += take;
            self.left -= take;
            self.broken = self.expected().is_some_and(|expected| expected > self.limit);
        }
        match self.message.split_at_checked(MESSAGE_HEADER) {
            Some((header, body)) if !self.broken => Handshake::Message { kind: header[0], body, used: self.at, alone: self.left == 0 },
            _ => Handshake::Broken,
        }
    }

    /// The message with its header, as far as it came.
    pub(super) fn so_far(&self) -> &[u8] {
        &self.message
    }

    /// Length of the message with its header, once that is known.
    fn expected(&self) -> Option<usize> {
        match *self.message.as_slice() {
            [_, a, b, c, ..] => Some(MESSAGE_HEADER + (usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))),
            _ => None,
        }
    }

    fn is_whole(&self) -> bool {
        self.expected().is_some_and(|expected| self.message.len() == expected)
    }
}

/// Whether `rest` may be the start of a handshake record of any TLS version, as far as it came.
fn looks_like_records(rest: &[u8]) -> bool {
    let kind = rest.first().is_none_or(|b| *b == HANDSHAKE);
    let major = rest.get(1).is_none_or(|b| *b == 3);
    let length = match *rest {
        [_, _, _, high, low, ..] => (1..=MAX_RECORD).contains(&(usize::from(high) << 8 | usize::from(low))),
        _ => true,
    };
    kind && major && length
}
