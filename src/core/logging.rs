//! `log` to syslog's /dev/log with real severities, or to stderr; a ring of recent lines for the control API.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

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

type SyslogLogger = syslog::Logger<syslog::LoggerBackend, syslog::Formatter3164>;

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
    let formatter =
        syslog::Formatter3164 { facility: syslog::Facility::LOG_DAEMON, hostname: None, process: "echomesh".into(), pid: std::process::id() };
    match want.then(|| syslog::unix(formatter)) {
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
