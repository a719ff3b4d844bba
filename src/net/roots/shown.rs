//! A server that lets every client in that shows a certificate of its own Ed25519 key, and learns the key: who it is to
//! that server is decided after the handshake.

use std::sync::Arc;

use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};

use super::provider;
use crate::identity::certificate::{Certificate, ed25519_of};

/// A server's configuration: TLS 1.3 under `certificate`, protocols `alpn`, a client certificate of an Ed25519 key
/// demanded. Without resumption: each connection proves the key anew.
pub fn asking(certificate: &Certificate, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, Error> {
    let provider = provider();
    let verifier = Arc::new(Shown { algorithms: provider.signature_verification_algorithms });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificate.chain.clone(), certificate.key.clone_key())?;
    config.alpn_protocols = alpn.iter().map(|id| id.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct Shown {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Shown {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(&self, end_entity: &CertificateDer<'_>, _: &[CertificateDer<'_>], _: UnixTime) -> Result<ClientCertVerified, Error> {
        match ed25519_of(end_entity) {
            Some(_) => Ok(ClientCertVerified::assertion()),
            None => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn verify_tls12_signature(&self, message: &[u8], cert: &CertificateDer<'_>, dss: &DigitallySignedStruct) -> Result<HandshakeOk, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(&self, message: &[u8], cert: &CertificateDer<'_>, dss: &DigitallySignedStruct) -> Result<HandshakeOk, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

type HandshakeOk = rustls::client::danger::HandshakeSignatureValid;

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, ServerConnection};

    use super::super::{pinned, pinned_as};
    use super::*;
    use crate::core::Clock;
    use crate::identity::certificate::{ListenerKey, self_signed, self_signed_node};
    use crate::net::shake::shake;

    fn server() -> Certificate {
        self_signed(&ListenerKey::generate().unwrap(), "gateway", &["gateway.example".into()]).unwrap()
    }

    /// A handshake in memory: the key the server saw.
    fn seen(client: Arc<ClientConfig>, server: &Certificate) -> Result<Option<[u8; 32]>, Error> {
        let mut server = ServerConnection::new(asking(server, &[b"echomesh-gw/1"])?)?;
        let mut client = ClientConnection::new(client, ServerName::try_from("192.0.2.1").unwrap())?;
        shake(&mut client, &mut server)?;
        assert_eq!(client.alpn_protocol(), Some(&b"echomesh-gw/1"[..]));
        Ok(server.peer_certificates().and_then(|chain| ed25519_of(&chain[0])))
    }

    #[test]
    fn both_sides_know_each_other_by_their_keys() {
        let (clock, gateway, key) = (Clock::test(0), server(), SigningKey::from_bytes(&[7; 32]));
        let own = self_signed_node(&key, "node", &[]).unwrap();
        let config = pinned_as(gateway.spki, &own, &[b"echomesh-gw/1"], &clock).unwrap();
        assert_eq!(seen(config, &gateway), Ok(Some(key.verifying_key().to_bytes())));
        let elsewhere = pinned_as(server().spki, &own, &[b"echomesh-gw/1"], &clock).unwrap();
        assert_eq!(seen(elsewhere, &gateway), Err(CertificateError::ApplicationVerificationFailure.into()));
    }

    #[test]
    fn who_shows_nothing_or_another_kind_of_key_is_refused() {
        let (clock, gateway) = (Clock::test(0), server());
        assert!(seen(pinned(gateway.spki, &[b"echomesh-gw/1"], &clock).unwrap(), &gateway).is_err());
        let p256 = pinned_as(gateway.spki, &server(), &[b"echomesh-gw/1"], &clock).unwrap();
        assert!(seen(p256, &gateway).is_err());
    }
}
