//! Trust in one key, whoever signed for it: the other side proves that it holds the key whose hash was told beforehand.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, SignatureScheme};

use super::{NodeTime, RootsError, provider};
use crate::codec::Hash;
use crate::core::Clock;
use crate::identity::certificate::{Certificate, spki_of};

/// A client's configuration that accepts exactly the key whose SubjectPublicKeyInfo hashes to `spki`, over TLS 1.3.
/// Names and dates of the certificate say nothing then, so they are not looked at.
pub fn pinned(spki: Hash, alpn: &[&[u8]], clock: &Clock) -> Result<Arc<ClientConfig>, RootsError> {
    Ok(finished(trusting(spki, clock)?.with_no_client_auth(), alpn))
}

/// [`pinned`], and showing a certificate of our own.
pub fn pinned_as(spki: Hash, own: &Certificate, alpn: &[&[u8]], clock: &Clock) -> Result<Arc<ClientConfig>, RootsError> {
    let config = trusting(spki, clock)?.with_client_auth_cert(own.chain.clone(), own.key.clone_key());
    Ok(finished(config.map_err(|e| RootsError::Tls(e.to_string()))?, alpn))
}

fn trusting(spki: Hash, clock: &Clock) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, RootsError> {
    let provider = provider();
    let verifier = Pinned { spki, algorithms: provider.signature_verification_algorithms };
    let builder = ClientConfig::builder_with_details(provider, Arc::new(NodeTime(clock.clone())))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| RootsError::Tls(e.to_string()))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)))
}

fn finished(mut config: ClientConfig, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    config.alpn_protocols = alpn.iter().map(|id| id.to_vec()).collect();
    // Each handshake must show the key anew: that is what the check is for.
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

#[derive(Debug)]
struct Pinned {
    spki: Hash,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match spki_of(end_entity) {
            None => Err(CertificateError::BadEncoding.into()),
            Some(shown) if shown == self.spki => Ok(ServerCertVerified::assertion()),
            Some(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use ed25519_dalek::SigningKey;
    use rustls::{ClientConnection, ServerConfig, ServerConnection};

    use super::super::Roots;
    use super::*;
    use crate::identity::certificate::self_signed_node;
    use crate::net::shake::shake;

    /// A handshake in memory; the ALPN chosen, or why the client refused.
    fn handshake(client: Arc<ClientConfig>, certificate: Certificate, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificate.chain, certificate.key)?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut server = ServerConnection::new(Arc::new(server))?;
        let mut client = ClientConnection::new(client, ServerName::try_from(name.to_owned()).unwrap())?;
        shake(&mut client, &mut server)?;
        // What was agreed carries data.
        client.writer().write_all(b"x").unwrap();
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut got = [0; 1];
        server.reader().read_exact(&mut got).unwrap();
        Ok(client.alpn_protocol().map(<[u8]>::to_vec))
    }

    fn certificate(seed: u8, names: &[&str]) -> Certificate {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        self_signed_node(&SigningKey::from_bytes(&[seed; 32]), "test", &names).unwrap()
    }

    #[test]
    fn the_pinned_key_is_accepted_under_any_name_and_no_other_key() {
        let clock = Clock::test(0);
        let server = certificate(1, &["node.example"]);
        let config = pinned(server.spki, &[b"http/1.1"], &clock).unwrap();
        assert_eq!(spki_of(&server.chain[0]), Some(server.spki));
        assert_eq!(handshake(Arc::clone(&config), server, "192.0.2.9"), Ok(Some(b"http/1.1".to_vec())));
        let other = handshake(config, certificate(2, &["node.example"]), "node.example");
        assert_eq!(other, Err(CertificateError::ApplicationVerificationFailure.into()));
        assert_eq!(spki_of(&CertificateDer::from(vec![0x30, 0x00])), None);
    }

    #[test]
    fn roots_check_the_name_and_the_address() {
        let config = |seed| {
            let roots = Roots::only(certificate(seed, &["doh.example", "127.0.0.1", "::1"]).chain).unwrap();
            roots.client_config(&[b"http/1.1"], &Clock::test(0)).unwrap()
        };
        let server = || certificate(1, &["doh.example", "127.0.0.1", "::1"]);
        for name in ["doh.example", "127.0.0.1", "::1"] {
            assert!(handshake(config(1), server(), name).is_ok(), "{name}");
        }
        for name in ["other.example", "127.0.0.2", "::2"] {
            assert!(handshake(config(1), server(), name).is_err(), "{name}");
        }
        assert!(handshake(config(2), server(), "doh.example").is_err(), "a root with another key");
    }
}
