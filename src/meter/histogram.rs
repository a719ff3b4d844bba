//! Latency histogram of fixed size: mergeable, quantiles with a relative error of at most 2 %.
//!
//! Up to 63 ms each millisecond has its cell; above, each octave has 32 cells, and a cell answers with its middle:
//! the error is at most half a cell, 1/64 of the value.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Values below this have a cell each.
const EXACT: u32 = 64;
/// Cells per octave above.
const PER_OCTAVE: u32 = 32;
/// Octaves from 64 up to [`Histogram::MOST`].
const OCTAVES: u32 = 11;
/// Cells: 416 of 4 bytes, 1.7 kB per histogram.
const CELLS: usize = (EXACT + OCTAVES * PER_OCTAVE) as usize;

/// Counts of latencies in milliseconds. In binary formats only its non-zero cells travel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Histogram {
    cells: [u32; CELLS],
}

impl Histogram {
    /// The largest latency told apart, about 131 s; longer ones count as this.
    pub const MOST: u64 = (1 << 17) - 1;

    /// One without a sample.
    pub const fn new() -> Histogram {
        Histogram { cells: [0; CELLS] }
    }

    /// Counts one latency in milliseconds.
    pub fn record(&mut self, ms: u64) {
        let cell = &mut self.cells[cell_of(ms)];
        *cell = cell.saturating_add(1);
    }

    /// Adds all samples of `other`.
    pub fn merge(&mut self, other: &Histogram) {
        for (cell, more) in self.cells.iter_mut().zip(other.cells) {
            *cell = cell.saturating_add(more);
        }
    }

    /// Samples counted.
    pub fn count(&self) -> u64 {
        self.cells.iter().map(|&c| u64::from(c)).sum()
    }

    /// The value at rank ⌈q·n⌉ (nearest rank), in milliseconds; `None` without a sample.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        // `as` saturates, and a rank outside 1..=count is brought back: any q is answered.
        let rank = ((q * count as f64).ceil() as u64).clamp(1, count);
        let mut below = 0;
        self.cells.iter().enumerate().find_map(|(i, &c)| {
            below += u64::from(c);
            (below >= rank).then(|| middle_of(i))
        })
    }
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::new()
    }
}

fn cell_of(ms: u64) -> usize {
    let v = ms.min(Histogram::MOST) as u32;
    if v < EXACT {
        return v as usize;
    }
    let octave = v.ilog2() - EXACT.ilog2();
    // Of a value in its octave, the five bits after the leading one.
    let sub = (v >> (octave + 1)) & (PER_OCTAVE - 1);
    (EXACT + octave * PER_OCTAVE + sub) as usize
}

fn middle_of(cell: usize) -> u64 {
    let cell = cell as u64;
    let (exact, per) = (u64::from(EXACT), u64::from(PER_OCTAVE));
    if cell < exact {
        return cell;
    }
    let (octave, sub) = ((cell - exact) / per, (cell - exact) % per);
    let width = 1 << (octave + 1);
    (per + sub) * width + (width - 1) / 2
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let sparse: Vec<(u16, u32)> = (0u16..).zip(self.cells).filter(|&(_, c)| c > 0).collect();
        sparse.serialize(s)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Histogram, D::Error> {
        let mut histogram = Histogram::new();
        for (i, c) in Vec::<(u16, u32)>::deserialize(d)? {
            *histogram.cells.get_mut(usize::from(i)).ok_or_else(|| de::Error::custom("no such cell"))? = c;
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(sorted: &[u64], q: f64) -> u64 {
        let rank = ((q * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len());
        sorted[rank - 1]
    }

    #[test]
    fn every_value_is_within_two_percent() {
        for v in 0..=Histogram::MOST {
            let got = middle_of(cell_of(v));
            assert!(got.abs_diff(v) as f64 <= 0.02 * v as f64, "{v} answered as {got}");
        }
        assert_eq!(cell_of(u64::MAX), CELLS - 1);
    }

    #[test]
    fn nothing_is_known_without_a_sample() {
        assert_eq!(Histogram::new().quantile(0.5), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn quantiles_survive_a_merge_and_a_journey(
            mut a in prop::collection::vec(1u64..120_000, 1..200),
            b in prop::collection::vec(1u64..400, 0..200),
            q in 0.0f64..=1.0,
        ) {
            let (mut ha, mut hb) = (Histogram::new(), Histogram::new());
            a.iter().for_each(|&v| ha.record(v));
            b.iter().for_each(|&v| hb.record(v));
            ha.merge(&hb);
            let ha: Histogram = postcard::from_bytes(&postcard::to_allocvec(&ha).unwrap()).unwrap();
            a.extend(b);
            a.sort_unstable();
            prop_assert_eq!(ha.count(), a.len() as u64);
            for q in [q, 0.5, 0.95] {
                let (got, want) = (ha.quantile(q).unwrap(), exact(&a, q));
                prop_assert!(got.abs_diff(want) as f64 <= 0.02 * want as f64, "{} answered as {}", want, got);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(h) = postcard::from_bytes::<Histogram>(&bytes) {
                let _ = h.quantile(0.95);
            }
        }
    }
}
