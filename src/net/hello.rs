//! The first bytes of TLS, looked at in passing: ClientHello, the version of a ServerHello, and a fatal alert.

mod records;
mod server;

use records::{Handshake, Reassembly};
pub use server::{ServerHello, server_hello};

/// Bytes of a ClientHello message (contracts).
pub const MAX_HELLO: usize = 16 * 1024;
/// Bytes of the records that bring one, in the worst of segmentations: a record of one byte takes six. The caller's
/// buffer grows with what comes; real hellos take 0.5 to 2 KiB.
pub const MAX_RECORDS: usize = 6 * MAX_HELLO;
/// Extensions looked at; real hellos have some 15 to 20.
const MAX_EXTENSIONS: usize = 128;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

/// What the bytes so far are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hello {
    /// More must come.
    Incomplete,
    /// Not TLS, not a ClientHello, a broken one, or one over [`MAX_HELLO`].
    NotTls,
    /// A whole ClientHello.
    Hello(ClientHello),
}

/// What a policy asks of a ClientHello (RFC 8446, 4.1.2).
#[derive(Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// The server's name as sent (RFC 6066, 3): not normalised, at most 255 bytes of printable ASCII.
    pub sni: Option<String>,
    /// The offered protocols in order (RFC 7301), GREASE among them; empty where none are.
    pub alpn: Vec<Vec<u8>>,
    /// An Encrypted ClientHello of type outer: `sni` is then the public name, and the true one may be another.
    /// Browsers send one of random content where they know no key (GREASE).
    pub ech: bool,
    /// The old version field: 0x0303 with TLS 1.2 and 1.3.
    pub legacy_version: u16,
    /// The newest version offered: 0x0304 = TLS 1.3.
    pub max_version: u16,
    /// Bytes of the input that the hello's records take.
    pub used: usize,
}

impl std::fmt::Debug for ClientHello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ClientHello { sni, alpn, ech, max_version, used, .. } = self;
        let sni = if sni.is_some() { "[scrubbed]" } else { "none" };
        write!(f, "ClientHello {{ sni: {sni}, alpn: {}, ech: {ech}, max_version: {max_version:#06x}, used: {used} }}", alpn.len())
    }
}

/// A look at one stream's first bytes that goes on where it stopped, so that a hello in the smallest of pieces costs
/// no more than a whole one.
#[derive(Clone, Debug)]
pub struct Peek(Reassembly);

impl Default for Peek {
    fn default() -> Peek {
        Peek(Reassembly::new(MAX_HELLO))
    }
}

impl Peek {
    /// Judges the stream by `bytes`: all that came since its start, those of earlier calls included.
    pub fn look(&mut self, bytes: &[u8]) -> Hello {
        match self.0.advance(bytes) {
            Handshake::Incomplete if bytes.len() >= MAX_RECORDS => Hello::NotTls,
            Handshake::Incomplete => Hello::Incomplete,
            Handshake::Broken => Hello::NotTls,
            Handshake::Message { kind: 1, body, used, alone: true } => match client_hello(body, used) {
                Some(hello) => Hello::Hello(hello),
                None => Hello::NotTls,
            },
            Handshake::Message { .. } => Hello::NotTls,
        }
    }
}

/// Judges the first bytes of a stream.
pub fn parse(bytes: &[u8]) -> Hello {
    Peek::default().look(bytes)
}

/// Whether an ALPN id is one of the sixteen reserved to grease the joints (RFC 8701): `0A 0A`, `1A 1A`, ….
pub fn is_grease_alpn(id: &[u8]) -> bool {
    matches!(id, [a, b] if a == b && a & 0x0f == 0x0a)
}

/// A record with the fatal alert `description` (RFC 8446, 6).
pub const fn alert(description: u8) -> [u8; 7] {
    [21, 3, 3, 0, 2, 2, description]
}

/// The rest of a message, taken from its front; `None` where it is too short.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|b| u16::from_be_bytes([b[0], b[1]]))
    }

    /// A vector whose length takes one byte.
    fn short(&mut self) -> Option<Reader<'a>> {
        let n = self.u8()?;
        self.take(n.into()).map(Reader)
    }

    /// A vector whose length takes two bytes.
    fn long(&mut self) -> Option<Reader<'a>> {
        let n = self.u16()?;
        self.take(n.into()).map(Reader)
    }

    fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

fn client_hello(body: &[u8], used: usize) -> Option<ClientHello> {
    let mut message = Reader(body);
    let legacy_version = message.u16().filter(|version| version >> 8 == 3)?;
    message.take(32)?;
    message.short().filter(|session| session.0.len() <= 32)?;
    message.long().filter(|suites| !suites.0.is_empty() && suites.0.len() % 2 == 0)?;
    message.short().filter(|compression| !compression.0.is_empty())?;
    let mut hello = ClientHello { sni: None, alpn: Vec::new(), ech: false, legacy_version, max_version: legacy_version, used };
    for (kind, content) in extensions(message)? {
        match kind {
            SERVER_NAME => hello.sni = Some(server_name(content)?),
            ALPN => hello.alpn = protocols(content)?,
            SUPPORTED_VERSIONS => hello.max_version = newest(content)?.unwrap_or(legacy_version),
            ENCRYPTED_CLIENT_HELLO => hello.ech = content.0.first()? == &0,
            _ => {}
        }
    }
    Some(hello)
}

/// The extensions that end a hello, or none at all; `None` where one is there twice.
fn extensions(mut message: Reader<'_>) -> Option<Vec<(u16, Reader<'_>)>> {
    let mut found = Vec::new();
    if message.0.is_empty() {
        return Some(found);
    }
    let mut list = message.long()?;
    message.end()?;
    while !list.0.is_empty() {
        let (kind, content) = (list.u16()?, list.long()?);
        if found.len() == MAX_EXTENSIONS || found.iter().any(|(other, _)| *other == kind) {
            return None;
        }
        found.push((kind, content));
    }
    Some(found)
}

fn server_name(mut content: Reader<'_>) -> Option<String> {
    let mut list = content.long()?;
    content.end()?;
    // A list of one entry of type host_name: all there ever was.
    let kind = list.u8()?;
    let name = list.long()?;
    list.end()?;
    let fits = kind == 0 && (1..=255).contains(&name.0.len()) && name.0.iter().all(u8::is_ascii_graphic);
    fits.then(|| String::from_utf8(name.0.to_vec()).ok()).flatten()
}

fn protocols(mut content: Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let mut list = content.long()?;
    content.end()?;
    let mut found = Vec::new();
    while !list.0.is_empty() {
        found.push(list.short().filter(|id| !id.0.is_empty())?.0.to_vec());
    }
    (!found.is_empty()).then_some(found)
}

/// The newest known version of a list; the rest is GREASE or drafts.
fn newest(mut content: Reader<'_>) -> Option<Option<u16>> {
    let mut list = content.short().filter(|list| !list.0.is_empty())?;
    content.end()?;
    let mut newest = None;
    while !list.0.is_empty() {
        newest = newest.max(Some(list.u16()?).filter(|version| (0x0300..=0x0304).contains(version)));
    }
    Some(newest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHROMIUM: &[u8] = include_bytes!("../../tests/vectors/hello/chromium.bin");
    const CURL: &[u8] = include_bytes!("../../tests/vectors/hello/curl.bin");
    const CURL_HTTP1: &[u8] = include_bytes!("../../tests/vectors/hello/curl-http1.bin");
    const CURL_NO_ALPN: &[u8] = include_bytes!("../../tests/vectors/hello/curl-no-alpn.bin");
    const OPENSSL_ALPN: &[u8] = include_bytes!("../../tests/vectors/hello/openssl-alpn.bin");
    const OPENSSL_NO_SNI: &[u8] = include_bytes!("../../tests/vectors/hello/openssl-no-sni.bin");
    const OPENSSL_TLS12: &[u8] = include_bytes!("../../tests/vectors/hello/openssl-tls12.bin");
    const SERVER_TLS12: &[u8] = include_bytes!("../../tests/vectors/hello/server-tls12.bin");
    const SERVER_TLS13: &[u8] = include_bytes!("../../tests/vectors/hello/server-tls13.bin");

    const ALL: [&[u8]; 7] = [CHROMIUM, CURL, CURL_HTTP1, CURL_NO_ALPN, OPENSSL_ALPN, OPENSSL_NO_SNI, OPENSSL_TLS12];

    fn hello(bytes: &[u8]) -> ClientHello {
        match parse(bytes) {
            Hello::Hello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    /// The message of `records` in records of `size` bytes.
    fn split(records: &[u8], size: usize) -> Vec<u8> {
        let header = |n: usize| [&[22, 3, 1][..], &u16::try_from(n).unwrap().to_be_bytes()].concat();
        records[5..].chunks(size).flat_map(|piece| [&header(piece.len()), piece].concat()).collect()
    }

    /// A hello with the given extensions, in one record.
    fn with_extensions(extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut list = Vec::new();
        for (kind, content) in extensions {
            list.extend_from_slice(&kind.to_be_bytes());
            list.extend_from_slice(&u16::try_from(content.len()).unwrap().to_be_bytes());
            list.extend_from_slice(content);
        }
        let mut body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0]].concat();
        body.extend_from_slice(&u16::try_from(list.len()).unwrap().to_be_bytes());
        body.extend_from_slice(&list);
        record(&message(&body))
    }

    fn message(body: &[u8]) -> Vec<u8> {
        [&[1][..], &u32::try_from(body.len()).unwrap().to_be_bytes()[1..], body].concat()
    }

    fn record(content: &[u8]) -> Vec<u8> {
        [&[22, 3, 1][..], &u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
    }

    #[test]
    fn reads_captures_of_real_clients() {
        let h2_and_1: Vec<Vec<u8>> = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = Some("example.test".to_owned());
        for (bytes, sni, alpn, ech, max_version) in [
            (CHROMIUM, &name, h2_and_1.clone(), true, 0x0304),
            (CURL, &name, h2_and_1.clone(), false, 0x0304),
            (CURL_HTTP1, &name, vec![b"http/1.1".to_vec()], false, 0x0304),
            (CURL_NO_ALPN, &name, vec![], false, 0x0304),
            (OPENSSL_ALPN, &name, h2_and_1, false, 0x0304),
            (OPENSSL_NO_SNI, &None, vec![], false, 0x0304),
            (OPENSSL_TLS12, &name, vec![], false, 0x0303),
        ] {
            let want = ClientHello { sni: sni.clone(), alpn, ech, legacy_version: 0x0303, max_version, used: bytes.len() };
            assert!(hello(bytes) == want, "{want:?}");
        }
    }

    #[test]
    fn every_prefix_is_incomplete_and_what_follows_is_left_alone() {
        for bytes in ALL {
            for n in 0..bytes.len() {
                assert_eq!(parse(&bytes[..n]), Hello::Incomplete, "{n} bytes");
            }
            let longer = [bytes, &[20, 3, 3, 0, 1, 1]].concat();
            assert_eq!(hello(&longer).used, bytes.len());
        }
    }

    #[test]
    fn byte_by_byte_in_records_of_one_byte() {
        for bytes in ALL {
            let smallest = split(bytes, 1);
            let mut peek = Peek::default();
            for n in 0..smallest.len() {
                assert_eq!(peek.look(&smallest[..n]), Hello::Incomplete, "{n} bytes");
            }
            let want = Hello::Hello(ClientHello { used: smallest.len(), ..hello(bytes) });
            assert!(peek.look(&smallest) == want && parse(&smallest) == want);
        }
    }

    #[test]
    fn the_largest_hello_fits_in_any_segmentation_and_one_byte_more_does_not() {
        let bare = with_extensions(&[(21, &[])]).len() - 5;
        let largest = with_extensions(&[(21, &vec![0; MAX_HELLO - bare])]);
        assert_eq!(largest.len() - 5, MAX_HELLO);
        let smallest = split(&largest, 1);
        assert_eq!(smallest.len(), MAX_RECORDS);
        assert_eq!(hello(&smallest).used, MAX_RECORDS);
        let over = [&[22, 3, 1, 0, 4, 1][..], &u32::try_from(MAX_HELLO - 3).unwrap().to_be_bytes()[1..]].concat();
        assert_eq!(parse(&over), Hello::NotTls, "told by the length, before the rest comes");
    }

    #[test]
    fn what_is_no_client_hello() {
        let body = &CURL[9..];
        for (what, bytes) in [
            ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
            ("one byte of HTTP", b"G".to_vec()),
            ("SSL 2", vec![0x80, 0x2e, 1, 3, 1]),
            ("another major version", vec![22, 2]),
            ("an empty record", vec![22, 3, 1, 0, 0]),
            ("a record over 2^14", vec![22, 3, 1, 0x40, 1]),
            ("an alert", vec![21, 3, 3, 0, 2, 2, 40]),
            ("another handshake message", SERVER_TLS13.to_vec()),
            ("a second message in the record", record(&[&CURL[5..], &[11, 0, 0, 0]].concat())),
            ("application data in between", [&split(CURL, 100)[..105], &[23, 3, 3, 0, 1, 0]].concat()),
            ("a byte behind the extensions", record(&message(&[body, &[0]].concat()))),
            ("a byte too few", record(&message(&body[..body.len() - 1]))),
            ("an extension twice", with_extensions(&[(0x0a0a, &[]), (0x0a0a, &[])])),
            ("two names", with_extensions(&[(0, &[0, 8, 0, 0, 1, b'a', 0, 0, 1, b'b'])])),
            ("an empty name", with_extensions(&[(0, &[0, 3, 0, 0, 0])])),
            ("a name with NUL", with_extensions(&[(0, &[0, 6, 0, 0, 3, b'a', 0, b'b'])])),
            ("a name of another type", with_extensions(&[(0, &[0, 4, 1, 0, 1, b'a'])])),
            ("a name list with a wrong length", with_extensions(&[(0, &[0, 5, 0, 0, 1, b'a'])])),
            ("an empty ALPN", with_extensions(&[(16, &[0, 0])])),
            ("an empty ALPN id", with_extensions(&[(16, &[0, 1, 0])])),
            ("junk behind ALPN", with_extensions(&[(16, &[0, 3, 2, b'h', b'2', 0])])),
            ("half a version", with_extensions(&[(43, &[3, 3, 4, 3])])),
            ("an empty ECH", with_extensions(&[(ENCRYPTED_CLIENT_HELLO, &[])])),
        ] {
            assert_eq!(parse(&bytes), Hello::NotTls, "{what}");
        }
    }

    #[test]
    fn reads_what_is_rare_but_right() {
        assert!(!hello(&with_extensions(&[(ENCRYPTED_CLIENT_HELLO, &[1])])).ech, "type inner hides nothing");
        assert!(hello(&with_extensions(&[(ENCRYPTED_CLIENT_HELLO, &[0, 1, 2])])).ech);
        assert_eq!(hello(&with_extensions(&[(43, &[6, 0x7a, 0x7a, 3, 4, 3, 3])])).max_version, 0x0304);
        assert_eq!(hello(&with_extensions(&[(43, &[2, 0x7a, 0x7a])])).max_version, 0x0303);
        let greased = hello(&with_extensions(&[(16, &[0, 6, 2, 0x5a, 0x5a, 2, b'h', b'2'])])).alpn;
        assert_eq!(greased.iter().map(|id| is_grease_alpn(id)).collect::<Vec<_>>(), [true, false]);
        // No extensions at all, as SSL 3 and early TLS 1.0 clients send.
        let bare = record(&message(&[&[3, 1][..], &[7; 32], &[0, 0, 2, 0, 47, 1, 0]].concat()));
        assert_eq!((hello(&bare).sni, hello(&bare).max_version), (None, 0x0301));
    }

    #[test]
    fn grease_ids_are_exactly_sixteen() {
        let all = (0..=u16::MAX).filter(|id| is_grease_alpn(&id.to_be_bytes())).collect::<Vec<_>>();
        assert_eq!((all.len(), all[0], all[15]), (16, 0x0a0a, 0xfafa));
        assert!(!is_grease_alpn(b"h2") && !is_grease_alpn(&[0x0a]) && !is_grease_alpn(&[0x0a; 3]));
    }

    #[test]
    fn reads_the_servers_version() {
        assert_eq!(server_hello(SERVER_TLS13), ServerHello::Version(0x0304));
        assert_eq!(server_hello(SERVER_TLS12), ServerHello::Version(0x0303));
        // TLS 1.2 servers may put the next message into the same record.
        assert_eq!(server_hello(&record(&[&SERVER_TLS12[5..], &[11, 0, 0, 9]].concat())), ServerHello::Version(0x0303));
        let known: Vec<ServerHello> = (0..SERVER_TLS13.len()).map(|n| server_hello(&SERVER_TLS13[..n])).collect();
        let told = known.iter().position(|hello| *hello != ServerHello::Incomplete).unwrap();
        assert!(told > 80 && known[told..].iter().all(|hello| *hello == ServerHello::Version(0x0304)), "from the extension on");
        for n in 0..SERVER_TLS12.len() {
            assert_eq!(server_hello(&SERVER_TLS12[..n]), ServerHello::Incomplete, "{n} bytes: the extension may still come");
        }
        assert_eq!(server_hello(&split(SERVER_TLS13, 1)), ServerHello::Version(0x0304));
        for other in [&alert(40)[..], CURL, b"HTTP/1.1 400", &[22, 3, 3, 0, 4, 2, 1, 0, 0]] {
            assert_eq!(server_hello(other), ServerHello::Other);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse(&bytes), server_hello(&bytes), parse(&record(&message(&bytes))));
        }

        #[test]
        fn a_damaged_hello_is_judged(which in 0..ALL.len(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut bytes = ALL[which].to_vec();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Hello::Hello(hello) = parse(&bytes) {
                prop_assert_eq!(hello.used, bytes.len());
            }
        }

        #[test]
        fn segmentation_changes_nothing(which in 0..ALL.len(), size in 1usize..600, step in 1usize..600) {
            let records = split(ALL[which], size);
            let mut peek = Peek::default();
            for n in (0..records.len()).step_by(step) {
                prop_assert_eq!(peek.look(&records[..n]), Hello::Incomplete);
            }
            let want = ClientHello { used: records.len(), ..hello(ALL[which]) };
            prop_assert_eq!(peek.look(&records), Hello::Hello(want));
        }
    }
}
