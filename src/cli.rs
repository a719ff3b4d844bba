//! The command line: one file per subcommand. Exit codes follow sysexits (`core::exit`).

use std::path::{Path, PathBuf};

use argh::FromArgs;

use crate::core::exit::{self, Failure};
use crate::identity::kdf;

pub mod ask;
pub mod chart;
pub mod config;
pub mod control;
#[cfg(feature = "coordinator")]
pub mod coordinator;
#[cfg(feature = "demo")]
pub mod demo;
pub mod hooks;
pub mod identity;
pub mod logs;
pub mod nft;
pub mod offload;
#[cfg(feature = "proxy")]
pub mod opt_out;
#[cfg(feature = "demo")]
pub mod panel;
pub mod passphrase;
pub mod policy;
pub mod print;
pub mod receipts;
pub mod report;
pub mod rpcd;
#[cfg(feature = "proxy")]
pub mod run;
pub mod service;
pub mod sessions;
#[cfg(feature = "proxy")]
pub mod setup;
pub mod status;
pub mod tree;
pub mod update;
pub mod verify;
pub mod work;

/// Where the daemon has its run folder unless told otherwise.
pub const RUN_DIR: &str = "/var/run/echomesh";
/// Where the configuration is unless told otherwise.
pub const CONFIG: &str = "/etc/config/echomesh";

const RUN_DIR_OPTION: &str = "--run-dir";

#[derive(FromArgs)]
/// EchoMesh for OpenWrt: verifiable, policy-bound work for others on a home router.
struct Echomesh {
    /// print the version
    #[argh(switch)]
    version: bool,
    /// run folder of the daemon [/var/run/echomesh]; may stand anywhere on the line
    #[argh(option, default = "RUN_DIR.into()")]
    run_dir: PathBuf,
    #[argh(subcommand)]
    command: Option<Command>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
#[allow(clippy::large_enum_variant)] // one value, made once from the command line
enum Command {
    #[cfg(feature = "proxy")]
    Setup(setup::Setup),
    #[cfg(feature = "proxy")]
    Run(run::Run),
    Status(status::Status),
    Control(control::Control),
    Sessions(sessions::Sessions),
    Config(config::Config),
    Identity(identity::Identity),
    Logs(logs::Logs),
    Receipts(receipts::Receipts),
    Verify(verify::Verify),
    Nft(nft::Nft),
    Policy(policy::Policy),
    #[cfg(feature = "proxy")]
    OptOut(opt_out::OptOut),
    Report(report::Report),
    Rpcd(rpcd::Rpcd),
    Hooks(hooks::Hooks),
    Offload(offload::Offload),
    Update(update::Update),
    #[cfg(feature = "coordinator")]
    Coordinator(coordinator::Coordinator),
    #[cfg(feature = "demo")]
    Demo(demo::Demo),
    #[cfg(feature = "demo")]
    Panel(panel::Panel),
}

/// Runs the command line `args` (without the program's name).
pub fn main(args: &[String]) -> Result<(), Failure> {
    if args == [kdf::CHILD] {
        // The daemon's child (`identity::kdf`): no sub-command for people.
        return kdf::child(&mut std::io::stdin(), &mut std::io::stdout()).map_err(|e| Failure::new(exit::OS, e.to_string()));
    }
    let args = arrange(args);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let parsed = match Echomesh::from_args(&["echomesh"], &args) {
        Ok(parsed) => parsed,
        Err(early) if early.status.is_ok() => return print::text(&format!("{}\n", early.output.trim_end())),
        Err(early) => return Err(Failure::new(exit::USAGE, early.output.trim_end())),
    };
    if parsed.version {
        return print::text(concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"), "\n"));
    }
    match parsed.command {
        Some(command) => command.run(&parsed.run_dir),
        None => Err(Failure::new(exit::USAGE, "say what to do: echomesh --help lists the subcommands")),
    }
}

impl Command {
    fn run(self, run_dir: &Path) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "proxy")]
            Command::Setup(c) => c.run(run_dir),
            #[cfg(feature = "proxy")]
            Command::Run(c) => c.run(run_dir),
            Command::Status(c) => c.run(run_dir),
            Command::Control(c) => c.run(run_dir),
            Command::Sessions(c) => c.run(run_dir),
            Command::Config(c) => c.run(run_dir),
            Command::Identity(c) => c.run(run_dir),
            Command::Logs(c) => c.run(run_dir),
            Command::Receipts(c) => c.run(run_dir),
            Command::Verify(c) => c.run(),
            Command::Nft(c) => c.run(),
            Command::Policy(c) => c.run(run_dir),
            #[cfg(feature = "proxy")]
            Command::OptOut(c) => c.run(run_dir),
            Command::Report(c) => c.run(run_dir),
            Command::Rpcd(c) => c.run(run_dir),
            Command::Hooks(c) => c.run(run_dir),
            Command::Offload(c) => c.run(),
            Command::Update(c) => c.run(run_dir),
            #[cfg(feature = "coordinator")]
            Command::Coordinator(c) => c.run(),
            #[cfg(feature = "demo")]
            Command::Demo(c) => c.run(run_dir),
            #[cfg(feature = "demo")]
            Command::Panel(c) => c.run(run_dir),
        }
    }
}

/// Puts the line as argh takes it: `--name=value` becomes two words, and `--run-dir` comes first wherever it stood.
fn arrange(args: &[String]) -> Vec<String> {
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let (options, after) = args.split_at(end);
    let mut words = Vec::with_capacity(args.len() + 4);
    for arg in options {
        match arg.split_once('=') {
            Some((name, value)) if name.starts_with("--") => words.extend([name.to_owned(), value.to_owned()]),
            _ => words.push(arg.clone()),
        }
    }
    let mut first = Vec::new();
    while let Some(at) = words.iter().position(|word| word == RUN_DIR_OPTION) {
        first = words.drain(at..(at + 2).min(words.len())).collect();
    }
    first.extend(words);
    first.extend_from_slice(after);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arranged(line: &str) -> String {
        arrange(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).join(" ")
    }

    #[test]
    fn options_may_stand_anywhere_and_with_an_equals_sign() {
        assert_eq!(arranged("status --json --run-dir /r"), "--run-dir /r status --json");
        assert_eq!(arranged("logs export --out=a=b --run-dir=/r"), "--run-dir /r logs export --out a=b");
        assert_eq!(arranged("config set network.max_mbps=5"), "config set network.max_mbps=5");
        assert_eq!(arranged("config set -- --run-dir=x"), "config set -- --run-dir=x");
        assert_eq!(arranged("status --run-dir"), "--run-dir status");
    }

    #[test]
    fn a_wrong_line_is_a_usage_error() {
        for line in [&["--nonsense"][..], &["control"], &["control", "pause", "--seconds", "x"], &[], &["status", "--run-dir"]] {
            let args: Vec<String> = line.iter().map(|&s| s.to_owned()).collect();
            assert_eq!(main(&args).unwrap_err().code, exit::USAGE, "{line:?}");
        }
    }

    #[test]
    fn without_a_daemon_clients_say_so() {
        for line in [&["status", "--json"][..], &["control", "start"], &["sessions"], &["logs", "show"], &["policy", "explain", "example.com"]] {
            let mut args: Vec<String> = line.iter().map(|&s| s.to_owned()).collect();
            args.extend(["--run-dir".into(), "/nonexistent/echomesh".into()]);
            let failure = main(&args).unwrap_err();
            assert_eq!(failure.code, exit::UNAVAILABLE, "{line:?}: {failure}");
            assert!(failure.message.contains("not running"), "{failure}");
        }
    }

    #[test]
    fn clients_speak_to_a_daemon() {
        crate::control::at_the_door::with_house("cli", |house| async move {
            let run = |line: &str| {
                let mut args: Vec<String> = line.split(' ').map(str::to_owned).collect();
                args.extend([RUN_DIR_OPTION.into(), house.run_dir.display().to_string()]);
                smol::unblock(move || main(&args).map_err(|failure| failure.code))
            };
            let export = house.run_dir.join("export");
            for (line, code) in [
                ("status --json", Ok(())),
                ("status --once", Ok(())),
                ("sessions", Ok(())),
                ("sessions close 7", Ok(())),
                ("control pause --seconds 9", Ok(())),
                ("control pause --seconds 0", Err(exit::DATA)),
                ("identity show", Ok(())),
                ("report", Ok(())),
                ("logs show", Ok(())),
                (&format!("logs export --out {}", export.display()), Ok(())),
                ("policy explain example.com --port 444", Ok(())),
                ("config set network.max_mbps=5", Ok(())),
                ("config set network.max_mbps=7", Err(exit::CONFIG)),
                ("config set network.max_mbps=fast", Err(exit::CONFIG)),
                ("config show", Ok(())),
            ] {
                assert_eq!(run(line).await, code, "{line}");
            }
            assert_eq!(*house.node.told.borrow(), ["close 7", "Pause Some(9)"]);
            assert_eq!(std::fs::metadata(export).unwrap().len(), 400_004);
        });
    }
}
