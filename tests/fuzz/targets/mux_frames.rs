//! A gateway's connection: frames in segments of the first byte's length, while streams are read, answered and let go.
#![no_main]

use echomesh::net::mux::machine::Machine;
use echomesh::net::mux::{ANSWERS_MOST, Budget, OUT_MOST, Side};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&segment, sent)) = bytes.split_first() else { return };
    // As on the smallest router, or as large as the contracts allow.
    let budget = if segment & 1 == 0 { Budget::for_ram(None) } else { Budget::MOST };
    let mut machine = Machine::within(Side::Dialler, budget);
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
        assert!(machine.streams() <= budget.streams && machine.held() <= budget.windows);
        // Each stream may add an end and a grant to what is bounded otherwise.
        assert!(machine.pending().len() <= 2 * OUT_MOST + ANSWERS_MOST);
    }
});
