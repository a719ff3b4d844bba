use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use smol::LocalExecutor;
use smol::future::FutureExt as _;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Runs `future` on a reactor; one that does not end fails the test.
fn run<T>(future: impl Future<Output = T>) -> T {
    let late = async {
        Timer::after(Duration::from_secs(30)).await;
        panic!("not done in time")
    };
    block_on(future.or(late)).unwrap()
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (far, listener.accept().unwrap().0)
}

#[test]
fn carries_bytes_between_tasks_of_one_thread() {
    let ex = LocalExecutor::new();
    run(ex.run(async {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let addr = listener.get_ref().local_addr().unwrap();
        let echo = ex.spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut first = [0];
            assert_eq!(stream.peek(&mut first).await.unwrap(), 1);
            smol::io::copy(&stream, &stream).await.unwrap()
        });
        let near = TcpStream::connect(addr).unwrap();
        let near = Async::new(near).unwrap();
        let sent = vec![7; 3_000_000];
        let send = async {
            (&near).write_all(&sent).await.unwrap();
            near.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        };
        let mut back = Vec::new();
        let receive = async { (&near).read_to_end(&mut back).await.unwrap() };
        smol::future::zip(send, receive).await;
        assert_eq!(back, sent);
        assert_eq!(echo.await, sent.len() as u64);
    }));
}

#[test]
fn a_wait_after_a_dry_read_hears_of_every_byte() {
    let (mut far, near) = pair();
    let writer = std::thread::spawn(move || {
        for _ in 0..2_000 {
            far.write_all(&[1]).unwrap();
            std::thread::yield_now();
        }
    });
    run(async {
        let near = Async::new(near).unwrap();
        let mut count = 0;
        loop {
            match near.get_ref().read(&mut [0; 3]) {
                Ok(0) => break,
                Ok(n) => count += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => near.refilled().await.unwrap(),
                Err(e) => panic!("{e}"),
            }
        }
        assert_eq!(count, 2_000);
    });
    writer.join().unwrap();
}

#[test]
fn readable_and_writable_tell_what_is_so_already() {
    let (mut far, near) = pair();
    run(async {
        let near = Async::new(near).unwrap();
        for _ in 0..3 {
            // Asked for again without a byte moving: an edge alone would come once.
            near.writable().await.unwrap();
        }
        far.write_all(b"x").unwrap();
        for _ in 0..3 {
            near.readable().await.unwrap();
        }
        let idle = async {
            near.readable().await.unwrap();
            true
        };
        assert_eq!((&near).read(&mut [0; 8]).await.unwrap(), 1);
        let nothing = async {
            Timer::after(Duration::from_millis(20)).await;
            false
        };
        assert!(!idle.or(nothing).await, "nothing is left to read");
        // Filled up, and then read by the other side: there is room again.
        while (near.get_ref()).write(&[0; 1 << 16]).is_ok() {}
        let full = async {
            near.writable().await.unwrap();
            true
        };
        let nothing = async {
            Timer::after(Duration::from_millis(20)).await;
            false
        };
        assert!(!full.or(nothing).await, "no room");
        let drain = std::thread::spawn(move || {
            let mut space = vec![0; 1 << 20];
            while far.read(&mut space).is_ok_and(|n| n > 0) {}
        });
        near.writable().await.unwrap();
        drop(near);
        drain.join().unwrap();
    });
}

#[test]
fn timers_ring_in_their_order_and_never_early() {
    let ex = LocalExecutor::new();
    run(ex.run(async {
        let began = Instant::now();
        let rung = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = [30u64, 10, 20, 0]
            .into_iter()
            .map(|ms| {
                let rung = rung.clone();
                ex.spawn(async move {
                    Timer::after(Duration::from_millis(ms)).await;
                    assert!(began.elapsed() >= Duration::from_millis(ms));
                    rung.borrow_mut().push(ms);
                })
            })
            .collect();
        // One that is given up leaves nothing behind.
        assert!(smol::future::poll_once(Timer::after(Duration::from_millis(5))).await.is_none());
        for task in tasks {
            task.await;
        }
        assert_eq!(*rung.borrow(), [0, 10, 20, 30]);
        let reactor = Reactor::here().unwrap();
        assert!(reactor.timers.borrow().len() <= 1, "only the test's own deadline is left");
    }));
}

#[test]
fn another_thread_rings() {
    run(async {
        for _ in 0..200 {
            let (tell, told) = smol::channel::bounded(1);
            let thread = std::thread::spawn(move || tell.send_blocking(7).unwrap());
            assert_eq!(told.recv().await, Ok(7));
            thread.join().unwrap();
        }
    });
}

#[test]
fn what_was_made_elsewhere_works_here_and_the_other_way_round() {
    let (far, near) = pair();
    let far = Async::new(far).unwrap();
    let late = Timer::after(Duration::from_millis(1));
    run(async {
        late.await;
        let near = Async::new(near).unwrap();
        (&far).write_all(b"hello").await.unwrap();
        let mut space = [0; 5];
        (&near).read_exact(&mut space).await.unwrap();
        assert_eq!(&space, b"hello");
    });
}

#[test]
fn who_works_for_long_lets_others_be_heard() {
    let ex = LocalExecutor::new();
    let (mut far, near) = pair();
    far.write_all(b"x").unwrap();
    run(ex.run(async {
        let near = Async::new(near).unwrap();
        let heard = Rc::new(Cell::new(false));
        let told = heard.clone();
        let _other = ex.spawn(async move {
            near.readable().await.unwrap();
            told.set(true);
        });
        // Never sleeps: only its glances can bring the event in.
        while !heard.get() {
            glance();
            smol::future::yield_now().await;
        }
    }));
}

#[test]
fn a_dropped_socket_leaves_the_table() {
    run(async {
        let (far, near) = pair();
        let near = Async::new(near).unwrap();
        let reactor = Reactor::here().unwrap();
        assert_eq!(reactor.sources.borrow().len(), 1);
        assert!(smol::future::poll_once(near.refilled()).await.is_none());
        drop((near, far));
        assert!(reactor.sources.borrow().is_empty());
    });
}
