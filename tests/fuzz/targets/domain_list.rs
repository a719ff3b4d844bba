//! A file of domains to allow or block.
#![no_main]

use std::io::BufReader;

use echomesh::guard::Domains;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut list = Domains::default();
    let whole = list.add_lines(bytes, "whole").map_err(|e| e.to_string().split_once("line").map(|(_, rest)| rest.to_owned()));
    let mut pieces = Domains::default();
    let read =
        pieces.add_lines(BufReader::with_capacity(7, bytes), "pieces").map_err(|e| e.to_string().split_once("line").map(|(_, rest)| rest.to_owned()));
    assert_eq!(whole, read, "the size of a read changes nothing");
    if whole.is_err() {
        return;
    }
    assert_eq!(list.len(), pieces.len());
    let Ok(text) = std::str::from_utf8(bytes) else { panic!("taken, and no text") };
    for line in text.lines() {
        let entry = line.split('#').next().unwrap_or_default().trim().trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
        if !entry.is_empty() {
            assert!(list.covers(&entry).is_some(), "{entry}");
        }
    }
});
