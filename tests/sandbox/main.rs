//! What the sandbox denies, tried from within: each probe is a process of its own, because what is given up does not come back.
//!
//! ```text
//! cargo test --test sandbox                    every probe
//! SANDBOX node --config FILE --run-dir FOLDER  the daemon with its address guard open to everything, for `tests/sandbox/lab`
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod probes;

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use echomesh::daemon::{self, World};
use echomesh::net::address::Table;
use echomesh::platform::counters::Counters;
use probes::PROBES;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["node", "--config", config, "--run-dir", run_dir] => node(config.into(), run_dir.into()),
        ["probe", name, folder] => {
            let (_, probe) = PROBES.iter().find(|(known, _)| *known == name).expect("a probe of that name");
            probe(folder.as_ref());
            ExitCode::SUCCESS
        }
        ["hello"] => {
            println!("hello");
            ExitCode::SUCCESS
        }
        // `cargo test NAME` runs every target with NAME.
        [filter, ..] if !filter.starts_with('-') && !"sandbox".contains(filter) => ExitCode::SUCCESS,
        _ => all(),
    }
}

/// The daemon in a world in which every address is public and every device an uplink: what still stops it is not its own guard.
fn node(config: PathBuf, run_dir: PathBuf) -> ExitCode {
    let table = ["0.0.0.0/0", "::/0"].iter().fold(Table::internet(), |table, net| table.with_public(net.parse().unwrap()));
    let devices = Some(["wan", "br-lan", "lo"].map(str::to_owned).to_vec());
    let world = World { table, devices, counters: Counters::default() };
    match daemon::run_in(daemon::Options { config, run_dir }, world) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn all() -> ExitCode {
    let mut failed = 0;
    for (name, _) in PROBES {
        let folder = std::env::temp_dir().join(format!("echomesh-sandbox-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let output = Command::new(std::env::current_exe().unwrap()).args(["probe", name]).arg(&folder).output().unwrap();
        let killed = output.status.signal() == Some(nix::libc::SIGSYS);
        let well = if name.starts_with("killed-") { killed || skipped(&output.stdout) } else { output.status.success() };
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        println!("sandbox probe {name}: {}{}{said}", if well { "ok" } else { "FAILED" }, if said.is_empty() { "" } else { ", " });
        if !well {
            failed += 1;
            println!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
    println!("sandbox: {} probes, {failed} failed", PROBES.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn skipped(stdout: &[u8]) -> bool {
    String::from_utf8_lossy(stdout).contains("SKIPPED")
}
