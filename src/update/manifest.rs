//! The manifest: what a release is, for whom, and until when (docs/reference/update-manifest.md). Pure.

use serde_json::{Map, Value};

use super::version::Version;
use super::{Trouble, trouble::Id};
use crate::codec::{Hash, json, time};

/// The form this version reads.
pub const FORMAT: &str = "echomesh/update/v1";
/// Longest manifest read, in bytes.
pub const MAX_MANIFEST: usize = 64 * 1024;
/// Most files of one manifest.
const MAX_FILES: usize = 64;
/// Largest program taken; each router's own room is looked at before the download.
const MAX_SIZE: u64 = 64 * 1024 * 1024;
/// The package this program was built for: files of others have other features.
pub const PACKAGE: &str = "echomesh";

/// What this program was built for, as `cross/targets.tsv` names it.
pub const TARGET: &str = if cfg!(all(target_arch = "mips", target_endian = "little")) {
    "mipsel_24kc"
} else if cfg!(target_arch = "mips") {
    "mips_24kc"
} else if cfg!(target_arch = "arm") {
    "armv7"
} else {
    std::env::consts::ARCH
};

/// A manifest whose signature verified, as far as it concerns this router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// The channel it is for.
    pub channel: String,
    /// Unix seconds; a later manifest has a later time.
    pub issued_at: u64,
    /// Unix seconds after which it is not believed.
    pub expires_at: u64,
    /// What it offers.
    pub version: Version,
    /// The oldest version that can be updated to it in one step.
    pub minimum: Version,
    /// Per cent of the nodes it is for by now.
    pub rollout: u8,
    /// One line for the owner.
    pub notes: Option<String>,
    /// The file for this package and target; none where it has none.
    pub file: Option<Program>,
}

/// One program to download.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// Its name beside the manifest.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Of all of them.
    pub hash: Hash,
}

impl Manifest {
    /// Reads what was signed, for this package and target.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, Trouble> {
        Manifest::parse_for(bytes, PACKAGE, TARGET)
    }

    fn parse_for(bytes: &[u8], package: &str, target: &str) -> Result<Manifest, Trouble> {
        if bytes.len() > MAX_MANIFEST {
            return Err(bad("it is longer than 64 KiB"));
        }
        let Value::Object(tree) = json::parse(bytes).map_err(|e| bad(&e.to_string()))? else { return Err(bad("it is no object")) };
        if text(&tree, "format") != Some(FORMAT) {
            return Err(Trouble::new(Id::Manifest, "the manifest has a form this version does not know: install the new package instead"));
        }
        let version = |name: &str| text(&tree, name).and_then(Version::parse).ok_or_else(|| bad(&format!("{name} is no version like 1.2.3")));
        let at =
            |name: &str| text(&tree, name).and_then(time::from_rfc3339).ok_or_else(|| bad(&format!("{name} is no time like 2026-01-31T12:00:00Z")));
        let files =
            tree.get("files").and_then(Value::as_array).filter(|f| f.len() <= MAX_FILES).ok_or_else(|| bad("files is no list of up to 64"))?;
        let files = files.iter().map(|file| Program::read(file, package, target)).collect::<Result<Vec<_>, _>>()?;
        Ok(Manifest {
            channel: text(&tree, "channel").ok_or_else(|| bad("channel is missing"))?.to_owned(),
            issued_at: at("issuedAt")?,
            expires_at: at("expiresAt")?,
            version: version("version")?,
            minimum: version("minimum")?,
            rollout: tree
                .get("rollout")
                .and_then(Value::as_u64)
                .filter(|n| *n <= 100)
                .and_then(|n| u8::try_from(n).ok())
                .ok_or_else(|| bad("rollout is no share of 0 to 100"))?,
            notes: text(&tree, "notes").map(|notes| notes.chars().filter(|c| !c.is_control()).take(200).collect()),
            file: files.into_iter().flatten().next(),
        })
    }

    /// Whether the rollout has reached the node: each version begins with other nodes, and none is left out by a larger share.
    pub fn reaches(&self, node_id: &str) -> bool {
        let hash = Hash::of(format!("echomesh/rollout/v1\n{}\n{node_id}", self.version).as_bytes());
        let [a, b, c, d, ..] = hash.0;
        u32::from_be_bytes([a, b, c, d]) % 100 < u32::from(self.rollout)
    }
}

impl Program {
    /// `None` for another package or target.
    fn read(file: &Value, package: &str, target: &str) -> Result<Option<Program>, Trouble> {
        let Value::Object(file) = file else { return Err(bad("a file is no object")) };
        let name = text(file, "name").filter(|n| is_name(n)).ok_or_else(|| bad("the name of a file has 1 to 128 of A-Z, a-z, 0-9, dot, - and _"))?;
        let size =
            file.get("size").and_then(Value::as_u64).filter(|n| (1..=MAX_SIZE).contains(n)).ok_or_else(|| bad("a file has 1 byte to 64 MiB"))?;
        let hash = text(file, "hash").and_then(|h| h.parse().ok()).ok_or_else(|| bad("the hash of a file is b3: and 64 digits"))?;
        let ours = text(file, "package") == Some(package) && text(file, "target") == Some(target);
        Ok(ours.then(|| Program { name: name.to_owned(), size, hash }))
    }
}

fn text<'a>(tree: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    tree.get(name)?.as_str()
}

/// A name that is one step of a path, and needs no escaping in a URL.
fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=128).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.')
}

fn bad(what: &str) -> Trouble {
    Trouble::new(Id::Manifest, format!("the manifest is signed but wrong: {what}; tell who makes the releases"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({
            "format": FORMAT, "channel": "stable", "issuedAt": "2026-01-31T12:00:00Z", "expiresAt": "2026-05-01T00:00:00Z",
            "version": "0.3.0", "minimum": "0.1.0", "rollout": 25, "notes": "Faster.",
            "files": [
                {"package": "echomesh", "target": "mips_24kc", "name": "echomesh-0.3.0-mips_24kc", "size": 7, "hash": Hash::of(b"1").to_string()},
                {"package": "echomesh-full", "target": "aarch64", "name": "full", "size": 8, "hash": Hash::of(b"2").to_string()},
                {"package": "echomesh", "target": "aarch64", "name": "echomesh-0.3.0-aarch64", "size": 9, "hash": Hash::of(b"3").to_string()},
            ],
        })
    }

    fn read(manifest: &Value) -> Result<Manifest, Trouble> {
        Manifest::parse_for(manifest.to_string().as_bytes(), "echomesh", "aarch64")
    }

    #[test]
    fn the_file_of_this_package_and_target_is_taken() {
        let manifest = read(&sample()).unwrap();
        let file = manifest.file.unwrap();
        assert_eq!((file.name.as_str(), file.size, file.hash), ("echomesh-0.3.0-aarch64", 9, Hash::of(b"3")));
        assert_eq!((manifest.version, manifest.minimum, manifest.rollout), (Version::parse("0.3.0").unwrap(), Version::parse("0.1.0").unwrap(), 25));
        let other = Manifest::parse_for(sample().to_string().as_bytes(), "echomesh", "riscv").unwrap();
        assert_eq!(other.file, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (path, value, named) in [
            ("/format", json!("echomesh/update/v2"), "does not know"),
            ("/channel", json!(7), "channel"),
            ("/issuedAt", json!("yesterday"), "issuedAt"),
            ("/expiresAt", json!(null), "expiresAt"),
            ("/version", json!("0.3"), "version"),
            ("/minimum", json!("x"), "minimum"),
            ("/rollout", json!(101), "rollout"),
            ("/rollout", json!(2.5), "rollout"),
            ("/files", json!({}), "files"),
            ("/files", json!(vec![json!({}); 65]), "files"),
            ("/files/0/name", json!("../echomesh"), "name"),
            ("/files/0/name", json!(".hidden"), "name"),
            ("/files/1/size", json!(0), "64 MiB"),
            ("/files/1/size", json!(64 * 1024 * 1024 + 1), "64 MiB"),
            ("/files/2/hash", json!("b3:00"), "hash"),
        ] {
            let mut manifest = sample();
            *manifest.pointer_mut(path).unwrap() = value.clone();
            let trouble = read(&manifest).unwrap_err();
            assert!(trouble.id == Id::Manifest && trouble.message.contains(named), "{path} {value}: {trouble}");
        }
    }

    #[test]
    fn a_rollout_only_grows_and_each_version_begins_elsewhere() {
        let nodes: Vec<String> = (0..400).map(|n| format!("ed25519:{n}")).collect();
        let reached = |version: &str, rollout: u8| {
            let manifest = Manifest { version: Version::parse(version).unwrap(), rollout, ..read(&sample()).unwrap() };
            nodes.iter().map(|n| manifest.reaches(n)).collect::<Vec<_>>()
        };
        let (few, more) = (reached("0.3.0", 25), reached("0.3.0", 60));
        assert!(few.iter().zip(&more).all(|(few, more)| !few || *more));
        let count = |nodes: &[bool]| nodes.iter().filter(|n| **n).count();
        assert!((60..140).contains(&count(&few)) && (190..290).contains(&count(&more)), "{} {}", count(&few), count(&more));
        assert_eq!((count(&reached("0.3.0", 0)), count(&reached("0.3.0", 100))), (0, 400));
        assert_ne!(reached("0.3.0", 25), reached("0.3.1", 25));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_are_a_manifest_or_trouble(noise in prop::collection::vec(any::<u8>(), 0..40), at in 0usize..900, cut in 0usize..40) {
            let mut bytes = sample().to_string().into_bytes();
            let at = at.min(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, noise);
            if let Ok(manifest) = Manifest::parse_for(&bytes, "echomesh", "aarch64") {
                prop_assert!(manifest.rollout <= 100);
                if let Some(file) = manifest.file {
                    prop_assert!(is_name(&file.name) && file.size <= MAX_SIZE);
                }
            }
        }
    }
}
