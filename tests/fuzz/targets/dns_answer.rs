//! A DNS answer, as a DoH server sends it.
#![no_main]

use std::net::IpAddr;

use echomesh::net::dns::{self, Kind};
use libfuzzer_sys::fuzz_target;

const HOST: &str = "www.example.com";

fuzz_target!(|bytes: &[u8]| {
    for (kind, of_kind) in [(Kind::A, IpAddr::is_ipv4 as fn(&IpAddr) -> bool), (Kind::Aaaa, IpAddr::is_ipv6)] {
        if let Ok(answer) = dns::read(bytes, HOST, kind) {
            assert!(answer.addresses.iter().all(of_kind));
            assert!(answer.addresses.len() <= dns::MAX_ADDRESSES && answer.chain.len() <= dns::MAX_CHAIN);
        }
    }
});
