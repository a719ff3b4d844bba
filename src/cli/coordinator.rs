//! `echomesh coordinator`: the reference coordinator, and its operator's commands.

use std::path::{Path, PathBuf};

use argh::FromArgs;

use super::print;
use crate::coordinator::reference::operator::Command as Operation;
use crate::coordinator::reference::policy::Amendment;
use crate::coordinator::reference::{audit, run, store};
use crate::core::exit::{self, Failure};

mod ask;
mod audits;
mod export;
mod geo;
mod key;
mod serve;
mod table;

/// The reference coordinator of a pilot: serves nodes and buyers, keeps the ledger.
#[derive(FromArgs)]
#[argh(subcommand, name = "coordinator")]
pub struct Coordinator {
    #[argh(subcommand)]
    command: Command,
}

#[derive(FromArgs)]
#[argh(subcommand)]
#[allow(clippy::large_enum_variant)] // one value, made once from the command line
enum Command {
    Run(serve::Run),
    Init(Init),
    Buyer(Buyer),
    Nodes(Nodes),
    Sessions(Sessions),
    Ledger(Ledger),
    Bundles(Bundles),
    Disputes(Disputes),
    Audit(audits::Audit),
    Audits(audits::Audits),
    Close(Close),
    Policy(Policy),
    Geo(geo::Geo),
    Key(key::Key),
    Verify(Verify),
    Export(export::Export),
}

/// Make the folder with its keys and an empty store, and print the keys.
#[derive(FromArgs)]
#[argh(subcommand, name = "init")]
struct Init {
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Add, list and remove buyers.
#[derive(FromArgs)]
#[argh(subcommand, name = "buyer")]
struct Buyer {
    #[argh(subcommand)]
    command: BuyerCommand,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum BuyerCommand {
    Add(BuyerAdd),
    List(BuyerList),
    Remove(BuyerRemove),
}

/// Add a buyer and print its token, this once.
#[derive(FromArgs)]
#[argh(subcommand, name = "add")]
struct BuyerAdd {
    /// letters, digits, dot, dash, underscore
    #[argh(positional)]
    name: String,
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// List the buyers.
#[derive(FromArgs)]
#[argh(subcommand, name = "list")]
struct BuyerList {
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Remove a buyer and end its sessions.
#[derive(FromArgs)]
#[argh(subcommand, name = "remove")]
struct BuyerRemove {
    /// the buyer's name
    #[argh(positional)]
    name: String,
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// List the nodes: presence, address, reputation, credits.
#[derive(FromArgs)]
#[argh(subcommand, name = "nodes")]
struct Nodes {
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// List the sessions: buyer, node, state, bytes, credits.
#[derive(FromArgs)]
#[argh(subcommand, name = "sessions")]
struct Sessions {
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Bytes and micro-credits by node and session.
#[derive(FromArgs)]
#[argh(subcommand, name = "ledger")]
struct Ledger {
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// List the windows that a buyer and its node count differently.
#[derive(FromArgs)]
#[argh(subcommand, name = "disputes")]
struct Disputes {
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// List the booked bundles, of all sessions or of one.
#[derive(FromArgs)]
#[argh(subcommand, name = "bundles")]
struct Bundles {
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// of this session alone
    #[argh(option)]
    session: Option<String>,
    /// print JSON: the whole bundles
    #[argh(switch)]
    json: bool,
}

/// End a session.
#[derive(FromArgs)]
#[argh(subcommand, name = "close")]
struct Close {
    /// the session's id
    #[argh(positional)]
    session: String,
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Change the limits of an open session; its node hears of it at once, and live tunnels go on. What is not named stays.
#[derive(FromArgs)]
#[argh(subcommand, name = "policy")]
struct Policy {
    /// the session's id
    #[argh(positional)]
    session: String,
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// rate in Mbit/s
    #[argh(option)]
    max_mbps: Option<u64>,
    /// burst in MB: what goes at full speed after a rest
    #[argh(option)]
    burst_mb: Option<u64>,
    /// volume in GB
    #[argh(option)]
    max_gb: Option<u64>,
    /// volume of one UTC day in GB; 0 = none at all
    #[argh(option)]
    max_gb_per_day: Option<u64>,
    /// tunnels at once
    #[argh(option)]
    max_tunnels: Option<u32>,
    /// seconds from now until it ends
    #[argh(option)]
    expires_in: Option<u64>,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Verify every booked bundle anew: signature, chain, totals, ledger. Names the first fault and exits 65.
#[derive(FromArgs)]
#[argh(subcommand, name = "verify")]
struct Verify {
    /// folder of store and keys
    #[argh(option)]
    dir: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

impl Coordinator {
    /// Runs it.
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Run(c) => c.run(),
            Command::Init(c) => init(&c),
            Command::Buyer(Buyer { command }) => match command {
                BuyerCommand::Add(c) => buyer_add(c),
                BuyerCommand::List(c) => {
                    view(&c.dir, &Operation::Buyers, c.json, "buyers", &["buyerId", "openSessions", "bytes", "credits", "addedAt"])
                }
                BuyerCommand::Remove(c) => done(&c.dir, &Operation::BuyerRemove { name: c.name }, c.json),
            },
            Command::Nodes(c) => {
                view(&c.dir, &Operation::Nodes, c.json, "nodes", &["nodeId", "online", "state", "address", "verified", "tier", "score", "credits"])
            }
            Command::Sessions(c) => {
                let columns = ["sessionId", "buyerId", "node", "phase", "reason", "bytesIngress", "bytesEgress", "bundles", "credits"];
                view(&c.dir, &Operation::Sessions, c.json, "sessions", &columns)
            }
            Command::Ledger(c) => {
                view(&c.dir, &Operation::Ledger, c.json, "nodes", &["nodeId", "bytesIngress", "bytesEgress", "credits", "creditsToday"])
            }
            Command::Audit(c) => c.run(),
            Command::Audits(c) => c.run(),
            Command::Disputes(c) => {
                let columns =
                    ["sessionId", "windowStart", "nodeId", "buyerId", "nodeIngress", "buyerIngress", "nodeEgress", "buyerEgress", "withheld"];
                view(&c.dir, &Operation::Disputes, c.json, "disputes", &columns)
            }
            Command::Bundles(c) => bundles(&c),
            Command::Close(c) => done(&c.dir, &Operation::Close { session: c.session }, c.json),
            Command::Policy(c) => c.run(),
            Command::Geo(c) => c.run(),
            Command::Key(c) => c.run(),
            Command::Verify(c) => verify(&c),
            Command::Export(c) => c.run(),
        }
    }
}

impl Policy {
    fn run(self) -> Result<(), Failure> {
        let Policy { session, dir, max_mbps, burst_mb, max_gb, max_gb_per_day, max_tunnels, expires_in, json } = self;
        let amendment = Amendment { max_mbps, burst_mb, max_gb, max_gb_per_day, max_tunnels, expires_in };
        if amendment.is_empty() {
            return Err(Failure::new(exit::USAGE, "name what is to change, for example --max-mbps 20"));
        }
        let said = ask::perform(&dir, &Operation::Policy { session, amendment })?;
        if json {
            return print::json(&said);
        }
        let columns = ["sessionId", "maxMbps", "burstMB", "maxGB", "maxGBPerDay", "maxTunnels", "expiresAt", "changed"];
        print::text(&table::text(&columns, &[said]))
    }
}

fn init(c: &Init) -> Result<(), Failure> {
    let made = run::init(&c.dir)?;
    if c.json {
        return print::json(&made);
    }
    print::text(&format!("folder {}\nkey {}\nprobe-key {}\n", made.folder.display(), made.key, made.probe_key))
}

fn buyer_add(c: BuyerAdd) -> Result<(), Failure> {
    let said = ask::perform(&c.dir, &Operation::BuyerAdd { name: c.name })?;
    if c.json {
        return print::json(&said);
    }
    let text = |name: &str| said.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    print::text(&format!("buyer {}\ntoken {}\nThe token is not shown again.\n", text("buyerId"), text("token")))
}

fn view(dir: &Path, operation: &Operation, json: bool, list: &str, columns: &[&str]) -> Result<(), Failure> {
    let said = ask::perform(dir, operation)?;
    if json {
        return print::json(&said);
    }
    let rows = said.get(list).and_then(|v| v.as_array()).map_or(&[][..], Vec::as_slice);
    print::text(&table::text(columns, rows))
}

fn done(dir: &Path, operation: &Operation, json: bool) -> Result<(), Failure> {
    let said = ask::perform(dir, operation)?;
    if json { print::json(&said) } else { print::text("done\n") }
}

fn bundles(c: &Bundles) -> Result<(), Failure> {
    let state = store::peek(&c.dir).map_err(|e| ask::store_failure(&e))?;
    let ids = match &c.session {
        Some(id) => vec![id.clone()],
        None => store::sessions_with_bundles(&c.dir).map_err(|e| ask::store_failure(&e))?,
    };
    let mut all = Vec::new();
    for id in &ids {
        let booked = audit::booked(&c.dir, &state, id).map_err(|e| Failure::new(exit::DATA, e.to_string()))?;
        all.extend(booked.iter().filter_map(|canonical| crate::codec::json::parse(canonical).ok()));
    }
    if c.json {
        return print::json(&all);
    }
    print::text(&table::text(&["sessionId", "seq", "windowStart", "windowEnd", "bytesIngress", "bytesEgress", "requests", "final"], &all))
}

fn verify(c: &Verify) -> Result<(), Failure> {
    let audit = audit::verify(&c.dir).map_err(|fault| Failure::new(exit::DATA, fault.to_string()))?;
    if c.json {
        return print::json(&audit);
    }
    let audit::Audit { sessions, bundles, bytes_ingress, bytes_egress } = audit;
    print::text(&format!("{bundles} bundles of {sessions} sessions verify: {bytes_ingress} bytes in, {bytes_egress} bytes out\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_commands_parse() {
        for line in [
            "run --dir d --listen 127.0.0.1:8440 --name a --name b --heartbeat 1 --lease 900 --probe-endpoint https://p.example/probe --price 5",
            "run --dir d --listen [::]:8440 --cert c.pem --key k.pem --probe-listen [::]:8441 --probe-every 60 --log-level debug",
            "init --dir d",
            "buyer add shop --dir d --json",
            "buyer list --dir d",
            "buyer remove shop --dir d",
            "nodes --dir d --json",
            "sessions --dir d",
            "ledger --dir d",
            "disputes --dir d --json",
            "audit --dir d",
            "audit --node ed25519:A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg --dir d --json",
            "audits --dir d",
            "run --dir d --audit-every 3600 --audit-endpoint https://cdn.example/file",
            "bundles --dir d --session s --json",
            "close 5b1e3c0e-9b36-4f6c-8a55-0d9a2f6c4b11 --dir d",
            "policy 5b1e3c0e-9b36-4f6c-8a55-0d9a2f6c4b11 --dir d --max-mbps 5 --burst-mb 1 --max-gb 2 --max-gb-per-day 1 --max-tunnels 9 --expires-in 60 --json",
            "geo ed25519:A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg DE-Bayern 0.9 --dir d --json",
            "geo ed25519:A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg none --dir d",
            "key show --dir d",
            "key rotate --dir d --json",
            "key switch --dir d --force",
            "verify --dir d --json",
            "export 5b1e3c0e-9b36-4f6c-8a55-0d9a2f6c4b11 --dir d",
            "export --node ed25519:A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg --dir d",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(Coordinator::from_args(&["coordinator"], &words).is_ok(), "{line}");
        }
        assert!(Coordinator::from_args(&["coordinator"], &["run"]).is_err());
    }
}
