//! What a manifest means here: to be installed or not, and why. Pure.

use super::manifest::{Manifest, Program};
use super::record::Record;
use super::version::Version;
use super::{Trouble, trouble::Id};
use crate::net::roots::BUILD_UNIX;

/// What the owner asked for beyond the rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Although the rollout has not reached this node.
    pub early: bool,
    /// Although it is older, or the same.
    pub allow_downgrade: bool,
    /// Although it failed here before.
    pub again: bool,
    /// Although the package feed has a newer package.
    pub ignore_feed: bool,
}

/// What this node is.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    /// Version of what is installed.
    pub installed: Version,
    /// The node's name, where the daemon told it.
    pub node_id: Option<&'a str>,
    /// What is known from before.
    pub record: &'a Record,
    /// Unix seconds, as the system believes.
    pub now: u64,
}

/// The program to install, or why none.
///
/// # Errors
/// Every reason not to, the first that holds.
pub fn judge<'a>(manifest: &'a Manifest, here: &Here<'_>, wish: Wish) -> Result<&'a Program, Trouble> {
    let version = manifest.version;
    let no = |id, message: String| Err(Trouble::new(id, message));
    // A clock that is behind lets a stale one pass; then the newest seen still counts.
    if here.now.max(BUILD_UNIX) > manifest.expires_at {
        return no(Id::Stale, "the manifest is past its date: who makes the releases has to renew it, or somebody withholds the new one".into());
    }
    if manifest.issued_at < here.record.newest {
        return no(Id::Stale, "the manifest is older than one acted upon before: somebody may be replaying it; nothing was changed".into());
    }
    if version <= here.installed && !wish.allow_downgrade {
        let message = match version == here.installed {
            true => format!("{version} is installed, and there is none newer"),
            false => format!("{} is installed, and the manifest offers {version}, which is older; --allow-downgrade takes it", here.installed),
        };
        return no(Id::NotNewer, message);
    }
    let Some(file) = &manifest.file else {
        return no(Id::Target, format!("{version} was not built for this router ({}): stay with what is installed", super::manifest::TARGET));
    };
    if here.installed < manifest.minimum {
        return no(
            Id::Minimum,
            format!("{version} needs {} to be installed before; {} is: install the new package instead", manifest.minimum, here.installed),
        );
    }
    if let Some(why) = here.record.refusal(file.hash).filter(|_| !wish.again) {
        return no(Id::Refused, format!("{version} was tried here and is not tried again ({why}); --again does"));
    }
    if manifest.rollout < 100 && !wish.early && !here.node_id.is_some_and(|id| manifest.reaches(id)) {
        let message =
            format!("{version} goes to {} % of the nodes by now, and this one is not among them: wait, or take it with --early", manifest.rollout);
        return no(Id::Rollout, message);
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Hash;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn manifest() -> Manifest {
        Manifest {
            channel: "stable".into(),
            issued_at: BUILD_UNIX + 1000,
            expires_at: BUILD_UNIX + 9000,
            version: version("0.3.0"),
            minimum: version("0.1.0"),
            rollout: 100,
            notes: None,
            file: Some(Program { name: "x".into(), size: 1, hash: Hash::of(b"x") }),
        }
    }

    fn id(manifest: &Manifest, installed: &str, record: &Record, now: u64, wish: Wish) -> Option<Id> {
        let here = Here { installed: version(installed), node_id: Some("ed25519:a"), record, now };
        judge(manifest, &here, wish).err().map(|t| t.id)
    }

    #[test]
    fn every_reason_counts_and_the_owner_overrules_what_is_theirs() {
        let (none, now, fresh) = (Wish::default(), BUILD_UNIX + 2000, Record::default());
        let offered = manifest();
        assert_eq!(id(&offered, "0.2.0", &fresh, now, none), None);
        assert_eq!(id(&offered, "0.2.0", &fresh, now + 9000, none), Some(Id::Stale));
        assert_eq!(id(&offered, "0.2.0", &fresh, 0, none), None, "a clock that is behind");
        let seen = Record { newest: BUILD_UNIX + 1001, ..Record::default() };
        assert_eq!(id(&offered, "0.2.0", &seen, now, Wish { again: true, early: true, allow_downgrade: true, ..none }), Some(Id::Stale));
        for installed in ["0.3.0", "0.3.1", "1.0.0"] {
            assert_eq!(id(&offered, installed, &fresh, now, none), Some(Id::NotNewer));
            assert_eq!(id(&offered, installed, &fresh, now, Wish { allow_downgrade: true, ..none }), None);
        }
        assert_eq!(id(&Manifest { file: None, ..manifest() }, "0.2.0", &fresh, now, none), Some(Id::Target));
        assert_eq!(id(&Manifest { minimum: version("0.2.1"), ..manifest() }, "0.2.0", &fresh, now, none), Some(Id::Minimum));
        let mut failed = Record::default();
        failed.refuse(Hash::of(b"x"), "it crashed");
        assert_eq!(id(&offered, "0.2.0", &failed, now, none), Some(Id::Refused));
        assert_eq!(id(&offered, "0.2.0", &failed, now, Wish { again: true, ..none }), None);
        let first = Manifest { rollout: 0, ..manifest() };
        assert_eq!(id(&first, "0.2.0", &fresh, now, none), Some(Id::Rollout));
        assert_eq!(id(&first, "0.2.0", &fresh, now, Wish { early: true, ..none }), None);
    }
}
