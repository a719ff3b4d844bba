//! A DNS-over-HTTPS server (RFC 8484) for a handful of names: the demonstration's and the lab's resolver.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

use crate::net::http::{Handler, Request, Response};

/// What a name has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Addresses of both families.
    Addresses(Vec<IpAddr>),
    /// Another name for this one.
    Alias(String),
    /// A server that never answers.
    Silent,
}

/// Names and what they have; any other name does not exist.
#[derive(Clone, Debug, Default)]
pub struct Zone(pub BTreeMap<String, Entry>);

impl Zone {
    /// Reads lines `NAME ADDRESS…`, `NAME alias OTHER` or `NAME silent`; `#` starts a comment.
    ///
    /// # Errors
    /// The line that is none of these.
    pub fn parse(text: &str) -> Result<Zone, String> {
        let mut zone = Zone::default();
        for line in text.lines().map(|l| l.split('#').next().unwrap_or_default().trim()).filter(|l| !l.is_empty()) {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap_or_default().to_ascii_lowercase();
            let rest: Vec<&str> = words.collect();
            let entry = match rest.as_slice() {
                ["silent"] => Entry::Silent,
                ["alias", other] => Entry::Alias((*other).to_owned()),
                [] => return Err(format!("no address in line: {line}")),
                addresses => {
                    let parsed: Result<Vec<IpAddr>, _> = addresses.iter().map(|a| a.parse()).collect();
                    Entry::Addresses(parsed.map_err(|_| format!("not an address in line: {line}"))?)
                }
            };
            zone.0.insert(name, entry);
        }
        Ok(zone)
    }

    /// The answer to a query; `None` = none, ever.
    fn answer(&self, query: &[u8]) -> Option<Result<Vec<u8>, simple_dns::SimpleDnsError>> {
        let query = match Packet::parse(query) {
            Ok(query) => query,
            Err(e) => return Some(Err(e)),
        };
        let mut reply = Packet::new_reply(query.id());
        reply.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE);
        let Some(question) = query.questions.first() else { return Some(reply.build_bytes_vec()) };
        let mut name = question.qname.to_string().to_ascii_lowercase();
        reply.questions.push(question.clone());
        // An alias of an alias of … is followed a few times, as resolvers do.
        for _ in 0..8 {
            match self.0.get(&name) {
                Some(Entry::Silent) => return None,
                Some(Entry::Alias(other)) => {
                    let (Ok(owner), Ok(target)) = (Name::new(&name), Name::new(other)) else { break };
                    reply.answers.push(record(owner, RData::CNAME(CNAME(target.into_owned()))));
                    name.clone_from(other);
                }
                Some(Entry::Addresses(addresses)) => {
                    for ip in addresses {
                        let Ok(owner) = Name::new(&name) else { continue };
                        match (ip, question.qtype) {
                            (IpAddr::V4(v4), QTYPE::TYPE(TYPE::A)) => reply.answers.push(record(owner, RData::A(A::from(*v4)))),
                            (IpAddr::V6(v6), QTYPE::TYPE(TYPE::AAAA)) => reply.answers.push(record(owner, RData::AAAA(AAAA::from(*v6)))),
                            _ => {}
                        }
                    }
                    break;
                }
                None => {
                    *reply.rcode_mut() = RCODE::NameError;
                    break;
                }
            }
        }
        Some(reply.build_bytes_vec())
    }
}

fn record<'a>(owner: Name<'a>, data: RData<'a>) -> ResourceRecord<'static> {
    ResourceRecord::new(owner, CLASS::IN, 30, data).into_owned()
}

impl Handler for Zone {
    async fn handle(&self, request: Request) -> Response {
        if request.method != "POST" || request.header("content-type") != Some("application/dns-message") {
            return Response::empty(415);
        }
        match self.answer(&request.body) {
            Some(Ok(answer)) => Response::new(200, "application/dns-message", answer),
            Some(Err(_)) => Response::empty(400),
            None => {
                // Longer than any resolver waits.
                smol::Timer::after(Duration::from_secs(60)).await;
                Response::empty(504)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_addresses_aliases_and_what_is_not_there() {
        let zone = Zone::parse("a.test 192.0.2.1 2001:db8::1\nb.test alias a.test # comment\nslow.test silent\n").unwrap();
        let ask = |name: &str, kind: TYPE| {
            let mut query = Packet::new_query(7);
            query.questions.push(simple_dns::Question::new(Name::new_unchecked(name), kind.into(), CLASS::IN.into(), false));
            zone.answer(&query.build_bytes_vec().unwrap())
        };
        let reply = ask("b.test", TYPE::AAAA).unwrap().unwrap();
        let reply = Packet::parse(&reply).unwrap();
        assert_eq!(reply.answers.len(), 2);
        let reply = ask("c.test", TYPE::A).unwrap().unwrap();
        assert_eq!(Packet::parse(&reply).unwrap().rcode(), RCODE::NameError);
        assert!(ask("slow.test", TYPE::A).is_none());
        assert!(Zone::parse("x").is_err());
    }
}
