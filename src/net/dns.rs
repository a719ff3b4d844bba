//! DNS messages (RFC 1035) for look-ups of addresses: one question written, one answer read. No socket.

use std::fmt;
use std::net::IpAddr;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE};

/// An answer larger than this is refused. Parsed it costs at most about 100 KiB for the moment of reading.
pub const MAX_MESSAGE: usize = 4096;
/// CNAMEs that are followed.
pub const MAX_CHAIN: usize = 8;
/// Addresses that are kept of one answer.
pub const MAX_ADDRESSES: usize = 8;
/// How long "there is none" holds where the zone does not say, seconds.
const NEGATIVE_TTL: u32 = 30;

/// Header of a message, and where its four counts stand in it.
const HEAD: usize = 12;
const COUNTS: std::ops::Range<usize> = 4..12;
/// The least a question takes (root name, type, class); a record takes more.
const LEAST_ENTRY: usize = 5;

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
    let name = Name::new(host).map_err(|_| DnsError::BadName)?;
    if host_of(&name).is_none_or(|read| read != host) {
        return Err(DnsError::BadName);
    }
    let mut packet = Packet::new_query(0);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(name, QTYPE::TYPE(kind.of_record()), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().map_err(|_| DnsError::BadName)
}

/// Reads the answer to [`query`] of the same host and kind.
///
/// Only the CNAME chain that starts at the question, and the addresses of its last name, count: whatever else a resolver
/// adds is not looked at. No such name and no such address are answers without addresses, not errors.
pub fn read(answer: &[u8], host: &str, kind: Kind) -> Result<Answer, DnsError> {
    if answer.len() > MAX_MESSAGE {
        return Err(DnsError::TooLarge);
    }
    // The parser reserves room by the counts in the head before it sees an entry: they must be possible.
    let counts = answer.get(COUNTS).ok_or(DnsError::Malformed)?;
    let entries: usize = counts.chunks_exact(2).map(|c| usize::from(c[0]) << 8 | usize::from(c[1])).sum();
    if entries > (answer.len() - HEAD) / LEAST_ENTRY {
        return Err(DnsError::Malformed);
    }
    let packet = Packet::parse(answer).map_err(|_| DnsError::Malformed)?;
    let [question] = packet.questions.as_slice() else { return Err(DnsError::NotTheQuestion) };
    let asked = packet.id() == 0
        && packet.has_flags(PacketFlag::RESPONSE)
        && packet.opcode() == OPCODE::StandardQuery
        && question.qtype == QTYPE::TYPE(kind.of_record())
        && question.qclass == QCLASS::CLASS(CLASS::IN)
        && host_of(&question.qname).is_some_and(|name| name == host);
    if !asked {
        return Err(DnsError::NotTheQuestion);
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Err(DnsError::Truncated);
    }
    match packet.rcode() {
        RCODE::NoError | RCODE::NameError => follow(&packet, host, kind),
        _ => Err(DnsError::Refused(answer.get(3).map_or(0, |flags| flags & 0x0f))),
    }
}

/// A name as a host has it: labels of letters, digits, hyphen and underscore, lower-case, joined by dots. Anything else
/// (an escaped dot, a space) could pass for another name once it is text.
pub fn host_of(name: &Name<'_>) -> Option<String> {
    let mut out = String::with_capacity(64);
    for label in name.as_bytes() {
        if label.is_empty() || !label.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            return None;
        }
        if !out.is_empty() {
            out.push('.');
        }
        out.extend(label.iter().map(|b| char::from(b.to_ascii_lowercase())));
    }
    (!out.is_empty()).then_some(out)
}

impl Kind {
    const fn of_record(self) -> TYPE {
        match self {
            Kind::A => TYPE::A,
            Kind::Aaaa => TYPE::AAAA,
        }
    }
}

fn follow(packet: &Packet<'_>, host: &str, kind: Kind) -> Result<Answer, DnsError> {
    let mut answer = Answer { ttl: u32::MAX, ..Answer::default() };
    let mut owner = host.to_owned();
    while let Some((target, ttl)) = alias(packet, &owner) {
        let target = host_of(target).ok_or(DnsError::Malformed)?;
        if answer.chain.len() == MAX_CHAIN || target == host || answer.chain.contains(&target) {
            return Err(DnsError::ChainTooLong);
        }
        answer.ttl = answer.ttl.min(ttl);
        answer.chain.push(target.clone());
        owner = target;
    }
    // A name error says that the end of the chain does not exist; addresses beside it would contradict.
    if packet.rcode() == RCODE::NoError {
        for record in of_owner(&packet.answers, &owner) {
            let address = match (&record.rdata, kind) {
                (RData::A(a), Kind::A) => IpAddr::from(a.address.to_be_bytes()),
                (RData::AAAA(a), Kind::Aaaa) => IpAddr::from(a.address.to_be_bytes()),
                _ => continue,
            };
            answer.ttl = answer.ttl.min(record.ttl);
            if answer.addresses.len() < MAX_ADDRESSES && !answer.addresses.contains(&address) {
                answer.addresses.push(address);
            }
        }
    }
    if answer.addresses.is_empty() {
        answer.ttl = answer.ttl.min(negative_ttl(packet));
    }
    Ok(answer)
}

/// The first CNAME of `owner` and its TTL.
fn alias<'p>(packet: &'p Packet<'_>, owner: &str) -> Option<(&'p Name<'p>, u32)> {
    of_owner(&packet.answers, owner).find_map(|record| match &record.rdata {
        RData::CNAME(cname) => Some((&cname.0, record.ttl)),
        _ => None,
    })
}

/// RFC 2308, section 5: the smaller of the SOA's TTL and its minimum.
fn negative_ttl(packet: &Packet<'_>) -> u32 {
    let soa = packet.name_servers.iter().find_map(|record| match &record.rdata {
        RData::SOA(soa) => Some(soa.minimum.min(record.ttl)),
        _ => None,
    });
    soa.unwrap_or(NEGATIVE_TTL)
}

fn of_owner<'p, 'a>(records: &'p [ResourceRecord<'a>], owner: &str) -> impl Iterator<Item = &'p ResourceRecord<'a>> {
    records.iter().filter(move |r| r.class == CLASS::IN && !r.cache_flush && host_of(&r.name).is_some_and(|name| name == owner))
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
    use simple_dns::rdata::{A, AAAA, CNAME, SOA};

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
        (host_of(&packet.questions[0].qname).unwrap(), kind)
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
