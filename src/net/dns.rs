//! DNS messages (RFC 1035) for look-ups of addresses: one question written, one answer read. No socket.

use std::fmt;
use std::net::IpAddr;

use message::{Data, Message, Record};

mod message;

/// An answer larger than this is refused. Parsed it costs at most about 100 KiB for the moment of reading.
pub const MAX_MESSAGE: usize = 4096;
/// CNAMEs that are followed.
pub const MAX_CHAIN: usize = 8;
/// Addresses that are kept of one answer.
pub const MAX_ADDRESSES: usize = 8;
/// How long "there is none" holds where the zone does not say, seconds.
const NEGATIVE_TTL: u32 = 30;

/// Flags of a message: it is an answer; it is cut short.
const RESPONSE: u16 = 0x8000;
const TRUNCATION: u16 = 0x0200;
/// What was asked for: 0 = a standard query.
const OPCODE: u16 = 0x7800;
/// How it went: [`NO_ERROR`], [`NAME_ERROR`], or another one.
const RCODE: u16 = 0x000f;
const NO_ERROR: u16 = 0;
const NAME_ERROR: u16 = 3;

/// Which addresses are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// IPv4.
    A,
    /// IPv6.
    Aaaa,
}

/// What a resolver says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// Of the name at the end of the chain; none = the name, or this kind of address, does not exist.
    pub addresses: Vec<IpAddr>,
    /// The CNAMEs followed, in order, lower-case, without the final dot; the last one owns the addresses.
    pub chain: Vec<String>,
    /// Seconds for which all of this holds.
    pub ttl: u32,
}

/// Why an answer counts for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DnsError {
    /// The host's name does not fit into a question.
    BadName,
    /// More than [`MAX_MESSAGE`].
    TooLarge,
    /// No DNS message, or a name in it that no host can have.
    Malformed,
    /// An answer to something else.
    NotTheQuestion,
    /// Cut short by the resolver.
    Truncated,
    /// The resolver failed or refuses; its RCODE.
    Refused(u8),
    /// More than [`MAX_CHAIN`] CNAMEs, or a circle.
    ChainTooLong,
}

/// The question for the addresses of `host` (an A-label name) in wire format. The id is 0, as RFC 8484 advises.
pub fn query(host: &str, kind: Kind) -> Result<Vec<u8>, DnsError> {
    message::question(host, kind).ok_or(DnsError::BadName)
}

/// Reads the answer to [`query`] of the same host and kind.
///
/// Only the CNAME chain that starts at the question, and the addresses of its last name, count: whatever else a resolver
/// adds is not looked at. No such name and no such address are answers without addresses, not errors.
pub fn read(answer: &[u8], host: &str, kind: Kind) -> Result<Answer, DnsError> {
    if answer.len() > MAX_MESSAGE {
        return Err(DnsError::TooLarge);
    }
    let message = Message::parse(answer).ok_or(DnsError::Malformed)?;
    let asked = message.id == 0
        && message.flags & (RESPONSE | OPCODE) == RESPONSE
        && message
            .question
            .as_ref()
            .is_some_and(|(name, code, class)| name.as_deref() == Some(host) && (*code, *class) == (kind.code(), message::IN));
    if !asked {
        return Err(DnsError::NotTheQuestion);
    }
    if message.flags & TRUNCATION != 0 {
        return Err(DnsError::Truncated);
    }
    match message.flags & RCODE {
        NO_ERROR | NAME_ERROR => follow(&message, host, kind),
        code => Err(DnsError::Refused(code as u8)),
    }
}

fn follow(message: &Message, host: &str, kind: Kind) -> Result<Answer, DnsError> {
    let mut answer = Answer { ttl: u32::MAX, ..Answer::default() };
    let mut owner = host.to_owned();
    while let Some((target, ttl)) = alias(message, &owner) {
        let target = target.clone().ok_or(DnsError::Malformed)?;
        if answer.chain.len() == MAX_CHAIN || target == host || answer.chain.contains(&target) {
            return Err(DnsError::ChainTooLong);
        }
        answer.ttl = answer.ttl.min(ttl);
        answer.chain.push(target.clone());
        owner = target;
    }
    // A name error says that the end of the chain does not exist; addresses beside it would contradict.
    if message.flags & RCODE == NO_ERROR {
        for record in of_owner(&message.answers, &owner) {
            let address = match record.data {
                Data::Address(address) if address.is_ipv4() == (kind == Kind::A) => address,
                _ => continue,
            };
            answer.ttl = answer.ttl.min(record.ttl);
            if answer.addresses.len() < MAX_ADDRESSES && !answer.addresses.contains(&address) {
                answer.addresses.push(address);
            }
        }
    }
    if answer.addresses.is_empty() {
        answer.ttl = answer.ttl.min(negative_ttl(message));
    }
    Ok(answer)
}

/// The first CNAME of `owner` and its TTL.
fn alias<'m>(message: &'m Message, owner: &str) -> Option<(&'m Option<String>, u32)> {
    of_owner(&message.answers, owner).find_map(|record| match &record.data {
        Data::Alias(target) => Some((target, record.ttl)),
        _ => None,
    })
}

/// RFC 2308, section 5: the smaller of the SOA's TTL and its minimum.
fn negative_ttl(message: &Message) -> u32 {
    let soa = message.authority.iter().find_map(|record| match record.data {
        Data::Authority(minimum) => Some(minimum.min(record.ttl)),
        _ => None,
    });
    soa.unwrap_or(NEGATIVE_TTL)
}

fn of_owner<'m>(records: &'m [Record], owner: &str) -> impl Iterator<Item = &'m Record> {
    records.iter().filter(move |r| r.class == message::IN && r.owner.as_deref() == Some(owner))
}

impl fmt::Display for DnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DnsError::BadName => f.write_str("the name cannot be asked for"),
            DnsError::TooLarge => f.write_str("the DNS answer is too large"),
            DnsError::Malformed => f.write_str("the DNS answer is malformed"),
            DnsError::NotTheQuestion => f.write_str("the DNS answer is to another question"),
            DnsError::Truncated => f.write_str("the DNS answer is cut short"),
            DnsError::Refused(code) => write!(f, "the resolver refuses (RCODE {code})"),
            DnsError::ChainTooLong => f.write_str("the name has too many aliases"),
        }
    }
}

impl std::error::Error for DnsError {}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use simple_dns::rdata::{A, AAAA, CNAME, RData, SOA};
    use simple_dns::{CLASS, Name, Packet, QTYPE, RCODE, ResourceRecord, TYPE};

    use super::*;

    /// A record for [`answer`]: owner, TTL, and a CNAME target or an address.
    pub(crate) type Record<'a> = (&'a str, u32, &'a str);

    /// An answer to the question in `query`, with `records`.
    pub(crate) fn answer(query: &[u8], rcode: RCODE, records: &[Record<'_>]) -> Vec<u8> {
        let asked = Packet::parse(query).unwrap();
        let mut packet = Packet::new_reply(asked.id());
        packet.questions = asked.questions;
        *packet.rcode_mut() = rcode;
        for (owner, ttl, value) in records {
            let data = match value.parse() {
                Ok(IpAddr::V4(v4)) => RData::A(A { address: v4.to_bits() }),
                Ok(IpAddr::V6(v6)) => RData::AAAA(AAAA { address: v6.to_bits() }),
                Err(_) => RData::CNAME(CNAME(Name::new_unchecked(value))),
            };
            packet.answers.push(ResourceRecord::new(Name::new_unchecked(owner), CLASS::IN, *ttl, data));
        }
        packet.build_bytes_vec_compressed().unwrap()
    }

    /// Host and kind of the question in `query`.
    pub(crate) fn question(query: &[u8]) -> (String, Kind) {
        let packet = Packet::parse(query).unwrap();
        let kind = if packet.questions[0].qtype == QTYPE::TYPE(TYPE::A) { Kind::A } else { Kind::Aaaa };
        (packet.questions[0].qname.to_string(), kind)
    }

    const HOST: &str = "www.example.com";

    fn answered(kind: Kind, rcode: RCODE, records: &[Record<'_>]) -> Result<Answer, DnsError> {
        read(&answer(&query(HOST, kind).unwrap(), rcode, records), HOST, kind)
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn the_question_is_as_the_rfc_has_it() {
        let expected = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x1c\0\x01";
        assert_eq!(query(HOST, Kind::Aaaa).unwrap(), expected);
        for bad in ["", ".", "a..b", "a b.com", "Www.example.com", "www.example.com.", "a\\.b.com", &format!("{}.com", "a".repeat(64))] {
            assert_eq!(query(bad, Kind::A), Err(DnsError::BadName), "{bad}");
        }
    }

    #[test]
    fn follows_the_chain_whatever_the_order_and_keeps_it() {
        let records = [
            ("edge.cdn.example.net", 60, "192.0.2.7"),
            ("Cdn.Example.net", 200, "edge.cdn.example.net"),
            (HOST, 300, "cdn.example.net"),
            ("edge.cdn.example.net", 60, "192.0.2.8"),
            ("edge.cdn.example.net", 60, "192.0.2.7"),
        ];
        let got = answered(Kind::A, RCODE::NoError, &records).unwrap();
        assert_eq!(got.addresses, ips(&["192.0.2.7", "192.0.2.8"]));
        assert_eq!(got.chain, ["cdn.example.net", "edge.cdn.example.net"]);
        assert_eq!(got.ttl, 60);
    }

    #[test]
    fn records_beside_the_chain_do_not_count() {
        let records = [
            ("other.example.com", 60, "192.0.2.1"),
            (HOST, 300, "cdn.example.net"),
            (HOST, 300, "192.0.2.2"), // beside an alias there is no other data
            ("other.example.net", 300, "192.0.2.3"),
            ("cdn.example.net", 60, "2001:db8::1"), // not the kind asked for
        ];
        let got = answered(Kind::A, RCODE::NoError, &records).unwrap();
        assert!(got.addresses.is_empty());
        assert_eq!(got.chain, ["cdn.example.net"]);
        assert_eq!(answered(Kind::Aaaa, RCODE::NoError, &records).unwrap().addresses, ips(&["2001:db8::1"]));
    }

    #[test]
    fn a_name_that_looks_like_another_as_text_is_not_it() {
        let query = query(HOST, Kind::A).unwrap();
        let bytes = answer(&query, RCODE::NoError, &[]);
        let mut packet = Packet::parse(&bytes).unwrap();
        let odd = Name::new(r"www\.example.com").unwrap();
        packet.answers.push(ResourceRecord::new(odd, CLASS::IN, 60, RData::A(A { address: 1 })));
        let got = read(&packet.build_bytes_vec().unwrap(), HOST, Kind::A).unwrap();
        assert!(got.addresses.is_empty());
        let alias = [(HOST, 60, "a b.example.net")];
        assert_eq!(answered(Kind::A, RCODE::NoError, &alias), Err(DnsError::Malformed));
    }

    #[test]
    fn a_long_chain_and_a_circle_are_refused() {
        let names: Vec<String> = (0..=9).map(|i| if i == 0 { HOST.to_owned() } else { format!("n{i}.example.net") }).collect();
        let chain = |n: usize| -> Vec<Record<'_>> { (0..n).map(|i| (names[i].as_str(), 60, names[i + 1].as_str())).collect() };
        assert_eq!(answered(Kind::A, RCODE::NoError, &chain(8)).unwrap().chain.len(), 8);
        assert_eq!(answered(Kind::A, RCODE::NoError, &chain(9)), Err(DnsError::ChainTooLong));
        let circle = [(HOST, 60, "a.example.net"), ("a.example.net", 60, HOST)];
        assert_eq!(answered(Kind::A, RCODE::NoError, &circle), Err(DnsError::ChainTooLong));
    }

    #[test]
    fn no_such_name_and_no_such_address_hold_as_long_as_the_zone_says() {
        assert_eq!(answered(Kind::A, RCODE::NameError, &[]).unwrap(), Answer { ttl: 30, ..Answer::default() });
        let contradiction = answered(Kind::A, RCODE::NameError, &[(HOST, 60, "192.0.2.1")]).unwrap();
        assert!(contradiction.addresses.is_empty());

        let query = query(HOST, Kind::A).unwrap();
        let bytes = answer(&query, RCODE::NoError, &[]);
        let mut packet = Packet::parse(&bytes).unwrap();
        let (mname, rname) = (Name::new_unchecked("ns.example.com"), Name::new_unchecked("host.example.com"));
        let soa = SOA { mname, rname, serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 17 };
        packet.name_servers.push(ResourceRecord::new(Name::new_unchecked("example.com"), CLASS::IN, 900, RData::SOA(soa)));
        assert_eq!(read(&packet.build_bytes_vec().unwrap(), HOST, Kind::A).unwrap().ttl, 17);
    }

    #[test]
    fn refuses_what_is_no_answer_to_the_question() {
        let good = answer(&query(HOST, Kind::A).unwrap(), RCODE::NoError, &[(HOST, 60, "192.0.2.1")]);
        assert!(read(&good, HOST, Kind::A).is_ok());
        assert_eq!(read(&good, "example.com", Kind::A), Err(DnsError::NotTheQuestion));
        assert_eq!(read(&good, HOST, Kind::Aaaa), Err(DnsError::NotTheQuestion));
        assert_eq!(read(&query(HOST, Kind::A).unwrap(), HOST, Kind::A), Err(DnsError::NotTheQuestion), "the echoed query");
        let with = |at: usize, to: u8| {
            let mut bytes = good.clone();
            bytes[at] = to;
            read(&bytes, HOST, Kind::A)
        };
        assert_eq!(with(1, 9), Err(DnsError::NotTheQuestion), "another id");
        assert_eq!(with(2, 0x82), Err(DnsError::Truncated));
        assert_eq!(with(3, 2), Err(DnsError::Refused(2)));
        // Counts that would have megabytes reserved for nothing.
        assert_eq!(with(6, 0xff), Err(DnsError::Malformed));
        assert_eq!(read(&[0; MAX_MESSAGE + 1], HOST, Kind::A), Err(DnsError::TooLarge));
        assert_eq!(read(&[], HOST, Kind::A), Err(DnsError::Malformed));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes, HOST, Kind::A);
        }

        /// Damage that leaves most of an answer whole reaches deeper than random bytes. Whatever is read keeps the bounds.
        #[test]
        fn a_damaged_answer_keeps_the_bounds(
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<proptest::sample::Index>(),
        ) {
            let records = [
                (HOST, 300, "cdn.example.net"),
                ("cdn.example.net", 60, "192.0.2.1"),
                ("cdn.example.net", 60, "192.0.2.2"),
                ("x.example.net", 60, "2001:db8::1"),
            ];
            let mut bytes = answer(&query(HOST, Kind::A).unwrap(), RCODE::NoError, &records);
            for (at, to) in damage {
                let at = at.index(bytes.len());
                bytes[at] = to;
            }
            for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
                if let Ok(answer) = read(bytes, HOST, Kind::A) {
                    prop_assert!(answer.addresses.len() <= MAX_ADDRESSES && answer.chain.len() <= MAX_CHAIN);
                    prop_assert!(answer.addresses.iter().all(IpAddr::is_ipv4));
                }
            }
        }
    }
}
