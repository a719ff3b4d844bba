//! Opens tunnels and holds them until its standard input ends.

use std::io::Read as _;

use crate::args::Args;
use crate::bulk::fail;
use crate::way::{HOLD, Way};

/// Tells how many are open.
pub fn run(args: &Args) {
    let way = Way::of(args);
    let mut open = Vec::new();
    for nth in 0..args.get("tunnels", 100usize) {
        match way.open().and_then(|mut pipe| pipe.command(&[HOLD]).map(|()| pipe)) {
            Ok(pipe) => open.push(pipe),
            Err(e) => fail(&format!("tunnel {nth}: {e}")),
        }
    }
    println!("{{\"open\": {}}}", open.len());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
