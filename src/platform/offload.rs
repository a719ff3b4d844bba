//! What of the way of bytes the machine's hardware and kernel could take over: found and told, changed nowhere.
//!
//! Everything is read from files that anyone may read, where the system lets it be read at all; what cannot be read is told
//! as unknown (null), never guessed. `root` is the folder that stands for `/`, so that tests show other machines.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use serde_json::{Map, Value};

use super::sys;

mod processor;
mod settings;

pub use processor::{aes_in, drivers_in, flowtable_in, word_in};
pub use settings::{Flow, flow_of, flowtables_in};

/// Most bytes read of one file: /proc/crypto of a desktop has 40 kB, /proc/modules of a router 8.
const MOST_TEXT: u64 = 128 * 1024;
/// Drivers that are told.
pub const MOST_DRIVERS: usize = 8;

/// Members of `status.offload` and of reports (docs/reference/offload.md).
pub type Members = Map<String, Value>;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// The processor has instructions for AES-GCM that the TLS library uses.
    pub aes: Option<bool>,
    /// Drivers of the kernel's AES modes that stand above its portable code: engines, and instructions used by the kernel.
    pub drivers: Option<Vec<String>>,
    /// The kernel could take over TLS records.
    pub ktls: Option<bool>,
    /// The kernel could forward flows past netfilter's rules.
    pub flowtable: Option<bool>,
    /// What the firewall is told to do with that.
    pub flow: Option<Flow>,
    /// Received packets are merged, on every one of the devices asked about.
    pub gro: Option<bool>,
}

/// Whether the processor has AES instructions that the TLS library uses; `None` = the system does not tell.
pub fn aes_instructions() -> Option<bool> {
    text(Path::new("/"), "proc/cpuinfo").and_then(|text| aes_in(&text))
}

/// What this machine's files tell, and its kernel of `devices`.
pub fn here(devices: &[String]) -> Offload {
    Offload::asked(Path::new("/"), devices)
}

impl Offload {
    /// What files tell.
    pub fn read(root: &Path) -> Offload {
        let there = |path: &str| root.join(path).exists();
        let modules = text(root, "proc/modules");
        let loaded = modules.as_deref().is_some_and(flowtable_in) || there("proc/net/stat/nf_flowtable") || there("sys/module/nf_flow_table");
        let release = text(root, "proc/sys/kernel/osrelease").unwrap_or_default();
        let release = release.trim();
        let kept = |list: &str| text(root, &format!("lib/modules/{release}/{list}")).is_some_and(|text| text.contains("/nf_flow_table.ko"));
        let built = || {
            !release.is_empty()
                && !release.contains('/')
                && (there(&format!("lib/modules/{release}/nf_flow_table.ko")) || kept("modules.builtin") || kept("modules.dep"))
        };
        Offload {
            aes: text(root, "proc/cpuinfo").and_then(|text| aes_in(&text)),
            drivers: text(root, "proc/crypto").map(|text| drivers_in(&text)),
            ktls: text(root, "proc/sys/net/ipv4/tcp_available_ulp")
                .map(|text| word_in(&text, "tls"))
                .or_else(|| there("proc/sys/net/ipv4").then_some(false)),
            flowtable: if loaded || built() { Some(true) } else { modules.map(|_| false) },
            flow: text(root, "etc/config/firewall").map(|text| flow_of(&text)),
            gro: None,
        }
    }

    /// The same, and what the kernel tells of `devices`.
    pub fn asked(root: &Path, devices: &[String]) -> Offload {
        Offload { gro: gro(devices), ..Offload::read(root) }
    }

    /// As `status` and reports have it.
    pub fn members(&self) -> Members {
        let mut members = Members::new();
        let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        put("aesInstructions", self.aes.into());
        put("cryptoDrivers", self.drivers.clone().into());
        put("ktls", self.ktls.into());
        put("flowtable", self.flowtable.into());
        put("flowOffloading", self.flow.map(Flow::name).into());
        put("gro", self.gro.into());
        members
    }
}

/// Whether every one of `devices` merges received packets; `None` where there is none, or the kernel does not tell.
fn gro(devices: &[String]) -> Option<bool> {
    let any = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).ok()?;
    let mut all = None;
    for device in devices {
        all = Some(sys::merges_received(&any, device).ok()? && all != Some(false));
    }
    all
}

fn text(root: &Path, path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(root.join(path)).ok()?.take(MOST_TEXT).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
