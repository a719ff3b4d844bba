//! TLS as a server, and what a finished handshake tells.

use std::io;
use std::sync::Arc;

use futures_rustls::TlsAcceptor;
use rustls::server::NoServerSessionStorage;
use rustls::{CommonState, ProtocolVersion, ServerConfig};

use super::ciphers::{chacha_first, provider};
use crate::core::Mono;
use crate::identity::certificate::Certificate;

/// Accepts TLS 1.2 and 1.3 under `cert`, with the protocols of `alpn` (empty = whatever), without client certificates.
///
/// Sessions are resumed by tickets only: a cache would hold memory for buyers that never come back.
pub fn acceptor(cert: &Certificate, alpn: &[&[u8]]) -> Result<TlsAcceptor, rustls::Error> {
    Ok(TlsAcceptor::from(Arc::new(server_config(cert, alpn)?)))
}

/// The configuration behind [`acceptor`], for servers that run rustls themselves.
pub fn server_config(cert: &Certificate, alpn: &[&[u8]]) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(cert.chain.clone(), cert.key.clone_key())?;
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = rustls::crypto::ring::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    config.ignore_client_order = chacha_first();
    Ok(config)
}

/// What a finished handshake tells, per session in the status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handshake {
    /// `TLSv1.3`, `TLSv1.2`.
    pub version: &'static str,
    /// The protocol agreed on, e.g. `http/1.1`.
    pub alpn: Option<String>,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

impl Handshake {
    /// Of a finished server or client connection; the handshake lasted from `started` to `finished`.
    pub fn of(connection: &CommonState, started: Mono, finished: Mono) -> Handshake {
        Handshake {
            version: version_text(connection.protocol_version()),
            alpn: connection.alpn_protocol().map(|p| String::from_utf8_lossy(p).into_owned()),
            millis: u64::try_from(finished.since(started).as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// `version` as openssl and curl write it.
pub fn version_text(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "unknown",
    }
}

/// Accepts one TLS connection and tells what the handshake was.
pub async fn accept<S>(acceptor: &TlsAcceptor, stream: S, clock: &crate::core::Clock) -> io::Result<(futures_rustls::server::TlsStream<S>, Handshake)>
where
    S: smol::io::AsyncRead + smol::io::AsyncWrite + Unpin,
{
    let started = clock.now();
    let stream = acceptor.accept(stream).await?;
    let facts = Handshake::of(stream.get_ref().1, started, clock.now());
    Ok((stream, facts))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

    use super::*;
    use crate::identity::certificate::{ListenerKey, self_signed, spki_of};
    use crate::net::shake::shake;

    fn client(cert: &Certificate, version: &'static rustls::SupportedProtocolVersion, alpn: &[&[u8]]) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(cert.chain[0].clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
        ClientConnection::new(Arc::new(config), ServerName::try_from("node.example").unwrap()).unwrap()
    }

    #[test]
    fn both_versions_shake_hands_and_the_facts_are_told() {
        let cert = self_signed(&ListenerKey::generate().unwrap(), "node", &["node.example".into()]).unwrap();
        let config = Arc::new(server_config(&cert, &[b"http/1.1"]).unwrap());
        for (version, text) in [(&rustls::version::TLS13, "TLSv1.3"), (&rustls::version::TLS12, "TLSv1.2")] {
            let mut client = client(&cert, version, &[b"h2", b"http/1.1"]);
            let mut server = ServerConnection::new(config.clone()).unwrap();
            shake(&mut client, &mut server).unwrap();
            let expected = Handshake { version: text, alpn: Some("http/1.1".into()), millis: 12 };
            assert_eq!(Handshake::of(&server, Mono(30), Mono(42)), expected);
            assert_eq!(Handshake::of(&client, Mono(30), Mono(42)), expected);
            assert_eq!(spki_of(&client.peer_certificates().unwrap()[0]), Some(cert.spki));
        }
    }

    #[test]
    fn no_common_protocol_fails_the_handshake() {
        let cert = self_signed(&ListenerKey::generate().unwrap(), "node", &["node.example".into()]).unwrap();
        let mut client = client(&cert, &rustls::version::TLS13, &[b"h2"]);
        let mut server = ServerConnection::new(Arc::new(server_config(&cert, &[b"http/1.1"]).unwrap())).unwrap();
        assert!(matches!(shake(&mut client, &mut server), Err(rustls::Error::NoApplicationProtocol)));
    }
}
