//! What /proc tells of the proxy under test.

use std::fs::{read_dir, read_to_string};

/// Processes named by `--pids 1,2,3`.
pub struct Watched(Vec<u32>);

impl Watched {
    pub fn parse(text: Option<&str>) -> Watched {
        Watched(text.unwrap_or("").split(',').filter_map(|p| p.parse().ok()).collect())
    }

    /// CPU seconds of all their threads. `schedstat` counts nanoseconds, but forgets threads that ended; `stat` remembers
    /// them in ticks of 10 ms.
    pub fn cpu(&self) -> f64 {
        let ticks: f64 = self.0.iter().map(|pid| ticks(*pid)).sum();
        ticks.max(self.nanos() as f64 / 1e9)
    }

    fn nanos(&self) -> u64 {
        let mut nanos = 0u64;
        for pid in &self.0 {
            let Ok(tasks) = read_dir(format!("/proc/{pid}/task")) else { continue };
            for task in tasks.flatten() {
                let text = read_to_string(task.path().join("schedstat")).unwrap_or_default();
                nanos += text.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            }
        }
        nanos
    }
}

fn ticks(pid: u32) -> f64 {
    let stat = read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    // utime and stime; USER_HZ is 100 on every Linux.
    after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}
