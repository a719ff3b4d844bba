use proptest::prelude::*;

use super::super::{MOST_STREAMS, WINDOWS};
use super::*;

const WINDOW_MOST: u32 = Budget::MOST.window_most;

/// Everything one side wants to send, given to the other.
fn pass(from: &mut Machine, to: &mut Machine) -> Vec<Event> {
    let mut events = Vec::new();
    let bytes = from.pending().to_vec();
    to.receive(&bytes, &mut |e| events.push(e)).unwrap();
    from.sent(bytes.len(), &mut |_| {});
    events
}

/// A node's side and a gateway's, with one stream that the gateway opened.
fn pair() -> (Machine, Machine, u32) {
    let (mut node, mut gateway) = (Machine::new(Side::Dialler), Machine::new(Side::Listener));
    let id = gateway.open().unwrap();
    assert_eq!(gateway.write(id, b"hello").unwrap(), 5);
    let events = pass(&mut gateway, &mut node);
    assert_eq!(events, [Event::Incoming, Event::Readable(id)]);
    assert_eq!(node.next_incoming(), Some(id));
    (node, gateway, id)
}

fn feed(machine: &mut Machine, head: Head) -> Result<(), Fault> {
    machine.receive(&head.bytes(), &mut |_| {})
}

#[test]
fn carries_both_ways_and_ends_by_halves() {
    let (mut node, mut gateway, id) = pair();
    let mut buf = [0; 64];
    assert_eq!(node.peek(id, &mut buf).unwrap(), Some(5));
    assert_eq!(node.read(id, &mut buf).unwrap(), Some(5));
    assert_eq!((&buf[..5], node.unread(id).unwrap()), (&b"hello"[..], None));
    node.write(id, b"answer").unwrap();
    node.finish(id);
    assert!(node.write(id, b"x").is_err());
    pass(&mut node, &mut gateway);
    assert_eq!(gateway.read(id, &mut buf).unwrap(), Some(6));
    assert_eq!(gateway.unread(id).unwrap(), Some(0), "the end");
    gateway.write(id, b"more").unwrap();
    gateway.finish(id);
    gateway.forget(id);
    pass(&mut gateway, &mut node);
    assert_eq!(node.read(id, &mut buf).unwrap(), Some(4));
    assert_eq!(node.read(id, &mut buf).unwrap(), Some(0));
    node.forget(id);
    assert!(node.pending().is_empty(), "an end on both sides needs no reset");
    assert_eq!((node.streams(), gateway.streams(), node.windows, gateway.windows), (0, 0, 0, 0));
}

#[test]
fn a_stream_that_is_let_go_is_reset_and_what_is_under_way_is_dropped() {
    let (mut node, mut gateway, id) = pair();
    node.forget(id);
    gateway.write(id, b"under way").unwrap();
    pass(&mut gateway, &mut node);
    assert_eq!(node.held(), 0);
    pass(&mut node, &mut gateway);
    assert!(gateway.unread(id).is_err() && gateway.write(id, b"x").is_err());
    gateway.forget(id);
    assert!(gateway.pending().is_empty());
}

#[test]
fn nobody_sends_beyond_the_window_and_it_grows_for_a_reader_that_keeps_up() {
    let (mut node, mut gateway, id) = pair();
    let (mut buf, mut largest) = (vec![0; 1 << 21], 0);
    for _ in 0..40 {
        let mut sent = 0;
        loop {
            match gateway.write(id, &buf).unwrap() {
                0 if gateway.pending().is_empty() => break,
                0 => drop(pass(&mut gateway, &mut node)),
                n => sent += n,
            }
        }
        largest = largest.max(sent);
        assert!(node.held() <= WINDOW_MOST as usize);
        node.read(id, &mut buf).unwrap();
        pass(&mut node, &mut gateway);
    }
    assert_eq!(largest, WINDOW_MOST as usize);
}

#[test]
fn all_windows_together_stay_within_the_budget_and_leave_room_for_every_stream() {
    for ram in [0, 59416 * 1024, 1 << 30] {
        stays_within(Budget::for_ram(Some(ram)));
    }
}

fn stays_within(budget: Budget) {
    let (mut node, mut gateway) = (Machine::within(Side::Dialler, budget), Machine::new(Side::Listener));
    let ids: Vec<u32> = (0..20).map(|_| gateway.open().unwrap()).collect();
    let mut buf = vec![0; 1 << 21];
    for _ in 0..20 {
        for id in &ids {
            while gateway.write(*id, &buf).unwrap() > 0 || !gateway.pending().is_empty() {
                pass(&mut gateway, &mut node);
            }
            node.read(*id, &mut buf).unwrap();
            pass(&mut node, &mut gateway);
        }
    }
    // Nobody reads any more: what the peer can fill is the sum of the windows.
    for id in &ids {
        while gateway.write(*id, &buf).unwrap() > 0 || !gateway.pending().is_empty() {
            pass(&mut gateway, &mut node);
        }
    }
    assert!(node.held() > budget.windows / 3, "{}", node.held());
    while gateway.open().is_some_and(|id| gateway.write(id, &[7; WINDOW_FIRST as usize]).unwrap() > 0) {
        pass(&mut gateway, &mut node);
    }
    assert_eq!((gateway.streams(), node.streams()), (MOST_STREAMS, budget.streams));
    assert!(node.held() <= budget.windows && node.windows <= budget.windows, "{}", node.held());
}

#[test]
fn one_stream_too_many_is_reset_and_the_others_live() {
    let mut node = Machine::new(Side::Dialler);
    for n in 1..=MOST_STREAMS as u32 {
        feed(&mut node, Head { kind: Kind::Window, flags: SYN, stream: 2 * n, length: 0 }).unwrap();
    }
    node.sent(usize::MAX, &mut |_| {});
    feed(&mut node, Head { kind: Kind::Data, flags: SYN, stream: 5000, length: 3 }).unwrap();
    node.receive(b"abc", &mut |_| {}).unwrap();
    assert_eq!(node.pending(), Head { kind: Kind::Window, flags: RST, stream: 5000, length: 0 }.bytes());
    assert_eq!((node.streams(), node.held()), (MOST_STREAMS, 0));
}

#[test]
fn a_peer_that_breaks_the_rules_is_told_and_left() {
    let data = |flags, stream, length| Head { kind: Kind::Data, flags, stream, length };
    let cases = [
        (data(0, 2, WINDOW_FIRST + 1), Fault::WindowOverrun),
        (data(SYN, 2, 0), Fault::StreamNumber),
        (data(SYN, 3, 0), Fault::StreamNumber),
        (data(SYN, 0, 0), Fault::StreamNumber),
        (data(0, 0, 5), Fault::StreamNumber),
        (Head { kind: Kind::Window, flags: 0, stream: 2, length: u32::MAX }, Fault::WindowOverflow),
    ];
    for (head, fault) in cases {
        let (mut node, ..) = pair();
        node.sent(usize::MAX, &mut |_| {});
        assert_eq!(feed(&mut node, head), Err(fault), "{head:?}");
        assert_eq!(node.pending(), Head { kind: Kind::GoAway, flags: 0, stream: 0, length: GO_AWAY_PROTOCOL }.bytes());
    }
    let (mut node, ..) = pair();
    assert_eq!(node.receive(b"GET / HTTP/1.1\r\n", &mut |_| {}), Err(Fault::NotAFrame));
}

#[test]
fn more_after_the_end_is_an_overrun() {
    let (mut node, _, id) = pair();
    feed(&mut node, Head { kind: Kind::Window, flags: FIN, stream: id, length: 0 }).unwrap();
    assert_eq!(feed(&mut node, Head { kind: Kind::Data, flags: 0, stream: id, length: 1 }), Err(Fault::WindowOverrun));
}

#[test]
fn who_asks_and_does_not_read_is_cut_off() {
    let mut node = Machine::new(Side::Dialler);
    let ping = Head { kind: Kind::Ping, flags: SYN, stream: 0, length: 9 };
    let fault = (0..100_000).find_map(|_| feed(&mut node, ping).err());
    assert_eq!(fault, Some(Fault::Flood));
    assert!(node.pending().len() <= OUT_MOST + ANSWERS_MOST + 2 * HEAD);
}

#[test]
fn grants_that_found_no_room_are_made_up_for() {
    let (mut node, mut gateway, id) = pair();
    let other = gateway.open().unwrap();
    gateway.write(other, &vec![1; FRAME_MOST]).unwrap();
    pass(&mut gateway, &mut node);
    pass(&mut node, &mut gateway);
    // Fill what the node may have under way; then read.
    feed(&mut node, Head { kind: Kind::Window, flags: 0, stream: id, length: 1 << 20 }).unwrap();
    while node.write(id, &vec![0; FRAME_MOST]).unwrap() > 0 {}
    let before = node.pending().len();
    assert_eq!(node.read(other, &mut vec![0; FRAME_MOST]).unwrap(), Some(FRAME_MOST));
    assert_eq!(node.pending().len(), before, "no grant now");
    let mut room = false;
    node.sent(before, &mut |e| room |= e == Event::Room);
    assert!(room && node.pending().len() == HEAD, "the grant follows");
}

#[test]
fn after_a_farewell_no_stream_is_opened() {
    let mut gateway = Machine::new(Side::Listener);
    feed(&mut gateway, Head { kind: Kind::GoAway, flags: 0, stream: 0, length: 0 }).unwrap();
    assert_eq!(gateway.open(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any bytes: no panic, no growth beyond the bounds.
    #[test]
    fn any_bytes_are_taken_in_within_the_bounds(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..32)) {
        let mut node = Machine::new(Side::Dialler);
        for piece in pieces {
            if node.receive(&piece, &mut |_| {}).is_err() {
                break;
            }
            prop_assert!(node.streams() <= MOST_STREAMS && node.held() <= node.windows && node.windows <= WINDOWS);
        }
    }

    /// Frames that are nearly right, in any order and any pieces.
    #[test]
    fn any_frames_are_taken_in_within_the_bounds(
        frames in proptest::collection::vec((0u8..4, 0u16..16, 0u32..8, 0u32..40_000), 0..64),
        piece in 1usize..5000,
        read in 0usize..20_000,
    ) {
        let mut node = Machine::new(Side::Dialler);
        let mut wire = Vec::new();
        for (kind, flags, stream, length) in frames {
            let kind = [Kind::Data, Kind::Window, Kind::Ping, Kind::GoAway][usize::from(kind)];
            wire.extend(Head { kind, flags, stream, length }.bytes());
            if kind == Kind::Data {
                wire.resize(wire.len() + length as usize, 0);
            }
        }
        let mut buf = vec![0; read];
        for bytes in wire.chunks(piece) {
            if node.receive(bytes, &mut |_| {}).is_err() {
                break;
            }
            while let Some(id) = node.next_incoming() {
                let _ = node.read(id, &mut buf);
                let _ = node.write(id, b"answer");
            }
            prop_assert!(node.streams() <= MOST_STREAMS && node.held() <= node.windows && node.windows <= WINDOWS);
            let n = node.pending().len() / 2;
            node.sent(n, &mut |_| {});
        }
    }

    /// Whatever the pieces, the bytes arrive whole and in order.
    #[test]
    fn bytes_arrive_whole_and_in_order(sizes in proptest::collection::vec((1usize..30_000, 1usize..30_000), 1..30)) {
        let (mut node, mut gateway, id) = pair();
        node.read(id, &mut [0; 5]).unwrap();
        let (mut sent, mut got) = (0u64, 0u64);
        let byte = |n: u64| (n % 251) as u8;
        for (write, read) in sizes {
            let bytes: Vec<u8> = (0..write as u64).map(|n| byte(sent + n)).collect();
            sent += gateway.write(id, &bytes).unwrap() as u64;
            pass(&mut gateway, &mut node);
            let mut buf = vec![0; read];
            let n = node.peek(id, &mut buf).unwrap().unwrap_or(0);
            for (at, b) in buf[..n].iter().enumerate() {
                prop_assert_eq!(*b, byte(got + at as u64));
            }
            if n > 0 {
                prop_assert_eq!(node.read(id, &mut buf[..n]).unwrap(), Some(n));
            }
            got += n as u64;
            pass(&mut node, &mut gateway);
        }
    }
}
