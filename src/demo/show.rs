//! What a person sees while the demonstration runs: one line a step, and a bar a session while traffic flows. On standard
//! error, because standard output belongs to the result.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::rc::Rc;
use std::time::Duration;

use super::flow::Flow;
use crate::core::{Clock, Mono};

/// Columns of a bar; the line stays under 80.
const BAR: usize = 20;
/// How often the bars are drawn in a terminal, and told where there is none.
const DRAW: Duration = Duration::from_millis(200);
const TELL: Duration = Duration::from_secs(5);

/// Shows progress, or nothing.
pub struct Show {
    quiet: bool,
    terminal: bool,
    /// Lines of bars on the screen, above the cursor.
    drawn: Cell<usize>,
}

impl Show {
    /// `quiet`: shows nothing at all.
    pub fn new(quiet: bool) -> Show {
        Show { quiet, terminal: std::io::stderr().is_terminal(), drawn: Cell::new(0) }
    }

    /// Something was done.
    pub fn step(&self, text: &str) {
        if self.quiet {
            return;
        }
        let mut out = self.wipe();
        let _ = writeln!(out, "• {text}");
        print(&out);
    }

    /// Draws a bar a session for ever.
    pub async fn bars(&self, clock: &Clock, seconds: u64, flows: &[(String, Rc<Flow>)]) {
        let began = clock.now();
        let mut before: Vec<(u64, Mono)> = flows.iter().map(|_| (0, began)).collect();
        loop {
            smol::Timer::after(if self.terminal { DRAW } else { TELL }).await;
            if self.quiet {
                continue;
            }
            let now = clock.now();
            let mut out = self.wipe();
            let share = now.since(began).as_secs_f64() / Duration::from_secs(seconds.max(1)).as_secs_f64();
            for ((name, flow), (bytes, at)) in flows.iter().zip(&mut before) {
                let rate = (flow.bytes() - *bytes) as f64 * 8.0 / 1e6 / now.since(*at).as_secs_f64().max(0.001);
                (*bytes, *at) = (flow.bytes(), now);
                let _ = writeln!(out, "{}", line(name, share, flow, rate));
            }
            print(&out);
            self.drawn.set(if self.terminal { flows.len() } else { 0 });
        }
    }

    /// What takes the bars off the screen.
    fn wipe(&self) -> String {
        // CPL and ED of ECMA-48: up to the first bar, and clear from there on.
        match self.drawn.take() {
            0 => String::new(),
            lines => format!("\x1b[{lines}F\x1b[J"),
        }
    }
}

fn line(name: &str, share: f64, flow: &Flow, rate: f64) -> String {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0..=BAR
    let full = (share.clamp(0.0, 1.0) * BAR as f64) as usize;
    let bar = "█".repeat(full) + &"░".repeat(BAR - full);
    format!("  {name:<10} {bar} ↑{:7.1} MB ↓{:7.1} MB {rate:7.1} Mbit/s", mb(flow.up.get()), mb(flow.down.get()))
}

fn print(text: &str) {
    // Nobody looks where stderr is closed.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_wide_at_every_share() {
        let flow = Flow::default();
        flow.up.set(2_500_000);
        let width = |share| line("node-a", share, &flow, 1.5).chars().count();
        assert_eq!((width(0.0), width(0.5), width(7.0)), (width(1.0), width(1.0), width(1.0)));
        assert!(line("node-a", 0.5, &flow, 1.5).contains("2.5 MB"));
    }
}
