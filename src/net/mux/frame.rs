//! The head of a frame (yamux specification): version, type, flags, stream, length; 12 bytes, big-endian.

/// Bytes of a head.
pub const HEAD: usize = 12;
const VERSION: u8 = 0;

/// Opens a stream.
pub const SYN: u16 = 1;
/// Answers an opening.
pub const ACK: u16 = 2;
/// Nothing more comes in this direction.
pub const FIN: u16 = 4;
/// The stream is over, at once and in both directions.
pub const RST: u16 = 8;

/// Code of a farewell after a breach of the protocol.
pub const GO_AWAY_PROTOCOL: u32 = 1;

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `length` bytes follow.
    Data,
    /// `length` more bytes may be sent.
    Window,
    /// A question (SYN) or its answer (ACK); `length` is any value, given back.
    Ping,
    /// The peer opens and takes no more streams; `length` says why.
    GoAway,
}

/// The head of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// [`SYN`] and so on.
    pub flags: u16,
    /// Which stream; 0 = the connection.
    pub stream: u32,
    /// By kind.
    pub length: u32,
}

impl Head {
    /// As it travels.
    pub fn bytes(self) -> [u8; HEAD] {
        let kind = match self.kind {
            Kind::Data => 0,
            Kind::Window => 1,
            Kind::Ping => 2,
            Kind::GoAway => 3,
        };
        let [f0, f1] = self.flags.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        let [l0, l1, l2, l3] = self.length.to_be_bytes();
        [VERSION, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3]
    }

    /// What travelled; `None` where version or type is unknown.
    pub fn parse(bytes: [u8; HEAD]) -> Option<Head> {
        let [version, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3] = bytes;
        let kind = match (version, kind) {
            (VERSION, 0) => Kind::Data,
            (VERSION, 1) => Kind::Window,
            (VERSION, 2) => Kind::Ping,
            (VERSION, 3) => Kind::GoAway,
            _ => return None,
        };
        let (flags, stream) = (u16::from_be_bytes([f0, f1]), u32::from_be_bytes([s0, s1, s2, s3]));
        Some(Head { kind, flags, stream, length: u32::from_be_bytes([l0, l1, l2, l3]) })
    }

    /// Whether a flag is set.
    pub const fn has(self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_yamux_s() {
        let head = Head { kind: Kind::Window, flags: SYN | FIN, stream: 0x0102_0304, length: 0x0506_0708 };
        assert_eq!(head.bytes(), [0, 1, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(bytes in any::<[u8; HEAD]>()) {
            match Head::parse(bytes) {
                Some(head) => prop_assert_eq!(head.bytes(), bytes),
                None => prop_assert!(bytes[0] != 0 || bytes[1] > 3),
            }
        }
    }
}
