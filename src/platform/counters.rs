//! Bytes that network devices have received and sent since they came up, as the kernel counts them.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// Where the kernel tells them: a folder for each device.
const SYSFS: &str = "/sys/class/net";

/// Reads the counters. A value handed in, so that tests can hand in files of their own.
#[derive(Clone, Debug)]
pub struct Counters(PathBuf);

/// Bytes of some devices together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    /// Received.
    pub received: u64,
    /// Sent.
    pub sent: u64,
    /// Stands for the devices that could be read: sums over others cannot be compared with these.
    pub devices: u64,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters(SYSFS.into())
    }
}

impl Counters {
    /// Counters in files like the kernel's, `DEVICE/statistics/rx_bytes` and `tx_bytes`, in `folder`.
    pub fn at(folder: impl Into<PathBuf>) -> Counters {
        Counters(folder.into())
    }

    /// The folder they are read from.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The sums over those of `devices` that can be read; `None` where none can.
    pub fn read(&self, devices: &[String]) -> Option<Counted> {
        let mut sum = Counted::default();
        let mut names = DefaultHasher::new();
        let mut any = false;
        for device in devices {
            let folder = self.0.join(device).join("statistics");
            let (Some(received), Some(sent)) = (number(&folder.join("rx_bytes")), number(&folder.join("tx_bytes"))) else { continue };
            any = true;
            device.hash(&mut names);
            sum.received = sum.received.wrapping_add(received);
            sum.sent = sum.sent.wrapping_add(sent);
        }
        sum.devices = names.finish();
        any.then_some(sum)
    }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_counts_what_is_sent_over_it() {
        let lo = ["lo".to_owned()];
        let before = Counters::default().read(&lo).unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(&[0; 1000], socket.local_addr().unwrap()).unwrap();
        let after = Counters::default().read(&lo).unwrap();
        assert!(after.sent >= before.sent + 1000 && after.received >= before.received + 1000);
        assert_eq!(after.devices, before.devices);
    }

    #[test]
    fn devices_that_cannot_be_read_are_left_out() {
        let both = ["lo".to_owned(), "nosuch0".to_owned()];
        let counters = Counters::default();
        assert_eq!(counters.read(&both).map(|c| c.devices), counters.read(&both[..1]).map(|c| c.devices));
        assert_eq!(counters.read(&both[1..]), None);
        assert_eq!(Counters::at("/nonexistent").read(&both), None);
    }
}
