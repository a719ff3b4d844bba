//! The one cryptography provider of every TLS connection, its ciphers in the order this processor is good at.
//!
//! Without AES instructions AES-GCM is several times the work of ChaCha20-Poly1305, and no MIPS and not every ARM router has them.

use std::sync::{Arc, OnceLock};

use rustls::SupportedCipherSuite;
use rustls::crypto::CryptoProvider;

use crate::platform::offload;

/// The provider; named each time, because no process-wide default is installed.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(ordered(chacha_first()))))
}

/// ChaCha20 stands before AES: the processor has no instructions for AES, or nobody knows of any. A server then goes by its
/// own order instead of its client's: the phone or desktop on the other side is good at both.
pub fn chacha_first() -> bool {
    static FIRST: OnceLock<bool> = OnceLock::new();
    *FIRST.get_or_init(|| offload::aes_instructions() != Some(true))
}

fn ordered(chacha_first: bool) -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    if chacha_first {
        // Swapped to the front one by one: the order among the others stays.
        let mut front = 0;
        for at in 0..provider.cipher_suites.len() {
            if is_chacha(&provider.cipher_suites[at]) {
                provider.cipher_suites[front..=at].rotate_right(1);
                front += 1;
            }
        }
    }
    provider
}

fn is_chacha(suite: &SupportedCipherSuite) -> bool {
    use rustls::CipherSuite::*;
    matches!(
        suite.suite(),
        TLS13_CHACHA20_POLY1305_SHA256 | TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 | TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chacha_comes_first_where_it_is_cheaper_and_nothing_else_changes() {
        let usual = ordered(false).cipher_suites;
        assert_eq!(usual, rustls::crypto::ring::default_provider().cipher_suites);
        let swapped = ordered(true).cipher_suites;
        let chachas = usual.iter().filter(|s| is_chacha(s)).count();
        assert_eq!(chachas, 3, "one for TLS 1.3, two for 1.2");
        assert!(swapped[..chachas].iter().all(is_chacha), "{swapped:?}");
        let others = |all: &[SupportedCipherSuite]| all.iter().filter(|s| !is_chacha(s)).copied().collect::<Vec<_>>();
        let chacha = |all: &[SupportedCipherSuite]| all.iter().filter(|s| is_chacha(s)).copied().collect::<Vec<_>>();
        assert_eq!((others(&swapped), chacha(&swapped)), (others(&usual), chacha(&usual)));
    }
}
