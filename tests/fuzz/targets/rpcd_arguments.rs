//! What rpcd gives its plugin: a method's name, a line end, and its arguments as JSON.
#![no_main]

use echomesh::cli::rpcd::methods;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let at = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len());
    let (method, given) = bytes.split_at(at);
    if let Ok(request) = methods::request(&String::from_utf8_lossy(method), given) {
        // One word of the request line, whatever the arguments say.
        assert!(request.target.bytes().all(|b| b.is_ascii_graphic()));
        assert!(!request.args.contains_key("ubus_rpc_session"));
        assert!(request.body.is_null() || request.body.is_object());
    }
});
