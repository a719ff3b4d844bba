//! What was resolved lately.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use super::Outcome;
use crate::core::{Mono, Reason};

/// Hosts that are remembered: about 300 bytes each, 150 KiB in all; at most 640 KiB of the longest names and most addresses.
const ENTRIES: usize = 512;
/// An answer whose aliases take more text is used but not remembered.
const MAX_CHAIN_TEXT: usize = 512;
/// An answer holds at least this long, whatever its TTL, and at most [`MOST`].
pub(super) const LEAST: Duration = Duration::from_secs(10);
/// See [`LEAST`].
pub(super) const MOST: Duration = Duration::from_secs(3600);

/// Bounded: a full cache forgets what has expired, then what was not asked for the longest.
#[derive(Default)]
pub(super) struct Cache {
    entries: RefCell<HashMap<String, Entry>>,
    /// Counts uses; the order of [`Entry::used`].
    uses: Cell<u32>,
}

struct Entry {
    outcome: Outcome,
    until: Mono,
    used: u32,
}

impl Cache {
    /// What is known of `host` and still holds.
    pub(super) fn get(&self, host: &str, now: Mono) -> Option<Outcome> {
        let mut entries = self.entries.borrow_mut();
        let entry = entries.get_mut(host).filter(|entry| now < entry.until)?;
        entry.used = self.next_use();
        Some(entry.outcome.clone())
    }

    /// Remembers `outcome` for `holds`.
    pub(super) fn put(&self, host: &str, outcome: &Outcome, now: Mono, holds: Duration) {
        if outcome.as_ref().is_ok_and(|r| r.chain.iter().map(String::len).sum::<usize>() > MAX_CHAIN_TEXT) {
            return;
        }
        let mut entries = self.entries.borrow_mut();
        if entries.len() >= ENTRIES && !entries.contains_key(host) {
            entries.retain(|_, entry| now < entry.until);
            if entries.len() >= ENTRIES
                && let Some(oldest) = entries.iter().min_by_key(|(_, entry)| entry.used).map(|(host, _)| host.clone())
            {
                entries.remove(&oldest);
            }
        }
        let entry = Entry { outcome: outcome.clone(), until: now.plus(holds), used: self.next_use() };
        entries.insert(host.to_owned(), entry);
    }

    fn next_use(&self) -> u32 {
        // At a thousand uses a second it wraps after 49 days; then some entry is forgotten before its turn.
        let next = self.uses.get().wrapping_add(1);
        self.uses.set(next);
        next
    }
}

/// How long an answer with this TTL holds; `outcome` without addresses holds at most [`super::NEGATIVE_HOLDS`].
pub(super) fn holds(ttl_secs: u32, outcome: &Result<(), Reason>) -> Duration {
    let most = if outcome.is_ok() { MOST } else { super::NEGATIVE_HOLDS };
    Duration::from_secs(u64::from(ttl_secs)).clamp(LEAST, most)
}

#[cfg(test)]
mod tests {
    use super::super::Resolved;
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn resolved(n: u8) -> Outcome {
        Ok(Resolved { addresses: vec![[192, 0, 2, n].into()], chain: Vec::new() })
    }

    #[test]
    fn holds_until_its_time_and_not_longer() {
        let cache = Cache::default();
        let start = Mono(1_000);
        cache.put("a.example", &resolved(1), start, MINUTE);
        cache.put("b.example", &Err(Reason::DnsFailed), start, MINUTE);
        assert_eq!(cache.get("a.example", Mono(60_999)), Some(resolved(1)));
        assert_eq!(cache.get("b.example", Mono(60_999)), Some(Err(Reason::DnsFailed)));
        assert_eq!(cache.get("a.example", Mono(61_000)), None);
        assert_eq!(cache.get("c.example", start), None);
    }

    #[test]
    fn a_full_cache_forgets_the_expired_then_the_least_used() {
        let cache = Cache::default();
        let host = |i: usize| format!("h{i}.example");
        for i in 0..ENTRIES {
            cache.put(&host(i), &resolved(1), Mono(0), MINUTE);
        }
        assert!(cache.get(&host(0), Mono(1)).is_some(), "used, so h1 is the oldest now");
        cache.put("new.example", &resolved(2), Mono(1), MINUTE);
        assert!(cache.get(&host(0), Mono(1)).is_some());
        assert!(cache.get(&host(1), Mono(1)).is_none());
        assert_eq!(cache.entries.borrow().len(), ENTRIES);
        cache.put(&host(0), &resolved(3), Mono(1), MINUTE);
        assert_eq!(cache.entries.borrow().len(), ENTRIES, "a known host takes no room");

        cache.put("newer.example", &resolved(2), Mono(60_000), MINUTE);
        assert_eq!(cache.entries.borrow().len(), 3, "new, h0 and newer; the others have expired");
    }

    #[test]
    fn very_long_aliases_are_not_remembered() {
        let cache = Cache::default();
        let chain = vec!["a".repeat(253); 3];
        cache.put("a.example", &Ok(Resolved { addresses: Vec::new(), chain }), Mono(0), MINUTE);
        assert_eq!(cache.get("a.example", Mono(0)), None);
    }

    #[test]
    fn ttls_are_clamped() {
        for (ttl, positive, negative) in [(0, 10, 10), (25, 25, 25), (300, 300, 30), (u32::MAX, 3600, 30)] {
            assert_eq!(holds(ttl, &Ok(())), Duration::from_secs(positive));
            assert_eq!(holds(ttl, &Err(Reason::DnsFailed)), Duration::from_secs(negative));
        }
    }
}
