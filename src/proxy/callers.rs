//! Who is at the door and has not shown a secret yet: bounded in all, by source, and after failures.

use std::net::IpAddr;
use std::time::Duration;

use crate::core::{Mono, Reason};

/// Connections that have not authenticated, in all: about 12 KiB each (head buffer and TLS state), 768 KiB together.
pub const MOST: usize = 64;
/// Of them from sources that have not shown a right secret before: the rest is kept for buyers, so that strangers that
/// say their heads slowly do not lock them out.
const MOST_STRANGERS: usize = 48;
/// Of them from one source that has not shown a right secret before. A buyer's browser opens dozens of tunnels in one
/// moment; whoever the last secret was right of is bounded by [`MOST`] alone.
pub const MOST_OF_ONE: u8 = 8;
/// Failures after which a source is refused.
const FAILURES: u8 = 3;
/// For how long, and how long a failure is remembered.
const REFUSED_FOR: Duration = Duration::from_secs(60);
/// Sources remembered: 40 bytes each, 10 KiB.
const SOURCES: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Source {
    /// IPv4 address, or the /64 of an IPv6 one: a household has a whole /64.
    prefix: u64,
    v6: bool,
    waiting: u8,
    failures: u8,
    last_failure: Mono,
    /// The last secret from there was right.
    known: bool,
}

/// The table of sources. Linear search: 256 entries are read faster than a map is hashed, and without allocation.
#[derive(Debug, Default)]
pub struct Callers {
    sources: heapless::Vec<Source, SOURCES>,
    waiting: usize,
}

fn prefix(ip: IpAddr) -> (u64, bool) {
    match ip.to_canonical() {
        IpAddr::V4(v4) => (u64::from(v4.to_bits()), false),
        IpAddr::V6(v6) => ((v6.to_bits() >> 64) as u64, true),
    }
}

impl Callers {
    /// Somebody connected. `Err` = refuse at once: too many wait, or the source failed too often.
    ///
    /// Every `Ok` is answered by one [`Callers::left`].
    pub fn came(&mut self, ip: IpAddr, now: Mono) -> Result<(), Reason> {
        if self.waiting >= MOST {
            return Err(Reason::RateTableFull);
        }
        let all = self.waiting;
        let source = self.source(ip, now).ok_or(Reason::RateTableFull)?;
        let (known, failures) = (source.known, source.failures);
        let room = if known { MOST } else { MOST_STRANGERS };
        if (source.waiting >= MOST_OF_ONE && !known) || failures >= FAILURES || all >= room {
            return Err(Reason::RateTableFull);
        }
        source.waiting += 1;
        self.waiting += 1;
        Ok(())
    }

    /// A caller authenticated (`true`), failed to (`false`), or went away without a try (`None`).
    pub fn left(&mut self, ip: IpAddr, now: Mono, authenticated: Option<bool>) {
        self.waiting = self.waiting.saturating_sub(1);
        let Some(source) = self.source(ip, now) else { return };
        source.waiting = source.waiting.saturating_sub(1);
        match authenticated {
            Some(true) => (source.failures, source.known) = (0, true),
            Some(false) => {
                source.known = false;
                source.failures = source.failures.saturating_add(1);
                source.last_failure = now;
            }
            None => {}
        }
    }

    /// The entry of `ip`, made if there is room: idle ones give way, strangers first; live ones never do.
    fn source(&mut self, ip: IpAddr, now: Mono) -> Option<&mut Source> {
        let (prefix, v6) = prefix(ip);
        for s in &mut self.sources {
            if s.failures > 0 && now.since(s.last_failure) >= REFUSED_FOR {
                s.failures = 0;
            }
        }
        if let Some(at) = self.sources.iter().position(|s| s.prefix == prefix && s.v6 == v6) {
            return self.sources.get_mut(at);
        }
        let new = Source { prefix, v6, waiting: 0, failures: 0, last_failure: now, known: false };
        if self.sources.push(new).is_ok() {
            return self.sources.last_mut();
        }
        let idle = |s: &Source| s.waiting == 0 && s.failures == 0;
        let at = self.sources.iter().position(|s| idle(s) && !s.known).or_else(|| self.sources.iter().position(idle))?;
        self.sources[at] = new;
        self.sources.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0b00_0000 + n))
    }

    #[test]
    fn three_failures_refuse_a_source_for_a_minute() {
        let mut callers = Callers::default();
        for n in 0..3 {
            assert_eq!(callers.came(ip(1), Mono(n)), Ok(()));
            callers.left(ip(1), Mono(n), Some(false));
        }
        assert_eq!(callers.came(ip(1), Mono(1000)), Err(Reason::RateTableFull));
        assert_eq!(callers.came(ip(2), Mono(1000)), Ok(()));
        assert_eq!(callers.came(ip(1), Mono(60_002)), Ok(()));
    }

    #[test]
    fn the_right_secret_forgives() {
        let mut callers = Callers::default();
        for n in 0..20 {
            assert_eq!(callers.came(ip(1), Mono(n)), Ok(()));
            callers.left(ip(1), Mono(n), Some(n % 3 == 2));
        }
    }

    #[test]
    fn bounded_in_all_and_by_source() {
        let mut callers = Callers::default();
        for _ in 0..MOST_OF_ONE {
            assert_eq!(callers.came(ip(1), Mono(0)), Ok(()));
        }
        assert_eq!(callers.came(ip(1), Mono(0)), Err(Reason::RateTableFull));
        for n in 2..=41 {
            assert_eq!(callers.came(ip(n), Mono(0)), Ok(()), "{n}");
        }
        assert_eq!(callers.came(ip(99), Mono(0)), Err(Reason::RateTableFull));
        callers.left(ip(1), Mono(0), None);
        assert_eq!(callers.came(ip(99), Mono(0)), Ok(()));
    }

    #[test]
    fn strangers_that_fill_their_part_leave_room_for_who_is_known() {
        let mut callers = Callers::default();
        assert_eq!(callers.came(ip(1), Mono(0)), Ok(()));
        callers.left(ip(1), Mono(0), Some(true));
        for n in 0..MOST_STRANGERS as u32 {
            assert_eq!(callers.came(ip(2 + n), Mono(0)), Ok(()), "{n}");
        }
        assert_eq!(callers.came(ip(999), Mono(0)), Err(Reason::RateTableFull));
        for _ in MOST_STRANGERS..MOST {
            assert_eq!(callers.came(ip(1), Mono(0)), Ok(()));
        }
        assert_eq!(callers.came(ip(1), Mono(0)), Err(Reason::RateTableFull));
    }

    #[test]
    fn a_table_full_of_failures_refuses_newcomers_until_they_are_forgotten() {
        let mut callers = Callers::default();
        for n in 0..SOURCES as u32 {
            assert_eq!(callers.came(ip(n), Mono(0)), Ok(()));
            callers.left(ip(n), Mono(0), Some(false));
        }
        assert_eq!(callers.came(ip(9999), Mono(1)), Err(Reason::RateTableFull));
        assert_eq!(callers.came(ip(9999), Mono(60_000)), Ok(()));
    }

    #[test]
    fn who_showed_a_right_secret_may_bring_many_at_once_until_a_wrong_one() {
        let mut callers = Callers::default();
        assert_eq!(callers.came(ip(1), Mono(0)), Ok(()));
        callers.left(ip(1), Mono(0), Some(true));
        for _ in 0..MOST {
            assert_eq!(callers.came(ip(1), Mono(1)), Ok(()));
        }
        assert_eq!(callers.came(ip(1), Mono(1)), Err(Reason::RateTableFull), "the bound of all holds for it too");
        for _ in 0..MOST {
            callers.left(ip(1), Mono(2), None);
        }
        assert_eq!(callers.came(ip(1), Mono(2)), Ok(()));
        callers.left(ip(1), Mono(2), Some(false));
        for _ in 0..MOST_OF_ONE {
            assert_eq!(callers.came(ip(1), Mono(3)), Ok(()));
        }
        assert_eq!(callers.came(ip(1), Mono(3)), Err(Reason::RateTableFull));
    }

    #[test]
    fn strangers_that_come_and_go_do_not_push_out_who_is_known() {
        let mut callers = Callers::default();
        assert_eq!(callers.came(ip(1), Mono(0)), Ok(()));
        callers.left(ip(1), Mono(0), Some(true));
        for n in 2..2000 {
            assert_eq!(callers.came(ip(n), Mono(1)), Ok(()));
            callers.left(ip(n), Mono(1), None);
        }
        for _ in 0..=MOST_OF_ONE {
            assert_eq!(callers.came(ip(1), Mono(2)), Ok(()));
        }
    }

    #[test]
    fn an_ipv6_household_is_one_source() {
        let mut callers = Callers::default();
        for n in 0..u128::from(MOST_OF_ONE) {
            let one = IpAddr::V6(std::net::Ipv6Addr::from_bits((0x2a00_u128 << 112) + n));
            assert_eq!(callers.came(one, Mono(0)), Ok(()));
        }
        let next = IpAddr::V6(std::net::Ipv6Addr::from_bits((0x2a00_u128 << 112) + 99));
        assert_eq!(callers.came(next, Mono(0)), Err(Reason::RateTableFull));
    }
}
