//! A DNS message as bytes (RFC 1035, section 4): its head, its one question, and what in its records is of use for addresses.
//!
//! A library that knows every type of record is 45 kB on a router.

use std::net::IpAddr;

use super::Kind;

/// The class of the Internet. With its highest bit set it means something else (RFC 6762, 10.2), and is none of ours.
pub(super) const IN: u16 = 1;
const A: u16 = 1;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const AAAA: u16 = 28;
const HEAD: usize = 12;
/// Longest name in wire format, and longest label.
const MAX_NAME: usize = 255;
const MAX_LABEL: usize = 63;

/// Whole and well-formed; names are host names in lower case, `None` for what no host can be called.
pub(super) struct Message {
    pub(super) id: u16,
    pub(super) flags: u16,
    /// Name, type and class; none where there is not exactly one question.
    pub(super) question: Option<(Option<String>, u16, u16)>,
    pub(super) answers: Vec<Record>,
    pub(super) authority: Vec<Record>,
}

pub(super) struct Record {
    pub(super) owner: Option<String>,
    pub(super) class: u16,
    pub(super) ttl: u32,
    pub(super) data: Data,
}

pub(super) enum Data {
    Address(IpAddr),
    Alias(Option<String>),
    /// Start of authority: its minimum.
    Authority(u32),
    Other,
}

impl Kind {
    pub(super) const fn code(self) -> u16 {
        match self {
            Kind::A => A,
            Kind::Aaaa => AAAA,
        }
    }
}

impl Message {
    /// Reads a message; `None` where the bytes are none, or end too early.
    pub(super) fn parse(bytes: &[u8]) -> Option<Message> {
        let mut reader = Reader { bytes, at: 0 };
        let [id, flags, questions, answers, authority, additional] = reader.words()?;
        let mut question = None;
        for n in 0..questions {
            let name = reader.name()?;
            let [kind, class] = reader.words()?;
            question = (n == 0).then_some((name, kind, class));
        }
        let message = Message { id, flags, question, answers: reader.records(answers)?, authority: reader.records(authority)? };
        reader.records(additional)?;
        Some(message)
    }
}

/// The question for `host` as a message with id 0 and recursion desired; `None` where `host` is no host name in lower case.
pub(super) fn question(host: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut out = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in host.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|&n| (1..=MAX_LABEL).contains(&usize::from(n)))?;
        if !label.bytes().all(|b| is_host(b) && !b.is_ascii_uppercase()) {
            return None;
        }
        out.push(length);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    if out.len() - HEAD > MAX_NAME {
        return None;
    }
    out.extend_from_slice(&kind.code().to_be_bytes());
    out.extend_from_slice(&IN.to_be_bytes());
    Some(out)
}

/// Letters, digits, hyphen and underscore. Anything else (an escaped dot, a space) could pass for another name once it is text.
fn is_host(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.bytes.get(self.at..)?.first_chunk()?;
        self.at += N;
        Some(*taken)
    }

    fn words<const N: usize>(&mut self) -> Option<[u16; N]> {
        let mut out = [0; N];
        for word in &mut out {
            *word = u16::from_be_bytes(self.take()?);
        }
        Some(out)
    }

    /// A name, its pointers followed. Each points further back than the one before, so that there is an end.
    #[allow(clippy::option_option)] // no name, and a name that no host has
    fn name(&mut self) -> Option<Option<String>> {
        let (mut at, mut start, mut behind) = (self.at, self.at, None);
        let (mut length, mut host, mut fits) = (1, String::new(), true);
        loop {
            let first = *self.bytes.get(at)?;
            match usize::from(first) {
                0 => break,
                n @ 1..=MAX_LABEL => {
                    let label = self.bytes.get(at + 1..at + 1 + n)?;
                    length += n + 1;
                    if length > MAX_NAME {
                        return None;
                    }
                    fits &= label.iter().all(|&b| is_host(b));
                    if !host.is_empty() {
                        host.push('.');
                    }
                    host.extend(label.iter().map(|b| char::from(b.to_ascii_lowercase())));
                    at += 1 + n;
                }
                _ if first >= 0xc0 => {
                    let to = usize::from(first & 0x3f) << 8 | usize::from(*self.bytes.get(at + 1)?);
                    behind.get_or_insert(at + 2);
                    if to >= start {
                        return None;
                    }
                    (at, start) = (to, to);
                }
                _ => return None,
            }
        }
        self.at = behind.unwrap_or(at + 1);
        Some((fits && !host.is_empty()).then_some(host))
    }

    fn records(&mut self, count: u16) -> Option<Vec<Record>> {
        // No room is made by the count: it may be a lie.
        let mut out = Vec::new();
        for _ in 0..count {
            out.push(self.record()?);
        }
        Some(out)
    }

    fn record(&mut self) -> Option<Record> {
        let owner = self.name()?;
        let [kind, class] = self.words()?;
        let ttl = u32::from_be_bytes(self.take()?);
        let [length] = self.words()?;
        let end = self.at + usize::from(length);
        if end > self.bytes.len() {
            return None;
        }
        let data = match kind {
            A => Data::Address(self.take::<4>()?.into()),
            AAAA => Data::Address(self.take::<16>()?.into()),
            CNAME => Data::Alias(self.name()?),
            SOA => {
                self.name()?;
                self.name()?;
                let [_serial, _refresh, _retry, _expire, minimum] = [self.take()?, self.take()?, self.take()?, self.take()?, self.take()?];
                Data::Authority(u32::from_be_bytes(minimum))
            }
            _ => {
                self.at = end;
                Data::Other
            }
        };
        (self.at == end).then_some(Record { owner, class, ttl, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A head with these counts, and `rest`.
    fn message(counts: [u8; 4], rest: &[u8]) -> Vec<u8> {
        let [q, a, u, d] = counts;
        [&[0, 0, 0x81, 0x80, 0, q, 0, a, 0, u, 0, d], rest].concat()
    }

    #[test]
    fn a_pointer_points_back_or_nowhere() {
        let asked = |rest: &[u8]| Message::parse(&message([1, 0, 0, 0], rest)).map(|m| m.question.unwrap().0);
        assert_eq!(asked(b"\x03www\x01x\0\0\x01\0\x01"), Some(Some("www.x".into())));
        assert_eq!(asked(b"\x03w.w\0\0\x01\0\x01"), Some(None));
        assert_eq!(asked(b"\0\0\x01\0\x01"), Some(None), "the root");
        assert_eq!(asked(b"\xc0\x0c\0\x01\0\x01"), None, "to itself");
        assert_eq!(asked(b"\xc0\x0e\x01x\0\0\x01\0\x01"), None, "forward");
        assert_eq!(asked(b"\x01x\xc0\x0c\0\x01\0\x01"), None, "a circle");
        assert_eq!(asked(b"\x40x\0\0\x01\0\x01"), None, "a reserved kind of label");
        let long = [&b"\x3f"[..], &[b'a'; 63]].concat().repeat(4);
        assert_eq!(asked(&[&long[..], b"\0\0\x01\0\x01"].concat()), None, "256 bytes");
    }

    #[test]
    fn data_is_as_long_as_its_length_says() {
        let read = |rest: &[u8]| Message::parse(&message([0, 1, 0, 0], rest)).is_some();
        assert!(read(b"\x01x\0\0\x01\0\x01\0\0\0\x09\0\x04\x01\x02\x03\x04"));
        assert!(!read(b"\x01x\0\0\x01\0\x01\0\0\0\x09\0\x05\x01\x02\x03\x04\x05"));
        assert!(!read(b"\x01x\0\0\x01\0\x01\0\0\0\x09\0\x03\x01\x02\x03"));
        assert!(!read(b"\x01x\0\0\x05\0\x01\0\0\0\x09\0\x04\x01y\0\0"));
        assert!(read(b"\x01x\0\x01\0\0\x01\0\0\0\x09\0\x02ab"), "of any other type");
        assert!(!read(b"\x01x\0\x01\0\0\x01\0\0\0\x09\0\x03ab"));
    }
}
