//! The PROXY protocol, version 2 (HAProxy's proxy-protocol.txt): with it a gateway says whose connection a stream carries.
//!
//! Read is what a gateway of this project sends: TCP over IPv4 or IPv6, and LOCAL, which means the gateway itself.

use std::io;
use std::net::{IpAddr, SocketAddr};

use smol::io::{AsyncRead, AsyncReadExt as _};

/// Every header begins with this.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED: usize = 16;
/// The most that may follow: the addresses of IPv6 (36 bytes) and some additions, which are passed over. Held while it is read.
pub const REST_MOST: usize = 216;

const VERSION_LOCAL: u8 = 0x20;
const VERSION_PROXY: u8 = 0x21;
const TCP_V4: u8 = 0x11;
const TCP_V6: u8 = 0x21;
const V4_BYTES: usize = 12;
const V6_BYTES: usize = 36;

/// Whose connection it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Header {
    /// The gateway's own.
    Local,
    /// Somebody's.
    Proxied {
        /// Where it comes from.
        source: SocketAddr,
        /// What it came to: the gateway's own address.
        destination: SocketAddr,
    },
}

/// Why there is no header: not of version 2, longer than [`REST_MOST`], or of a kind that is not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

impl Header {
    /// As it travels. Addresses of two families are both written as IPv6.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = SIGNATURE.to_vec();
        match self {
            Header::Local => out.extend([VERSION_LOCAL, 0, 0, 0]),
            Header::Proxied { source, destination } => {
                match (source.ip().to_canonical(), destination.ip().to_canonical()) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => {
                        out.extend([VERSION_PROXY, TCP_V4, 0, 12]);
                        out.extend(from.octets().into_iter().chain(to.octets()));
                    }
                    (from, to) => {
                        let six = |ip: IpAddr| match ip {
                            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                            IpAddr::V6(v6) => v6.octets(),
                        };
                        out.extend([VERSION_PROXY, TCP_V6, 0, 36]);
                        out.extend(six(from).into_iter().chain(six(to)));
                    }
                }
                out.extend(source.port().to_be_bytes().into_iter().chain(destination.port().to_be_bytes()));
            }
        }
        out
    }

    /// The header at the start of `bytes` and its length; `None` = more bytes are needed.
    ///
    /// # Errors
    /// The bytes are no such header.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
        let known = bytes.len().min(SIGNATURE.len());
        if bytes[..known] != SIGNATURE[..known] {
            return Err(Malformed);
        }
        let Some(&[version, family, l0, l1]) = bytes.get(SIGNATURE.len()..FIXED) else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length > REST_MOST {
            return Err(Malformed);
        }
        let Some(rest) = bytes.get(FIXED..FIXED + length) else { return Ok(None) };
        let header = match (version, family) {
            (VERSION_LOCAL, _) => Header::Local,
            (VERSION_PROXY, TCP_V4) => proxied::<4>(rest.get(..V4_BYTES).ok_or(Malformed)?),
            (VERSION_PROXY, TCP_V6) => proxied::<16>(rest.get(..V6_BYTES).ok_or(Malformed)?),
            _ => return Err(Malformed),
        };
        Ok(Some((header, FIXED + length)))
    }
}

/// Two addresses of `N` bytes and two ports.
fn proxied<const N: usize>(bytes: &[u8]) -> Header {
    let address = |at: usize| {
        let octets = bytes.get(at..at + N).unwrap_or_default();
        match (<[u8; 4]>::try_from(octets), <[u8; 16]>::try_from(octets)) {
            (Ok(v4), _) => IpAddr::from(v4),
            (_, Ok(v6)) => IpAddr::from(v6).to_canonical(),
            _ => IpAddr::from([0; 4]),
        }
    };
    let port = |at: usize| bytes.get(at..at + 2).and_then(|p| p.try_into().ok()).map_or(0, u16::from_be_bytes);
    Header::Proxied { source: SocketAddr::new(address(0), port(2 * N)), destination: SocketAddr::new(address(N), port(2 * N + 2)) }
}

/// Reads the header from a stream, and not a byte beyond it.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`]: it is none; else the stream's own.
pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Header> {
    let malformed = |_| io::Error::from(io::ErrorKind::InvalidData);
    let mut bytes = [0; FIXED + REST_MOST];
    from.read_exact(&mut bytes[..FIXED]).await?;
    if let Some((header, _)) = Header::parse(&bytes[..FIXED]).map_err(malformed)? {
        return Ok(header);
    }
    let all = FIXED + usize::from(u16::from_be_bytes([bytes[FIXED - 2], bytes[FIXED - 1]]));
    let rest = bytes.get_mut(FIXED..all).ok_or(Malformed).map_err(malformed)?;
    from.read_exact(rest).await?;
    let parsed = Header::parse(&bytes[..all]).map_err(malformed)?;
    parsed.map(|(header, _)| header).ok_or_else(|| malformed(Malformed))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let header = Header::Proxied { source: at("192.0.2.1:258"), destination: at("198.51.100.2:443") };
        let mut expected = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x11\x00\x0c".to_vec();
        expected.extend([192, 0, 2, 1, 198, 51, 100, 2, 1, 2, 1, 187]);
        assert_eq!(header.bytes(), expected);
        assert_eq!(Header::parse(&expected), Ok(Some((header, 28))));
        assert_eq!(Header::parse(&Header::Local.bytes()), Ok(Some((Header::Local, 16))));
    }

    #[test]
    fn a_mapped_source_is_the_ipv4_address_it_is() {
        let header = Header::Proxied { source: at("192.0.2.1:1"), destination: at("[2001:db8::1]:2") };
        assert_eq!(Header::parse(&header.bytes()).unwrap().unwrap().0, header);
    }

    #[test]
    fn additions_are_passed_over_and_what_follows_is_left() {
        let header = Header::Proxied { source: at("[2001:db8::1]:1"), destination: at("[2001:db8::2]:2") };
        let mut bytes = header.bytes();
        bytes[15] += 5;
        bytes.extend(b"\x04\x00\x02ab");
        bytes.extend(b"CONNECT");
        assert_eq!(Header::parse(&bytes), Ok(Some((header, bytes.len() - 7))));
        let mut rest = &bytes[..];
        assert_eq!(smol::block_on(read(&mut rest)).unwrap(), header);
        assert_eq!(rest, b"CONNECT");
    }

    #[test]
    fn what_is_no_such_header_is_refused() {
        let good = Header::Proxied { source: at("192.0.2.1:1"), destination: at("192.0.2.2:2") }.bytes();
        let spoilt = |at: usize, to: u8| {
            let mut bytes = good.clone();
            bytes[at] = to;
            bytes
        };
        for bytes in [b"PROXY TCP4".to_vec(), spoilt(0, 1), spoilt(12, 0x11), spoilt(12, 0x22), spoilt(13, 0x12), spoilt(13, 0x31), spoilt(14, 1)] {
            assert_eq!(Header::parse(&bytes), Err(Malformed), "{bytes:?}");
            assert!(smol::block_on(read(&mut &bytes[..])).is_err());
        }
        let short = spoilt(15, 11);
        assert_eq!(Header::parse(&short), Err(Malformed), "no room for the addresses");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn written_and_read_again(a in any::<[u8; 16]>(), b in any::<[u8; 16]>(), v4 in any::<bool>(), p in any::<u16>(), q in any::<u16>()) {
            let ip = |o: [u8; 16]| if v4 { IpAddr::from([o[0], o[1], o[2], o[3]]) } else { IpAddr::from(o).to_canonical() };
            let header = Header::Proxied { source: SocketAddr::new(ip(a), p), destination: SocketAddr::new(ip(b), q) };
            let bytes = header.bytes();
            prop_assert_eq!(Header::parse(&bytes), Ok(Some((header, bytes.len()))));
            for cut in 0..bytes.len() {
                prop_assert_eq!(Header::parse(&bytes[..cut]), Ok(None));
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(begin in 0usize..=16, tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = Header::Proxied { source: at("192.0.2.1:1"), destination: at("192.0.2.2:2") }.bytes();
            bytes.truncate(begin);
            bytes.extend(tail);
            let parsed = Header::parse(&bytes);
            let read = smol::block_on(read(&mut &bytes[..]));
            if let Ok(Some((header, _))) = parsed {
                prop_assert_eq!(read.unwrap(), header);
            } else {
                prop_assert!(read.is_err());
            }
        }
    }
}
