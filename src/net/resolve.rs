//! From a host's name to its addresses: a bounded cache and shared look-ups before the resolver the owner chose.

mod cache;
mod families;
mod flights;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use smol::lock::Semaphore;

use super::deadline::within;
use super::dns::{Kind, MAX_ADDRESSES};
use super::doh::Doh;
use super::work;
use crate::core::{Clock, Reason};
use cache::Cache;
use flights::Flights;

/// A caller waits this long at most, in the queue and for the resolver together.
const TOTAL: Duration = Duration::from_secs(5);
/// Look-ups under way at once, a few KiB each beside the resolver's connections; more wait their turn.
const LOOKUPS: usize = 32;
/// Threads that the system's resolver may block at once, a stack of 2 MiB of address space each (a few KiB of it in RAM).
const SYSTEM_LOOKUPS: usize = 8;
/// The system's resolver tells no TTL: its answers hold this long.
const SYSTEM_HOLDS: Duration = Duration::from_secs(60);
/// "There is no such host" holds this long at most.
const NEGATIVE_HOLDS: Duration = Duration::from_secs(30);

/// What is known of a host.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resolved {
    /// In the resolver's order, at most 8 of each family. They are checked when they are dialled, not here.
    pub addresses: Vec<IpAddr>,
    /// The CNAMEs that led to the addresses, lower-case, for the guard's lists. The system's resolver does not tell them.
    pub chain: Vec<String>,
}

/// What one look-up comes to.
type Outcome = Result<Resolved, Reason>;

/// Resolves names for one thread.
pub struct Resolver {
    source: Source,
    clock: Clock,
    cache: Cache,
    flights: Flights,
    turns: Semaphore,
}

enum Source {
    Doh(Doh),
    System(Arc<Semaphore>),
    Fixed(HashMap<String, Resolved>),
}

impl Resolver {
    /// Asks `doh`, A and AAAA together (RFC 8305).
    pub fn doh(doh: Doh, clock: &Clock) -> Resolver {
        Resolver::with(Source::Doh(doh), clock)
    }

    /// Asks the system's resolver, on a bounded number of threads; the CNAME chain stays unknown.
    pub fn system(clock: &Clock) -> Resolver {
        Resolver::with(Source::System(Arc::new(Semaphore::new(SYSTEM_LOOKUPS))), clock)
    }

    /// Knows `hosts` and nothing else; for tests and the demonstration.
    pub fn fixed(hosts: HashMap<String, Resolved>, clock: &Clock) -> Resolver {
        Resolver::with(Source::Fixed(hosts), clock)
    }

    fn with(source: Source, clock: &Clock) -> Resolver {
        Resolver { source, clock: clock.clone(), cache: Cache::default(), flights: Flights::default(), turns: Semaphore::new(LOOKUPS) }
    }

    /// The addresses of `host` (A-label, lower-case, no final dot), from the cache or from one look-up shared by all who
    /// ask for it meanwhile. Ends within 5 s.
    ///
    /// # Errors
    /// [`Reason::DnsFailed`]: no such host, or no resolver answers sense. [`Reason::TimedOut`]: no answer in time.
    pub async fn resolve(&self, host: &str) -> Result<Resolved, Reason> {
        if let Some(known) = self.cache.get(host, self.clock.now()) {
            return known;
        }
        let shared = self.flights.share(host, async || {
            let _turn = self.turns.acquire().await;
            let (outcome, holds) = self.look_up(host).await;
            if let Some(holds) = holds {
                self.cache.put(host, &outcome, self.clock.now(), holds);
            }
            outcome
        });
        within(TOTAL, shared).await.unwrap_or(Err(Reason::TimedOut))
    }

    /// The outcome, and for how long it may be kept.
    async fn look_up(&self, host: &str) -> (Outcome, Option<Duration>) {
        match &self.source {
            Source::Doh(doh) => {
                let (four, six) = families::both(doh.look_up(host, Kind::A), doh.look_up(host, Kind::Aaaa)).await;
                families::combine(four, six)
            }
            Source::System(threads) => {
                let turn = threads.acquire_arc().await;
                let name = host.to_owned();
                // The turn goes with the thread: who gave up waiting does not make room for one thread more.
                let asked = work::aside(move || {
                    let _turn = turn;
                    system_addresses(&name)
                });
                match asked.await {
                    Ok(addresses) if !addresses.is_empty() => (Ok(Resolved { addresses, chain: Vec::new() }), Some(SYSTEM_HOLDS)),
                    _ => (Err(Reason::DnsFailed), Some(NEGATIVE_HOLDS)),
                }
            }
            Source::Fixed(hosts) => (hosts.get(host).cloned().ok_or(Reason::DnsFailed), None),
        }
    }
}

fn system_addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut out: Vec<IpAddr> = Vec::new();
    for ip in (host, 0).to_socket_addrs()?.map(|at| at.ip()) {
        let of_family = out.iter().filter(|other| other.is_ipv4() == ip.is_ipv4()).count();
        if of_family < MAX_ADDRESSES && !out.contains(&ip) {
            out.push(ip);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::sync::{Mutex, PoisonError};

    use smol::future::{poll_once, zip};

    use super::*;
    use crate::net::address::AddressGuard;
    use crate::net::dial::dial;
    use crate::net::doh::test_server::{Reply, TestServer, roots};

    const HOST: &str = "www.example.com";

    fn resolver(server: &TestServer, clock: &Clock) -> Resolver {
        Resolver::doh(Doh::new(&[server.url()], &roots(&[server]), clock).unwrap(), clock)
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn both_families_are_asked_once_and_remembered_for_the_ttl() {
        let server = TestServer::start("127.0.0.1", "127.0.0.1", |_, kind| match kind {
            Kind::A => Reply::Records(vec![(HOST, 300, "cdn.example.net"), ("cdn.example.net", 20, "192.0.2.1")]),
            Kind::Aaaa => Reply::Records(vec![(HOST, 300, "cdn.example.net"), ("cdn.example.net", 20, "2001:db8::1")]),
        });
        let clock = Clock::test(0);
        let resolver = resolver(&server, &clock);
        smol::block_on(async {
            // The first look-up opens connections, and one family may be dropped as late; from then on both are quick.
            while resolver.resolve(HOST).await.unwrap().addresses.len() < 2 {
                clock.advance(cache::LEAST);
            }
            let asked = server.questions();
            clock.advance(Duration::from_secs(19));
            let resolved = resolver.resolve(HOST).await.unwrap();
            assert_eq!(resolved.addresses, ips(&["2001:db8::1", "192.0.2.1"]));
            assert_eq!(resolved.chain, ["cdn.example.net"]);
            assert_eq!(server.questions(), asked, "from the cache");
            clock.advance(Duration::from_secs(1));
            resolver.resolve(HOST).await.unwrap();
            assert_eq!(server.questions(), asked + 2, "the TTL is over");
        });
    }

    #[test]
    fn identical_look_ups_in_flight_are_one() {
        // The resolver answers only once it is let, so that all callers are in flight by then.
        let (let_go, may_go) = mpsc::channel::<()>();
        let may_go = Mutex::new(may_go);
        let server = TestServer::start("127.0.0.1", "127.0.0.1", move |_, kind| {
            let _ = may_go.lock().unwrap_or_else(PoisonError::into_inner).recv();
            match kind {
                Kind::A => Reply::Records(vec![(HOST, 300, "192.0.2.1")]),
                Kind::Aaaa => Reply::Records(vec![]),
            }
        });
        let clock = Clock::test(0);
        let resolver = resolver(&server, &clock);
        smol::block_on(async {
            let mut callers: Vec<_> = (0..20).map(|_| Box::pin(resolver.resolve(HOST))).collect();
            for caller in &mut callers {
                assert!(poll_once(caller).await.is_none());
            }
            drop(let_go);
            for caller in callers {
                assert_eq!(caller.await.unwrap().addresses, ips(&["192.0.2.1"]));
            }
        });
        assert_eq!(server.questions(), 2, "A and AAAA, once");
    }

    #[test]
    fn no_such_host_is_remembered_for_a_while() {
        let server = TestServer::start("127.0.0.1", "127.0.0.1", |_, _| Reply::NoName);
        let clock = Clock::test(0);
        let resolver = resolver(&server, &clock);
        smol::block_on(async {
            for seconds in [0, 29, 1] {
                clock.advance(Duration::from_secs(seconds));
                assert_eq!(resolver.resolve(HOST).await, Err(Reason::DnsFailed));
            }
        });
        assert_eq!(server.questions(), 4);
    }

    #[test]
    fn a_failing_resolver_is_asked_again() {
        let server = TestServer::start("127.0.0.1", "127.0.0.1", |_, _| Reply::Status(500));
        let resolver = resolver(&server, &Clock::test(0));
        smol::block_on(async {
            assert_eq!(zip(resolver.resolve(HOST), resolver.resolve(HOST)).await, (Err(Reason::DnsFailed), Err(Reason::DnsFailed)));
            assert_eq!(server.questions(), 2);
            assert_eq!(resolver.resolve(HOST).await, Err(Reason::DnsFailed));
            assert_eq!(server.questions(), 4);
        });
    }

    /// DNS rebinding: a public name that resolves to private addresses, alone or beside a public one.
    #[test]
    fn rebinding_answers_reach_no_private_address() {
        let server = TestServer::start("127.0.0.1", "127.0.0.1", |host, kind| match (host, kind) {
            ("mixed.example.com", Kind::A) => Reply::Records(vec![
                ("mixed.example.com", 0, "127.0.0.1"),
                ("mixed.example.com", 0, "192.168.1.1"),
                ("mixed.example.com", 0, "127.77.1.1"),
            ]),
            ("evil.example.com", Kind::A) => Reply::Records(vec![("evil.example.com", 0, "127.0.0.1"), ("evil.example.com", 0, "10.0.0.1")]),
            ("evil.example.com", Kind::Aaaa) => Reply::Records(vec![("evil.example.com", 0, "::1"), ("evil.example.com", 0, "::ffff:127.77.1.1")]),
            _ => Reply::Records(vec![]),
        });
        let clock = Clock::system();
        let resolver = resolver(&server, &clock);
        let guard = AddressGuard::loopback(&["127.77.0.0/16".parse().unwrap()], clock.clone()).unwrap();
        let public = std::net::TcpListener::bind(("127.77.1.1", 0)).unwrap();
        let port = public.local_addr().unwrap().port();
        let private = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        private.set_nonblocking(true).unwrap();
        smol::block_on(async {
            let mixed = resolver.resolve("mixed.example.com").await.unwrap();
            let dialled = dial(&guard, &mixed.addresses, port, &clock, TOTAL).await.unwrap();
            assert_eq!(dialled.peer.ip(), ips(&["127.77.1.1"])[0]);
            let evil = resolver.resolve("evil.example.com").await.unwrap();
            assert_eq!(dial(&guard, &evil.addresses, port, &clock, TOTAL).await.unwrap_err(), Reason::PrivateAddress);
        });
        assert_eq!(private.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    /// The future is part of every tunnel's: it must not carry the look-up's state when the cache answers.
    #[test]
    fn waiting_for_a_name_takes_little_room() {
        let clock = Clock::test(0);
        let system = Resolver::system(&clock);
        let guard = AddressGuard::loopback(&[], clock.clone()).unwrap();
        assert!(size_of_val(&system.resolve(HOST)) <= 512, "{}", size_of_val(&system.resolve(HOST)));
        let dialling = dial(&guard, &[], 443, &clock, TOTAL);
        assert!(size_of_val(&dialling) <= 1024, "{}", size_of_val(&dialling));
    }

    #[test]
    fn the_system_s_resolver_and_a_fixed_one_answer_too() {
        let clock = Clock::test(0);
        let resolved = Resolved { addresses: ips(&["127.77.0.1"]), chain: vec!["cdn.example.net".into()] };
        let fixed = Resolver::fixed(HashMap::from([(HOST.to_owned(), resolved.clone())]), &clock);
        let system = Resolver::system(&clock);
        smol::block_on(async {
            assert_eq!(fixed.resolve(HOST).await, Ok(resolved));
            assert_eq!(fixed.resolve("other.example.com").await, Err(Reason::DnsFailed));
            assert!(system.resolve("localhost").await.unwrap().addresses.iter().all(IpAddr::is_loopback));
            assert_eq!(system.resolve("no such host").await, Err(Reason::DnsFailed));
        });
    }
}
