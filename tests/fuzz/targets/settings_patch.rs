//! A merge patch of the settings, as `PUT /config` takes it.
#![no_main]

use echomesh::codec::json;
use echomesh::config::{self, Settings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(patch) = json::parse(bytes) {
        let _ = config::json::merge(&Settings::default(), &patch);
    }
});
