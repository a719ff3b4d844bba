//! The wizard's paper and pencil: lines of at most 78 characters, no colour, no cursor. Works on any terminal.

use std::io::{BufRead, Write};

use super::answers::MAX_ANSWER;
use super::question::Question;
use crate::core::exit::{self, Failure};

/// Columns of a line.
const WIDTH: usize = 78;

/// What was typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// An answer.
    Answer(String),
    /// The question before, please.
    Back,
    /// Enough for now.
    Quit,
}

/// A terminal, or what stands for one.
pub struct Terminal<R, W> {
    input: R,
    output: W,
}

impl<R: BufRead, W: Write> Terminal<R, W> {
    /// Reads from `input`, writes to `output`.
    pub fn new(input: R, output: W) -> Terminal<R, W> {
        Terminal { input, output }
    }

    /// Lines of text, each wrapped, with `indent` before it.
    pub fn say(&mut self, indent: &str, text: &str) -> Result<(), Failure> {
        let lines: String = text.lines().flat_map(|line| wrapped(line, WIDTH - indent.chars().count())).map(|l| format!("{indent}{l}\n")).collect();
        self.write(if text.is_empty() { "\n" } else { &lines })
    }

    /// Text beside `head`, wrapped into a column of its own.
    pub fn hang(&mut self, head: &str, text: &str) -> Result<(), Failure> {
        let column = head.chars().count();
        let lines = wrapped(text, WIDTH.saturating_sub(column));
        let line = |(i, line): (usize, &String)| format!("{:column$}{line}\n", if i == 0 { head } else { "" });
        self.write(&lines.iter().enumerate().map(line).collect::<String>())
    }

    /// Puts a question and takes one line.
    pub fn ask(&mut self, at: Option<(usize, usize)>, q: &Question) -> Result<Reply, Failure> {
        let number = at.map_or_else(String::new, |(n, all)| format!("[{n}/{all}] "));
        self.say("", "")?;
        self.say("", &format!("{number}{}", q.title))?;
        if !q.text.is_empty() {
            self.say("  ", &q.text)?;
        }
        for (i, choice) in q.choices.iter().enumerate() {
            self.hang(&format!("{:>3}) {:16} ", i + 1, choice.id), &choice.text)?;
        }
        if !q.then.is_empty() {
            self.say("  ", &format!("Then: {}", q.then))?;
        }
        let default = if q.default.is_empty() { q.empty } else { &q.default };
        self.write(&format!("{}> ", if default.is_empty() { String::new() } else { format!("[{default}] ") }))?;
        let line = self.line()?;
        Ok(match line.trim() {
            "back" => Reply::Back,
            "quit" | "exit" => Reply::Quit,
            typed => Reply::Answer(q.meant(typed)),
        })
    }

    /// One line; its end is the end of the wizard.
    fn line(&mut self) -> Result<String, Failure> {
        let failed = |e| Failure::new(exit::IO, format!("standard input: {e}"));
        let mut bytes = Vec::new();
        let mut limited = std::io::Read::take(&mut self.input, 4 * MAX_ANSWER as u64);
        BufRead::read_until(&mut limited, b'\n', &mut bytes).map_err(failed)?;
        if bytes.is_empty() {
            return Err(Failure::new(
                exit::NO_INPUT,
                "standard input ended; nothing was changed. Your answers are kept: run `echomesh setup` again to go on",
            ));
        }
        // What is not text, or would move a cursor, is no answer.
        Ok(String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).collect())
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        let written = self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush());
        written.map_err(|e| Failure::new(exit::IO, format!("standard output: {e}")))
    }
}

/// `text` in lines of at most `width` characters, broken between words; a longer word is cut.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        while let Some(line) = lines.last_mut() {
            let used = line.chars().count();
            let gap = usize::from(used > 0);
            if used + gap + word.len() <= width {
                if gap == 1 {
                    line.push(' ');
                }
                line.extend(word);
                break;
            }
            if used == 0 {
                line.extend(word.drain(..width.min(word.len())));
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn terminal(typed: &str) -> Terminal<&[u8], Vec<u8>> {
        Terminal::new(typed.as_bytes(), Vec::new())
    }

    #[test]
    fn replies_are_told_apart_and_the_end_of_input_is_an_end() {
        let question = Question { title: "Q?".into(), text: "about".into(), choices: vec![], default: "d".into(), empty: "", then: "it is done." };
        for (typed, want) in
            [("\n", Reply::Answer("d".into())), ("back\n", Reply::Back), (" quit \n", Reply::Quit), ("\u{1b}[Ax\r\n", Reply::Answer("[Ax".into()))]
        {
            assert_eq!(terminal(typed).ask(Some((1, 2)), &question).unwrap(), want);
        }
        let failure = terminal("").ask(None, &question).unwrap_err();
        assert!(failure.message.contains("nothing was changed"), "{failure}");
        let mut shown = terminal("\n");
        shown.ask(Some((3, 9)), &question).unwrap();
        assert_eq!(String::from_utf8(shown.output).unwrap(), "\n[3/9] Q?\n  about\n  Then: it is done.\n[d] > ");
    }

    proptest! {
        #[test]
        fn no_line_is_too_long_and_no_word_is_lost(text in "[a-z ]{0,300}|[a-z]{100,200}", width in 20usize..80) {
            let lines = wrapped(&text, width);
            prop_assert!(lines.iter().all(|l| l.chars().count() <= width));
            let letters = |t: &str| t.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
