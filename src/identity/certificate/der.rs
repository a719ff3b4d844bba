//! The one form of certificate we make, as DER (RFC 5280): version 3, self-signed, a common name, alternative names. A library for any
//! form of certificate is 60 kB on a router.

use std::net::IpAddr;

use super::{CertificateError, Leaf};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// [0] and [3] of the certificate, explicit.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// [2] and [7] of a general name, implicit.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// Object identifiers, whole.
const COMMON_NAME: [u8; 5] = [0x06, 3, 0x55, 4, 3];
const ALTERNATIVE_NAME: [u8; 5] = [0x06, 3, 0x55, 0x1d, 17];
/// Extensions of a server, whole: key usage (critical) = digitalSignature, extended key usage = serverAuth.
const KEY_USAGE: [u8; 16] = [SEQUENCE, 14, 0x06, 3, 0x55, 0x1d, 15, 0x01, 1, 0xff, OCTET_STRING, 4, BIT_STRING, 2, 7, 0x80];
const SERVER_USAGE: [u8; 21] = [SEQUENCE, 19, 0x06, 3, 0x55, 0x1d, 37, OCTET_STRING, 12, SEQUENCE, 10, 0x06, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
/// Valid from 2020 to 2049, because routers' clocks lie; 2049 is the last year every date form agrees on (RFC 5280, 4.1.2.5).
const FROM: &[u8] = b"200101000000Z";
const TO: &[u8] = b"491231000000Z";
/// Bytes of the serial number: a positive integer in its shortest form.
const SERIAL: usize = 16;

/// What is to be signed of a certificate for `names` (DNS names or IP addresses).
pub(super) fn to_be_signed(leaf: &Leaf<'_>, common_name: &str, names: &[String]) -> Result<Vec<u8>, CertificateError> {
    let mut serial = [0; SERIAL];
    serial.copy_from_slice(&blake3::hash(leaf.spki).as_bytes()[..SERIAL]);
    serial[0] = serial[0] & 0x3f | 0x40;
    let name = part(SEQUENCE, &[&part(SET, &[&part(SEQUENCE, &[&COMMON_NAME, &part(UTF8_STRING, &[common_name.as_bytes()])])])]);
    let validity = part(SEQUENCE, &[&part(UTC_TIME, &[FROM]), &part(UTC_TIME, &[TO])]);
    let mut extensions = Vec::new();
    if !names.is_empty() {
        let mut listed = Vec::new();
        for name in names {
            listed.extend(alternative(name)?);
        }
        extensions.extend(part(SEQUENCE, &[&ALTERNATIVE_NAME, &part(OCTET_STRING, &[&part(SEQUENCE, &[&listed])])]));
    }
    if leaf.server_only {
        extensions.extend_from_slice(&KEY_USAGE);
        extensions.extend_from_slice(&SERVER_USAGE);
    }
    let extensions = if extensions.is_empty() { extensions } else { part(EXTENSIONS, &[&part(SEQUENCE, &[&extensions])]) };
    let version = part(VERSION, &[&part(INTEGER, &[&[2]])]);
    Ok(part(SEQUENCE, &[&version, &part(INTEGER, &[&serial]), leaf.algorithm, &name, &validity, &name, leaf.spki, &extensions]))
}

/// The certificate.
pub(super) fn signed(leaf: &Leaf<'_>, to_be_signed: &[u8], signature: &[u8]) -> Vec<u8> {
    part(SEQUENCE, &[to_be_signed, leaf.algorithm, &part(BIT_STRING, &[&[0], signature])])
}

fn alternative(name: &str) -> Result<Vec<u8>, CertificateError> {
    match name.parse() {
        Ok(IpAddr::V4(v4)) => Ok(part(IP_ADDRESS, &[&v4.octets()])),
        Ok(IpAddr::V6(v6)) => Ok(part(IP_ADDRESS, &[&v6.octets()])),
        Err(_) if name.is_ascii() => Ok(part(DNS_NAME, &[name.as_bytes()])),
        Err(_) => Err(CertificateError::Name(name.to_owned())),
    }
}

/// `tag`, the length of all `contents`, and these.
fn part(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|content| content.len()).sum();
    let bytes = length.to_be_bytes();
    let lead = bytes.iter().take_while(|&&b| b == 0).count();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    match u8::try_from(length) {
        Ok(short @ ..0x80) => out.push(short),
        _ => {
            out.push(0x80 | (bytes.len() - lead) as u8);
            out.extend_from_slice(&bytes[lead..]);
        }
    }
    contents.iter().for_each(|content| out.extend_from_slice(content));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_in_their_shortest_form() {
        for (length, head) in [(0, &[4, 0][..]), (127, &[4, 127]), (128, &[4, 0x81, 128]), (255, &[4, 0x81, 255]), (256, &[4, 0x82, 1, 0])] {
            let made = part(OCTET_STRING, &[&vec![7; length]]);
            assert_eq!(&made[..head.len()], head);
            assert_eq!(made.len(), head.len() + length);
        }
    }
}
