//! A backup or sealed identity from anywhere: as it is, and with its check mended, so that what lies behind it is reached.
#![no_main]

use echomesh::identity::kdf::Key;
use echomesh::identity::sealed::Sealed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    judge(bytes);
    let mut mended = [b"EMSEALED\x01", bytes].concat();
    let check = blake3::hash(&mended);
    mended.extend_from_slice(&check.as_bytes()[..8]);
    judge(&mended);
});

/// What parses keeps its bytes, and no key but its own opens it.
fn judge(bytes: &[u8]) {
    if let Ok(sealed) = Sealed::parse(bytes) {
        assert_eq!(sealed.bytes(), bytes);
        assert!(sealed.open(&Key::new([7; 32])).is_err());
    }
}
