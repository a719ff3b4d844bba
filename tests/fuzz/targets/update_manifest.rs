//! What comes from an update server: the manifest, and the signature it is read with.
#![no_main]

use echomesh::update::manifest::Manifest;
use echomesh::update::minisign::{self, Key};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert!(manifest.rollout <= 100);
        if let Some(file) = &manifest.file {
            assert!(file.size > 0 && file.size <= 64 << 20);
            assert!(!file.name.contains('/') && !file.name.starts_with('.'));
        }
        let reached = manifest.reaches("ed25519:a");
        assert!(if reached { manifest.rollout > 0 } else { manifest.rollout < 100 });
    }
    let (signature, text) = bytes.split_at(bytes.len() / 2);
    let key = Key::parse("RWRfio8PBXNCNVhMB8gWXC/RrvyvECAd3jLekUogiph7dBTQGuo9LNJG");
    assert!(!minisign::verifies(key.as_slice(), text, signature), "no key's secret is here");
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Key::parse(text);
    }
});
