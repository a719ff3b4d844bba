//! `log` to syslog's /dev/log with real severities, or to stderr; a ring of recent lines for the control API.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Clock;
use log::{Level, LevelFilter, Log, Metadata, Record};

/// Recent lines kept for `GET /logs`: 256 × at most 400 bytes, about 100 kB at the very most.
const RING_LINES: usize = 256;
const LINE_BYTES: usize = 400;

/// Where lines go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dest {
    /// syslog when supervised (stderr is not a terminal and /dev/log is there), else stderr.
    Auto,
    /// /dev/log.
    Syslog,
    /// Standard error.
    Stderr,
}

/// One recent line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Number of the line since start, from 1.
    pub number: u64,
    /// Unix seconds as the system believes; 0 where unknown.
    pub unix: u64,
    /// Severity.
    pub level: Level,
    /// Module, without the crate's name.
    pub target: String,
    /// The text.
    pub text: String,
}

struct Ring {
    lines: VecDeque<Line>,
    next: u64,
}

/// RFC 3164, the same bytes as `syslog::Formatter3164` writes (in UTC: every reader of /dev/log puts its own time there), without the
/// 30 kB of date formatting that come with it.
#[derive(Clone)]
struct Line3164 {
    pid: u32,
}

impl syslog::LogFormat<String> for Line3164 {
    fn format<W: io::Write>(&self, to: &mut W, severity: syslog::Severity, text: String) -> syslog::Result<()> {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let line = line_3164(severity as u8, unix, self.pid, &text);
        to.write_all(line.as_bytes()).map_err(syslog::Error::Write)
    }
}

fn line_3164(severity: u8, unix: u64, pid: u32, text: &str) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // The latest that the form `2026-01-31T12:00:00Z` can write is of the year 9999.
    let at = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(unix.min(253_402_300_799))).to_string();
    let month = at[5..7].parse().ok().and_then(|month: usize| MONTHS.get(month.wrapping_sub(1))).unwrap_or(&MONTHS[0]);
    let priority = syslog::Facility::LOG_DAEMON as u8 | severity;
    format!("<{priority}>{month} {} {} echomesh[{pid}]: {text}", &at[8..10], &at[11..19])
}

type SyslogLogger = syslog::Logger<syslog::LoggerBackend, Line3164>;

enum Sink {
    Syslog(Box<Mutex<SyslogLogger>>),
    Stderr,
}

struct Logger {
    sink: Sink,
    ring: Mutex<Ring>,
    clock: Clock,
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Installs the process's logger. `clock` tells node time for the ring's lines. A second call only changes the level.
pub fn init(dest: Dest, level: LevelFilter, clock: Clock) {
    let logger = LOGGER.get_or_init(|| Logger { sink: sink(dest), ring: Mutex::new(Ring { lines: VecDeque::new(), next: 1 }), clock });
    let _ = log::set_logger(logger);
    log::set_max_level(level);
}

/// The lines after number `since`, oldest first.
pub fn recent(since: u64) -> Vec<Line> {
    let Some(logger) = LOGGER.get() else { return Vec::new() };
    let ring = logger.ring.lock().unwrap_or_else(PoisonError::into_inner);
    ring.lines.iter().filter(|l| l.number > since).cloned().collect()
}

fn sink(dest: Dest) -> Sink {
    let want = match dest {
        Dest::Stderr => false,
        Dest::Syslog => true,
        Dest::Auto => !std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::path::Path::new("/dev/log").exists(),
    };
    match want.then(|| syslog::unix(Line3164 { pid: std::process::id() })) {
        Some(Ok(logger)) => Sink::Syslog(Box::new(Mutex::new(logger))),
        _ => Sink::Stderr,
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries speak at warn and above only: their debug lines may hold names and addresses.
        metadata.target().starts_with("echomesh") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let target = record.target().trim_start_matches("echomesh::").to_owned();
        let mut text = record.args().to_string().replace(['\n', '\r'], " ");
        if text.len() > LINE_BYTES {
            text.truncate(text.floor_char_boundary(LINE_BYTES));
        }
        match &self.sink {
            Sink::Stderr => {
                let _ = writeln!(std::io::stderr(), "{:5} {target}: {text}", record.level());
            }
            Sink::Syslog(logger) => {
                let mut logger = logger.lock().unwrap_or_else(PoisonError::into_inner);
                let line = format!("{target}: {text}");
                let _ = match record.level() {
                    Level::Error => logger.err(line),
                    Level::Warn => logger.warning(line),
                    Level::Info => logger.info(line),
                    Level::Debug | Level::Trace => logger.debug(line),
                };
            }
        }
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let number = ring.next;
        ring.next += 1;
        if ring.lines.len() == RING_LINES {
            ring.lines.pop_front();
        }
        ring.lines.push_back(Line { number, unix: self.clock.unix(), level: record.level(), target, text });
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_syslog_is_as_rfc_3164_has_it() {
        let leap = 1_709_251_199;
        assert_eq!(line_3164(3, leap, 42, "net: gone"), "<27>Feb 29 23:59:59 echomesh[42]: net: gone");
        assert_eq!(line_3164(6, leap + 1, 42, ""), "<30>Mar 01 00:00:00 echomesh[42]: ");
        assert!(line_3164(7, u64::MAX, 1, "x").starts_with("<31>Dec 31 "));
    }
}
