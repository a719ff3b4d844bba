//! Reputation 0..1 from 30 days of probes and errors, and the tier it stands for.

use super::bounds::REPUTATION_DAYS;
use super::row::{Day, Node};
use crate::codec::json;
use crate::coordinator::wire;

const DAY_SEC: u64 = 86_400;
/// Errors start to cost here (the node's alert threshold) and cost everything at [`WORST_PCT`].
const GOOD_PCT: f64 = 1.5;
const WORST_PCT: f64 = 20.0;
/// Fewer tunnels say nothing about an error rate.
const LEAST_REQUESTS: u64 = 20;
/// Fewer probes say nothing about a tier.
const LEAST_PROBES: u64 = 5;

/// Days since 1970-01-01.
pub fn day_of(unix: u64) -> u64 {
    unix / DAY_SEC
}

/// Today's figures of `node`, to be added to. Days before the last 30 fall out.
pub fn today(node: &mut Node, unix: u64) -> &mut Day {
    let day = day_of(unix);
    node.days.retain(|d| d.day + REPUTATION_DAYS > day);
    let at = match node.days.binary_search_by_key(&day, |d| d.day) {
        Ok(at) => at,
        Err(at) => {
            node.days.insert(at, Day { day, ..Day::default() });
            at
        }
    };
    &mut node.days[at]
}

/// Micro-credits of the UTC day of `unix`.
pub fn credits_today(node: &Node, unix: u64) -> u64 {
    node.days.iter().find(|d| d.day == day_of(unix)).map_or(0, |d| d.credits)
}

/// The score: share of probes passed (one of each assumed, so that a newcomer stands at one half), less what errors cost.
pub fn of(node: &Node, unix: u64) -> wire::Reputation {
    let day = day_of(unix);
    let (mut passed, mut failed, mut requests, mut errors) = (0u64, 0u64, 0u64, 0u64);
    for d in node.days.iter().filter(|d| d.day + REPUTATION_DAYS > day) {
        passed += u64::from(d.passed);
        failed += u64::from(d.failed);
        requests += d.requests;
        errors += d.errors;
    }
    #[allow(clippy::cast_precision_loss)] // counts far below 2^53
    let share = |part: u64, whole: u64| part as f64 / whole as f64;
    let probes = share(passed + 1, passed + failed + 2);
    let cost = if requests < LEAST_REQUESTS { 0.0 } else { ((share(errors, requests) * 100.0 - GOOD_PCT) / (WORST_PCT - GOOD_PCT)).clamp(0.0, 1.0) };
    let score = json::milli(probes * (1.0 - cost));
    let tier = match score {
        _ if passed + failed < LEAST_PROBES => "new",
        s => self::tier(s),
    };
    wire::Reputation { score, tier: tier.into() }
}

/// The tier a score stands for, where enough is known of its node.
pub fn tier(score: f64) -> &'static str {
    match score {
        s if s >= 0.9 => "gold",
        s if s >= 0.75 => "silver",
        s if s >= 0.5 => "bronze",
        _ => "probation",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn passes_raise_errors_lower_and_30_days_forget() {
        let mut node = testing::node(1);
        assert_eq!(of(&node, NOW).score, 0.5);
        assert_eq!(of(&node, NOW).tier, "new");
        today(&mut node, NOW).passed = 48;
        assert_eq!(of(&node, NOW).tier, "gold");
        today(&mut node, NOW).requests = 1000;
        today(&mut node, NOW).errors = 10;
        assert_eq!(of(&node, NOW).tier, "gold", "1 % of errors is within the target");
        today(&mut node, NOW).errors = 100;
        assert_eq!(of(&node, NOW).tier, "bronze");
        today(&mut node, NOW).failed = 48;
        assert_eq!(of(&node, NOW).tier, "probation");
        assert_eq!(of(&node, NOW + 30 * 86_400).score, 0.5);
        today(&mut node, NOW + 30 * 86_400).passed = 1;
        assert_eq!(node.days.len(), 1);
    }
}
