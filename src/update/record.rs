//! What is known on flash: the update in force, and what was tried and failed. One small file, replaced in one step.

use std::io::{self, Read as _};

use serde_json::{Value, json};

use super::place::{Place, is_ours};
use super::version::Version;
use crate::codec::{Hash, json as strict};
use crate::platform::files::{self, Medium};

/// Name of the file, beside the program.
const FILE: &str = "record";
/// Bytes read of it; it has a few hundred.
const MAX: u64 = 16 * 1024;
/// Programs remembered as failed; the oldest is forgotten first, and is no longer offered by then.
const MOST_REFUSED: usize = 8;

/// The record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// The update in force; none = the packaged program.
    pub active: Option<Active>,
    /// Unix seconds of the newest manifest that was acted upon: older ones are refused.
    pub newest: u64,
    /// Programs that are not tried again, oldest first.
    pub refused: Vec<Refused>,
}

/// An update in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Active {
    /// Its version.
    pub version: Version,
    /// Of the program.
    pub hash: Hash,
    /// Version of the packaged program when it was installed.
    pub over: Version,
}

/// A program that failed its trial, or that the owner went back from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Of the program.
    pub hash: Hash,
    /// Why, in a sentence.
    pub why: String,
}

impl Active {
    /// Its file in the green folder.
    pub fn file(&self) -> String {
        file_of(self.hash)
    }

    /// Whether it stands above a packaged program of version `blue`. A package that became newer takes over; an older update
    /// the owner chose holds until the package changes.
    pub fn stands_over(&self, blue: Version) -> bool {
        self.version > blue || self.over == blue
    }
}

/// Name of a program in the green folder.
pub fn file_of(hash: Hash) -> String {
    // `b3:` and as many digits as tell programs apart.
    format!("echomesh-{}", &hash.to_string()[3..19])
}

impl Record {
    /// The record of a system; an empty one where there is none, or one that is damaged or not root's.
    pub fn read(place: &Place) -> Record {
        let path = place.green_file(FILE);
        if !is_ours(&path) {
            return Record::default();
        }
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path).and_then(|f| f.take(MAX).read_to_end(&mut bytes));
        if read.is_err() { Record::default() } else { Record::parse(&bytes) }
    }

    fn parse(bytes: &[u8]) -> Record {
        let Ok(tree) = strict::parse(bytes) else { return Record::default() };
        let hash = |v: &Value| v["hash"].as_str().and_then(|h| h.parse().ok());
        let version = |v: &Value, name: &str| v[name].as_str().and_then(Version::parse);
        let active = &tree["active"];
        let refused = tree["refused"].as_array().map(Vec::as_slice).unwrap_or_default();
        Record {
            active: (|| Some(Active { version: version(active, "version")?, hash: hash(active)?, over: version(active, "over")? }))(),
            newest: tree["newest"].as_u64().unwrap_or(0),
            refused: refused.iter().filter_map(|r| Some(Refused { hash: hash(r)?, why: r["why"].as_str()?.to_owned() })).collect(),
        }
    }

    /// Writes it durably.
    pub fn write(&self, place: &Place) -> io::Result<()> {
        let active = self.active.as_ref().map(|a| json!({"version": a.version.to_string(), "hash": a.hash.to_string(), "over": a.over.to_string()}));
        let refused: Vec<Value> = self.refused.iter().map(|r| json!({"hash": r.hash.to_string(), "why": r.why})).collect();
        let text = format!("{}\n", json!({"active": active, "newest": self.newest, "refused": refused}));
        files::folder(&place.green(), 0o755)?;
        files::replace(&place.green_file(FILE), 0o644, text.as_bytes(), Medium::Flash)
    }

    /// Remembers not to try a program again.
    pub fn refuse(&mut self, hash: Hash, why: &str) {
        self.refused.retain(|r| r.hash != hash);
        let surplus = (self.refused.len() + 1).saturating_sub(MOST_REFUSED);
        self.refused.drain(..surplus);
        self.refused.push(Refused { hash, why: why.chars().take(300).collect() });
    }

    /// Why a program is not tried again.
    pub fn refusal(&self, hash: Hash) -> Option<&str> {
        self.refused.iter().find(|r| r.hash == hash).map(|r| r.why.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn it_is_written_and_read_and_only_where_it_is_ours() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = std::env::temp_dir().join(format!("em-update-record-{}", std::process::id()));
        let place = Place::new(&root, &root.join("run"));
        assert_eq!(Record::read(&place), Record::default());
        let mut record = Record {
            newest: 7,
            active: Some(Active { version: version("0.3.0"), hash: Hash::of(b"a"), over: version("0.2.0") }),
            ..Record::default()
        };
        (0..20).for_each(|n| record.refuse(Hash::of(&[n]), &format!("reason {n}")));
        record.refuse(Hash::of(&[15]), "again");
        record.write(&place).unwrap();
        let read = Record::read(&place);
        assert_eq!(read, record);
        assert_eq!((read.refused.len(), read.refusal(Hash::of(&[15])), read.refusal(Hash::of(&[0]))), (MOST_REFUSED, Some("again"), None));
        std::fs::set_permissions(place.green_file(FILE), std::fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(Record::read(&place), Record::default(), "a file others can write says nothing");
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_newer_package_takes_over() {
        let active = |v: &str, over: &str| Active { version: version(v), hash: Hash::of(b""), over: version(over) };
        assert!(active("0.3.0", "0.2.0").stands_over(version("0.2.0")));
        assert!(active("0.3.0", "0.2.0").stands_over(version("0.2.9")));
        assert!(!active("0.3.0", "0.2.0").stands_over(version("0.3.0")));
        assert!(active("0.1.0", "0.2.0").stands_over(version("0.2.0")), "a downgrade the owner chose");
        assert!(!active("0.1.0", "0.2.0").stands_over(version("0.2.1")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_bytes_are_a_record(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "\\{\"active\":\\{[ -~]{0,60}\\}\\}") {
            let _ = (Record::parse(&bytes), Record::parse(text.as_bytes()));
        }
    }
}
