//! What leaves the router in a report: any text passes, and no address gets through it.
#![no_main]

use echomesh::core::scrub::scrub;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let out = scrub(&text, |_| false);
    // What was put in place of something is never taken for something itself.
    assert_eq!(scrub(&out, |_| false), out);
});
