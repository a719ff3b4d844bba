//! The daemon's stream of events, read piece by piece: server-sent events, one JSON object a `data:` line. Pure.

use super::news::News;

/// Longest line; an alert has about 500 bytes. A longer one is passed over.
pub const MOST_LINE: usize = 8 * 1024;

/// What was read of a line that has not ended yet.
#[derive(Default)]
pub struct Feed {
    line: Vec<u8>,
    /// The line is too long, and is passed over to its end.
    over: bool,
}

impl Feed {
    /// Takes in `bytes`, and tells of each event whose line ended in them.
    pub fn push(&mut self, mut bytes: &[u8], tell: &mut dyn FnMut(News)) {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            self.add(&bytes[..end]);
            if !self.over
                && let Some(news) = read(&self.line)
            {
                tell(news);
            }
            self.line.clear();
            self.over = false;
            bytes = &bytes[end + 1..];
        }
        self.add(bytes);
    }

    fn add(&mut self, bytes: &[u8]) {
        self.over |= self.line.len() + bytes.len() > MOST_LINE;
        if !self.over {
            self.line.extend_from_slice(bytes);
        }
    }
}

fn read(line: &[u8]) -> Option<News> {
    let data = line.strip_prefix(b"data:")?;
    News::of(serde_json::from_slice(data).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(pieces: &[&[u8]]) -> Vec<String> {
        let (mut feed, mut told) = (Feed::default(), Vec::new());
        for piece in pieces {
            feed.push(piece, &mut |news| told.push(news.text()));
        }
        told
    }

    #[test]
    fn events_are_told_comments_and_nonsense_are_passed_over() {
        let long = format!("data: {{\"kind\":\"state\",\"x\":\"{}\"}}\n", "x".repeat(MOST_LINE));
        let told = all(&[
            b": listening\n\ndata: {\"at\":\"2026-01-01T00:00:00Z\",\"kind\":\"session-open\",\"sessionId\":\"s\"}\n\n",
            b"data: [1]\ndata: {\"kind\":7}\ndata: {\"kind\":\"A B\"}\ndata: {\nevent: x\n\n: alive\n\n",
            long.as_bytes(),
            b"data:{\"kind\":\"policy\"}\r\n",
        ]);
        assert_eq!(told, [r#"{"at":"2026-01-01T00:00:00Z","kind":"session-open","sessionId":"s"}"#, r#"{"kind":"policy"}"#]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn pieces_change_nothing(
            lines in prop::collection::vec("(data:|data: |: )?(\\{\"kind\":\"[a-z-]{1,8}\"(,\"sessionId\":\"[ -~&&[^\"\\\\]]{0,10}\")?\\}|.{0,20})\r?", 0..8),
            at in 1usize..40,
        ) {
            let whole = lines.join("\n").into_bytes();
            let pieces: Vec<&[u8]> = whole.chunks(at).collect();
            prop_assert_eq!(all(&pieces), all(&[&whole]));
        }
    }
}
