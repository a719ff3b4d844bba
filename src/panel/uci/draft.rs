//! A package with staged steps carried out, its sections named as libuci names them.

use serde_json::{Map, Value, json};

use super::step::Step;
use crate::config::uci::{self, Package, Section};
use crate::panel::ubus::Status;

/// The package as a session sees it.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    name: Option<String>,
    sections: Vec<Placed>,
    /// Sections that were ever in it; libuci counts them for the names of anonymous ones.
    made: usize,
}

#[derive(Clone, Debug)]
struct Placed {
    /// Its name, or the one libuci makes up.
    id: String,
    section: Section,
}

impl Draft {
    /// `package` without any step.
    pub(super) fn of(package: &Package) -> Draft {
        let mut draft = Draft { name: package.name.clone(), sections: Vec::new(), made: 0 };
        for section in &package.sections {
            let id = section.name.clone().unwrap_or_else(|| draft.next_id(&section.kind));
            draft.put(id, section.clone());
        }
        draft
    }

    /// The name that the next anonymous section of type `kind` gets.
    pub(super) fn next_id(&self, kind: &str) -> String {
        // Bernstein's hash, as libuci has it.
        let hash = kind.bytes().fold(5381u32, |hash, b| hash.wrapping_mul(33).wrapping_add(u32::from(b)));
        format!("cfg{:02x}{:04x}", self.made + 1, hash & 0xffff)
    }

    fn put(&mut self, id: String, section: Section) {
        self.made += 1;
        self.sections.push(Placed { id, section });
    }

    /// Carries out a step; says whether anything differs.
    ///
    /// # Errors
    /// What it is about is not there.
    pub(super) fn take(&mut self, step: &Step) -> Result<bool, Status> {
        match step {
            Step::Add { section, kind, anonymous } => {
                if let Ok(at) = self.at(section) {
                    return if self.sections[at].section.kind == *kind { Ok(false) } else { Err(Status::InvalidArgument) };
                }
                let name = Some(section.as_str()).filter(|_| !anonymous);
                self.put(section.clone(), Section::new(kind, name));
            }
            Step::Set { section, option, value } => {
                let at = self.at(section)?;
                let section = &mut self.sections[at].section;
                let before = section.get(option).cloned();
                section.set(option, value.clone());
                return Ok(before != section.get(option).cloned());
            }
            Step::Remove { section } => {
                let at = self.at(section)?;
                self.sections.remove(at);
            }
            Step::Order { section, to } => {
                let at = self.at(section)?;
                let placed = self.sections.remove(at);
                let to = (*to).min(self.sections.len());
                self.sections.insert(to, placed);
                return Ok(at != to);
            }
            Step::Rename { section, option: None, name } => {
                let at = self.at(section)?;
                if self.at(name).is_ok() {
                    return Err(Status::InvalidArgument);
                }
                self.sections[at].section.name = Some(name.clone());
                self.sections[at].id.clone_from(name);
            }
            Step::Rename { section, option: Some(option), name } => {
                let at = self.at(section)?;
                let section = &mut self.sections[at].section;
                let value = section.get(option).cloned().ok_or(Status::NotFound)?;
                section.set(option, None);
                section.set(name, Some(value));
            }
        }
        Ok(true)
    }

    fn at(&self, id: &str) -> Result<usize, Status> {
        self.sections.iter().position(|placed| placed.id == id).ok_or(Status::NotFound)
    }

    /// The package, to be written.
    pub(super) fn package(self) -> Package {
        Package { name: self.name, sections: self.sections.into_iter().map(|placed| placed.section).collect() }
    }

    /// All sections, or those of one type, by name.
    pub(super) fn values(&self, kind: Option<&str>) -> Map<String, Value> {
        let wanted = self.sections.iter().enumerate().filter(|(_, placed)| kind.is_none_or(|kind| placed.section.kind == kind));
        wanted.map(|(i, placed)| (placed.id.clone(), placed.values(i))).collect()
    }

    /// One section.
    ///
    /// # Errors
    /// It is not there.
    pub(super) fn section(&self, id: &str) -> Result<Value, Status> {
        self.at(id).map(|i| self.sections[i].values(i))
    }

    /// One option.
    ///
    /// # Errors
    /// It is not there.
    pub(super) fn option(&self, id: &str, option: &str) -> Result<Value, Status> {
        let section = &self.sections[self.at(id)?].section;
        section.get(option).map(plain).ok_or(Status::NotFound)
    }
}

impl Placed {
    fn values(&self, index: usize) -> Value {
        let about = json!({ ".anonymous": self.section.name.is_none(), ".type": self.section.kind, ".name": self.id, ".index": index });
        let mut values = about.as_object().cloned().unwrap_or_default();
        values.extend(self.section.options.iter().map(|entry| (entry.name.clone(), plain(&entry.value))));
        Value::Object(values)
    }
}

fn plain(value: &uci::Value) -> Value {
    match value {
        uci::Value::One(text) => json!(text),
        uci::Value::List(texts) => json!(texts),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn anonymous_sections_have_the_names_libuci_gives() {
        // Of the firewall's file as OpenWrt ships it.
        let package = uci::parse(b"config defaults\nconfig zone\nconfig zone\nconfig forwarding\n").unwrap();
        let ids: Vec<String> = Draft::of(&package).sections.into_iter().map(|placed| placed.id).collect();
        assert_eq!(ids, ["cfg01e63d", "cfg02dc81", "cfg03dc81", "cfg04ad58"]);
    }

    /// Names that meet, and some that are none.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![8 => prop::sample::select(vec!["a", "b", "cfg01e63d"]).prop_map(str::to_owned), 1 => "\\PC{0,6}"]
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[ -~]{0,6}", "\\PC{0,6}", "[\n\t'\"\\\\#; ]{0,6}"];
        let one = prop_oneof![4 => text.prop_map(Value::from), 1 => any::<bool>().prop_map(Value::from), 1 => any::<i64>().prop_map(Value::from)];
        prop_oneof![3 => one.clone(), 1 => prop::collection::vec(one, 0..3).prop_map(Value::from), 1 => Just(Value::Null)]
    }

    fn call() -> impl Strategy<Value = (&'static str, Value)> {
        let method = prop::sample::select(vec!["add", "set", "delete", "order", "rename", "fly"]);
        let values = prop::collection::btree_map(name(), value(), 0..3);
        (method, name(), prop::option::of(name()), name(), values, prop::collection::vec(name(), 0..3)).prop_map(
            |(method, section, option, name, values, names)| {
                let mut args = json!({ "section": section, "type": name, "name": name, "values": values, "sections": names });
                if let Some(option) = option {
                    args["option"] = json!(option);
                }
                (method, args)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// Whatever is asked for, in whatever order: what comes of it reads back from its file as it was written.
        #[test]
        fn any_calls_leave_a_package_that_reads_back(calls in prop::collection::vec(call(), 0..8)) {
            let package = uci::parse(b"config defaults\n\toption x '1'\nconfig a 'b'\n").unwrap();
            let mut draft = Draft::of(&package);
            for (method, args) in calls {
                let mut made: Option<String> = None;
                for step in Step::read(method, args.as_object().unwrap()).unwrap_or_default() {
                    let step = step.named(&draft, made.as_deref());
                    if let Step::Add { section, .. } = &step {
                        made = Some(section.clone());
                    }
                    let told = step.told();
                    prop_assert!(!told.is_empty() && told.iter().all(Value::is_array));
                    let _ = draft.take(&step);
                }
            }
            let package = draft.package();
            prop_assert_eq!(uci::parse(uci::write(&package).as_bytes()), Ok(package));
        }
    }
}
