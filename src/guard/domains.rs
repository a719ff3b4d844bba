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

    /// Adds the lines of a file: one suffix a line, `#` starts a comment, blanks are ignored. What is longer than a
    /// domain, or beyond the limit, is an error that names the line.
    pub fn add_file(&mut self, path: &Path) -> io::Result<()> {
        let mut reader = io::BufReader::new(std::fs::File::open(path)?);
        let mut line = Vec::new();
        let mut number = 0u32;
        loop {
            line.clear();
            number += 1;
            let read = io::Read::take(&mut reader, LINE as u64).read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{} line {number}: {what}", path.display()));
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
            self.push(&entry.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase());
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

    #[test]
    fn a_file_of_a_hundred_thousand_fits_in_two_megabytes() {
        let path = std::env::temp_dir().join(format!("echomesh-domains-{}", std::process::id()));
        let text: String = (0..100_000).map(|n| format!("host{n}.example.com # no {n}\r\n\n")).collect();
        std::fs::write(&path, text).unwrap();
        let mut list = Domains::default();
        list.add_file(&path).unwrap();
        assert_eq!(list.len(), 100_000);
        assert!(list.hashes.capacity() * 8 <= 2_000_000);
        assert_eq!(list.covers("x.host77777.example.com"), Some("host77777.example.com"));
        assert_eq!(list.covers("host100000.example.com"), None);
        std::fs::write(&path, "a".repeat(600)).unwrap();
        assert!(list.add_file(&path).unwrap_err().to_string().contains("line 1"));
        std::fs::remove_file(&path).unwrap();
    }
}
