//! The search for a single changed byte: each byte is tried as each other until what is known of the original fits again.

/// Bytes hashed in one search at the most: some seconds on a computer, some minutes on a router.
const MOST_HASHED: usize = 4 << 30;
/// Signatures verified in one search at the most: some seconds.
const MOST_VERIFIED: usize = 60_000;

/// Which other values of a byte are tried, likeliest first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// One bit: what a tired memory does.
    Bits,
    /// Printable: what a person does.
    Printable,
    /// All others.
    Rest,
}

impl Pass {
    const ALL: [Pass; 3] = [Pass::Bits, Pass::Printable, Pass::Rest];

    fn of(byte: u8, is: u8) -> Pass {
        match byte {
            _ if (byte ^ is).count_ones() == 1 => Pass::Bits,
            b' '..=b'~' => Pass::Printable,
            _ => Pass::Rest,
        }
    }
}

/// The place in `line`, and the byte there, with which its BLAKE3 is one that `fits`. `prefix`, `suffix`: what is hashed around it.
pub fn by_hash(prefix: &[u8], line: &[u8], suffix: &[u8], fits: impl Fn(&blake3::Hash) -> bool) -> Option<(usize, u8)> {
    let mut budget = MOST_HASHED;
    for pass in Pass::ALL {
        let mut before = blake3::Hasher::new();
        before.update(prefix);
        for (at, &is) in line.iter().enumerate() {
            let rest = line.get(at + 1..).unwrap_or_default();
            for was in (0..=u8::MAX).filter(|b| *b != is && Pass::of(*b, is) == pass) {
                budget = budget.checked_sub(rest.len() + suffix.len() + 64)?;
                let mut hasher = before.clone();
                hasher.update(&[was]).update(rest).update(suffix);
                if fits(&hasher.finalize()) {
                    return Some((at, was));
                }
            }
            before.update(&[is]);
        }
    }
    None
}

/// The place in `line`, and the byte there, with which it is `likely` (cheap) and then `good` (a signature).
pub fn by_signature(line: &[u8], likely: impl Fn(&[u8]) -> bool, good: impl Fn(&[u8]) -> bool) -> Option<(usize, u8)> {
    let mut budget = MOST_VERIFIED;
    let mut tried = line.to_vec();
    for pass in [Pass::Bits, Pass::Printable] {
        for (at, &is) in line.iter().enumerate() {
            for was in (0..=u8::MAX).filter(|b| *b != is && Pass::of(*b, is) == pass) {
                tried[at] = was;
                if likely(&tried) {
                    budget = budget.checked_sub(1)?;
                    if good(&tried) {
                        return Some((at, was));
                    }
                }
            }
            tried[at] = is;
        }
    }
    None
}

/// The only place where `is` differs from `was`, and the byte of `was` there; both are equally long.
pub fn one_off(is: &[u8], was: &[u8]) -> Option<(usize, u8)> {
    if is.len() != was.len() {
        return None;
    }
    let mut differing = is.iter().zip(was).enumerate().filter(|(_, (a, b))| a != b);
    let (at, (_, was)) = differing.next()?;
    differing.next().is_none().then_some((at, *was))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn whatever_byte_was_changed_is_found(line in prop::collection::vec(b' '..=b'~', 1..60), at: prop::sample::Index, to: u8) {
            let target = blake3::hash(&line);
            let at = at.index(line.len());
            let mut changed = line.clone();
            changed[at] = to;
            let found = by_hash(b"", &changed, b"", |h| *h == target);
            prop_assert_eq!(found, (to != line[at]).then_some((at, line[at])));
            prop_assert_eq!(one_off(&changed, &line), found);
            if let Some(found) = found.filter(|_| changed.iter().all(|b| (b' '..=b'~').contains(b))) {
                let good = |l: &[u8]| blake3::hash(l) == target;
                prop_assert_eq!(by_signature(&changed, |_| true, good), Some(found));
            }
        }
    }

    #[test]
    fn two_changes_are_not_taken_for_one() {
        let target = blake3::hash(b"abcdef");
        assert_eq!(by_hash(b"", b"xbcdxf", b"", |h| *h == target), None);
        assert_eq!(one_off(b"xbcdxf", b"abcdef"), None);
        assert_eq!(by_hash(b"ab", b"xd", b"ef", |h| *h == target), Some((0, b'c')));
    }
}
