//! Small pictures of block characters: bars for caps, a line of columns for a series.

use std::time::Duration;

const COLUMNS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A bar of `width` characters, filled to `used` of `limit`; all empty where there is no limit.
pub fn bar(used: u64, limit: u64, width: usize) -> String {
    let eighths = if limit == 0 { 0 } else { (u128::from(used.min(limit)) * (width as u128 * 8) / u128::from(limit)) as usize };
    let (full, rest) = (eighths / 8, eighths % 8);
    let mut out = "█".repeat(full);
    if full < width {
        out.push(EIGHTHS[rest]);
        out.extend(std::iter::repeat_n(' ', width - full - 1));
    }
    out
}

/// `values`, oldest first, as `width` columns; the highest column is the largest value, a gap is zero.
pub fn spark(values: &[u64], width: usize) -> String {
    if width == 0 || values.is_empty() {
        return String::new();
    }
    let per_column = values.len().div_ceil(width);
    let columns: Vec<u64> = values.rchunks(per_column).rev().map(|c| c.iter().copied().max().unwrap_or(0)).collect();
    let most = columns.iter().copied().max().unwrap_or(0).max(1);
    columns.into_iter().map(|v| if v == 0 { ' ' } else { COLUMNS[(u128::from(v) * 7 / u128::from(most)) as usize] }).collect()
}

/// `12.3 Mbit/s`.
pub fn bits(per_sec: u64) -> String {
    format!("{}bit/s", scaled(per_sec))
}

/// `1.2 GB` (powers of ten, as the caps are).
pub fn bytes(n: u64) -> String {
    format!("{}B", scaled(n))
}

fn scaled(n: u64) -> String {
    let (mut value, mut unit) = (n as f64, "");
    for next in ["k", "M", "G", "T", "P", "E"] {
        if value < 999.95 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit.is_empty() { format!("{n} ") } else { format!("{value:.1} {unit}") }
}

/// `3d 4h`, `4h 05m`, `5m 06s`, `6s`.
pub fn span(d: Duration) -> String {
    let s = d.as_secs();
    match (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, s) => format!("{m}m {s:02}s"),
        (0, h, m, _) => format!("{h}h {m:02}m"),
        (d, h, ..) => format!("{d}d {h}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_and_keep_their_width() {
        assert_eq!(bar(0, 10, 4), "    ");
        assert_eq!(bar(5, 10, 4), "██  ");
        assert_eq!(bar(1, 8, 2), "▎ ");
        assert_eq!(bar(u64::MAX, 10, 4), "████");
        assert_eq!(bar(3, 0, 4), "    ");
        assert!((0..=100).all(|n| bar(n, 100, 7).chars().count() == 7));
    }

    #[test]
    fn sparks_scale_to_the_largest() {
        assert_eq!(spark(&[0, 1, 4, 7, 7], 5), " ▂▅██");
        assert_eq!(spark(&[0; 3], 5), "   ");
        assert_eq!(spark(&(0..300).collect::<Vec<_>>(), 60).chars().count(), 60);
        assert_eq!(spark(&[u64::MAX, u64::MAX / 2], 2), "█▄");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(bits(0), "0 bit/s");
        assert_eq!(bits(12_340_000), "12.3 Mbit/s");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(u64::MAX), "18.4 EB");
        assert_eq!(span(Duration::from_secs(4 * 3600 + 300)), "4h 05m");
    }
}
