//! What a session may say in its ClientHello.

use super::profile::{Ech, Profile};
use crate::core::Reason;

/// What the guard looks at of a ClientHello.
#[derive(Clone, Copy, Debug)]
pub struct Offered<'a> {
    /// The server it names (with ECH: the outer name).
    pub sni: Option<&'a str>,
    /// Application protocols, GREASE ids left out; empty = none offered, which means http/1.1.
    pub alpn: &'a [&'a [u8]],
    /// Encrypted ClientHello is used.
    pub ech: bool,
}

/// Allows or refuses a ClientHello towards `host` (normalised) under `profile`.
pub fn judge(profile: &Profile, host: &str, offered: &Offered<'_>) -> Result<(), Reason> {
    if offered.ech && profile.ech == Ech::Refuse {
        return Err(Reason::Ech);
    }
    match offered.sni {
        None if profile.require_sni => return Err(Reason::SniMissing),
        Some(sni) if !sni.strip_suffix('.').unwrap_or(sni).eq_ignore_ascii_case(host) => return Err(Reason::SniMismatch),
        _ => {}
    }
    let allowed = |id: &[u8]| profile.alpn.iter().any(|a| a.as_bytes() == id);
    let fits = if offered.alpn.is_empty() { allowed(b"http/1.1") } else { offered.alpn.iter().all(|id| allowed(id)) };
    if fits { Ok(()) } else { Err(Reason::Alpn) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule() {
        let mut profile = Profile::compliant_default();
        let offered = |sni, alpn, ech| Offered { sni, alpn, ech };
        let h2: &[&[u8]] = &[b"h2", b"http/1.1"];
        assert_eq!(judge(&profile, "a.test", &offered(Some("A.test"), h2, true)), Ok(()));
        assert_eq!(judge(&profile, "a.test", &offered(Some("a.test"), &[], false)), Ok(()));
        assert_eq!(judge(&profile, "a.test", &offered(None, h2, false)), Err(Reason::SniMissing));
        assert_eq!(judge(&profile, "a.test", &offered(Some("b.test"), h2, false)), Err(Reason::SniMismatch));
        assert_eq!(judge(&profile, "a.test", &offered(Some("a.test"), &[b"h2", b"smtp"], false)), Err(Reason::Alpn));
        profile.alpn = vec!["h2".into()];
        assert_eq!(judge(&profile, "a.test", &offered(Some("a.test"), &[], false)), Err(Reason::Alpn));
        profile.ech = Ech::Refuse;
        assert_eq!(judge(&profile, "a.test", &offered(Some("a.test"), &[b"h2"], true)), Err(Reason::Ech));
    }
}
