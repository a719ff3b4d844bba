//! Keeps the owner's address from being burnt: sites that reset tunnels before they said anything, or many sites that
//! refuse at once, slow the category down whose sessions went there, and stop it when that does not help. Pure;
//! `docs/reference/reputation-guard.md` has the steps in words.
//!
//! ```text
//! calm ── strike ──→ slowed 10 min ── strike ──→ stopped 30 min ── strike ──→ stopped 2 h
//!   ↑───── time ────────┘ ↑───────── time ──────────┘ ↑────────── time ──────────┘
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use crate::codec::Hash;
use crate::core::Mono;

/// Sites watched: about 80 bytes each, 20 kB. Past it the one that was visited longest ago is forgotten.
const MOST_SITES: usize = 256;
/// Categories told apart: about 500 bytes each with the sites shown, 8 kB. Profiles know two.
const MOST_CATEGORIES: usize = 16;
/// Sites shown of a category.
const SHOWN: usize = 8;
/// Tunnels to one site that are looked back on.
const LOOK_BACK: u32 = 20;
/// Of these, reset before [`SPOKEN`] bytes came back: a strike.
const MOST_RESETS: u32 = 5;
/// What a site that serves us has sent at least: a TLS handshake alone is more.
pub const SPOKEN: u64 = 1024;
/// Different sites that refuse within [`AT_ONCE`], and at least half of all visited in it: a strike.
const MOST_REFUSERS: usize = 8;
const AT_ONCE: Duration = Duration::from_secs(300);
/// While a category is slowed, one tunnel may begin in this time.
const SLOWED_EVERY: Duration = Duration::from_secs(5);
/// How long each step lasts; then the one before it.
const STEPS: [Duration; 3] = [Duration::from_secs(600), Duration::from_secs(1800), Duration::from_secs(7200)];

/// How a tunnel went, as far as the site is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It spoke to us, or ended in another way.
    Served,
    /// It cut the connection before [`SPOKEN`] bytes came back.
    Reset,
    /// It refused the connection, or its first word was a TLS alert.
    Refused,
}

/// What a category may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// One tunnel may begin every 5 seconds.
    Slowed,
    /// None may.
    Stopped,
}

impl Step {
    /// Name in status and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Step::Slowed => "slowed",
            Step::Stopped => "stopped",
        }
    }

    const fn of(level: usize) -> Step {
        if level <= 1 { Step::Slowed } else { Step::Stopped }
    }
}

/// Why a category was struck last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// One site kept resetting.
    Resets,
    /// Many sites refused at once.
    Refusals,
}

impl Why {
    /// One clause for the owner.
    pub const fn text(self) -> &'static str {
        match self {
            Why::Resets => "a site reset at least 5 of the last 20 tunnels before it said anything",
            Why::Refusals => "many sites refused at once",
        }
    }
}

/// A category that is held back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// Its name.
    pub category: String,
    /// What it may do.
    pub step: Step,
    /// Until then; the step before follows.
    pub until: Mono,
    /// Why.
    pub why: Why,
    /// Keyed hashes of the sites, as in the access log of their day; at most 8.
    pub sites: Vec<Hash>,
}

/// The guard's memory.
#[derive(Debug, Default)]
pub struct Reputation {
    sites: VecDeque<Site>,
    categories: Vec<Category>,
    strikes: u64,
}

#[derive(Debug)]
struct Site {
    hash: Hash,
    category: String,
    /// The last tunnels, the newest in bit 0; 1 = reset.
    resets: u32,
    seen: Mono,
    refused: Option<Mono>,
}

#[derive(Debug)]
struct Category {
    name: String,
    /// 0 = calm.
    level: usize,
    until: Mono,
    /// Tunnels that began before say nothing about what was done since.
    struck: Mono,
    /// While slowed, the next tunnel may begin then.
    next: Mono,
    why: Why,
    sites: Vec<Hash>,
}

impl Reputation {
    /// Whether a tunnel of `category` may begin; it then counts as begun.
    ///
    /// # Errors
    /// The step that refuses.
    pub fn admit(&mut self, now: Mono, category: &str) -> Result<(), Step> {
        let found = self.judge(now, category);
        if found.is_ok()
            && let Some(c) = self.categories.iter_mut().find(|c| c.level > 0 && c.name == category)
        {
            c.next = now.plus(SLOWED_EVERY);
        }
        found
    }

    /// The same without beginning one.
    ///
    /// # Errors
    /// The step that would refuse.
    pub fn judge(&self, now: Mono, category: &str) -> Result<(), Step> {
        match self.categories.iter().find(|c| c.level > 0 && c.name == category) {
            Some(c) if Step::of(c.level) == Step::Stopped => Err(Step::Stopped),
            Some(c) if now < c.next => Err(Step::Slowed),
            _ => Ok(()),
        }
    }

    /// A tunnel of `category` to `site` that began at `began` ended like this. `true` = it was the last straw.
    pub fn ended(&mut self, began: Mono, now: Mono, category: &str, site: Hash, outcome: Outcome) -> bool {
        if self.categories.iter().any(|c| c.name == category && c.level > 0 && began < c.struck) {
            return false;
        }
        let mut entry = match self.sites.iter().position(|s| s.hash == site && s.category == category) {
            Some(at) => self.sites.remove(at),
            None => None,
        }
        .unwrap_or_else(|| Site { hash: site, category: category.to_owned(), resets: 0, seen: now, refused: None });
        entry.resets = (entry.resets << 1 | u32::from(outcome == Outcome::Reset)) & ((1 << LOOK_BACK) - 1);
        entry.seen = now;
        if outcome == Outcome::Refused {
            entry.refused = Some(now);
        }
        let resets = entry.resets.count_ones() >= MOST_RESETS;
        if self.sites.len() >= MOST_SITES {
            self.sites.pop_front();
        }
        // The last visited stands last: the first is the one to forget.
        self.sites.push_back(entry);
        if resets {
            return self.strike(now, category, Why::Resets, vec![site]);
        }
        if outcome == Outcome::Refused
            && let Some(refusers) = self.refusers(now, category)
        {
            return self.strike(now, category, Why::Refusals, refusers);
        }
        false
    }

    /// Time has passed: steps that are over give way to the one before. `true` = something changed.
    pub fn tick(&mut self, now: Mono) -> bool {
        let mut changed = false;
        for c in self.categories.iter_mut() {
            while c.level > 0 && now >= c.until {
                changed = true;
                c.level -= 1;
                if let Some(step) = c.level.checked_sub(1).and_then(|at| STEPS.get(at)) {
                    c.until = c.until.plus(*step);
                }
            }
        }
        self.categories.retain(|c| c.level > 0);
        changed
    }

    /// When [`Reputation::tick`] has something to do.
    pub fn deadline(&self) -> Option<Mono> {
        self.categories.iter().map(|c| c.until).min()
    }

    /// What is held back now.
    pub fn held(&self) -> Vec<Held> {
        let held = |c: &Category| Held { category: c.name.clone(), step: Step::of(c.level), until: c.until, why: c.why, sites: c.sites.clone() };
        self.categories.iter().map(held).collect()
    }

    /// Strikes since start.
    pub const fn strikes(&self) -> u64 {
        self.strikes
    }

    /// The sites of `category` that refused at once, where they are many, and at least half of those visited.
    fn refusers(&self, now: Mono, category: &str) -> Option<Vec<Hash>> {
        let lately = |at: Mono| now.since(at) <= AT_ONCE;
        let visited: Vec<&Site> = self.sites.iter().filter(|s| s.category == category && lately(s.seen)).collect();
        let refused: Vec<Hash> = visited.iter().filter(|s| s.refused.is_some_and(lately)).map(|s| s.hash).collect();
        (refused.len() >= MOST_REFUSERS && refused.len() * 2 >= visited.len()).then_some(refused)
    }

    fn strike(&mut self, now: Mono, category: &str, why: Why, mut sites: Vec<Hash>) -> bool {
        // What was seen has been acted upon: the next strike needs news.
        for site in self.sites.iter_mut().filter(|s| s.category == category) {
            if why == Why::Refusals || sites.contains(&site.hash) {
                (site.resets, site.refused) = (0, None);
            }
        }
        self.strikes += 1;
        sites.reverse();
        let at = match self.categories.iter().position(|c| c.name == category) {
            Some(at) => at,
            None if self.categories.len() < MOST_CATEGORIES => {
                let calm = Category { name: category.to_owned(), level: 0, until: now, struck: now, next: now, why, sites: Vec::new() };
                self.categories.push(calm);
                self.categories.len() - 1
            }
            None => return false,
        };
        let Some(c) = self.categories.get_mut(at) else { return false };
        c.level = (c.level + 1).min(STEPS.len());
        (c.until, c.struck, c.next, c.why) = (now.plus(STEPS[c.level - 1]), now, now.plus(SLOWED_EVERY), why);
        c.sites.retain(|known| !sites.contains(known));
        sites.append(&mut c.sites);
        sites.truncate(SHOWN);
        c.sites = sites;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: u64 = 60_000;

    fn site(n: u32) -> Hash {
        Hash::of(&n.to_le_bytes())
    }

    fn resets(r: &mut Reputation, now: u64, times: usize) -> usize {
        (0..times).filter(|_| r.ended(Mono(now), Mono(now), "qa", site(1), Outcome::Reset)).count()
    }

    #[test]
    fn five_of_twenty_to_one_site_slow_its_category_and_no_other() {
        let mut r = Reputation::default();
        assert_eq!(resets(&mut r, 0, 4), 0);
        for _ in 0..16 {
            assert!(!r.ended(Mono(0), Mono(0), "qa", site(1), Outcome::Served));
        }
        // The first of the four falls out of the last twenty with this one.
        assert_eq!(resets(&mut r, 1, 1), 0);
        for n in 2..40 {
            assert!(!r.ended(Mono(1), Mono(1), "qa", site(n), Outcome::Reset), "one each at many sites is no strike");
        }
        assert_eq!(resets(&mut r, 2, 4), 1);
        assert_eq!(r.judge(Mono(2), "qa"), Err(Step::Slowed));
        assert_eq!(r.judge(Mono(2), "ads"), Ok(()));
        let held = r.held();
        assert_eq!((held.len(), held[0].step, held[0].why, &held[0].sites[..]), (1, Step::Slowed, Why::Resets, &[site(1)][..]));
    }

    #[test]
    fn slowed_then_stopped_then_back_step_by_step() {
        let mut r = Reputation::default();
        assert_eq!(resets(&mut r, 0, 5), 1);
        assert_eq!(
            (r.admit(Mono(4_999), "qa"), r.admit(Mono(5_000), "qa"), r.admit(Mono(5_001), "qa")),
            (Err(Step::Slowed), Ok(()), Err(Step::Slowed))
        );
        assert_eq!(r.admit(Mono(10_000), "qa"), Ok(()));
        // What goes well changes nothing: the step lasts its time.
        assert!(!(0..20).any(|_| r.ended(Mono(10_000), Mono(11_000), "qa", site(2), Outcome::Served)));
        assert_eq!(resets(&mut r, MINUTE, 5), 1);
        assert_eq!(r.admit(Mono(2 * MINUTE), "qa"), Err(Step::Stopped));
        assert_eq!(r.deadline(), Some(Mono(31 * MINUTE)));
        assert_eq!(resets(&mut r, 2 * MINUTE, 5), 1);
        assert_eq!(r.deadline(), Some(Mono(122 * MINUTE)));
        assert_eq!(resets(&mut r, 3 * MINUTE, 5), 1);
        assert_eq!(r.deadline(), Some(Mono(123 * MINUTE)), "there is no step beyond");
        assert!(!r.tick(Mono(122 * MINUTE)) && r.tick(Mono(123 * MINUTE)));
        assert_eq!((r.judge(Mono(123 * MINUTE), "qa"), r.deadline()), (Err(Step::Stopped), Some(Mono(153 * MINUTE))));
        assert!(r.tick(Mono(153 * MINUTE)));
        assert_eq!((r.admit(Mono(153 * MINUTE), "qa"), r.admit(Mono(153 * MINUTE), "qa")), (Ok(()), Err(Step::Slowed)));
        assert!(r.tick(Mono(163 * MINUTE)));
        assert_eq!((r.held(), r.deadline(), r.strikes()), (vec![], None, 4));
        assert_eq!((r.admit(Mono(163 * MINUTE), "qa"), r.admit(Mono(163 * MINUTE), "qa")), (Ok(()), Ok(())));
    }

    #[test]
    fn tunnels_that_were_under_way_at_the_strike_do_not_count_again() {
        let mut r = Reputation::default();
        assert_eq!(resets(&mut r, 1_000, 5), 1);
        assert!(!(0..50).any(|_| r.ended(Mono(999), Mono(1_500), "qa", site(1), Outcome::Reset)));
        assert_eq!(r.held()[0].step, Step::Slowed);
    }

    #[test]
    fn many_sites_that_refuse_at_once_are_a_strike_and_a_few_of_many_are_not() {
        let mut r = Reputation::default();
        let refuse = |r: &mut Reputation, at: u64, n: u32| r.ended(Mono(at), Mono(at), "qa", site(n), Outcome::Refused);
        assert!(!(0..30).any(|_| refuse(&mut r, 0, 1)), "one site, however often");
        for n in 100..120 {
            r.ended(Mono(0), Mono(0), "qa", site(n), Outcome::Served);
        }
        assert!(!(2..20).any(|n| refuse(&mut r, 1, n)), "19 of 39");
        assert!(refuse(&mut r, 1, 20), "20 of 40");
        assert_eq!((r.held()[0].why, r.held()[0].sites.len()), (Why::Refusals, SHOWN));
        let mut slow = Reputation::default();
        assert!(!(0..20).any(|n| refuse(&mut slow, u64::from(n) * MINUTE, n)), "one a minute is not at once");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever happens: tables keep their bounds, and time alone brings every category back.
        #[test]
        fn bounded_and_forgiving(events in prop::collection::vec((0u32..400, 0u8..20, 0u8..3, 0u64..2_000), 0..600)) {
            let mut r = Reputation::default();
            let mut now = 0;
            for (n, category, outcome, ms) in events {
                now += ms;
                let outcome = [Outcome::Served, Outcome::Reset, Outcome::Refused][usize::from(outcome)];
                r.ended(Mono(now), Mono(now), &category.to_string(), site(n % 3 * n), outcome);
                r.tick(Mono(now));
                prop_assert!(r.sites.len() <= MOST_SITES && r.categories.len() <= MOST_CATEGORIES);
                prop_assert!(r.held().iter().all(|h| h.sites.len() <= SHOWN && h.until > Mono(now)));
            }
            let last = now + STEPS.iter().map(|s| s.as_millis() as u64).sum::<u64>();
            r.tick(Mono(last));
            prop_assert_eq!(r.held(), vec![]);
        }
    }
}
