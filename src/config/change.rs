//! What must be rebuilt when settings change: the smallest part.

use super::settings::Settings;
use super::table::ROWS;

/// A part of the running daemon that settings reach into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Log level.
    Log,
    /// Which roles run.
    Roles,
    /// Listening sockets and how buyers reach them.
    Listener,
    /// Buckets, caps, yielding, tunnel table.
    Limits,
    /// The guard: ports, domains, categories, regions.
    Policy,
    /// The resolver.
    Resolver,
    /// Where traffic may leave.
    Uplink,
    /// What probes may do.
    Probe,
    /// The coordinator's client.
    Coordinator,
    /// What the node told the coordinator when it registered.
    Register,
    /// Updates.
    Update,
    /// What heartbeats tell.
    Telemetry,
    /// Only a new process can take it over.
    Restart,
}

/// Which parts a change of settings concerns. The files named by `allow_file`, `block_file` and `ca_file` may change
/// without their option; a reload reads them again in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// Set the log level.
    pub log: bool,
    /// Start or stop roles.
    pub roles: bool,
    /// Bind again.
    pub listener: bool,
    /// Give buckets and caps their new values.
    pub limits: bool,
    /// Rebuild the guard.
    pub policy: bool,
    /// Rebuild the resolver.
    pub resolver: bool,
    /// Look for uplinks again.
    pub uplink: bool,
    /// Give the probe executor its new values.
    pub probe: bool,
    /// Rebuild the coordinator's client (and register).
    pub coordinator: bool,
    /// Register again: regions, rate or reach differ.
    pub register: bool,
    /// Give the scheduler its new windows.
    pub windows: bool,
    /// Updates are set up differently.
    pub update: bool,
    /// Heartbeats tell more or less.
    pub telemetry: bool,
    /// `state_dir` or `log_dest` differ: it takes a new process.
    pub restart_needed: bool,
}

impl Change {
    /// Nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Change::default()
    }

    /// The parts that differ, by name.
    pub fn names(&self) -> Vec<String> {
        let parts = [
            ("log", self.log),
            ("roles", self.roles),
            ("listener", self.listener),
            ("limits", self.limits),
            ("policy", self.policy),
            ("resolver", self.resolver),
            ("uplink", self.uplink),
            ("probe", self.probe),
            ("coordinator", self.coordinator),
            ("register", self.register),
            ("windows", self.windows),
            ("update", self.update),
            ("telemetry", self.telemetry),
            ("restart-needed", self.restart_needed),
        ];
        parts.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect()
    }

    fn mark(&mut self, part: Part) {
        let bit = match part {
            Part::Log => &mut self.log,
            Part::Roles => &mut self.roles,
            Part::Listener => &mut self.listener,
            Part::Limits => &mut self.limits,
            Part::Policy => &mut self.policy,
            Part::Resolver => &mut self.resolver,
            Part::Uplink => &mut self.uplink,
            Part::Probe => &mut self.probe,
            Part::Coordinator => &mut self.coordinator,
            Part::Register => &mut self.register,
            Part::Update => &mut self.update,
            Part::Telemetry => &mut self.telemetry,
            Part::Restart => &mut self.restart_needed,
        };
        *bit = true;
    }
}

/// What is to be done to get from `old` to `new`.
pub fn diff(old: &Settings, new: &Settings) -> Change {
    let mut change = Change { windows: old.windows != new.windows, ..Change::default() };
    for row in ROWS.iter().filter(|r| (r.get)(old) != (r.get)(new)) {
        row.parts.iter().for_each(|part| change.mark(*part));
    }
    change
}

#[cfg(test)]
mod tests {
    use super::super::settings::{Rate, Window};
    use super::*;

    #[test]
    fn smallest_change() {
        let old = Settings::default();
        assert!(diff(&old, &old).is_empty());

        let mut new = old.clone();
        new.network.max_mbps = Rate::mbps(5);
        assert_eq!(diff(&old, &new), Change { limits: true, register: true, ..Change::default() });

        let mut new = old.clone();
        new.node.log_level = log::LevelFilter::Debug;
        new.windows.push(Window { days: 1, start: 0, end: 60, max: None });
        assert_eq!(diff(&old, &new), Change { log: true, windows: true, ..Change::default() });

        let mut new = old.clone();
        new.node.state_dir = "/mnt/x".into();
        assert_eq!(diff(&old, &new), Change { restart_needed: true, ..Change::default() });
    }
}
