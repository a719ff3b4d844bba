//! ClientHellos by hand (RFC 8446, 4.1.2): what no well-behaved TLS library sends.

/// What a hand-made ClientHello says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hello<'a> {
    /// The server it names.
    pub sni: Option<&'a str>,
    /// Application protocols; empty = the extension is left out.
    pub alpn: &'a [&'a str],
    /// With an `encrypted_client_hello` extension of type outer.
    pub ech: bool,
}

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

impl Hello<'_> {
    /// As one TLS record.
    pub fn record(&self) -> Vec<u8> {
        let mut extensions = Vec::new();
        if let Some(name) = self.sni {
            // One entry of type host_name.
            let entry = [&[0][..], &long(name.as_bytes())].concat();
            extension(&mut extensions, SERVER_NAME, &long(&entry));
        }
        extension(&mut extensions, SUPPORTED_GROUPS, &long(&[0, 29]));
        extension(&mut extensions, SUPPORTED_VERSIONS, &short(&[3, 4]));
        if !self.alpn.is_empty() {
            let ids: Vec<u8> = self.alpn.iter().flat_map(|id| short(id.as_bytes())).collect();
            extension(&mut extensions, ALPN, &long(&ids));
        }
        if self.ech {
            // outer; HKDF-SHA256 with AES-128-GCM; config 7; an encapsulated key and a payload of any bytes.
            let outer = [&[0, 0, 1, 0, 1, 7][..], &long(&[0x42; 32]), &long(&[0x17; 96])].concat();
            extension(&mut extensions, ENCRYPTED_CLIENT_HELLO, &outer);
        }
        let mut body = vec![3, 3];
        body.extend([0x5a; 32]);
        body.extend(short(&[]));
        body.extend(long(&[0x13, 0x01]));
        body.extend(short(&[0]));
        body.extend(long(&extensions));
        let length = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
        let message = [&[1], &length[1..], &body].concat();
        [&[22, 3, 1][..], &long(&message)].concat()
    }
}

/// With a length of two bytes before it.
fn long(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes()[..], bytes].concat()
}

/// With a length of one byte before it.
fn short(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap_or(0)][..], bytes].concat()
}

fn extension(to: &mut Vec<u8>, kind: u16, body: &[u8]) {
    to.extend(kind.to_be_bytes());
    to.extend(long(body));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::hello::{self, Hello as Read};

    #[test]
    fn the_nodes_own_parser_reads_them() {
        let made = Hello { sni: Some("a.test"), alpn: &["h2", "http/1.1"], ech: true }.record();
        let Read::Hello(read) = hello::parse(&made) else { panic!("not read") };
        assert_eq!((read.sni.as_deref(), read.ech), (Some("a.test"), true));
        assert_eq!(read.alpn, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        let Read::Hello(read) = hello::parse(&Hello::default().record()) else { panic!("not read") };
        assert_eq!((read.sni, read.ech, read.alpn.len()), (None, false, 0));
    }
}
