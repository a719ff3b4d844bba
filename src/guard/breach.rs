//! Defence in depth: a connection that was made is compared once more with what was judged. Pure. Whatever differs is
//! a defect of our own engine, and the node stops serving rather than carry on with it.

use std::net::{IpAddr, SocketAddr};

/// What the policy was asked about.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// Addresses of the host that was allowed.
    pub addresses: &'a [IpAddr],
    /// Its port.
    pub port: u16,
    /// The uplink the address guard named.
    pub device: &'a str,
}

/// What the kernel says of the socket.
#[derive(Clone, Debug, Default)]
pub struct Socket {
    /// The other end; `None` = it is gone already.
    pub peer: Option<SocketAddr>,
    /// The device it is bound to; `None` = the kernel does not tell.
    pub device: Option<String>,
}

/// Compares. The error says what differs, without naming host or address.
///
/// # Errors
/// The socket leads elsewhere than was judged.
pub fn check(judged: &Judged<'_>, found: &Socket) -> Result<(), &'static str> {
    if let Some(peer) = found.peer {
        if !judged.addresses.contains(&peer.ip()) {
            return Err("a tunnel was connected to another address than the one that was judged");
        }
        if peer.port() != judged.port {
            return Err("a tunnel was connected to another port than the one that was judged");
        }
    }
    match &found.device {
        Some(device) if device != judged.device => Err("a tunnel's socket was not bound to the uplink that was judged"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_judged_destination_by_the_judged_uplink_passes() {
        let addresses = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let judged = Judged { addresses: &addresses, port: 443, device: "wan" };
        let socket = |peer: &str, device: &str| Socket { peer: peer.parse().ok(), device: (!device.is_empty()).then(|| device.to_owned()) };
        for good in [socket("192.0.2.1:443", "wan"), socket("[2001:db8::1]:443", "wan"), socket("192.0.2.1:443", ""), socket("gone", "wan")] {
            assert_eq!(check(&judged, &good), Ok(()), "{good:?}");
        }
        for bad in [
            socket("192.0.2.2:443", "wan"),
            socket("192.0.2.1:444", "wan"),
            socket("192.0.2.1:443", "br-lan"),
            socket("[::ffff:192.0.2.1]:443", "wan"),
        ] {
            assert!(check(&judged, &bad).is_err(), "{bad:?}");
        }
    }
}
