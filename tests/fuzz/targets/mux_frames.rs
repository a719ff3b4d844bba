//! A gateway's connection: frames in segments of the first byte's length, while streams are read, answered and let go.
#![no_main]

use echomesh::net::mux::machine::Machine;
use echomesh::net::mux::{ANSWERS_MOST, MOST_STREAMS, OUT_MOST, Side, WINDOWS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&segment, sent)) = bytes.split_first() else { return };
    let mut machine = Machine::new(Side::Dialler);
    let mut live = Vec::new();
    let mut buffer = [0; 4096];
    for (round, piece) in sent.chunks(usize::from(segment).max(1)).enumerate() {
        if machine.receive(piece, &mut |_| {}).is_err() {
            return;
        }
        while let Some(id) = machine.next_incoming() {
            live.push(id);
        }
        for id in &live {
            let _ = machine.peek(*id, &mut buffer);
            let _ = machine.read(*id, &mut buffer[..round % 4096]);
            let _ = machine.write(*id, b"answer");
        }
        match round % 8 {
            3 => live.iter().for_each(|id| machine.finish(*id)),
            5 => live.drain(..live.len() / 2).for_each(|id| machine.forget(id)),
            7 => machine.sent(machine.pending().len(), &mut |_| {}),
            _ => {}
        }
        assert!(machine.streams() <= MOST_STREAMS && machine.held() <= WINDOWS);
        // Each stream may add an end and a grant to what is bounded otherwise.
        assert!(machine.pending().len() <= 2 * OUT_MOST + ANSWERS_MOST);
    }
});
