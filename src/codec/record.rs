//! Records of our own files: length, version, BLAKE3 check, postcard payload.
//!
//! ```text
//! u32 LE length of what follows the check | u8 version | 8 bytes BLAKE3 of version ‖ payload | payload
//! ```
//!
//! A reader stops at the first record that is cut off or fails its check: what `kill -9` left half-written.

use serde::{Serialize, de::DeserializeOwned};

/// Bytes before the payload.
const HEAD: usize = 4 + 1 + 8;
/// Largest payload read: nothing that we write is larger.
pub const MAX_PAYLOAD: usize = 4 * 1024 * 1024;

/// `value` as one record of `version`.
pub fn encode<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    // Room for a small secret: growing would leave a copy of it behind in freed memory.
    let mut out = Vec::with_capacity(128);
    out.resize(HEAD, 0);
    // postcard into a growing Vec fails only on a type with unknown length, which none of ours is.
    let mut out = postcard::to_extend(value, out).unwrap_or_else(|_| vec![0; HEAD]);
    let length = u32::try_from(out.len() - HEAD).unwrap_or(u32::MAX);
    out[..4].copy_from_slice(&length.to_le_bytes());
    out[4] = version;
    let check = check(version, &out[HEAD..]);
    out[5..HEAD].copy_from_slice(&check);
    out
}

fn check(version: u8, payload: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[version]).update(payload);
    let mut out = [0; 8];
    hasher.finalize_xof().fill(&mut out);
    out
}

/// One record as found in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a> {
    /// Version byte.
    pub version: u8,
    /// Postcard payload, its check verified.
    pub payload: &'a [u8],
}

impl Raw<'_> {
    /// The payload as `T`; `None` where it is something else.
    pub fn decode<T: DeserializeOwned>(&self) -> Option<T> {
        postcard::from_bytes(self.payload).ok()
    }
}

/// What stands at the front of `bytes`.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A record, and the bytes it takes.
    Record(Raw<'a>, usize),
    /// The end: nothing, or a record that is cut off.
    End,
    /// Bytes that are no record: a failed check or an impossible length.
    Corrupt,
}

/// Reads the record at the front of `bytes`.
pub fn next(bytes: &[u8]) -> Next<'_> {
    let Some((head, rest)) = bytes.split_at_checked(HEAD) else { return Next::End };
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if length > MAX_PAYLOAD {
        return Next::Corrupt;
    }
    let Some(payload) = rest.get(..length) else { return Next::End };
    if check(head[4], payload) != head[5..] {
        return Next::Corrupt;
    }
    Next::Record(Raw { version: head[4], payload }, HEAD + length)
}

/// The whole of `bytes` as exactly one record of `version`; `None` where it is anything else.
pub fn decode_one<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Option<T> {
    match next(bytes) {
        Next::Record(raw, used) if used == bytes.len() && raw.version == version => raw.decode(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_an_end_and_a_flip_is_corrupt() {
        let bytes = encode(3, &(7u32, "text".to_owned()));
        assert_eq!(decode_one::<(u32, String)>(3, &bytes), Some((7, "text".into())));
        for cut in 0..bytes.len() {
            assert_eq!(next(&bytes[..cut]), Next::End, "{cut}");
        }
        for at in 4..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_eq!(next(&flipped), Next::Corrupt, "{at}");
        }
    }
}
