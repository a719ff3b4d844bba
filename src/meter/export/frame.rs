//! The frame of an export: lines, checks among them, an end. Nothing of what the lines say is looked at here.

use super::{BLOCK, CHECKS, END, MOST_LINE, checks, digest, end, mend};

/// A line of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// Where it begins in the file.
    pub start: usize,
    /// Where it ends; the line end stands there.
    pub end: usize,
}

impl Line {
    /// Its bytes, without the line end.
    pub fn of<'a>(&self, file: &'a [u8]) -> &'a [u8] {
        file.get(self.start..self.end).unwrap_or_default()
    }
}

/// Where a frame does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// This very byte is another than the one written.
    Byte {
        /// Where.
        at: usize,
        /// What was written.
        was: u8,
        /// The line it stands in.
        line: Line,
    },
    /// Something of this line, or the line itself.
    Line(Line),
    /// The file ends here, before its end line.
    Truncated(Line),
    /// Something follows the end line.
    Trailing(Line),
}

/// The lines of `file` beside checks and end, where all checks hold.
pub fn lines(file: &[u8]) -> Result<Vec<Line>, Broken> {
    let mut at = Place { start: 0, number: 1, after: digest(b"") };
    let mut found = Vec::new();
    loop {
        let mut here = Cursor { file, at: at.start, number: at.number };
        let mut digests = Vec::with_capacity(BLOCK);
        loop {
            let before = (here.at, here.number);
            match here.next() {
                Some(line) if digests.len() <= BLOCK && !framing(line.of(file)) => {
                    digests.push(digest(line.of(file)));
                    found.push(line);
                }
                _ => {
                    (here.at, here.number) = before;
                    break;
                }
            }
        }
        let rest = file.get(here.at..).unwrap_or_default();
        if digests.is_empty() {
            let end = end(&at.after, at.number - 1) + "\n";
            return match rest.strip_prefix(end.as_bytes()) {
                Some([]) => Ok(found),
                Some(_) => Err(Broken::Trailing(here.line_at(here.at + end.len(), here.number + 1))),
                None => Err(mend::find(file, &at)),
            };
        }
        let line = checks(&at.after, &digests);
        let whole = digests.len() <= BLOCK && rest.starts_with(line.as_bytes()) && rest.get(line.len()) == Some(&b'\n');
        if !whole {
            return Err(mend::find(file, &at));
        }
        at = Place { start: here.at + line.len() + 1, number: here.number + 1, after: digest(line.as_bytes()) };
    }
}

fn framing(line: &[u8]) -> bool {
    line.starts_with(CHECKS.as_bytes()) || line.starts_with(END.as_bytes())
}

/// Up to where all is well.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Where the next block begins.
    pub start: usize,
    /// Number of its first line.
    pub number: u64,
    /// Digest of the checks before it.
    pub after: String,
}

/// Reads lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub file: &'a [u8],
    pub at: usize,
    pub number: u64,
}

impl Cursor<'_> {
    /// The line at `start`, or what there is of it.
    pub fn line_at(&self, start: usize, number: u64) -> Line {
        let rest = self.file.get(start..).unwrap_or_default();
        let length = rest.iter().take(MOST_LINE).position(|b| *b == b'\n').unwrap_or_else(|| rest.len().min(MOST_LINE));
        Line { number, start, end: start + length }
    }
}

impl Iterator for Cursor<'_> {
    type Item = Line;

    /// The next whole line; `None` at the end of the file, and at a line without an end or longer than [`MOST_LINE`].
    fn next(&mut self) -> Option<Line> {
        let line = self.line_at(self.at, self.number);
        (self.file.get(line.end) == Some(&b'\n')).then(|| {
            (self.at, self.number) = (line.end + 1, self.number + 1);
            line
        })
    }
}
