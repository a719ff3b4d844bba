//! Everything JSON that a coordinator may send.
#![no_main]

use echomesh::codec::json;
use echomesh::coordinator::wire;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = json::parse(bytes) {
        let canonical = json::canonical(&value);
        assert_eq!(json::canonical(&json::parse(&canonical).unwrap_or_default()), canonical);
    }
    let _ = json::from_slice::<wire::SessionEvent>(bytes);
    let _ = json::from_slice::<wire::Control>(bytes);
    let _ = json::from_slice::<wire::Registered>(bytes);
    let _ = json::from_slice::<wire::Heard>(bytes);
    let _ = json::from_slice::<wire::ProbeRequest>(bytes);
    let _ = json::from_slice::<wire::Bundle>(bytes);
    let _ = json::from_slice::<wire::Ack>(bytes);
});
