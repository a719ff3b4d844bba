//! Whom our own TLS connections trust: the system's roots and the owner's, or one pinned key; dates by node time.

mod pinned;
mod shown;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};

use crate::core::Clock;

pub use super::ciphers::provider;
pub use pinned::{pinned, pinned_as};
pub use shown::asking;

/// Where systems keep their roots, the first that exists counts: OpenWrt's ca-bundle and Debian, then Alpine and the BSDs.
const SYSTEM_BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"];
/// A bundle is about 220 KB; more than this is not read. Held only while it is parsed.
const MAX_BUNDLE_BYTES: u64 = 4 * 1024 * 1024;
/// TLS sessions kept for resumption per configuration: a few KiB each, so at most about 64 KiB.
const RESUMED_SESSIONS: usize = 8;

/// 2026-01-01T00:00:00Z: no build of this version is older. Packages set `SOURCE_DATE_EPOCH` to the commit's date.
const OLDEST_BUILD: u64 = 1_767_225_600;
/// When this was built, Unix seconds: the floor of the time by which certificates are checked while the clock is not known.
pub const BUILD_UNIX: u64 = build_unix(option_env!("SOURCE_DATE_EPOCH"));

/// Trusted roots, parsed once (about 100 KiB with the system's bundle) and shared by the configurations made of them.
#[derive(Clone, Debug)]
pub struct Roots {
    store: Arc<RootCertStore>,
}

/// Why there are no roots.
#[derive(Debug)]
pub enum RootsError {
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// The file holds no certificate that can serve as a root.
    NoCertificate(PathBuf),
    /// Neither a system bundle nor a CA file.
    Nothing,
    /// rustls refused the configuration.
    Tls(String),
}

impl Roots {
    /// The system's bundle and the PEM certificates of `ca_file`; a missing bundle is fine where `ca_file` is given.
    pub fn load(ca_file: Option<&Path>) -> Result<Roots, RootsError> {
        let mut store = RootCertStore::empty();
        if let Some(bundle) = SYSTEM_BUNDLES.iter().map(Path::new).find(|path| path.exists()) {
            // One odd root of a hundred is no reason to trust none; nor is a broken bundle where the owner has a file.
            match (add(&mut store, bundle), ca_file) {
                (Err(e), None) => return Err(e),
                (Err(e), Some(_)) => log::warn!("{e}"),
                (Ok(()), _) => {}
            }
        }
        if let Some(path) = ca_file {
            add(&mut store, path)?;
        }
        Roots::of(store)
    }

    /// Exactly these certificates.
    pub fn only(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Result<Roots, RootsError> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(certificates);
        Roots::of(store)
    }

    fn of(store: RootCertStore) -> Result<Roots, RootsError> {
        if store.is_empty() {
            return Err(RootsError::Nothing);
        }
        Ok(Roots { store: Arc::new(store) })
    }

    /// A client's configuration: TLS 1.2 and 1.3, these roots, `alpn` in order of preference, dates by `clock`.
    pub fn client_config(&self, alpn: &[&[u8]], clock: &Clock) -> Result<Arc<ClientConfig>, RootsError> {
        let builder = ClientConfig::builder_with_details(provider(), Arc::new(NodeTime(clock.clone())));
        let mut config = builder
            .with_safe_default_protocol_versions()
            .map_err(|e| RootsError::Tls(e.to_string()))?
            .with_root_certificates(Arc::clone(&self.store))
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|id| id.to_vec()).collect();
        config.resumption = Resumption::in_memory_sessions(RESUMED_SESSIONS);
        Ok(Arc::new(config))
    }
}

/// [`Roots::load`] and [`Roots::client_config`] in one, for who needs one configuration.
pub fn client_config(ca_file: Option<&Path>, alpn: &[&[u8]], clock: &Clock) -> Result<Arc<ClientConfig>, RootsError> {
    Roots::load(ca_file)?.client_config(alpn, clock)
}

/// Node time, not before the build: a router's clock may say 1970 at boot.
#[derive(Debug)]
pub struct NodeTime(pub Clock);

impl TimeProvider for NodeTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.unix().max(BUILD_UNIX))))
    }
}

fn add(store: &mut RootCertStore, path: &Path) -> Result<(), RootsError> {
    let unreadable = |e| RootsError::Unreadable(path.to_owned(), e);
    let file = File::open(path).map_err(unreadable)?;
    // In one piece, instead of growing into it from 32 bytes on.
    let size = file.metadata().map_or(0, |m| m.len().min(MAX_BUNDLE_BYTES));
    let mut pem = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 32);
    file.take(MAX_BUNDLE_BYTES).read_to_end(&mut pem).map_err(unreadable)?;
    let (added, _) = store.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    if added == 0 { Err(RootsError::NoCertificate(path.to_owned())) } else { Ok(()) }
}

const fn build_unix(source_date_epoch: Option<&str>) -> u64 {
    let Some(text) = source_date_epoch else { return OLDEST_BUILD };
    match u64::from_str_radix(text, 10) {
        Ok(unix) if unix > OLDEST_BUILD => unix,
        _ => OLDEST_BUILD,
    }
}

impl fmt::Display for RootsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RootsError::Unreadable(path, e) => write!(f, "cannot read the CA file {}: {e}", path.display()),
            RootsError::NoCertificate(path) => write!(f, "{} holds no certificate in PEM", path.display()),
            RootsError::Nothing => f.write_str("no trusted roots: install ca-bundle or set coordinator.ca_file"),
            RootsError::Tls(e) => write!(f, "TLS cannot be set up: {e}"),
        }
    }
}

impl std::error::Error for RootsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_dates_are_checked_by_node_time_but_not_before_the_build() {
        let clock = Clock::test(0);
        let time = NodeTime(clock.clone());
        let seconds = || time.current_time().unwrap().as_secs();
        assert_eq!(seconds(), BUILD_UNIX);
        clock.vouch_signed(BUILD_UNIX + 1000);
        assert_eq!(seconds(), BUILD_UNIX + 1000);
    }

    #[test]
    fn the_build_time_is_the_commit_s_where_it_is_told() {
        assert_eq!(build_unix(None), OLDEST_BUILD);
        assert_eq!(build_unix(Some("1800000000")), 1_800_000_000);
        for odd in ["", "0", "-5", "soon", "99999999999999999999"] {
            assert_eq!(build_unix(Some(odd)), OLDEST_BUILD, "{odd}");
        }
    }

    #[test]
    fn the_system_s_bundle_is_used_where_there_is_one() {
        let there = SYSTEM_BUNDLES.iter().any(|path| Path::new(path).exists());
        match client_config(None, &[b"http/1.1"], &Clock::test(0)) {
            Ok(config) => assert!(there && config.alpn_protocols == [b"http/1.1"]),
            Err(e) => assert!(!there && matches!(e, RootsError::Nothing), "{e}"),
        }
    }

    #[test]
    fn a_ca_file_without_a_certificate_or_that_is_missing_is_named() {
        let clock = Clock::test(0);
        let missing = client_config(Some(Path::new("/nonexistent/ca.pem")), &[], &clock).unwrap_err();
        assert!(matches!(missing, RootsError::Unreadable(ref p, _) if p.ends_with("ca.pem")));
        let empty = client_config(Some(Path::new("/dev/null")), &[], &clock).unwrap_err();
        assert!(matches!(empty, RootsError::NoCertificate(_)));
        assert!(empty.to_string().contains("/dev/null"));
    }
}
