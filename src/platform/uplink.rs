//! What the kernel's routing says, over rtnetlink (rtnetlink(7)): by which device an address would be reached now, and
//! which devices hold a default route. One request is answered within the system call: microseconds, no waiting.

mod changes;
mod netlink;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, recv, send, setsockopt, socket, sockopt};
use nix::sys::time::{TimeVal, TimeValLike as _};

pub use changes::{Changes, Uplinks};
use netlink::Message;

/// What one read takes: the kernel fills at most 32 KiB per message of a dump. Held once per [`Routes`]: 32 KiB.
const READ_BYTES: usize = 32 * 1024;
/// Reads per request: 8 MiB of routes. A box with more says which uplinks it has in `network.uplink`.
const MAX_READS: usize = 256;
/// The kernel answers in the call itself; the time-out is for a kernel that never does.
const ANSWER_WITHIN_SECS: i64 = 1;

/// What the kernel would do with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Send it out by a device.
    Unicast,
    /// Keep it: the address is the router's own.
    Local,
    /// Anything else that has a route: broadcast, anycast, multicast, translation.
    Other,
    /// Drop it: no route, or one that says blackhole, unreachable or prohibit.
    Nowhere,
}

/// The way to one address, at the moment of asking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// What happens to a packet.
    pub kind: Kind,
    /// Device index; 0 where there is none.
    pub index: u32,
    /// Device name; empty where there is none.
    pub device: String,
    /// The next router; `None` = on the link.
    pub gateway: Option<IpAddr>,
}

/// A routing socket, kept open. For one thread.
pub struct Routes {
    socket: OwnedFd,
    seq: Cell<u32>,
    buffer: RefCell<Vec<u8>>,
}

impl Routes {
    /// Opens the socket. Needs no privilege.
    pub fn open() -> io::Result<Routes> {
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(ANSWER_WITHIN_SECS))?;
        Ok(Routes { socket, seq: Cell::new(0), buffer: RefCell::new(vec![0; READ_BYTES]) })
    }

    /// The way a new connection to `ip` would take now.
    pub fn route_to(&self, ip: IpAddr) -> io::Result<Route> {
        let route = self.ask(ip, None)?;
        // OpenWrt's IPv6 default routes hold only for the delegated prefix (`default from 2001:db8::/56`), and a question
        // without a source does not match them. A connecting socket picks its source and asks again; so do we.
        match (route.kind, ip) {
            (Kind::Nowhere, IpAddr::V6(v6)) => match source_for(v6) {
                Some(source) => self.ask(ip, Some(source)),
                None => Ok(route),
            },
            _ => Ok(route),
        }
    }

    /// Names of the devices that hold a default route of the main table, of either family, sorted.
    pub fn default_route_devices(&self) -> io::Result<Vec<String>> {
        let mut indices = BTreeSet::new();
        for family in [netlink::INET, netlink::INET6] {
            self.exchange(
                |seq| netlink::dump_routes(seq, family),
                |message| {
                    if let Message::Route(route) = message {
                        indices.extend(route.default_devices());
                    }
                },
            )?;
        }
        // A device may vanish between the two calls: then it is no uplink.
        Ok(indices.into_iter().filter_map(|index| device_name(index).ok()).collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn ask(&self, ip: IpAddr, source: Option<IpAddr>) -> io::Result<Route> {
        let mut found = None;
        let asked = self.exchange(
            |seq| netlink::get_route(seq, ip, source),
            |message| {
                if let Message::Route(route) = message {
                    found = Some((route.kind, route.device, route.gateway));
                }
            },
        );
        match asked {
            Ok(()) => {}
            Err(e) if says_nowhere(&e) => return Ok(Route::nowhere()),
            Err(e) => return Err(e),
        }
        match found {
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "the kernel answered without a route")),
            Some((Kind::Nowhere, ..)) => Ok(Route::nowhere()),
            Some((kind, index, gateway)) => Ok(Route { kind, index, device: device_name(index)?, gateway }),
        }
    }

    /// Sends one request and hands over every message of its answer.
    fn exchange(&self, request: impl Fn(u32) -> Vec<u8>, mut each: impl FnMut(Message<'_>)) -> io::Result<()> {
        let seq = self.seq.get().wrapping_add(1);
        self.seq.set(seq);
        let fd = self.socket.as_raw_fd();
        send(fd, &request(seq), MsgFlags::empty())?;
        let mut buffer = self.buffer.borrow_mut();
        for _ in 0..MAX_READS {
            let got = match recv(fd, &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            let mut more = true;
            // Answers to an earlier request that was given up are passed over by their number.
            for (_, message) in netlink::messages(buffer.get(..got).unwrap_or_default()).filter(|(number, _)| *number == seq) {
                match message {
                    Message::Done => return Ok(()),
                    Message::Error(0) => return Ok(()),
                    Message::Error(code) => return Err(io::Error::from_raw_os_error(code)),
                    Message::Route(ref route) => more = route.multi,
                    Message::Other => {}
                }
                each(message);
                if !more {
                    return Ok(());
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "the routing table is larger than what is read"))
    }
}

impl Route {
    fn nowhere() -> Route {
        Route { kind: Kind::Nowhere, index: 0, device: String::new(), gateway: None }
    }
}

/// The name of a device.
pub fn device_name(index: u32) -> io::Result<String> {
    let name = nix::net::if_::if_indextoname(index)?;
    name.into_string().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "device name is not UTF-8"))
}

/// Every address of the router's own devices, IPv4 and IPv6.
pub fn own_addresses() -> io::Result<Vec<IpAddr>> {
    Ok(nix::ifaddrs::getifaddrs()?.filter_map(|a| ip_of(a.address?)).collect())
}

/// The address of a device's entry, where it is of the Internet families.
fn ip_of(address: SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|s| IpAddr::V4(s.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|s| IpAddr::V6(s.ip())))
}

/// The source the kernel picks towards `to`. Connecting a datagram socket sends nothing.
fn source_for(to: Ipv6Addr) -> Option<IpAddr> {
    const DISCARD_PORT: u16 = 9;
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((to, DISCARD_PORT)).ok()?;
    socket.local_addr().ok().map(|a| a.ip()).filter(|ip| !ip.is_unspecified())
}

/// The errors by which the kernel says that packets go nowhere: no route, unreachable, prohibit, blackhole.
fn says_nowhere(e: &io::Error) -> bool {
    const SAID: [Errno; 4] = [Errno::ENETUNREACH, Errno::EHOSTUNREACH, Errno::EACCES, Errno::EINVAL];
    e.raw_os_error().is_some_and(|code| SAID.contains(&Errno::from_raw(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_local_and_by_lo() {
        let routes = Routes::open().unwrap();
        for ip in ["127.0.0.1", "127.77.3.4", "::1"] {
            let route = routes.route_to(ip.parse().unwrap()).unwrap();
            assert_eq!((route.kind, route.device.as_str()), (Kind::Local, "lo"), "{ip}");
        }
    }

    #[test]
    fn every_own_address_is_local() {
        let routes = Routes::open().unwrap();
        let own = own_addresses().unwrap();
        assert!(own.contains(&"127.0.0.1".parse().unwrap()));
        // A link-local address needs its device to be asked for; the guard refuses it before the kernel is asked.
        for ip in own.into_iter().filter(|ip| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())) {
            assert_eq!(routes.route_to(ip).unwrap().kind, Kind::Local, "{ip}");
        }
    }

    #[test]
    fn a_default_route_s_device_is_the_one_a_public_address_takes() {
        let routes = Routes::open().unwrap();
        let route = routes.route_to("1.1.1.1".parse().unwrap()).unwrap();
        let devices = routes.default_route_devices().unwrap();
        match route.kind {
            Kind::Unicast => assert!(devices.contains(&route.device), "{route:?} {devices:?}"),
            _ => assert_eq!(route.kind, Kind::Nowhere), // a machine without a network
        }
        assert!(!devices.contains(&"lo".to_owned()));
    }
}
