//! What the firewall's settings say of flows. Pure.

/// fw4's `flow_offloading` and `flow_offloading_hw`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Every packet passes the rules.
    Off,
    /// Known flows are forwarded by the kernel's flow table.
    Software,
    /// The same, and by the hardware where its driver can.
    Hardware,
}

impl Flow {
    /// Of its name.
    pub fn named(name: &str) -> Option<Flow> {
        [Flow::Off, Flow::Software, Flow::Hardware].into_iter().find(|flow| flow.name() == name)
    }

    /// As `status` and reports have it.
    pub const fn name(self) -> &'static str {
        match self {
            Flow::Off => "off",
            Flow::Software => "software",
            Flow::Hardware => "hardware",
        }
    }
}

/// What /etc/config/firewall says; without a `defaults` section as fw4 takes it: off.
pub fn flow_of(firewall: &str) -> Flow {
    let (mut defaults, mut software, mut hardware) = (false, false, false);
    for line in firewall.lines() {
        let mut words = line.split_ascii_whitespace().map(|word| word.trim_matches(['\'', '"']));
        match (words.next(), words.next(), words.next()) {
            (Some("config"), kind, _) => defaults = kind == Some("defaults"),
            (Some("option"), Some("flow_offloading"), value) if defaults => software = yes(value),
            (Some("option"), Some("flow_offloading_hw"), value) if defaults => hardware = yes(value),
            _ => {}
        }
    }
    match (software, hardware) {
        (false, _) => Flow::Off,
        (true, false) => Flow::Software,
        (true, true) => Flow::Hardware,
    }
}

/// How many flow tables `nft list flowtables` shows.
pub fn flowtables_in(listing: &str) -> usize {
    listing.lines().filter(|line| line.trim_start().starts_with("flowtable ")).count()
}

fn yes(value: Option<&str>) -> bool {
    matches!(value, Some("1" | "yes" | "on" | "true" | "enabled"))
}
