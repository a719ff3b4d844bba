//! An export as `echomesh verify` reads it: arbitrary bytes, and lines with a frame whose checks hold.
#![no_main]

use echomesh::codec::NodeId;
use echomesh::meter::export;
use ed25519_dalek::SigningKey;
use libfuzzer_sys::fuzz_target;

// The first byte says whether the rest is the file, or lines to be framed behind a good first one.
fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    let key = |n: u8| NodeId::from(&SigningKey::from_bytes(&[n; 32]).verifying_key());
    let coordinators: &[NodeId] = if kind & 2 == 0 { &[] } else { &[key(2)] };
    let file = if kind & 1 == 0 { rest.to_vec() } else { framed(key(1), kind, rest) };
    match export::verify::verify(&file, key(1), coordinators) {
        // Nobody signed anything: what holds, holds no bundle.
        Ok(report) => assert_eq!((report.bundles, report.receipts_checked), (0, 0)),
        Err(finding) => {
            assert!(finding.offset <= file.len());
            if let Some(is) = finding.is {
                assert_eq!(file.get(finding.offset), Some(&is));
            }
        }
    }
});

fn framed(node: NodeId, kind: u8, rest: &[u8]) -> Vec<u8> {
    let source = if kind & 4 == 0 { export::Source::Node } else { export::Source::Coordinator };
    let header = export::header(node, source, None);
    let text = String::from_utf8_lossy(rest);
    let lines = std::iter::once(header).chain(text.lines().map(str::to_owned));
    export::checked(lines).flat_map(|l| (l + "\n").into_bytes()).collect()
}
