//! The head of a CONNECT.
#![no_main]

use echomesh::net::connect::{self, Parsed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Parsed::Head(head) = connect::parse(bytes) {
        assert!(head.used <= bytes.len());
        assert_eq!(connect::parse(&bytes[..head.used]), Parsed::Head(head), "what follows the head changes nothing");
    }
});
