//! What a probe is told by others: the coordinator's endpoint and the endpoint's signature.
#![no_main]

use echomesh::codec::Hash;
use echomesh::probe::attestation;
use echomesh::probe::endpoint::Endpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // A forgery would be news.
    assert_eq!(attestation::signer(text, "nonce", 1, Hash::of(b"x")), None);
    if let Some(endpoint) = Endpoint::parse(text) {
        let _ = (endpoint.address(), endpoint.authority(), endpoint.listed(&[text.to_owned()]));
    }
});
