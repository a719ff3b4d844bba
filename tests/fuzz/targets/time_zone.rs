//! A POSIX TZ string, alone and as the footer of a zone file, and a window in that zone.
#![no_main]

use echomesh::config::settings::Window;
use echomesh::core::Zone;
use echomesh::platform::zone::footer;
use echomesh::session::Schedule;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, u8, u16, u16, &[u8])| {
    let (unix, days, start, end, bytes) = input;
    let _ = footer(bytes);
    let Some(zone) = std::str::from_utf8(bytes).ok().and_then(|text| Zone::posix(text).ok()) else { return };
    let file = [b"TZif2\n\n", zone.text().as_bytes(), b"\n"].concat();
    assert_eq!(footer(&file).and_then(|text| Zone::posix(text).ok()).as_ref(), Some(&zone));
    let window = Window { days: days & 0x7f, start: start % 1440, end: end % 1440, max: None };
    let schedule = Schedule::new(vec![window], zone);
    let unix = unix % (1 << 34);
    let outlook = schedule.outlook(unix);
    if let Some(at) = outlook.changes {
        assert!(at > unix && schedule.at(at) != outlook.now);
    }
});
