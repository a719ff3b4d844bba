//! A ClientHello in records, whole and in pieces, and the first record back.
#![no_main]

use echomesh::net::hello::{self, Hello, Peek};
use libfuzzer_sys::fuzz_target;

/// An odd length, so that pieces end everywhere.
const PIECE: usize = 7;

fuzz_target!(|bytes: &[u8]| {
    let _ = hello::server_hello(bytes);
    let whole = hello::parse(bytes);
    if let Hello::Hello(hello) = &whole {
        assert!(hello.used <= bytes.len());
    }
    let mut peek = Peek::default();
    let ends = (PIECE..bytes.len()).step_by(PIECE).chain([bytes.len()]);
    let judged = ends.map(|end| peek.look(&bytes[..end])).find(|judged| *judged != Hello::Incomplete);
    assert_eq!(judged.unwrap_or(Hello::Incomplete), whole, "in pieces and at once");
});
