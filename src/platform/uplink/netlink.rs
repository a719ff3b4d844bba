//! The bytes of rtnetlink (linux/netlink.h, linux/rtnetlink.h), written and read without a socket. Native byte order.

use std::net::IpAddr;

use super::Kind;

/// `AF_INET`, in `rtm_family`.
pub(super) const INET: u8 = 2;
/// `AF_INET6`.
pub(super) const INET6: u8 = 10;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_MULTI: u16 = 0x2;
const NLM_F_DUMP: u16 = 0x300;

const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
/// The two upper bits of an attribute's type are flags.
const RTA_TYPE_MASK: u16 = 0x3fff;
const RT_TABLE_MAIN: u32 = 254;

const RTN_UNICAST: u8 = 1;
const RTN_LOCAL: u8 = 2;
const RTN_BLACKHOLE: u8 = 6;
const RTN_PROHIBIT: u8 = 8;

/// struct nlmsghdr
const HEAD: usize = 16;
/// struct rtmsg
const RTMSG: usize = 12;
/// struct rtattr
const ATTR: usize = 4;
/// struct rtnexthop
const NEXTHOP: usize = 8;

/// One message of an answer.
pub(super) enum Message<'a> {
    /// `RTM_NEWROUTE`
    Route(RouteMessage<'a>),
    /// `NLMSG_ERROR`, as a positive errno; 0 = an acknowledgement.
    Error(i32),
    /// End of a dump.
    Done,
    /// Passed over.
    Other,
}

/// A route as the kernel tells it.
pub(super) struct RouteMessage<'a> {
    /// More messages follow.
    pub(super) multi: bool,
    pub(super) kind: Kind,
    /// Index of the device; 0 = none, or several next hops.
    pub(super) device: u32,
    pub(super) gateway: Option<IpAddr>,
    prefix_len: u8,
    table: u32,
    next_hops: &'a [u8],
}

/// A request for the way to `ip`, as if from `source`.
pub(super) fn get_route(seq: u32, ip: IpAddr, source: Option<IpAddr>) -> Vec<u8> {
    let family = if ip.is_ipv4() { INET } else { INET6 };
    let bits = |ip: &IpAddr| if ip.is_ipv4() { 32 } else { 128 };
    let mut out = request(seq, NLM_F_REQUEST, family, bits(&ip), source.as_ref().map_or(0, bits));
    push_address(&mut out, RTA_DST, ip);
    if let Some(source) = source {
        push_address(&mut out, RTA_SRC, source);
    }
    finish(out)
}

/// A request for all routes of a family.
pub(super) fn dump_routes(seq: u32, family: u8) -> Vec<u8> {
    finish(request(seq, NLM_F_REQUEST | NLM_F_DUMP, family, 0, 0))
}

fn request(seq: u32, flags: u16, family: u8, dst_len: u8, src_len: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + RTMSG + 2 * (ATTR + 16));
    out.extend([0; 4]); // length, set at the end
    out.extend(RTM_GETROUTE.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend(seq.to_ne_bytes());
    out.extend([0; 4]); // port: the kernel's
    out.extend([family, dst_len, src_len, 0, 0, 0, 0, 0]);
    out.extend([0; 4]); // rtm_flags
    out
}

fn push_address(out: &mut Vec<u8>, kind: u16, ip: IpAddr) {
    let (octets, len): ([u8; 16], u16) = match ip {
        IpAddr::V4(v4) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&v4.octets());
            (octets, 4)
        }
        IpAddr::V6(v6) => (v6.octets(), 16),
    };
    out.extend((4 + len).to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(&octets[..usize::from(len)]);
}

fn finish(mut out: Vec<u8>) -> Vec<u8> {
    let len = u32::try_from(out.len()).unwrap_or_default();
    out[..4].copy_from_slice(&len.to_ne_bytes());
    out
}

/// The messages in one read, each with its sequence number. Ends at the first that is cut short.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u32, Message<'_>)> {
    std::iter::from_fn(move || {
        let len = usize::try_from(u32_at(bytes, 0)?).ok().filter(|len| *len >= HEAD)?;
        let message = bytes.get(..len)?;
        bytes = bytes.get(aligned(len)..).unwrap_or_default();
        let (kind, flags, seq) = (u16_at(message, 4)?, u16_at(message, 6)?, u32_at(message, 8)?);
        let body = message.get(HEAD..)?;
        let read = match kind {
            NLMSG_ERROR => u32_at(body, 0).map(|code| Message::Error(code.cast_signed().checked_neg().unwrap_or(i32::MAX))),
            NLMSG_DONE => Some(Message::Done),
            RTM_NEWROUTE => route(flags & NLM_F_MULTI != 0, body).map(Message::Route),
            _ => None,
        };
        Some((seq, read.unwrap_or(Message::Other)))
    })
}

fn route(multi: bool, body: &[u8]) -> Option<RouteMessage<'_>> {
    let head = body.get(..RTMSG)?;
    let kind = match head[7] {
        RTN_UNICAST => Kind::Unicast,
        RTN_LOCAL => Kind::Local,
        RTN_BLACKHOLE..=RTN_PROHIBIT => Kind::Nowhere,
        _ => Kind::Other,
    };
    let mut out = RouteMessage { multi, kind, device: 0, gateway: None, prefix_len: head[1], table: u32::from(head[4]), next_hops: &[] };
    for (attribute, value) in attributes(body.get(RTMSG..)?) {
        match attribute {
            RTA_OIF => out.device = u32_at(value, 0)?,
            RTA_GATEWAY => out.gateway = address(value),
            RTA_TABLE => out.table = u32_at(value, 0)?,
            RTA_MULTIPATH => out.next_hops = value,
            _ => {}
        }
    }
    Some(out)
}

impl RouteMessage<'_> {
    /// Indices of the devices, when this is a default route of the main table.
    pub(super) fn default_devices(&self) -> Vec<u32> {
        if self.prefix_len != 0 || self.table != RT_TABLE_MAIN || self.kind != Kind::Unicast {
            return Vec::new();
        }
        let single = (self.device != 0).then_some(self.device);
        single.into_iter().chain(next_hop_devices(self.next_hops)).collect()
    }
}

fn next_hop_devices(mut bytes: &[u8]) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(bytes, 0)?);
        if len < NEXTHOP {
            return None;
        }
        let device = u32_at(bytes, 4)?;
        bytes = bytes.get(aligned(len)..).unwrap_or_default();
        Some(device)
    })
}

fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(bytes, 0)?);
        let value = bytes.get(ATTR..len)?;
        let kind = u16_at(bytes, 2)? & RTA_TYPE_MASK;
        bytes = bytes.get(aligned(len)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn address(value: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(value).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok()
}

/// Messages, attributes and next hops start at multiples of four.
const fn aligned(len: usize) -> usize {
    (len + 3) & !3
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A route message as the kernel would send it.
    fn new_route(seq: u32, kind: u8, prefix_len: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = request(seq, NLM_F_MULTI, INET, prefix_len, 0);
        out[4..6].copy_from_slice(&RTM_NEWROUTE.to_ne_bytes());
        out[HEAD + 4] = 254;
        out[HEAD + 7] = kind;
        for (attribute, value) in attributes {
            out.extend(u16::try_from(ATTR + value.len()).unwrap().to_ne_bytes());
            out.extend(attribute.to_ne_bytes());
            out.extend(*value);
            out.resize(aligned(out.len()), 0);
        }
        finish(out)
    }

    fn routes(bytes: &[u8]) -> Vec<RouteMessage<'_>> {
        messages(bytes)
            .filter_map(|(_, m)| match m {
                Message::Route(r) => Some(r),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn reads_device_gateway_and_several_next_hops() {
        let single = new_route(7, RTN_UNICAST, 0, &[(RTA_OIF, &3u32.to_ne_bytes()), (RTA_GATEWAY, &[192, 0, 2, 1])]);
        let mut hops = Vec::new();
        for device in [4u32, 5] {
            hops.extend(8u16.to_ne_bytes());
            hops.extend([0, 0]);
            hops.extend(device.to_ne_bytes());
        }
        let several = new_route(7, RTN_UNICAST, 0, &[(RTA_MULTIPATH, &hops)]);
        let on_link = new_route(7, RTN_UNICAST, 24, &[(RTA_OIF, &6u32.to_ne_bytes())]);
        let other_table = new_route(7, RTN_UNICAST, 0, &[(RTA_OIF, &9u32.to_ne_bytes()), (RTA_TABLE, &100u32.to_ne_bytes())]);
        let bytes = [single, several, on_link, other_table].concat();
        let found = routes(&bytes);
        assert_eq!(found[0].gateway, Some("192.0.2.1".parse().unwrap()));
        let devices: Vec<_> = found.iter().map(RouteMessage::default_devices).collect();
        assert_eq!(devices, [vec![3], vec![4, 5], vec![], vec![]]);
    }

    #[test]
    fn an_unreachable_default_route_has_no_devices() {
        let bytes = new_route(1, 7, 0, &[(RTA_OIF, &1u32.to_ne_bytes())]);
        let found = routes(&bytes);
        assert_eq!(found[0].kind, Kind::Nowhere);
        assert!(found[0].default_devices().is_empty());
    }

    #[test]
    fn an_error_carries_its_errno() {
        let mut bytes = request(3, 0, 0, 0, 0);
        bytes[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        bytes[HEAD..HEAD + 4].copy_from_slice(&(-101i32).to_ne_bytes());
        let bytes = finish(bytes);
        assert!(matches!(messages(&bytes).next(), Some((3, Message::Error(101)))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            for route in routes(&bytes) {
                route.default_devices();
            }
        }

        /// Any change of one byte of a real message neither panics nor loops.
        #[test]
        fn a_damaged_message_is_read_without_a_panic(at in 0usize..80, to in any::<u8>()) {
            let mut bytes = new_route(7, RTN_UNICAST, 0, &[(RTA_OIF, &3u32.to_ne_bytes()), (RTA_MULTIPATH, &[8, 0, 0, 0, 4, 0, 0, 0])]);
            bytes.extend(bytes.clone());
            let at = at % bytes.len();
            bytes[at] = to;
            for route in routes(&bytes) {
                route.default_devices();
            }
        }
    }
}
