//! Every option once: its UCI name, its JSON member, its form, what it means, what it changes. Defaults stand in
//! [`Settings::default`]; parser, JSON, schema, batch, reload and the reference page all read this table.

use super::change::Part;
use super::field::Field;
use super::form::Form;
use super::settings::{Settings, Window};
use super::syntax;

/// Most entries of a list of domains: 512 × about 50 bytes = 26 kB each.
pub const MAX_DOMAINS: usize = 512;
/// Most entries of any other list: 64 × about 50 bytes = 3 kB each.
pub const MAX_ENTRIES: usize = 64;
/// Most `window` sections: 64 × 32 bytes = 2 kB.
pub const MAX_WINDOWS: usize = 64;

/// One option of the sections that hold `S`: the settings as a whole, or one window.
pub struct Row<S: 'static> {
    /// UCI section type.
    pub section: &'static str,
    /// UCI option.
    pub name: &'static str,
    /// JSON member within the section's group.
    pub member: &'static str,
    /// What each text may be.
    pub form: Form,
    /// For a list: how many entries at most.
    pub list: Option<usize>,
    /// What a change of it concerns.
    pub parts: &'static [Part],
    /// What it does, for the owner.
    pub doc: &'static str,
    /// Its texts in the settings.
    pub get: fn(&S) -> Vec<String>,
    /// Takes over canonical texts; false where they do not fit the type.
    pub set: fn(&mut S, &[String]) -> bool,
}

/// A section type.
pub struct Kind {
    /// UCI section type, and the name it should have.
    pub section: &'static str,
    /// JSON group.
    pub group: &'static str,
    /// What it is about.
    pub doc: &'static str,
}

/// The sections, in the order they are written. `window` is not among them: it can be there any number of times.
pub static KINDS: [Kind; 8] = [
    Kind { section: "node", group: "node", doc: "The node as a whole." },
    Kind { section: "network", group: "network", doc: "What it may use of the line, and where to." },
    Kind { section: "policy", group: "policy", doc: "What kind of work it does." },
    Kind { section: "security", group: "security", doc: "How it protects itself and the household." },
    Kind { section: "coordinator", group: "coordinator", doc: "Who assigns work to it." },
    Kind { section: "proxy", group: "proxy", doc: "The proxy role." },
    Kind { section: "update", group: "updates", doc: "Updates of the program." },
    Kind { section: "ui", group: "ui", doc: "What is shown and told." },
];

/// The section type of a time window.
pub const WINDOW: &str = "window";
/// Sections of roles that come later: accepted, not read.
pub const LATER_SECTIONS: [&str; 2] = ["reflector", "relay"];

/// A row of a plain field: section, path of the field, UCI name, JSON member, form, parts, doc; lists with their bound.
macro_rules! row {
    ($section:literal $name:literal, $member:literal, $($field:ident).+, $form:expr, $list:expr, $parts:expr, $doc:literal) => {
        Row {
            section: $section,
            name: $name,
            member: $member,
            form: $form,
            list: $list,
            parts: &$parts,
            doc: $doc,
            get: |s| s.$($field).+.texts(),
            set: |s, texts| Field::read(texts).map(|v| s.$($field).+ = v).is_some(),
        }
    };
}

const ONE: Option<usize> = None;
const DOMAINS: Option<usize> = Some(MAX_DOMAINS);
const ENTRIES: Option<usize> = Some(MAX_ENTRIES);
/// Listeners, resolvers and keys: each costs a socket, a connection or a signature check.
const FEW: Option<usize> = Some(8);

/// All options of the single sections.
#[rustfmt::skip] // one option a line or two reads as the table it is
pub static ROWS: [Row<Settings>; 39] = [
    row!("node" "enabled", "enabled", node.enabled, Form::Flag, ONE, [Part::Roles],
        "Main switch: 0 = the daemon runs and does nothing."),
    row!("node" "region_allow", "regionAllow", node.region_allow, Form::Text(syntax::REGION), ENTRIES, [Part::Policy, Part::Register],
        "Regions the node offers itself for. A country covers its regions; empty = wherever it is."),
    row!("node" "state_dir", "stateDir", node.state_dir, Form::Text(syntax::PATH), ONE, [Part::Restart],
        "Folder of the node's key and journal. It must outlive a reboot."),
    row!("node" "log_level", "logLevel", node.log_level, Form::Choice(&["off", "error", "warn", "info", "debug", "trace"]), ONE, [Part::Log],
        "Least severe lines that are logged. At info and above host names appear only hashed."),
    row!("node" "log_dest", "logDest", node.log_dest, Form::Choice(&["auto", "syslog", "stderr"]), ONE, [Part::Restart],
        "Where lines go. auto = syslog under procd, else standard error."),

    row!("network" "uplink", "uplinks", network.uplink, Form::Text(syntax::DEVICE), ENTRIES, [Part::Uplink],
        "Devices that lead to the Internet; traffic leaves by no other. Empty = those with a default route."),
    row!("network" "max_mbps", "maxMbps", network.max_mbps, Form::Mbps, ONE, [Part::Limits, Part::Register],
        "Sustained rate of relayed bytes, both directions together."),
    row!("network" "burst_mb", "burstMB", network.burst_mb, Form::Count(1, 1024), ONE, [Part::Limits],
        "MB that may pass at once above that rate."),
    row!("network" "line_mbps", "lineMbps", network.line_mbps, Form::Mbps, ONE, [Part::Limits],
        "The line's own rate in its slower direction. Without it nothing is measured: the node cannot tell when the household needs the line."),
    row!("network" "yield", "yield", network.yield_to_household, Form::Flag, ONE, [Part::Limits],
        "Give way: mark own packets as lower effort (RFC 8622), and fall to a quarter of the rate while the household uses the line."),
    row!("network" "yield_above_pct", "yieldAbovePct", network.yield_above_pct, Form::Count(1, 100), ONE, [Part::Limits],
        "From which share of line_mbps, in percent, the household counts as using the line."),
    row!("network" "max_gb_per_day", "maxGBPerDay", network.max_gb_per_day, Form::Count(0, 1_000_000), ONE, [Part::Limits],
        "GB a day on the uplink; a relayed GB comes in and goes out and costs two. 0 = no cap."),
    row!("network" "max_gb_per_month", "maxGBPerMonth", network.max_gb_per_month, Form::Count(0, 1_000_000), ONE, [Part::Limits],
        "GB a month on the uplink. 0 = no cap."),
    Row { section: "network", name: "https_only", member: "httpsOnly", form: Form::AlwaysOn, list: None, parts: &[],
        doc: "Only CONNECT with TLS inside is relayed. Nothing else is accepted; the option is there to be seen.",
        get: |_| vec!["1".into()], set: |_, _| true },
    row!("network" "port", "ports", network.ports, Form::Count(1, 65535), ENTRIES, [Part::Policy],
        "Destination ports."),
    row!("network" "allow_domain", "allowlistDomains", network.allow_domain, Form::Text(syntax::DOMAIN), DOMAINS, [Part::Policy],
        "Only these domains and what is below them. Empty = all that are not blocked."),
    row!("network" "block_domain", "blocklistDomains", network.block_domain, Form::Text(syntax::DOMAIN), DOMAINS, [Part::Policy],
        "Not these domains, nor what is below them. Counts before allow_domain."),
    row!("network" "allow_file", "allowlistFile", network.allow_file, Form::Text(syntax::PATH), ONE, [Part::Policy],
        "File with more allowed domains, one a line."),
    row!("network" "block_file", "blocklistFile", network.block_file, Form::Text(syntax::PATH), ONE, [Part::Policy],
        "File with more blocked domains, one a line."),
    row!("network" "max_tunnels", "maxTunnels", network.max_tunnels, Form::Count(1, 16_384), ONE, [Part::Limits],
        "Tunnels at once, all sessions together. Each costs about 12 KiB."),

    row!("policy" "category_profile", "categoryProfile", policy.category_profile, Form::Choice(&["COMPLIANT_DEFAULT"]), ONE, [Part::Policy],
        "What sessions may be for. COMPLIANT_DEFAULT: ad verification and QA testing, HTTPS on port 443."),
    row!("policy" "opt_out", "optOut", policy.opt_out, Form::Text(syntax::WORD), ENTRIES, [Part::Policy],
        "Categories of that profile you do not serve, like ad_verification or qa_testing."),
    row!("policy" "allow_plain_http_probes", "allowPlainHttpProbes", policy.allow_plain_http_probes, Form::Flag, ONE, [Part::Probe],
        "Let the coordinator's probes use plain HTTP, to the hosts in probe_host only."),
    row!("policy" "probe_host", "probeHosts", policy.probe_host, Form::Text(syntax::PROBE_HOST), ENTRIES, [Part::Probe],
        "Hosts that probes may fetch from. Empty = no probes."),
    row!("policy" "quarantine_cooldown", "quarantineCooldownSec", policy.quarantine_cooldown, Form::Count(0, 2_592_000), ONE, [Part::Policy],
        "Seconds until a quarantine ends by itself. 0 = you end it."),

    row!("security" "dns_over_https", "dnsOverHttps", security.dns_over_https, Form::Flag, ONE, [Part::Resolver],
        "Resolve buyers' hosts by DNS over HTTPS. 0 = by the router's own resolver."),
    row!("security" "doh_url", "dohUrls", security.doh_url, Form::Text(syntax::DOH), FEW, [Part::Resolver],
        "DNS over HTTPS servers, by address."),
    row!("security" "sandbox_mode", "sandboxMode", security.sandbox_mode, Form::Choice(&["strict", "standard"]), ONE, [Part::Roles],
        "strict = serve only in a sandbox of level strict: a user of its own, no privileges, and few of the system's files in sight (see docs/reference/sandbox.md). standard = serve in whatever the system has; status tells what that is."),

    row!("coordinator" "url", "url", coordinator.url, Form::Text(syntax::ORIGIN), ONE, [Part::Coordinator],
        "The coordinator."),
    row!("coordinator" "key", "keys", coordinator.keys, Form::Text(syntax::NODE_KEY), FEW, [Part::Coordinator],
        "Keys of the coordinator, any of which must have signed what it says."),
    row!("coordinator" "ca_file", "caFile", coordinator.ca_file, Form::Text(syntax::PATH), ONE, [Part::Coordinator, Part::Resolver, Part::Probe],
        "PEM file of certificate authorities trusted beside the system's, for what the node itself connects to."),

    row!("proxy" "enabled", "enabled", proxy.enabled, Form::Flag, ONE, [Part::Roles],
        "The proxy role: relay HTTPS for sessions the coordinator assigns."),
    row!("proxy" "listen", "listen", proxy.listen, Form::Text(syntax::LISTEN), FEW, [Part::Listener, Part::Register],
        "Where buyers connect to."),
    row!("proxy" "reach", "reach", proxy.reach, Form::Choice(&["direct", "gateway"]), ONE, [Part::Listener, Part::Register],
        "direct = buyers connect to this router; gateway = through the coordinator's gateway, for lines without a public address."),

    row!("update" "auto_update", "autoUpdate", update.auto_update, Form::Flag, ONE, [Part::Update],
        "Install verified updates without asking."),
    row!("update" "channel", "channel", update.channel, Form::Text(syntax::WORD), ONE, [Part::Update],
        "Channel of updates."),
    row!("update" "url", "url", update.url, Form::Text(syntax::HTTPS_URL), ONE, [Part::Update],
        "Where update manifests are."),
    row!("update" "key", "keys", update.keys, Form::Text(syntax::MINISIGN_KEY), FEW, [Part::Update],
        "minisign keys, one of which must have signed an update."),

    row!("ui" "telemetry_opt_in", "telemetryOptIn", ui.telemetry_opt_in, Form::Flag, ONE, [Part::Telemetry],
        "Send the coordinator health figures beside what the contract needs."),
];

/// The options of a `window`.
#[rustfmt::skip]
pub static WINDOW_ROWS: [Row<Window>; 4] = [
    Row { section: WINDOW, name: "days", member: "days", form: Form::Text(syntax::DAY), list: Some(7), parts: &[],
        doc: "Days the window starts on, by the router's clock. Empty = every day.", get: days, set: set_days },
    Row { section: WINDOW, name: "start", member: "start", form: Form::Text(syntax::TIME), list: None, parts: &[],
        doc: "When it starts, in the router's time zone.", get: |w| vec![syntax::minutes_text(w.start)], set: |w, t| time(&mut w.start, t) },
    Row { section: WINDOW, name: "end", member: "end", form: Form::Text(syntax::TIME), list: None, parts: &[],
        doc: "When it ends; not after start = on the next day.", get: |w| vec![syntax::minutes_text(w.end)], set: |w, t| time(&mut w.end, t) },
    row!("window" "max_mbps", "maxMbps", max, Form::Mbps, ONE, [],
        "The window's own rate, within network.max_mbps. Where windows overlap the lowest holds."),
];

/// Every day of the week.
pub const ALL_DAYS: u8 = 0b111_1111;

fn days(w: &Window) -> Vec<String> {
    syntax::DAYS.iter().enumerate().filter(|(i, _)| w.days >> i & 1 == 1).map(|(_, d)| (*d).to_owned()).collect()
}

fn set_days(w: &mut Window, texts: &[String]) -> bool {
    let bits = texts.iter().filter_map(|t| syntax::day(t)).fold(0, |bits, d| bits | 1 << d);
    w.days = if bits == 0 { ALL_DAYS } else { bits };
    true
}

fn time(at: &mut u16, texts: &[String]) -> bool {
    texts.first().and_then(|t| syntax::minutes(t)).map(|m| *at = m).is_some()
}

/// The row of an option of the single sections.
pub fn row(section: &str, name: &str) -> Option<&'static Row<Settings>> {
    ROWS.iter().find(|r| r.section == section && r.name == name)
}

/// The JSON group of a section type.
pub fn group(section: &str) -> &'static str {
    KINDS.iter().find(|k| k.section == section).map_or("", |k| k.group)
}
