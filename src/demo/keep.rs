//! Leaving it all up: how to look, and how to send something through it by hand.

use std::fmt::Write as _;
use std::net::TcpStream;

use futures_rustls::TlsConnector;
use rustls::pki_types::{CertificateDer, ServerName};
use smol::Async;

use super::names;
use super::sessions::{self, Session};
use super::stage::Stage;
use super::wait::fail;
use crate::codec::base64;
use crate::core::exit::{self, Failure};

/// Columns of PEM (RFC 7468).
const PEM_COLUMNS: usize = 64;

/// Opens a session to play with; what to type, a line each, and `more`.
///
/// # Errors
/// No session, or the node's certificate cannot be had.
pub async fn hints(stage: &Stage, more: &str) -> Result<String, Failure> {
    let session = sessions::spare(stage, 0).await?;
    let pem = stage.folder.path.join("node-a.pem");
    let certificate = shown(&session).await?;
    std::fs::write(&pem, armour(&certificate)).map_err(|e| Failure::new(exit::CANT_CREATE, format!("{}: {e}", pem.display())))?;
    let exe = std::env::current_exe().map_or_else(|_| "echomesh".into(), |path| path.display().to_string());
    let mut out = format!("everything is up, in {}\n\nlook:\n", stage.folder.path.display());
    for node in &stage.nodes {
        let _ = writeln!(out, "  {exe} --run-dir {} status", node.run_dir.display());
    }
    let _ = writeln!(out, "  {exe} coordinator sessions --dir {}", stage.broker.dir().display());
    let (access, host) = (&session.access, names::origin(2));
    let _ = writeln!(
        out,
        "\nsend something through:\n  curl --proxy https://{} --proxy-cacert {} --proxy-user {}:{} --cacert {} -o /dev/null -w '%{{size_download}} bytes\\n' https://{host}:{}/down/1000000",
        access.node,
        pem.display(),
        access.session,
        access.secret,
        stage.origin_pem.display(),
        names::PORT
    );
    out.push_str(more);
    out.push_str("\nCtrl-C ends it.\n");
    Ok(out)
}

/// The certificate that the session's node shows; its key is pinned.
async fn shown(session: &Session) -> Result<CertificateDer<'static>, Failure> {
    let node = session.access.node;
    let tls = session.access.node_tls.clone().ok_or_else(|| fail("the spare session has no TLS listener"))?;
    let cannot = |e: std::io::Error| fail(format!("{node}: {e}"));
    let stream = Async::<TcpStream>::connect(node).await.map_err(cannot)?;
    let stream = TlsConnector::from(tls).connect(ServerName::IpAddress(node.ip().into()), stream).await.map_err(cannot)?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    chain.first().map(|c| c.clone().into_owned()).ok_or_else(|| fail(format!("{node} shows no certificate")))
}

fn armour(certificate: &CertificateDer<'_>) -> String {
    let text = base64::padded(certificate);
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(PEM_COLUMNS) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out + "-----END CERTIFICATE-----\n"
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn what_is_armoured_reads_back() {
        let certificate = CertificateDer::from((0..=255).collect::<Vec<u8>>());
        assert_eq!(CertificateDer::from_pem_slice(armour(&certificate).as_bytes()).unwrap(), certificate);
    }
}
