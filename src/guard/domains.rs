//! Lists of domain suffixes: `example.com` covers itself and everything below it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io::{self, BufRead as _};
use std::path::Path;

use crate::net::host::suffixes;

/// Most entries of one list: 8 bytes each, 1.6 MB at the very most.
const MOST: usize = 200_000;
/// Longest line of a list file; a domain has at most 253 characters.
const LINE: usize = 512;
/// Longest list file, comments and all: it is read line by line, so this bounds time, not memory.
const FILE: u64 = 32 * 1024 * 1024;

/// A set of suffixes as sorted, keyed 64-bit hashes: 8 bytes an entry whatever its length. The key is random per
/// process, so that nobody can prepare a name that collides with an entry.
#[derive(Clone, Debug)]
pub struct Domains {
    hasher: RandomState,
    hashes: Vec<u64>,
}

impl Default for Domains {
    fn default() -> Self {
        Domains { hasher: RandomState::new(), hashes: Vec::new() }
    }
}

impl Domains {
    /// The list of `suffixes` (lower-case A-labels).
    pub fn new<S: AsRef<str>>(suffixes: impl IntoIterator<Item = S>) -> Domains {
        let mut list = Domains::default();
        for suffix in suffixes {
            list.push(suffix.as_ref());
        }
        list.settle();
        list
    }

    /// Adds the lines of a file: one suffix a line, `#` starts a comment, blanks are ignored. What is no domain, or
    /// beyond a limit, is an error that names the line. Blocks for as long as the reading takes; holds one line at a time.
    pub fn add_file(&mut self, path: &Path) -> io::Result<()> {
        let file = std::fs::File::open(path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
        if file.metadata()?.len() > FILE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{}: larger than 32 MiB", path.display())));
        }
        self.add_lines(io::BufReader::new(io::Read::take(file, FILE)), &path.display().to_string())
    }

    /// The same of any reader; `name` stands in the errors.
    ///
    /// # Errors
    /// A line that is no entry, or one too many: by its number. What came before it was added.
    pub fn add_lines(&mut self, mut reader: impl io::BufRead, name: &str) -> io::Result<()> {
        let mut line = Vec::new();
        let mut number = 0u32;
        loop {
            line.clear();
            number += 1;
            let read = io::Read::take(&mut reader, LINE as u64).read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{name} line {number}: {what}"));
            if read == LINE && !line.ends_with(b"\n") {
                return Err(bad("longer than any domain name"));
            }
            let text = std::str::from_utf8(&line).map_err(|_| bad("not UTF-8"))?;
            let entry = text.split('#').next().unwrap_or_default().trim();
            if entry.is_empty() {
                continue;
            }
            if self.hashes.len() >= MOST {
                return Err(bad("more than 200,000 entries"));
            }
            let suffix = entry.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
            if !plausible(&suffix) {
                return Err(bad("no domain; one suffix a line, as example.com, names beyond ASCII as xn--…"));
            }
            self.push(&suffix);
        }
        self.settle();
        Ok(())
    }

    fn push(&mut self, suffix: &str) {
        self.hashes.push(self.hasher.hash_one(suffix));
    }

    fn settle(&mut self) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.hashes.shrink_to_fit();
    }

    /// The longest suffix of `host` that is in the list.
    pub fn covers<'h>(&self, host: &'h str) -> Option<&'h str> {
        if self.hashes.is_empty() {
            return None;
        }
        suffixes(host).find(|suffix| self.hashes.binary_search(&self.hasher.hash_one(suffix)).is_ok())
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }
}

/// What could match a host: a line of another kind of list must not pass as an entry that never acts.
fn plausible(suffix: &str) -> bool {
    let label = |l: &str| (1..=63).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    suffix.len() <= 253 && suffix.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_whole_labels_only() {
        let list = Domains::new(["example.com", "a.test"]);
        assert_eq!(list.covers("example.com"), Some("example.com"));
        assert_eq!(list.covers("deep.www.example.com"), Some("example.com"));
        assert_eq!(list.covers("notexample.com"), None);
        assert_eq!(list.covers("example.com.evil.test"), None);
        assert_eq!(list.covers("test"), None);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]
        /// Any bytes are a list or an error, and a suffix that was taken covers itself and what is below.
        #[test]
        fn any_lines_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), name in "[a-z]{1,8}\\.test") {
            let _ = Domains::default().add_lines(bytes.as_slice(), "any");
            let mut list = Domains::default();
            list.add_lines(format!("*.{name}\r\n").as_bytes(), "one").unwrap();
            proptest::prop_assert_eq!(list.covers(&name), Some(name.as_str()));
            let below = format!("x.{name}");
            proptest::prop_assert_eq!(list.covers(&below), Some(name.as_str()));
        }
    }

    #[test]
    fn a_file_of_a_hundred_thousand_fits_in_two_megabytes() {
        let path = std::env::temp_dir().join(format!("echomesh-domains-{}", std::process::id()));
        let text: String = (0..100_000).map(|n| format!("host{n}.example.com # no {n}\r\n\n")).collect();
        std::fs::write(&path, text).unwrap();
        let mut list = Domains::default();
        list.add_file(&path).unwrap();
        assert_eq!(list.len(), 100_000);
        // All there is of it on the heap.
        assert!(list.hashes.capacity() * std::mem::size_of::<u64>() <= 1_000_000);
        assert_eq!(list.covers("x.host77777.example.com"), Some("host77777.example.com"));
        assert_eq!(list.covers("host100000.example.com"), None);
        std::fs::write(&path, "a".repeat(600)).unwrap();
        assert!(list.add_file(&path).unwrap_err().to_string().contains("line 1"));
        for bad in ["ok.test\n0.0.0.0 hosts.test\n", "ok.test\n||adblock.test^\n", "ok.test\na..b\n", "ok.test\nb\u{fc}cher.example\n"] {
            std::fs::write(&path, bad).unwrap();
            let told = Domains::default().add_file(&path).unwrap_err().to_string();
            assert!(told.contains("line 2") && told.contains("no domain"), "{bad}: {told}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
