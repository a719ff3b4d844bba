//! What a daemon says on its stream of events, in pieces of the first byte's length, as root's hooks read it.
#![no_main]

use echomesh::cli::hooks::feed::{Feed, MOST_LINE};
use echomesh::cli::hooks::news::VARIABLES;
use libfuzzer_sys::fuzz_target;

fn read(pieces: impl Iterator<Item: AsRef<[u8]>>) -> Vec<String> {
    let (mut feed, mut told) = (Feed::default(), Vec::new());
    for piece in pieces {
        feed.push(piece.as_ref(), &mut |news| {
            let kind = news.kind();
            assert!((1..=32).contains(&kind.len()) && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !kind.starts_with('-'));
            let environment = news.environment();
            assert_eq!(environment.len(), VARIABLES.len());
            for (name, value) in environment {
                let word = value.len() <= 64 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b)) && !value.starts_with(['-', '.']);
                assert!(word || name == "ECHOMESH_EVENT", "{name}={value}");
            }
            let text = news.text();
            // What is handed to ubus is one argument: JSON, no byte of which ends it. An escape is at most six bytes for one.
            assert!(!text.contains('\0') && text.len() <= 6 * MOST_LINE);
            told.push(text);
        });
    }
    told
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&length, stream)) = bytes.split_first() else { return };
    let told = read(stream.chunks(usize::from(length).max(1)));
    assert_eq!(told, read(std::iter::once(stream)));
});
