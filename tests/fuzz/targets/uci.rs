//! A UCI file: what parses is written and parses the same.
#![no_main]

use echomesh::config::{from_uci, uci};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(package) = uci::parse(bytes) {
        assert_eq!(uci::parse(uci::write(&package).as_bytes()).as_ref(), Ok(&package));
        let _ = from_uci(&package);
    }
});
