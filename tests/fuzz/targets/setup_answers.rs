//! A file of answers for `echomesh setup`, or what an interrupted one left; and times as an owner writes them.
#![no_main]

use echomesh::cli::setup::answers::Answers;
use echomesh::config::presets;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(answers) = Answers::read(bytes) {
        assert_eq!(Answers::read(answers.to_json().to_string().as_bytes()), Ok(answers));
    }
    if let Some(windows) = presets::hours(&String::from_utf8_lossy(bytes)) {
        assert!(windows.iter().all(|w| w.days != 0 && w.start < 1440 && w.end < 1440));
    }
});
