//! TLS of the tests' clients and of their own origin.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Once};

use echomesh::identity::certificate::{self, ListenerKey};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

fn provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// A client that trusts the certificates of `pem` (text), offering `alpn`.
pub fn client_of(pem: &str, alpn: &[&str]) -> Arc<ClientConfig> {
    provider();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|a| a.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// The same of a file.
pub fn client(pem: &Path, alpn: &[&str]) -> Arc<ClientConfig> {
    client_of(&std::fs::read_to_string(pem).unwrap(), alpn)
}

/// A server of the tests' own for `names`, and its certificate as PEM.
pub fn server(names: &[&str]) -> (Arc<ServerConfig>, String) {
    provider();
    let names: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
    let made = certificate::self_signed(&ListenerKey::generate().unwrap(), "test", &names).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(made.chain, made.key).unwrap();
    (Arc::new(config), made.pem)
}

/// The certificate a TLS server shows, as openssl prints it (PEM).
#[track_caller]
pub fn shown_by(server: SocketAddr) -> String {
    let out = Command::new("openssl")
        .args(["s_client", "-connect", &server.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .expect("openssl is installed");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let from = text.find(begin).unwrap_or_else(|| panic!("{server} shows no certificate: {text}"));
    let to = text.find(end).unwrap() + end.len();
    format!("{}\n", &text[from..to])
}
