//! What the owner allows, what a session's profile asks for, and what both together allow.

use std::io;

use super::Domains;
use super::geo;
use super::profile::{COMPLIANT_DEFAULT, Ech, Profile};
use crate::config::Settings;
use crate::core::Reason;
use crate::net::host::suffixes;

/// The owner's side, compiled from the settings.
#[derive(Clone, Debug)]
pub struct Owner {
    ports: Vec<u16>,
    profile: Profile,
    opt_out: Vec<String>,
    regions: Vec<String>,
    allow_list: Vec<String>,
    block_list: Vec<String>,
    allow: Domains,
    block: Domains,
}

/// A session's profile cut down to what the owner allows: decides its tunnels.
#[derive(Clone, Debug)]
pub struct Effective {
    /// As reported to the coordinator (`effectiveProfile`). Entries of the owner's list files act, but are not told.
    pub profile: Profile,
    category: String,
    allow: Domains,
    block: Domains,
}

/// Allowed, or refused with the rule that did it, in words for the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `None` = allowed.
    pub reason: Option<Reason>,
    /// Which rule decided.
    pub rule: String,
}

impl Verdict {
    fn refuse(reason: Reason, rule: impl Into<String>) -> Verdict {
        Verdict { reason: Some(reason), rule: rule.into() }
    }
}

impl Effective {
    /// What the session is for.
    pub fn category(&self) -> &str {
        &self.category
    }
}

impl Owner {
    /// Compiles the owner's settings; reads the list files.
    ///
    /// # Errors
    /// A list file cannot be read or has a bad line; the message names it.
    pub fn new(settings: &Settings) -> io::Result<Owner> {
        let network = &settings.network;
        let mut allow = Domains::new(&network.allow_domain);
        let mut block = Domains::new(&network.block_domain);
        if let Some(path) = &network.allow_file {
            allow.add_file(path)?;
        }
        if let Some(path) = &network.block_file {
            block.add_file(path)?;
        }
        Ok(Owner {
            ports: network.ports.clone(),
            profile: Profile::compliant_default(),
            opt_out: settings.policy.opt_out.clone(),
            regions: settings.node.region_allow.clone(),
            allow_list: network.allow_domain.clone(),
            block_list: network.block_domain.clone(),
            allow,
            block,
        })
    }

    /// The profile a session's `policyProfile` and `profile` name; `None` for a name nobody here knows.
    pub fn named(name: &str, inline: Option<&Profile>) -> Option<Profile> {
        match inline {
            Some(profile) => Some(profile.clone()),
            None => (name == COMPLIANT_DEFAULT).then(Profile::compliant_default),
        }
    }

    /// Whether the owner serves `category` at all: the answer to an assignment.
    pub fn serves(&self, category: &str) -> Result<(), Reason> {
        if self.opt_out.iter().any(|c| c == category) {
            return Err(Reason::OptOut);
        }
        if !self.profile.categories.iter().any(|c| c == category) {
            return Err(Reason::Category);
        }
        Ok(())
    }

    /// Regions the owner offers the node for; empty = wherever it is.
    pub fn regions(&self) -> &[String] {
        &self.regions
    }

    /// Whether the owner serves sessions for `region` at all: the answer to an assignment.
    pub fn serves_region(&self, region: &str) -> Result<(), Reason> {
        if geo::serves(&self.regions, region) { Ok(()) } else { Err(Reason::Geo) }
    }

    /// `asked` intersected with the owner's: never wider than either.
    pub fn intersect(&self, asked: &Profile, category: &str) -> Effective {
        let both = |a: &[String], b: &[String]| a.iter().filter(|x| b.contains(x)).cloned().collect::<Vec<_>>();
        let mut blocked = self.block_list.clone();
        blocked.extend(asked.block_domains.iter().filter(|d| !self.block_list.contains(d)).cloned());
        let profile = Profile {
            ports: asked.ports.iter().copied().filter(|p| self.ports.contains(p)).collect(),
            categories: both(&asked.categories, &self.profile.categories).into_iter().filter(|c| !self.opt_out.contains(c)).collect(),
            allow_domains: narrower(&asked.allow_domains, &self.allow_list),
            block_domains: blocked,
            alpn: both(&asked.alpn, &self.profile.alpn),
            require_sni: asked.require_sni || self.profile.require_sni,
            ech: if asked.ech == Ech::Refuse { Ech::Refuse } else { self.profile.ech },
        };
        Effective { category: category.to_owned(), allow: Domains::new(&asked.allow_domains), block: Domains::new(&asked.block_domains), profile }
    }

    /// The owner's own profile as if a session had exactly it: what `policy explain` uses without a session.
    pub fn own(&self) -> Effective {
        let category = self.profile.categories.iter().find(|c| !self.opt_out.contains(c)).cloned().unwrap_or_default();
        self.intersect(&Profile { ports: self.ports.clone(), ..self.profile.clone() }, &category)
    }

    /// Decides on a tunnel to `host`:`port` before anything is resolved. `host` is a normalised A-label name.
    pub fn judge(&self, session: &Effective, host: &str, port: u16) -> Verdict {
        if self.opt_out.contains(&session.category) {
            return Verdict::refuse(Reason::OptOut, format!("policy.opt_out lists {}", session.category));
        }
        if !session.profile.categories.contains(&session.category) {
            return Verdict::refuse(Reason::Category, format!("category {} is not in the effective profile", session.category));
        }
        if !self.ports.contains(&port) {
            return Verdict::refuse(Reason::PortNotAllowed, format!("network.port does not list {port}"));
        }
        if !session.profile.ports.contains(&port) {
            return Verdict::refuse(Reason::PortNotAllowed, format!("the session's profile does not list port {port}"));
        }
        self.judge_name(session, host)
    }

    /// The part that also holds for every name of a CNAME chain: blocked stays blocked under another name.
    pub fn judge_alias(&self, session: &Effective, alias: &str) -> Verdict {
        match self.blocked(session, alias) {
            Some(rule) => Verdict::refuse(Reason::BlockedDomain, rule),
            None => Verdict { reason: None, rule: "no rule refuses it".into() },
        }
    }

    fn judge_name(&self, session: &Effective, host: &str) -> Verdict {
        if let Some(rule) = self.blocked(session, host) {
            return Verdict::refuse(Reason::BlockedDomain, rule);
        }
        if !self.allow.is_empty() && self.allow.covers(host).is_none() {
            return Verdict::refuse(Reason::NotAllowedDomain, "network.allow_domain does not cover it");
        }
        if !session.allow.is_empty() && session.allow.covers(host).is_none() {
            return Verdict::refuse(Reason::NotAllowedDomain, "the session's allowDomains do not cover it");
        }
        Verdict { reason: None, rule: "every rule of the owner and of the session allows it".into() }
    }

    fn blocked(&self, session: &Effective, host: &str) -> Option<String> {
        if let Some(suffix) = self.block.covers(host) {
            return Some(format!("the owner blocks {suffix}"));
        }
        session.block.covers(host).map(|suffix| format!("the session's blockDomains hold {suffix}"))
    }
}

/// Two allow-lists as one: what both cover. An empty list covers all.
fn narrower(a: &[String], b: &[String]) -> Vec<String> {
    if a.is_empty() || b.is_empty() {
        return if a.is_empty() { b.to_vec() } else { a.to_vec() };
    }
    let covered = |x: &str, list: &[String]| suffixes(x).any(|s| list.iter().any(|l| l == s));
    let mut out: Vec<String> = a.iter().filter(|x| covered(x, b)).cloned().collect();
    out.extend(b.iter().filter(|x| covered(x, a) && !a.contains(x)).cloned());
    if out.is_empty() {
        // An empty list would read as "all"; this name exists nowhere (RFC 6761).
        out.push("invalid".into());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(change: impl FnOnce(&mut Settings)) -> Owner {
        let mut settings = Settings::default();
        change(&mut settings);
        Owner::new(&settings).unwrap()
    }

    #[test]
    fn a_profile_never_widens_the_owners() {
        let owner = owner(|s| {
            s.network.block_domain = vec!["bad.test".into()];
            s.network.allow_domain = vec!["example.com".into(), "shop.test".into()];
        });
        let mut asked = Profile::compliant_default();
        asked.ports = vec![22, 443];
        asked.categories.push("gambling".into());
        asked.alpn = vec!["h3".into(), "h2".into()];
        asked.require_sni = false;
        asked.allow_domains = vec!["www.example.com".into(), "test".into()];
        let e = owner.intersect(&asked, "qa_testing");
        assert_eq!(e.profile.ports, [443]);
        assert_eq!(e.profile.categories, ["ad_verification", "qa_testing"]);
        assert_eq!(e.profile.alpn, ["h2"]);
        assert!(e.profile.require_sni);
        assert_eq!(e.profile.allow_domains, ["www.example.com", "shop.test"]);
        assert_eq!(owner.judge(&e, "www.example.com", 443).reason, None);
        assert_eq!(owner.judge(&e, "example.com", 443).reason, Some(Reason::NotAllowedDomain));
        assert_eq!(owner.judge(&e, "other.test", 443).reason, Some(Reason::NotAllowedDomain));
        assert_eq!(owner.judge(&e, "a.shop.test", 443).reason, None);
        assert_eq!(owner.judge(&e, "www.example.com", 22).reason, Some(Reason::PortNotAllowed));
        assert_eq!(owner.judge(&e, "x.bad.test", 443).reason, Some(Reason::BlockedDomain));
        assert_eq!(owner.judge_alias(&e, "x.bad.test").reason, Some(Reason::BlockedDomain));
    }

    #[test]
    fn categories_and_opt_outs() {
        let owner = owner(|s| s.policy.opt_out = vec!["qa_testing".into()]);
        assert_eq!(owner.serves("qa_testing"), Err(Reason::OptOut));
        assert_eq!(owner.serves("gambling"), Err(Reason::Category));
        assert_eq!(owner.serves("ad_verification"), Ok(()));
        assert_eq!(owner.serves_region("DE"), Ok(()));
        let here = self::owner(|s| s.node.region_allow = vec!["PH".into()]);
        assert_eq!((here.serves_region("PH-NCR"), here.serves_region("DE")), (Ok(()), Err(Reason::Geo)));
        let mut asked = Profile::compliant_default();
        asked.categories = vec!["qa_testing".into()];
        let e = owner.intersect(&asked, "ad_verification");
        assert_eq!(owner.judge(&e, "a.test", 443).reason, Some(Reason::Category));
    }
}
