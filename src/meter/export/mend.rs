//! What was changed in a block whose checks do not hold: one byte, where one byte explains it.
//!
//! A byte may be a line end that is gone, or one too many. Checks follow from the lines before them, so a change in the
//! checks themselves shows against what they should be.

use super::frame::{Broken, Cursor, Line, Place};
use super::search::{by_hash, one_off};
use super::{BLOCK, CHECKS, DIGITS, checks, digest, end};

/// What is wrong with the block at `place`.
pub(super) fn find(file: &[u8], place: &Place) -> Broken {
    let cursor = Cursor { file, at: place.start, number: place.number };
    // One line end may be gone or too many: two lines more than the largest block are enough.
    let lines: Vec<Line> = cursor.take(BLOCK + 3).collect();
    let named = |(at, was): (usize, u8)| Broken::Byte { at, was, line: holding(file, &lines, place, at) };
    if let Some(found) = in_the_end(file, place).or_else(|| in_the_checks(file, &lines, place)) {
        return named(found);
    }
    match in_the_lines(file, &lines, place) {
        Some(Found::Byte(at, was)) => named((at, was)),
        Some(Found::Line(line)) => Broken::Line(line),
        None => {
            let mut cursor = cursor;
            let last = cursor.by_ref().find(|l| l.of(file).starts_with(super::END.as_bytes()));
            // The end is there, or something too long to be a line: the damage is in the middle.
            match last {
                Some(_) => Broken::Line(lines.first().copied().unwrap_or_else(|| cursor.line_at(place.start, place.number))),
                None if cursor.line_at(cursor.at, cursor.number).of(file).len() == super::MOST_LINE => {
                    Broken::Line(cursor.line_at(cursor.at, cursor.number))
                }
                None => Broken::Truncated(cursor.line_at(cursor.at, cursor.number)),
            }
        }
    }
}

enum Found {
    Byte(usize, u8),
    Line(Line),
}

/// The line that holds the byte `at`.
fn holding(file: &[u8], lines: &[Line], place: &Place, at: usize) -> Line {
    let inside = lines.iter().find(|l| (l.start..=l.end).contains(&at));
    let after = || {
        let (start, number) = lines.last().map_or((place.start, place.number), |l| (l.end + 1, l.number + 1));
        Cursor { file, at: start, number }.line_at(start, number)
    };
    inside.copied().unwrap_or_else(after)
}

/// The block is the end line, of which a byte is off.
fn in_the_end(file: &[u8], place: &Place) -> Option<(usize, u8)> {
    let end = end(&place.after, place.number - 1) + "\n";
    one_off(file.get(place.start..)?, end.as_bytes()).map(|(at, was)| (place.start + at, was))
}

/// A byte of the checks, or the line end after them, is off: they follow from the lines before.
fn in_the_checks(file: &[u8], lines: &[Line], place: &Place) -> Option<(usize, u8)> {
    let mut digests = Vec::new();
    for line in lines.iter().take(BLOCK) {
        digests.push(digest(line.of(file)));
        let expected = checks(&place.after, &digests) + "\n";
        let start = line.end + 1;
        if let Some((at, was)) = file.get(start..start + expected.len()).and_then(|is| one_off(is, expected.as_bytes())) {
            return Some((start + at, was));
        }
    }
    None
}

/// A byte of a line, or a line end, is off: the checks after them are good.
fn in_the_lines(file: &[u8], lines: &[Line], place: &Place) -> Option<Found> {
    let (said, at) = lines.iter().find_map(|l| {
        let text = l.of(file);
        let inside = text.windows(CHECKS.len()).position(|w| w == CHECKS.as_bytes())?;
        read(text.get(inside..)?, &place.after).map(|said| (said, l.start + inside))
    })?;
    // Where the line end before the checks is gone, they stand in the middle of a line.
    let stands_alone = lines.iter().any(|l| l.start == at);
    let upto = if stands_alone { at } else { at.checked_sub(1)? };
    let before: Vec<Line> = lines.iter().filter(|l| l.start < upto).map(|l| Line { end: l.end.min(upto), ..*l }).collect();
    let fits = |line: &Line, n: usize| said.get(n).is_some_and(|d| *d == digest(line.of(file)));
    let Some(n) = (0..before.len()).find(|n| !fits(&before[*n], *n)) else {
        return if !stands_alone && before.len() == said.len() { Some(Found::Byte(upto, b'\n')) } else { None };
    };
    let (line, wanted) = (before[n], said.get(n));
    let named = wanted.and_then(|wanted| {
        let text = line.of(file);
        let digits = u64::from_str_radix(wanted, 16).ok()?;
        let fits = |hash: &blake3::Hash| hash.as_bytes().starts_with(&digits.to_be_bytes());
        match before.len().cmp(&said.len()) {
            std::cmp::Ordering::Equal => by_hash(b"", text, b"", fits).map(|(at, was)| (line.start + at, was)),
            std::cmp::Ordering::Less => first_of_two(text, wanted, said.get(n + 1)?).map(|at| (line.start + at, b'\n')),
            std::cmp::Ordering::Greater => {
                // The line end itself is what was put there.
                let next = before.get(n + 1)?.of(file);
                by_hash(text, b"\n", next, fits).map(|(_, was)| (line.end, was))
            }
        }
    });
    Some(named.map_or(Found::Line(line), |(at, was)| Found::Byte(at, was)))
}

/// Where the line end between two lines stood that are one now.
fn first_of_two(text: &[u8], first: &str, second: &str) -> Option<usize> {
    let mut hasher = blake3::Hasher::new();
    text.iter().enumerate().find_map(|(at, byte)| {
        let fits = hasher.finalize().to_hex().starts_with(first) && digest(text.get(at + 1..)?) == second;
        hasher.update(std::slice::from_ref(byte));
        fits.then_some(at)
    })
}

/// The digests of a line of checks, where it is one that can follow `after`.
fn read(text: &[u8], after: &str) -> Option<Vec<String>> {
    let text = std::str::from_utf8(text).ok()?;
    let list = text.strip_prefix(CHECKS)?.strip_prefix(after)?.strip_prefix("\",\"lines\":[")?.strip_suffix("]}}")?;
    let digests: Vec<String> = list.split(',').map(|d| d.trim_matches('"').to_owned()).collect();
    let sound = digests.len() <= BLOCK && digests.iter().all(|d| d.len() == DIGITS);
    (sound && checks(after, &digests) == text).then_some(digests)
}
