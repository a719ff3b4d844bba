//! The PROXY header with which a gateway's stream begins.
#![no_main]

use echomesh::net::proxy_header::{self, Header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let read = smol::block_on(proxy_header::read(&mut &bytes[..]));
    match Header::parse(bytes) {
        Ok(Some((header, used))) => {
            assert_eq!(read.unwrap(), header, "from a stream as from a buffer");
            assert_eq!(Header::parse(&bytes[..used]), Ok(Some((header, used))), "what follows the header changes nothing");
            let again = header.bytes();
            assert_eq!(Header::parse(&again), Ok(Some((header, again.len()))));
        }
        _ => assert!(read.is_err()),
    }
});
