//! Real sockets on loopback.

use std::cell::RefCell;
use std::future::Future;
use std::net::{Shutdown, TcpListener};
use std::rc::Rc;
use std::sync::Arc;

use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream as ClientStream;
use proptest::prelude::*;
use rustls::pki_types::ServerName;
use smol::LocalExecutor;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::bucket::UNLIMITED;
use super::super::pace::Limiter;
use super::super::pool::{BUFFER_LEAST, PIPE_MOST, PoolStats};
use super::super::reactor::Timer;
use super::super::tls;
use super::*;
use crate::identity::certificate::{ListenerKey, self_signed};

/// Counts, and keeps the account of tokens.
#[derive(Default)]
struct Book {
    ingress: Cell<u64>,
    egress: Cell<u64>,
    granted: Cell<u64>,
    returned: Cell<u64>,
}

impl Tap for Book {
    fn ingress(&self, bytes: u64) {
        self.ingress.set(self.ingress.get() + bytes);
    }
    fn egress(&self, bytes: u64) {
        self.egress.set(self.egress.get() + bytes);
    }
}

/// Grants at most `most` bytes at a time.
struct Portions<'a> {
    book: &'a Book,
    most: usize,
}

impl Pace for Portions<'_> {
    async fn take(&self, want: usize) -> usize {
        let granted = want.min(self.most);
        self.book.granted.set(self.book.granted.get() + granted as u64);
        granted
    }
    fn give_back(&self, bytes: usize) {
        self.book.returned.set(self.book.returned.get() + bytes as u64);
    }
}

/// A tunnel's near ends for the relay, and its far ends for the test.
struct Ends {
    buyer: Async<TcpStream>,
    near_buyer: Async<TcpStream>,
    near_origin: Async<TcpStream>,
    origin: Async<TcpStream>,
}

fn pair() -> (Async<TcpStream>, Async<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    (Async::new(far).unwrap(), Async::new(near).unwrap())
}

fn ends() -> Ends {
    let (buyer, near_buyer) = pair();
    let (origin, near_origin) = pair();
    Ends { buyer, near_buyer, near_origin, origin }
}

const LONG: RelayLimits = RelayLimits { idle: Duration::from_secs(60), total: Duration::from_secs(60) };

async fn run(buyer: BuyerStream, origin: Async<TcpStream>, limits: RelayLimits, book: &Book, most: usize, pool: &Pool, stop: &Stop) -> Ended {
    let clock = Clock::system();
    let pace = Portions { book, most };
    let first = Cell::new(None);
    let tunnel = Tunnel { limits, clock: &clock, tap: book, pace: &pace, pool, stop };
    let ended = relay(buyer, origin, &tunnel, |at| first.set(Some(at))).await;
    assert_eq!((ended.ingress, ended.egress), (book.ingress.get(), book.egress.get()), "the tap hears what the end tells");
    if ended.ingress > 0 {
        assert!(first.get().is_some(), "the first byte back was told");
    }
    ended
}

fn block<T>(future: impl Future<Output = T>) -> T {
    let late = async {
        Timer::after(Duration::from_secs(30)).await;
        panic!("not done in time")
    };
    crate::net::reactor::block_on(future.or(late)).unwrap()
}

fn noise(length: usize, seed: u8) -> Vec<u8> {
    let mut out = vec![0; length];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut out);
    out
}

fn empty(pool: &Pool) -> PoolStats {
    PoolStats { budget: pool.stats().budget, ..PoolStats::default() }
}

/// Sends `bytes` in `cuts` and ends its half.
async fn send(socket: &Async<TcpStream>, bytes: &[u8], cut: usize) {
    for piece in bytes.chunks(cut) {
        (&*socket).write_all(piece).await.unwrap();
    }
    socket.get_ref().shutdown(Shutdown::Write).unwrap();
}

async fn receive(socket: &Async<TcpStream>) -> Vec<u8> {
    let mut got = Vec::new();
    (&*socket).read_to_end(&mut got).await.unwrap();
    got
}

fn both_ways(up: usize, down: usize, cut: usize, most: usize, spliced: bool) {
    let pool = Pool::new(16 << 20);
    let member = pool.enter();
    if !spliced {
        pool.give_up_splicing();
    }
    let (book, e) = (Book::default(), ends());
    let (up, down) = (noise(up, 1), noise(down, 2));
    block(async {
        let far = async {
            let sent = smol::future::zip(send(&e.buyer, &up, cut), send(&e.origin, &down, cut + 7));
            let got = smol::future::zip(receive(&e.origin), receive(&e.buyer));
            smol::future::zip(sent, got).await.1
        };
        let stop = Stop::new();
        let near = run(BuyerStream::Plain(e.near_buyer), e.near_origin, LONG, &book, most, &pool, &stop);
        let (ended, (at_origin, at_buyer)) = smol::future::zip(near, far).await;
        assert_eq!(ended, Ended { cause: Cause::Finished, ingress: down.len() as u64, egress: up.len() as u64 });
        assert!(at_origin == up && at_buyer == down, "every byte arrives as it was sent");
    });
    assert_eq!(book.granted.get() - book.returned.get(), (up.len() + down.len()) as u64, "unused tokens went back");
    drop(member);
    assert_eq!(pool.stats(), empty(&pool));
}

#[test]
fn megabytes_both_ways_at_once() {
    both_ways(5_000_000, 7_000_001, 1 << 20, 1 << 20, true);
    both_ways(5_000_000, 3_000_001, 1 << 20, 1 << 20, false);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn bytes_arrive_as_they_were_sent(up in 0usize..300_000, down in 0usize..300_000, cut in 300usize..70_000, most in 500usize..300_000, spliced: bool) {
        both_ways(up, down, cut, most, spliced);
    }
}

#[test]
fn a_side_that_ended_still_hears_the_other() {
    for buyer_first in [true, false] {
        let (pool, book, stop, e) = (Pool::new(16 << 20), Book::default(), Stop::new(), ends());
        block(async {
            let far = async {
                let (first, second) = if buyer_first { (&e.buyer, &e.origin) } else { (&e.origin, &e.buyer) };
                send(first, b"a question", 100).await;
                assert_eq!(receive(second).await, b"a question");
                send(second, b"the answer, after the end of the question", 100).await;
                assert_eq!(receive(first).await, b"the answer, after the end of the question");
            };
            let near = run(BuyerStream::Plain(e.near_buyer), e.near_origin, LONG, &book, 1 << 20, &pool, &stop);
            assert_eq!(smol::future::zip(near, far).await.0.cause, Cause::Finished);
        });
        assert_eq!(pool.stats(), empty(&pool));
    }
}

/// Resets instead of closing.
fn reset(socket: Async<TcpStream>) {
    setsockopt(socket.get_ref(), sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
}

#[test]
fn a_reset_in_mid_transfer_ends_both_sides_and_the_count_is_what_was_taken() {
    for buyer_resets in [true, false] {
        let (pool, book, stop, e) = (Pool::new(16 << 20), Book::default(), Stop::new(), ends());
        let ended = block(async {
            let (mut source, mut sink) = if buyer_resets { (e.origin, e.buyer) } else { (e.buyer, e.origin) };
            let near = run(BuyerStream::Plain(e.near_buyer), e.near_origin, LONG, &book, 1 << 20, &pool, &stop);
            let sending = async {
                let bytes = noise(1 << 20, 3);
                let mut sent = 0u64;
                while let Ok(n) = source.write(&bytes).await {
                    sent += n as u64;
                }
                sent
            };
            let receiving = async {
                let mut some = vec![0; 3_000_000];
                sink.read_exact(&mut some).await.unwrap();
                reset(sink);
            };
            let ((ended, ()), sent) = smol::future::zip(smol::future::zip(near, receiving), sending).await;
            let moved = if buyer_resets { ended.ingress } else { ended.egress };
            assert!(moved >= 3_000_000 && moved <= sent, "{moved} of {sent}");
            ended
        });
        match ended.cause {
            Cause::BuyerGone(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) if buyer_resets => {}
            Cause::OriginGone(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) if !buyer_resets => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(pool.stats(), empty(&pool));
    }
}

#[test]
fn a_stalled_reader_holds_up_nobody_and_no_pipe() {
    // One pipe and hardly more.
    let pool = Pool::new(4 * (PIPE_MOST + 4 * BUFFER_LEAST));
    let (stop, stalled_book, busy_book) = (Stop::new(), Book::default(), Book::default());
    let (stalled, busy) = (ends(), ends());
    let down = noise(8_000_000, 4);
    block(async {
        let stalled_run = run(BuyerStream::Plain(stalled.near_buyer), stalled.near_origin, LONG, &stalled_book, 1 << 20, &pool, &stop);
        let never_read = async {
            let _unread = stalled.buyer;
            let bytes = noise(1 << 20, 5);
            while (&stalled.origin).write_all(&bytes).await.is_ok() {}
        };
        let busy_run = run(BuyerStream::Plain(busy.near_buyer), busy.near_origin, LONG, &busy_book, 1 << 20, &pool, &stop);
        let busy_far = async {
            let up = async { busy.buyer.get_ref().shutdown(Shutdown::Write).unwrap() };
            let ((), ((), got)) = smol::future::zip(up, smol::future::zip(send(&busy.origin, &down, 1 << 20), receive(&busy.buyer))).await;
            assert!(got == down);
            let stats = pool.stats();
            assert!(stats.tunnels >= 1 && stats.pipes <= 1 && stats.bytes - stats.sockets <= pool.stats().budget / 4, "{stats:?}");
            stop.stop(Reason::Stopped);
        };
        let both = smol::future::zip(stalled_run, smol::future::zip(busy_run, busy_far));
        let (stalled_ended, (busy_ended, ())) = smol::future::zip(both, never_read).await.0;
        assert_eq!(stalled_ended.cause, Cause::Stopped(Reason::Stopped));
        assert_eq!(busy_ended.ingress, down.len() as u64);
    });
    assert_eq!(pool.stats(), empty(&pool));
}

#[test]
fn a_stalled_tunnel_sleeps_and_its_sockets_are_counted() {
    let (pool, book, stop, e) = (Pool::new(64 << 20), Book::default(), Stop::new(), ends());
    let polls = Cell::new(0);
    let ex = LocalExecutor::new();
    block(ex.run(async {
        let source = ex.spawn(async move {
            let bytes = noise(1 << 20, 5);
            while (&e.origin).write_all(&bytes).await.is_ok() {}
        });
        let mut near = Box::pin(run(BuyerStream::Plain(e.near_buyer), e.near_origin, LONG, &book, 1 << 20, &pool, &stop));
        let counted = std::future::poll_fn(|cx| {
            polls.set(polls.get() + 1);
            near.as_mut().poll(cx)
        });
        let look = async {
            // Until nothing moves any more.
            let mut before = u64::MAX;
            while before != book.ingress.get() || before == 0 {
                before = book.ingress.get();
                Timer::after(Duration::from_millis(100)).await;
            }
            assert!(pool.stats().sockets > 100_000, "{:?}", pool.stats());
            let (before, bytes) = (polls.get(), book.ingress.get());
            Timer::after(Duration::from_millis(100)).await;
            // The look itself shares the task and wakes it.
            assert!(polls.get() - before <= 3 && book.ingress.get() == bytes, "{} polls while stalled", polls.get() - before);
            assert_eq!((pool.stats().pipes <= 1, pool.stats().tunnels), (true, 1));
            stop.stop(Reason::Stopped);
        };
        smol::future::zip(counted, look).await;
        source.cancel().await;
    }));
    drop(e.buyer);
    assert_eq!(pool.stats(), empty(&pool));
}

#[test]
fn a_stop_ends_at_once_whatever_waits() {
    struct Never;
    impl Pace for Never {
        async fn take(&self, _: usize) -> usize {
            std::future::pending().await
        }
        fn give_back(&self, _: usize) {}
    }
    let (pool, book, stop, e, clock) = (Pool::new(16 << 20), Book::default(), Stop::new(), ends(), Clock::system());
    block(async {
        (&e.buyer).write_all(b"waits for tokens").await.unwrap();
        let tunnel = Tunnel { limits: LONG, clock: &clock, tap: &book, pace: &Never, pool: &pool, stop: &stop };
        let near = relay(BuyerStream::Plain(e.near_buyer), e.near_origin, &tunnel, |_| {});
        let hand = async {
            for _ in 0..10 {
                smol::future::yield_now().await;
            }
            assert_eq!(pool.stats().pipes, 0, "nothing is borrowed while tokens are waited for");
            stop.stop(Reason::Paused);
            stop.stop(Reason::Stopped);
        };
        let (ended, ()) = smol::future::zip(near, hand).await;
        assert_eq!(ended, Ended { cause: Cause::Stopped(Reason::Paused), ingress: 0, egress: 0 });
        assert_eq!(receive(&e.origin).await, b"");
    });
    assert_eq!(stop.reason(), Some(Reason::Paused));
    assert_eq!(pool.stats(), empty(&pool));
}

#[test]
fn idle_and_total_time_end_a_tunnel() {
    let short = Duration::from_millis(40);
    let cases = [(RelayLimits { idle: short, ..LONG }, Cause::Idle), (RelayLimits { total: short, ..LONG }, Cause::Total)];
    for (limits, cause) in cases {
        let (pool, book, stop, e) = (Pool::new(16 << 20), Book::default(), Stop::new(), ends());
        block(async {
            (&e.buyer).write_all(b"one").await.unwrap();
            let ended = run(BuyerStream::Plain(e.near_buyer), e.near_origin, limits, &book, 1 << 20, &pool, &stop).await;
            assert_eq!(ended, Ended { cause, ingress: 0, egress: 3 });
        });
        assert_eq!(pool.stats(), empty(&pool));
    }
}

#[test]
fn urgent_data_neither_stops_nor_spins_a_tunnel() {
    use std::os::fd::AsRawFd as _;
    let (pool, book, stop, e) = (Pool::new(16 << 20), Book::default(), Stop::new(), ends());
    block(async {
        (&e.buyer).write_all(b"before").await.unwrap();
        nix::sys::socket::send(e.buyer.get_ref().as_raw_fd(), b"!", nix::sys::socket::MsgFlags::MSG_OOB).unwrap();
        let far = async {
            send(&e.buyer, b"after", 5).await;
            let got = receive(&e.origin).await;
            e.origin.get_ref().shutdown(Shutdown::Write).unwrap();
            got
        };
        let near = run(BuyerStream::Plain(e.near_buyer), e.near_origin, LONG, &book, 1 << 20, &pool, &stop);
        let (ended, got) = smol::future::zip(near, far).await;
        assert_eq!((ended.cause, got.as_slice()), (Cause::Finished, b"beforeafter".as_slice()));
        assert!(book.returned.get() < 1000, "hardly a step in vain: {} tokens came back", book.returned.get());
    });
}

/// A buyer over TLS: its far end, and the near one for the relay.
async fn tls_ends() -> (ClientStream<Async<TcpStream>>, BuyerStream) {
    let cert = self_signed(&ListenerKey::generate().unwrap(), "node", &["node.example".into()]).unwrap();
    let acceptor = tls::acceptor(&cert, &[]).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.chain[0].clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (far, near) = pair();
    let connect = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("node.example").unwrap(), far);
    let clock = Clock::system();
    let (far, (near, handshake)) = smol::future::try_zip(connect, tls::accept(&acceptor, near, &clock)).await.unwrap();
    assert_eq!(handshake.version, "TLSv1.3");
    (far, BuyerStream::Tls(Box::new(near)))
}

#[test]
fn a_buyer_over_tls_is_served_both_ways_to_the_last_byte() {
    let (pool, book, stop) = (Pool::new(16 << 20), Book::default(), Stop::new());
    let (up, down) = (noise(1_500_000, 6), noise(2_500_001, 7));
    block(async {
        let (far, near_buyer) = tls_ends().await;
        let (origin, near_origin) = pair();
        let (mut read, mut write) = smol::io::split(far);
        let far = async {
            let sending = async {
                write.write_all(&up).await.unwrap();
                write.close().await.unwrap(); // close_notify
            };
            let receiving = async {
                let mut got = Vec::new();
                read.read_to_end(&mut got).await.unwrap(); // fails without close_notify
                got
            };
            let at_buyer = smol::future::zip(sending, receiving);
            // The origin answers after the buyer ended.
            let at_origin = async {
                let got = receive(&origin).await;
                send(&origin, &down, 1 << 20).await;
                got
            };
            let (((), at_buyer), at_origin) = smol::future::zip(at_buyer, at_origin).await;
            assert!(at_buyer == down && at_origin == up);
        };
        let near = run(near_buyer, near_origin, LONG, &book, 100_000, &pool, &stop);
        let (ended, ()) = smol::future::zip(near, far).await;
        assert_eq!(ended, Ended { cause: Cause::Finished, ingress: down.len() as u64, egress: up.len() as u64 });
    });
    assert_eq!(book.granted.get() - book.returned.get(), (up.len() + down.len()) as u64);
    assert_eq!(pool.stats(), empty(&pool));
}

#[test]
fn a_tls_buyer_that_stalls_and_goes_away_is_counted_by_what_was_taken() {
    let (pool, book, stop) = (Pool::new(16 << 20), Book::default(), Stop::new());
    block(async {
        let (mut far, near_buyer) = tls_ends().await;
        let (mut origin, near_origin) = pair();
        let near = run(near_buyer, near_origin, LONG, &book, 1 << 20, &pool, &stop);
        let sending = async {
            let bytes = noise(1 << 20, 8);
            while origin.write_all(&bytes).await.is_ok() {}
        };
        let receiving = async {
            let mut some = vec![0; 2_000_000];
            far.read_exact(&mut some).await.unwrap();
            reset(far.into_inner().0);
        };
        let ((ended, ()), ()) = smol::future::zip(smol::future::zip(near, receiving), sending).await;
        assert!(matches!(ended.cause, Cause::BuyerGone(_)), "{ended:?}");
        assert!(ended.ingress >= 2_000_000 - 65_536, "{ended:?}");
    });
    assert_eq!(pool.stats(), empty(&pool));
}

#[test]
fn tunnels_of_two_sessions_run_through_the_limiter() {
    let ex = LocalExecutor::new();
    let clock = Clock::system();
    let limiter = Limiter::new(clock.clone(), 20_000_000, 100_000);
    let pool = Pool::new(16 << 20);
    let ended = Rc::new(RefCell::new(Vec::new()));
    let down = noise(400_000, 9);
    block(ex.run(async {
        let shares = [limiter.share(UNLIMITED, UNLIMITED), limiter.share(5_000_000, 50_000)];
        let tasks: Vec<_> = (0..8)
            .map(|i| {
                let (share, clock, pool, ended, down) = (shares[i % 2].clone(), clock.clone(), pool.clone(), ended.clone(), down.clone());
                ex.spawn(async move {
                    let (e, book, stop) = (ends(), Book::default(), Stop::new());
                    let tunnel = Tunnel { limits: LONG, clock: &clock, tap: &book, pace: &*share, pool: &pool, stop: &stop };
                    let near = relay(BuyerStream::Plain(e.near_buyer), e.near_origin, &tunnel, |_| {});
                    let far = async {
                        send(&e.buyer, b"please", 6).await;
                        let ((), got) = smol::future::zip(send(&e.origin, &down, 1 << 20), receive(&e.buyer)).await;
                        assert!(got == down);
                    };
                    let (one, ()) = smol::future::zip(near, far).await;
                    ended.borrow_mut().push(one);
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
    }));
    let expected = Ended { cause: Cause::Finished, ingress: down.len() as u64, egress: 6 };
    assert_eq!(*ended.borrow(), [expected; 8]);
    assert_eq!((limiter.waiting(), pool.stats()), (0, empty(&pool)));
}
