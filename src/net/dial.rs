//! Dialling: happy eyeballs (RFC 8305) over the addresses of a host, each checked by the guard at the moment it is tried,
//! on a socket bound to the uplink that the guard named.

use std::ffi::OsString;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd as _};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, getsockopt, setsockopt, socket, sockopt};
use smol::future::FutureExt as _;

use super::address::{AddressGuard, Exit};
use super::deadline;
use super::dns::MAX_ADDRESSES;
use super::reactor::{Async, Timer};
use crate::core::{Clock, Reason};

/// Connection Attempt Delay (RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Addresses of one host that are tried: at most this many sockets at once (a few KiB of kernel memory each).
const MAX_ATTEMPTS: usize = 8;
/// Addresses of one host that are checked: all that a look-up yields of both families.
const MAX_CHECKS: usize = 2 * MAX_ADDRESSES;
/// Lower Effort (RFC 8622): DSCP 000001 in the upper six bits of the octet.
const LOWER_EFFORT: i32 = 0x04;

/// A connection that was made.
#[derive(Debug)]
pub struct Dialled {
    /// Non-blocking, TCP_NODELAY, bound to the uplink.
    pub stream: Async<TcpStream>,
    /// Exactly the address that was checked.
    pub peer: SocketAddr,
    /// TCP connect time of the attempt that won.
    pub connect_ms: u64,
    /// The uplink it leaves by.
    pub exit: Exit,
}

/// Connects to the first of `addresses` that answers on `port`, within `within` all together. Losers are closed.
///
/// Addresses the guard refuses are passed over, so an answer that mixes public and private ones leads to a public one only.
///
/// # Errors
/// [`Reason::PrivateAddress`]: the guard refuses every address. [`Reason::TimedOut`]: nothing answered in time.
/// [`Reason::DialFailed`]: refused, reset, no route, or no address at all.
pub async fn dial(guard: &AddressGuard, addresses: &[IpAddr], port: u16, clock: &Clock, within: Duration) -> Result<Dialled, Reason> {
    try_dial(guard, addresses, port, clock, within).await.map_err(|no| no.reason)
}

/// No connection was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoWay {
    /// As [`dial`] gives it.
    pub reason: Reason,
    /// The other side said no itself: it refused or reset the connection.
    pub refused: bool,
}

/// [`dial`], telling also who it was that refused.
///
/// # Errors
/// As [`dial`].
pub async fn try_dial(guard: &AddressGuard, addresses: &[IpAddr], port: u16, clock: &Clock, within: Duration) -> Result<Dialled, NoWay> {
    let race = async {
        let mut waiting = interleave(addresses).into_iter().take(MAX_CHECKS);
        let mut room = MAX_ATTEMPTS;
        let mut attempts: Vec<Attempt<'_>> = Vec::new();
        let mut failure = Failure::default();
        loop {
            // Start the next address that the guard admits.
            let mut admitted = waiting.by_ref().filter_map(|ip| match guard.admit(ip) {
                Ok(exit) => Some(attempt(SocketAddr::new(ip, port), exit, clock)),
                Err(reason) => {
                    failure.refused(reason);
                    None
                }
            });
            let started = if room == 0 { None } else { admitted.next() };
            let last = started.is_none();
            room = room.saturating_sub(1);
            attempts.extend(started);
            if attempts.is_empty() {
                return Err(failure.told());
            }
            // Give it its head start, unless one of those under way ends first: failing makes room for the next at once.
            let delay = async {
                if last {
                    std::future::pending::<()>().await;
                }
                Timer::after(ATTEMPT_DELAY).await;
                None
            };
            match first_to_end(&mut attempts).or(delay).await {
                Some(Ok(dialled)) => return Ok(dialled),
                Some(Err(e)) => failure.failed(&e),
                None => {}
            }
        }
    };
    deadline::within(within, race).await.unwrap_or(Err(NoWay { reason: Reason::TimedOut, refused: false }))
}

/// What the kernel says of a connected socket: its other end, and the device it is bound to; `None` where it does not say.
pub fn looked_at(stream: &Async<TcpStream>) -> (Option<SocketAddr>, Option<String>) {
    let device = getsockopt(stream, sockopt::BindToDevice).ok();
    let device = device.map(|name| name.to_string_lossy().trim_end_matches('\0').to_owned()).filter(|name| !name.is_empty());
    (stream.get_ref().peer_addr().ok(), device)
}

/// Marks an own socket as lower effort than the household's traffic (contracts, `yield`). A kernel that refuses is no error.
pub fn mark_lower_effort(socket: &impl AsFd) {
    // A dual-stack socket carries both; each call fails harmlessly on the other family.
    let _ = setsockopt(socket, sockopt::Ipv4Tos, &LOWER_EFFORT);
    let _ = setsockopt(socket, sockopt::Ipv6TClass, &LOWER_EFFORT);
}

/// Families in turn, IPv6 first, the resolver's order kept within each (RFC 8305, section 4); each address once.
pub fn interleave(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut six = addresses.iter().filter(|ip| ip.is_ipv6());
    let mut four = addresses.iter().filter(|ip| ip.is_ipv4());
    let mut out = Vec::with_capacity(addresses.len());
    loop {
        let pair = [six.next(), four.next()];
        if pair == [None, None] {
            return out;
        }
        for ip in pair.into_iter().flatten() {
            if !out.contains(ip) {
                out.push(*ip);
            }
        }
    }
}

/// What went wrong so far, and what that adds up to.
#[derive(Default)]
struct Failure {
    /// The guard refused one as not public.
    private: bool,
    /// An address was tried, or had no route.
    tried: bool,
    /// The last that was tried ran into the kernel's own time-out.
    timed_out: bool,
    /// One that was tried said no.
    said_no: bool,
}

impl Failure {
    fn refused(&mut self, reason: Reason) {
        if reason == Reason::PrivateAddress { self.private = true } else { self.tried = true }
    }

    fn failed(&mut self, e: &io::Error) {
        self.tried = true;
        self.timed_out = e.kind() == io::ErrorKind::TimedOut;
        self.said_no |= matches!(e.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset);
    }

    fn told(&self) -> NoWay {
        let reason = self.reason();
        NoWay { reason, refused: self.said_no && reason == Reason::DialFailed }
    }

    fn reason(&self) -> Reason {
        match self {
            Failure { tried: false, private: true, .. } => Reason::PrivateAddress,
            Failure { timed_out: true, .. } => Reason::TimedOut,
            _ => Reason::DialFailed,
        }
    }
}

type Attempt<'a> = Pin<Box<dyn Future<Output = io::Result<Dialled>> + 'a>>;

/// Begins to connect before it returns: nothing comes between the guard's word and the dialling.
fn attempt(peer: SocketAddr, exit: Exit, clock: &Clock) -> Attempt<'_> {
    let began = clock.now();
    let opened = open(peer, &exit);
    Box::pin(async move {
        let stream = opened?;
        stream.writable().await?;
        if let Some(e) = stream.get_ref().take_error()? {
            return Err(e);
        }
        let connect_ms = u64::try_from(clock.now().since(began).as_millis()).unwrap_or(u64::MAX);
        Ok(Dialled { stream, peer, connect_ms, exit })
    })
}

/// The first attempt to end, taken out of the list.
async fn first_to_end(attempts: &mut Vec<Attempt<'_>>) -> Option<io::Result<Dialled>> {
    poll_fn(|cx| {
        for (i, attempt) in attempts.iter_mut().enumerate() {
            if let Poll::Ready(ended) = attempt.as_mut().poll(cx) {
                drop(attempts.swap_remove(i));
                return Poll::Ready(Some(ended));
            }
        }
        Poll::Pending
    })
    .await
}

/// A socket that is bound to the uplink and has begun to connect.
///
/// Binding by SO_BINDTODEVICE needs no privilege since Linux 5.7, and every OpenWrt release in support is later. Where the
/// kernel refuses, so do we: a socket that is not bound could follow a route that changed after the check.
fn open(peer: SocketAddr, exit: &Exit) -> io::Result<Async<TcpStream>> {
    let family = if peer.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    setsockopt(&fd, sockopt::BindToDevice, &OsString::from(&exit.device)).inspect_err(|e| {
        log::warn!("a socket cannot be bound to {}: {}", exit.device, e.desc());
    })?;
    setsockopt(&fd, sockopt::TcpNoDelay, &true)?;
    match connect(fd.as_raw_fd(), &SockaddrStorage::from(peer)) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(e) => return Err(e.into()),
    }
    Async::new_nonblocking(TcpStream::from(fd))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::net::address::{Table, Uplinks};

    const LONG: Duration = Duration::from_secs(20);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn guard(nets: &[&str]) -> AddressGuard {
        let nets: Vec<_> = nets.iter().map(|n| n.parse().unwrap()).collect();
        AddressGuard::loopback(&nets, Clock::system()).unwrap()
    }

    fn run(guard: &AddressGuard, addresses: &[&str], port: u16) -> Result<Dialled, Reason> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|a| ip(a)).collect();
        smol::block_on(dial(guard, &addresses, port, &Clock::system(), LONG))
    }

    #[test]
    fn families_take_turns_and_no_address_comes_twice() {
        let given = ["1.1.1.1", "1.0.0.1", "1.1.1.1", "8.8.8.8", "2606::1", "2606::2"].map(ip);
        assert_eq!(interleave(&given), ["2606::1", "1.1.1.1", "2606::2", "1.0.0.1", "8.8.8.8"].map(ip));
        assert!(interleave(&[]).is_empty());
    }

    #[test]
    fn connects_over_both_families_and_carries_data() {
        for address in ["127.77.0.1", "::1"] {
            let listener = TcpListener::bind((ip(address), 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
            });
            let mut dialled = run(&guard(&["127.77.0.0/16", "::1/128"]), &[address], port).unwrap();
            assert_eq!(dialled.peer, SocketAddr::new(ip(address), port));
            assert_eq!(dialled.exit.device, "lo");
            assert_eq!(looked_at(&dialled.stream), (Some(dialled.peer), Some("lo".to_owned())));
            assert!(dialled.stream.get_ref().nodelay().unwrap());
            mark_lower_effort(&dialled.stream);
            let tos = if dialled.peer.is_ipv4() {
                nix::sys::socket::getsockopt(&dialled.stream, sockopt::Ipv4Tos)
            } else {
                nix::sys::socket::getsockopt(&dialled.stream, sockopt::Ipv6TClass)
            };
            assert_eq!(tos, Ok(LOWER_EFFORT));
            smol::block_on(async {
                dialled.stream.write_all(b"hello").await.unwrap();
                let mut back = [0; 5];
                dialled.stream.read_exact(&mut back).await.unwrap();
                assert_eq!(&back, b"hello");
            });
            drop(dialled);
            server.join().unwrap();
        }
    }

    #[test]
    fn of_a_mixed_answer_only_the_public_address_is_dialled() {
        // A listener on the private address, same port: it must see no connection.
        let public = TcpListener::bind(("127.77.0.2", 0)).unwrap();
        let port = public.local_addr().unwrap().port();
        let private = TcpListener::bind(("127.0.0.1", port)).unwrap();
        private.set_nonblocking(true).unwrap();
        let guard = guard(&["127.77.0.0/16"]);
        let dialled = run(&guard, &["127.0.0.1", "::1", "10.0.0.1", "127.77.0.2", "::ffff:127.0.0.1"], port).unwrap();
        assert_eq!(dialled.peer.ip(), ip("127.77.0.2"));
        assert_eq!(private.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_refused_address_makes_room_for_the_next_at_once() {
        let listener = TcpListener::bind(("127.77.0.3", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let dialled = run(&guard(&["127.77.0.0/16"]), &["127.77.0.4", "127.77.0.5", "127.77.0.3"], port).unwrap();
        assert_eq!(dialled.peer.ip(), ip("127.77.0.3"));
    }

    #[test]
    fn refused_addresses_take_no_attempt_from_the_others() {
        let listener = TcpListener::bind(("127.77.0.9", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut many: Vec<String> = (1..=MAX_ATTEMPTS).map(|i| format!("10.0.0.{i}")).collect();
        many.push("127.77.0.9".to_owned());
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(run(&guard(&["127.77.0.0/16"]), &many, port).unwrap().peer.ip(), ip("127.77.0.9"));
        let closed = TcpListener::bind(("127.77.0.10", 0)).unwrap().local_addr().unwrap().port();
        let all: Vec<String> = (10..30).map(|i| format!("127.77.0.{i}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(run(&guard(&["127.77.0.0/16"]), &all, closed).unwrap_err(), Reason::DialFailed, "an end is reached");
    }

    #[test]
    fn a_silent_address_does_not_hold_up_the_next() {
        // A full backlog of one drops further SYNs: the first address neither accepts nor refuses.
        let silent = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        let at = SocketAddr::from(([127, 77, 0, 6], 0));
        nix::sys::socket::bind(silent.as_raw_fd(), &SockaddrStorage::from(at)).unwrap();
        nix::sys::socket::listen(&silent, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
        let at = TcpListener::from(silent);
        let port = at.local_addr().unwrap().port();
        let _held = std::net::TcpStream::connect(at.local_addr().unwrap()).unwrap();
        let listener = TcpListener::bind(("127.77.0.7", port)).unwrap();
        let guard = guard(&["127.77.0.0/16"]);
        let dialled = run(&guard, &["127.77.0.6", "127.77.0.7"], port).unwrap();
        assert_eq!(dialled.peer.ip(), ip("127.77.0.7"));
        assert!(dialled.connect_ms < 200, "the time is of the attempt that won: {}", dialled.connect_ms);
        drop(listener);

        let none = smol::block_on(dial(&guard, &[ip("127.77.0.6")], port, &Clock::system(), Duration::from_millis(30)));
        assert_eq!(none.unwrap_err(), Reason::TimedOut);
    }

    #[test]
    fn failures_have_their_reason() {
        let guard = guard(&["127.77.0.0/16"]);
        let closed = TcpListener::bind(("127.77.0.8", 0)).unwrap().local_addr().unwrap().port();
        assert_eq!(run(&guard, &["127.77.0.8"], closed).unwrap_err(), Reason::DialFailed);
        let told = smol::block_on(try_dial(&guard, &[ip("127.77.0.8")], closed, &Clock::system(), LONG)).unwrap_err();
        assert_eq!(told, NoWay { reason: Reason::DialFailed, refused: true });
        let told = smol::block_on(try_dial(&guard, &[ip("127.0.0.1")], closed, &Clock::system(), LONG)).unwrap_err();
        assert_eq!(told, NoWay { reason: Reason::PrivateAddress, refused: false });
        assert_eq!(run(&guard, &["127.0.0.1", "10.1.2.3", "fd00::1"], 443).unwrap_err(), Reason::PrivateAddress);
        assert_eq!(run(&guard, &["127.0.0.1", "127.77.0.8"], closed).unwrap_err(), Reason::DialFailed);
        assert_eq!(run(&guard, &[], 443).unwrap_err(), Reason::DialFailed);
        let no_lo = AddressGuard::new(Table::internet(), Uplinks::DefaultRoute, Clock::test(0)).unwrap();
        assert_eq!(run(&no_lo, &["127.0.0.1"], 443).unwrap_err(), Reason::PrivateAddress);
    }
}
