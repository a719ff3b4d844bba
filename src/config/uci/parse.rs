//! Bytes to a package, with libuci's rules (its `file.c`) and its strict mode's refusals.

use std::fmt;

use super::{Entry, MAX_FILE, MAX_OPTIONS, MAX_SECTIONS, Package, Section, Value};

/// Why bytes are no UCI file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UciError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there, and what to write instead.
    pub what: String,
}

impl fmt::Display for UciError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for UciError {}

/// Reads one file.
///
/// Duplicate named sections merge, the last of equal options counts, `list` after `option` continues it as a list, an
/// empty option says nothing.
pub fn parse(bytes: &[u8]) -> Result<Package, UciError> {
    if bytes.len() > MAX_FILE {
        return Err(UciError { line: 1, what: format!("the file is larger than {MAX_FILE} bytes; put long lists into allow_file and block_file") });
    }
    let mut reader = Reader { words: Words { bytes, at: 0, line: 1 }, package: Package::default(), section: None, options: 0 };
    if let Some(at) = bytes.iter().position(|&b| b == 0).or_else(|| std::str::from_utf8(bytes).err().map(|e| e.valid_up_to())) {
        let line = 1 + bytes[..at].iter().filter(|&&b| b == b'\n').count();
        return Err(UciError { line, what: "a byte that is no text; the file must be UTF-8".into() });
    }
    while reader.words.more() {
        let line = reader.words.line;
        let command = reader.words.command()?;
        reader.obey(&command).map_err(|what| UciError { line, what })?;
    }
    Ok(reader.package)
}

/// Words of one command, with libuci's quoting.
struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

/// Words a command can have, and one more to notice that there are too many.
const MAX_WORDS: usize = 4;

impl Words<'_> {
    fn more(&self) -> bool {
        self.at < self.bytes.len()
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let b = self.peek()?;
        self.at += 1;
        self.line += usize::from(b == b'\n');
        Some(b)
    }

    /// The words up to the end of the line or a `;`, which is consumed. Empty for a blank line or a comment.
    fn command(&mut self) -> Result<Vec<String>, UciError> {
        let mut words = Vec::new();
        loop {
            match self.peek() {
                None => return Ok(words),
                Some(b'\n' | b';') => {
                    self.take();
                    return Ok(words);
                }
                Some(b'#') => self.skip_line(),
                Some(b) if is_space(b) => drop(self.take()),
                Some(_) if words.len() > MAX_WORDS => drop(self.word()?),
                Some(_) => words.push(self.word()?),
            }
        }
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|b| b != b'\n') {
            self.take();
        }
    }

    /// One word: plain, quoted, or parts of both joined.
    fn word(&mut self) -> Result<String, UciError> {
        let mut word = Vec::new();
        while let Some(b) = self.peek() {
            match b {
                b'\'' => self.single(&mut word)?,
                b'"' => self.double(&mut word)?,
                b'\\' => self.escape(&mut word),
                b';' | b'#' => break,
                b if is_space(b) => break,
                b => {
                    self.take();
                    word.push(b);
                }
            }
        }
        // The whole file was UTF-8 and is cut at ASCII only.
        String::from_utf8(word).map_err(|_| UciError { line: self.line, what: "a byte that is no text".into() })
    }

    fn single(&mut self, word: &mut Vec<u8>) -> Result<(), UciError> {
        let opened = self.line;
        self.take();
        loop {
            match self.take() {
                Some(b'\'') => return Ok(()),
                Some(b) => word.push(b),
                None => return Err(UciError { line: opened, what: "a ' that is never closed".into() }),
            }
        }
    }

    fn double(&mut self, word: &mut Vec<u8>) -> Result<(), UciError> {
        let opened = self.line;
        self.take();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.take();
                    return Ok(());
                }
                Some(b'\\') => self.escape(word),
                Some(b) => {
                    self.take();
                    word.push(b);
                }
                None => return Err(UciError { line: opened, what: "a \" that is never closed".into() }),
            }
        }
    }

    /// A backslash makes the next byte plain; before a line's end it joins the lines.
    fn escape(&mut self, word: &mut Vec<u8>) {
        self.take();
        if self.bytes[self.at..].starts_with(b"\r\n") {
            self.take();
        }
        match self.take() {
            Some(b'\n') | None => {}
            Some(b) => word.push(b),
        }
    }
}

/// As C's isspace.
const fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t'..=b'\r')
}

struct Reader<'a> {
    words: Words<'a>,
    package: Package,
    /// Index of the section that options belong to.
    section: Option<usize>,
    options: usize,
}

impl Reader<'_> {
    fn obey(&mut self, command: &[String]) -> Result<(), String> {
        let Some((verb, words)) = command.split_first() else { return Ok(()) };
        match (verb.as_str(), words) {
            ("p" | "package", [name]) if !is_name(name, true) => Err(format!("{name:?} is no package name; use letters, digits, _ and -")),
            ("p" | "package", [name]) => {
                self.package.name = Some(name.clone());
                Ok(())
            }
            ("c" | "config", [kind]) => self.open(kind, ""),
            ("c" | "config", [kind, name]) => self.open(kind, name),
            ("o" | "option", [name, value]) => self.set(name, value, false),
            ("l" | "list", [name, value]) => self.set(name, value, true),
            ("p" | "package", []) => Err("package needs a name".into()),
            ("c" | "config", []) => Err("config needs a type: config TYPE 'NAME'".into()),
            ("o" | "option" | "l" | "list", [] | [_]) => Err(format!("{verb} needs a name and a value: {verb} NAME 'VALUE'")),
            ("p" | "package" | "c" | "config" | "o" | "option" | "l" | "list", _) => {
                Err("too many words; a value with spaces stands in quotes".into())
            }
            _ => Err(format!("{verb:?} is none of config, option, list, package")),
        }
    }

    fn open(&mut self, kind: &str, name: &str) -> Result<(), String> {
        if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(format!("{kind:?} is no section type; use printable characters without spaces"));
        }
        if !name.is_empty() && !is_name(name, false) {
            return Err(format!("{name:?} is no section name; use letters, digits and _"));
        }
        let same = self.package.sections.iter().position(|s| !name.is_empty() && s.name.as_deref() == Some(name));
        if let Some(i) = same {
            let before = &self.package.sections[i].kind;
            if before != kind {
                return Err(format!("section {name:?} is already of type {before:?}; give one of the two another name"));
            }
            self.section = Some(i);
            return Ok(());
        }
        if self.package.sections.len() == MAX_SECTIONS {
            return Err(format!("more than {MAX_SECTIONS} sections"));
        }
        self.section = Some(self.package.sections.len());
        self.package.sections.push(Section::new(kind, Some(name).filter(|n| !n.is_empty())));
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str, list: bool) -> Result<(), String> {
        if !is_name(name, false) {
            return Err(format!("{name:?} is no option name; use letters, digits and _"));
        }
        let Some(section) = self.section.and_then(|i| self.package.sections.get_mut(i)) else {
            return Err("an option before the first section; start with config TYPE 'NAME'".into());
        };
        self.options += 1;
        if self.options > MAX_OPTIONS {
            return Err(format!("more than {MAX_OPTIONS} options; put long lists into allow_file and block_file"));
        }
        if !list {
            // libuci passes over an empty option in a file: it neither sets nor clears.
            if !value.is_empty() {
                section.set(name, Some(Value::One(value.to_owned())));
            }
            return Ok(());
        }
        let Some(entry) = section.options.iter_mut().find(|e| e.name == name) else {
            section.options.push(Entry { name: name.to_owned(), value: Value::List(vec![value.to_owned()]) });
            return Ok(());
        };
        match &mut entry.value {
            Value::List(texts) => texts.push(value.to_owned()),
            Value::One(first) => entry.value = Value::List(vec![std::mem::take(first), value.to_owned()]),
        }
        Ok(())
    }
}

fn is_name(text: &str, package: bool) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || (package && b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> String {
        let p = parse(format!("config t\noption o {text}\n").as_bytes()).unwrap();
        match p.sections[0].get("o") {
            Some(Value::One(t)) => t.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn quoting_is_libucis() {
        assert_eq!(one("plain"), "plain");
        assert_eq!(one("'a b'"), "a b");
        assert_eq!(one("\"a b\""), "a b");
        assert_eq!(one(r"'it'\''s'"), "it's");
        assert_eq!(one(r#"a'b c'"d e"f"#), "ab cd ef");
        assert_eq!(one(r"'a\nb'"), r"a\nb"); // literal inside single quotes
        assert_eq!(one(r#""a\"b\\c\n""#), r#"a"b\cn"#);
        assert_eq!(one(r"a\ b"), "a b");
        assert_eq!(one("a\\\nb\\\r\nc"), "abc"); // joined lines
    }

    #[test]
    fn lines_comments_and_returns() {
        let p = parse(b"# c\r\n\r\n config\tnode 'node' # c\r\n\toption a 'x#y'\r\n\toption b x#y\r\n\toption c \"1\r\n2\"\n\toption d \"1\\\n2\"; option e '5'").unwrap();
        let s = &p.sections[0];
        assert_eq!((s.kind.as_str(), s.name.as_deref()), ("node", Some("node")));
        let texts: Vec<&str> = s.options.iter().map(|e| e.value.texts()[0].as_str()).collect();
        assert_eq!(texts, ["x#y", "x", "1\r\n2", "12", "5"]);
    }

    #[test]
    fn merging() {
        let p = parse(b"package 'x'\nconfig a 'n'\noption o 1\noption o 2\nlist l 1\nlist l ''\noption m 1\nlist m 2\nlist k 1\noption k 2\nconfig a\nconfig a 'n'\noption o 3\noption e 1\noption e ''\nconfig a").unwrap();
        assert_eq!(p.name.as_deref(), Some("x"));
        assert_eq!(p.sections.len(), 3, "anonymous sections do not merge");
        let s = &p.sections[0];
        assert_eq!(s.get("o"), Some(&Value::One("3".into())));
        assert_eq!(s.get("l"), Some(&Value::List(vec!["1".into(), String::new()])));
        assert_eq!(s.get("m"), Some(&Value::List(vec!["1".into(), "2".into()])));
        assert_eq!(s.get("k"), Some(&Value::One("2".into())));
        assert_eq!(s.get("e"), Some(&Value::One("1".into())), "an empty option says nothing");
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line, what) in [
            ("option a b", 1, "before the first section"),
            ("config a\n\noption 'b", 3, "never closed"),
            ("config a\noption b \"c\n\n", 2, "never closed"),
            ("config a\noption b c d", 2, "too many words"),
            ("config a\noption b", 2, "needs a name and a value"),
            ("config", 1, "needs a type"),
            ("config a b\nconfig c b", 2, "already of type"),
            ("\nconfig a b-c", 2, "no section name"),
            ("config 'a b'", 1, "no section type"),
            ("config a\noption b.c 1", 2, "no option name"),
            ("config a\nopt b 1", 2, "none of config"),
            ("config a\noption b '\0'", 2, "UTF-8"),
            ("package a.b", 1, "no package name"),
        ] {
            let e = parse(text.as_bytes()).unwrap_err();
            assert!(e.line == line && e.what.contains(what), "{text:?}: {e}");
        }
        assert_eq!(parse(b"config a\n# \xff\n").unwrap_err().line, 2);
    }

    #[test]
    fn bounded() {
        let options = |n: usize| format!("config a\n{}", "list b c\n".repeat(n));
        assert!(parse(options(MAX_OPTIONS).as_bytes()).is_ok());
        assert_eq!(parse(options(MAX_OPTIONS + 1).as_bytes()).unwrap_err().line, MAX_OPTIONS + 2);
        assert!(parse("config a\n".repeat(MAX_SECTIONS).as_bytes()).is_ok());
        assert!(parse("config a\n".repeat(MAX_SECTIONS + 1).as_bytes()).is_err());
        assert!(parse(&vec![b'\n'; MAX_FILE]).is_ok());
        assert!(parse(&vec![b'\n'; MAX_FILE + 1]).is_err());
        assert!(parse(format!("config a{}", " b".repeat(100_000)).as_bytes()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
