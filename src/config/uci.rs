//! The UCI file format, read and written as libuci does: sections of options and lists, in the order of the file.
//!
//! Comments do not survive a rewrite; libuci drops them too.

mod parse;
mod write;

pub use parse::{UciError, parse};
pub use write::{quoted, write};

/// Largest file that is read: 256 KiB, held once as bytes and about once more as values.
pub const MAX_FILE: usize = 256 * 1024;
/// Most sections of one file: 1024 × about 100 bytes = 100 kB beside the texts.
pub const MAX_SECTIONS: usize = 1024;
/// Most `option` and `list` lines of one file: 4096 × about 80 bytes = 320 kB beside the texts.
pub const MAX_OPTIONS: usize = 4096;

/// One file of `/etc/config`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Package {
    /// Name on a `package` line; files in `/etc/config` have none.
    pub name: Option<String>,
    /// In the order of the file.
    pub sections: Vec<Section>,
}

/// `config KIND ['NAME']` and what follows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Section {
    /// The section's type.
    pub kind: String,
    /// `None` = anonymous.
    pub name: Option<String>,
    /// In the order of the file; each name once.
    pub options: Vec<Entry>,
}

/// One option or list of a section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Letters, digits and `_`.
    pub name: String,
    /// What it holds.
    pub value: Value,
}

/// The value of an [`Entry`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// `option`: not empty, because an empty option says nothing in UCI.
    One(String),
    /// `list` lines, at least one.
    List(Vec<String>),
}

impl Package {
    /// The sections of type `kind`, in order.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Section> {
        self.sections.iter().filter(move |s| s.kind == kind)
    }
}

impl Section {
    /// A section without options.
    pub fn new(kind: &str, name: Option<&str>) -> Section {
        Section { kind: kind.to_owned(), name: name.map(str::to_owned), options: Vec::new() }
    }

    /// The value of option or list `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.options.iter().find(|e| e.name == name).map(|e| &e.value)
    }

    /// Sets, replaces or (with `None`, or a value UCI cannot hold) removes `name`. An entry keeps its place.
    pub fn set(&mut self, name: &str, value: Option<Value>) {
        let value = value.filter(|v| !matches!(v, Value::One(t) if t.is_empty()) && !matches!(v, Value::List(l) if l.is_empty()));
        match (self.options.iter().position(|e| e.name == name), value) {
            (Some(i), Some(value)) => self.options[i].value = value,
            (Some(i), None) => drop(self.options.remove(i)),
            (None, Some(value)) => self.options.push(Entry { name: name.to_owned(), value }),
            (None, None) => {}
        }
    }
}

impl Value {
    /// The texts: one for an option, all for a list.
    pub fn texts(&self) -> &[String] {
        match self {
            Value::One(text) => std::slice::from_ref(text),
            Value::List(texts) => texts,
        }
    }
}
