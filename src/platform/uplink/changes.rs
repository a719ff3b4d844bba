//! Hearing that devices, addresses or routes changed, over rtnetlink's multicast groups: an idle box wakes nobody.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket};
use smol::Async;

use super::{Routes, ip_of};

/// Links, addresses and routes of both families (linux/rtnetlink.h, `RTMGRP_*`).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
/// Messages passed over at once: what is more is heard the next time.
const MOST_AT_ONCE: usize = 1024;

/// A socket that hears of changes. What they are is not read: whoever hears looks for itself.
#[derive(Debug)]
pub struct Changes(Async<OwnedFd>);

impl Changes {
    /// Starts listening. Needs no privilege.
    ///
    /// # Errors
    /// The kernel has no such socket for us.
    pub fn open() -> io::Result<Changes> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        Ok(Changes(Async::new_nonblocking(fd)?))
    }

    /// Waits for the next change.
    ///
    /// # Errors
    /// The socket broke.
    pub async fn next(&self) -> io::Result<()> {
        loop {
            self.0.readable().await?;
            if self.pass_over() {
                return Ok(());
            }
        }
    }

    /// Passes over what is there now; whether there was something.
    pub fn pass_over(&self) -> bool {
        let mut any = false;
        for _ in 0..MOST_AT_ONCE {
            // Of each message one byte is taken, the rest of it is dropped.
            match recv(self.0.as_raw_fd(), &mut [0], MsgFlags::MSG_DONTWAIT) {
                Ok(_) | Err(Errno::ENOBUFS) => any = true,
                Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        any
    }
}

/// What the uplinks are: their names, and their addresses beyond the link's own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Uplinks {
    /// Device names.
    pub devices: BTreeSet<String>,
    /// Their addresses.
    pub addresses: BTreeSet<IpAddr>,
}

impl Uplinks {
    /// As they are now. `named` are the uplinks; where it is empty, those are the devices that hold a default route.
    ///
    /// # Errors
    /// The kernel does not tell routes or addresses.
    pub fn now(named: &[String]) -> io::Result<Uplinks> {
        let devices: BTreeSet<String> =
            if named.is_empty() { Routes::open()?.default_route_devices()?.into_iter().collect() } else { named.iter().cloned().collect() };
        let beyond_link = |ip: &IpAddr| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let of = |a: nix::ifaddrs::InterfaceAddress| devices.contains(&a.interface_name).then_some(a.address?).and_then(ip_of).filter(beyond_link);
        let addresses = nix::ifaddrs::getifaddrs()?.filter_map(of).collect();
        Ok(Uplinks { devices, addresses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_box_tells_of_no_change() {
        let changes = Changes::open().unwrap();
        let mut next = Box::pin(changes.next());
        // Others on this machine may change something meanwhile: then it ends, and well.
        if let Some(heard) = smol::block_on(smol::future::poll_once(&mut next)) {
            heard.unwrap();
        }
    }

    #[test]
    fn loopback_s_addresses_are_told() {
        let lo = Uplinks::now(&["lo".to_owned()]).unwrap();
        assert!(lo.addresses.contains(&IpAddr::from([127, 0, 0, 1])), "{lo:?}");
        assert_eq!(Uplinks::now(&["nosuch0".to_owned()]).unwrap().addresses, BTreeSet::new());
    }
}
