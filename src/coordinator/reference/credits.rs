//! Micro-credits: counted bytes × price per GB × a factor for the quality of the window.

use crate::coordinator::wire::Bundle;

/// Micro-credits per GB where the operator names no price: one credit.
pub const DEFAULT_PRICE: u64 = 1_000_000;
/// Latency (ms) above which a window counts less: the regional target of the client's design.
const SLOW_MS: u64 = 250;
/// Error rate (per cent) above which a window counts less: the node's own alert threshold.
const FAULTY_PCT: f64 = 1.5;
const GB: u128 = 1_000_000_000;
const DAY_SEC: u64 = 86_400;
/// A mean over less than this much of a day is no forecast.
const LEAST_ELAPSED_SEC: u64 = 3600;

/// The window's quality in thousandths: 1000 when fast and clean, 900 when slow, 800 when faulty, 700 when both.
pub fn quality_permille(bundle: &Bundle) -> u64 {
    let slow = bundle.latency_ms_p95.is_some_and(|p95| p95 > SLOW_MS);
    let faulty = bundle.error_rate_pct > FAULTY_PCT;
    1000 - if slow { 100 } else { 0 } - if faulty { 200 } else { 0 }
}

/// What `bytes` at `permille` quality earn, rounded down.
pub fn earned(bytes: u64, price_per_gb: u64, permille: u64) -> u64 {
    let micro = (u128::from(bytes) * u128::from(price_per_gb)).saturating_mul(u128::from(permille)) / 1000 / GB;
    u64::try_from(micro).unwrap_or(u64::MAX)
}

/// What the rest of the UTC day brings if it goes on as it went: today's mean × the time left.
pub fn forecast(credits_today: u64, unix: u64) -> u64 {
    let elapsed = (unix % DAY_SEC).max(LEAST_ELAPSED_SEC);
    let left = DAY_SEC - unix % DAY_SEC;
    u64::try_from(u128::from(credits_today) * u128::from(left) / u128::from(elapsed)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gigabyte_earns_the_price_times_its_quality() {
        assert_eq!(earned(1_000_000_000, DEFAULT_PRICE, 1000), 1_000_000);
        assert_eq!(earned(1_000_000_000, DEFAULT_PRICE, 700), 700_000);
        assert_eq!(earned(999, DEFAULT_PRICE, 1000), 0);
        assert_eq!(earned(u64::MAX, u64::MAX, 1000), u64::MAX);
    }

    #[test]
    fn the_forecast_is_the_mean_times_the_time_left() {
        assert_eq!(forecast(1_000, 12 * 3600), 1_000);
        assert_eq!(forecast(1_000, 18 * 3600), 333);
        assert_eq!(forecast(10, 60), 239, "the first hour counts as an hour");
    }
}
