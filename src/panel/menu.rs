//! The menu (menu.d) as LuCI's dispatcher sees it: which pages there are, and which of them a login sees.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::access::Rights;
use super::files::{self, Files};

/// Where the app's menu is.
const MENU: &str = "usr/share/luci/menu.d";
/// A file that the package of a role installs.
const ROLES: &str = "/usr/share/echomesh/roles/";

/// What is served at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// A page: the view's name.
    View(String),
    /// Goes to the first child that is seen.
    FirstChild,
}

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    title: String,
    order: i64,
    action: Action,
    depends: Value,
}

/// All entries by path (`admin/services/x`).
#[derive(Clone, Debug)]
pub struct Menu(BTreeMap<String, Entry>);

/// An entry as a login finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// There is no such page.
    Nowhere,
    /// There is one, not for this login.
    Forbidden,
    /// Another path.
    Elsewhere(String),
    /// A page.
    View {
        /// The view's name.
        view: String,
        /// Its title.
        title: String,
        /// Whether the login may only look.
        readonly: bool,
    },
}

impl Menu {
    /// The entries of all files in menu.d, and those that are LuCI's own.
    ///
    /// # Errors
    /// A file has something in it that the stand-in does not know.
    pub fn read(files: &Files) -> Result<Menu, String> {
        let own = |title: &str, order, action| Entry { title: title.into(), order, action, depends: Value::Null };
        let mut entries = BTreeMap::from([
            ("admin".to_owned(), own("Administration", 10, Action::FirstChild)),
            ("admin/status".to_owned(), own("Status", 20, Action::FirstChild)),
            ("admin/status/overview".to_owned(), own("Overview", 1, Action::View("status/index".into()))),
            ("admin/services".to_owned(), own("Services", 40, Action::FirstChild)),
        ]);
        for (name, bytes) in files.all(files::ROOT, MENU) {
            let read: BTreeMap<String, Value> = serde_json::from_slice(&bytes).map_err(|e| format!("{MENU}/{name}: {e}"))?;
            for (path, entry) in read {
                let entry = Entry::read(&entry).map_err(|what| format!("{MENU}/{name}: {path}: {what}"))?;
                entries.insert(path, entry);
            }
        }
        Ok(Menu(entries))
    }

    /// What `path` is to who has `rights`.
    pub fn find(&self, path: &str, rights: &Rights) -> Found {
        let Some(entry) = self.0.get(path) else { return Found::Nowhere };
        // What is above it holds for it, too.
        let mut readonly = false;
        for (at, _) in path.match_indices('/').chain([(path.len(), "")]) {
            match self.0.get(&path[..at]).map(|above| seen(&above.depends, rights)) {
                Some(Some(only_read)) => readonly |= only_read,
                Some(None) => return Found::Forbidden,
                None => {}
            }
        }
        match &entry.action {
            Action::View(view) => Found::View { view: view.clone(), title: entry.title.clone(), readonly },
            Action::FirstChild => match self.children(path, rights).first() {
                Some((first, _)) => Found::Elsewhere(format!("{path}/{first}")),
                None => Found::Forbidden,
            },
        }
    }

    /// The names of what is seen right below `path`, in order.
    fn children(&self, path: &str, rights: &Rights) -> Vec<(String, &Entry)> {
        let below = format!("{path}/");
        let direct = |known: &str| known.strip_prefix(below.as_str()).filter(|name| !name.contains('/')).map(str::to_owned);
        let named = self.0.iter().filter_map(|(known, entry)| direct(known).map(|name| (name, entry)));
        let mut children: Vec<(String, &Entry)> = named
            .filter(|(name, entry)| {
                let empty = entry.action == Action::FirstChild && self.children(&format!("{below}{name}"), rights).is_empty();
                seen(&entry.depends, rights).is_some() && !empty
            })
            .collect();
        children.sort_by(|a, b| (a.1.order, &a.0).cmp(&(b.1.order, &b.0)));
        children
    }

    /// The tree of what is seen: `{children: {name: {title, order, path, children?}}}`.
    pub fn tree(&self, rights: &Rights) -> Value {
        let Some(admin) = self.0.get("admin") else { return json!({}) };
        json!({ "children": { "admin": self.branch("admin", admin, rights) } })
    }

    fn branch(&self, path: &str, entry: &Entry, rights: &Rights) -> Value {
        let below = self.children(path, rights).into_iter();
        let children: Map<String, Value> = below.map(|(name, entry)| (name.clone(), self.branch(&format!("{path}/{name}"), entry, rights))).collect();
        let mut branch = json!({ "title": entry.title, "order": entry.order, "path": path, "satisfied": true });
        if !children.is_empty() {
            branch["children"] = Value::Object(children);
        }
        branch
    }
}

impl Entry {
    fn read(entry: &Value) -> Result<Entry, String> {
        let members = entry.as_object().ok_or("an object is expected")?;
        if let Some(odd) = members.keys().find(|name| !["title", "order", "action", "depends"].contains(&name.as_str())) {
            return Err(format!("`{odd}` is not known to the stand-in"));
        }
        let action = match (entry["action"]["type"].as_str(), entry["action"]["path"].as_str()) {
            (Some("view"), Some(view)) => Action::View(view.to_owned()),
            (Some("firstchild"), _) => Action::FirstChild,
            _ => return Err(format!("the action {} is not known to the stand-in", entry["action"])),
        };
        let title = entry["title"].as_str().ok_or("it has no title")?.to_owned();
        let depends = entry["depends"].clone();
        check(&depends)?;
        Ok(Entry { title, order: entry["order"].as_i64().unwrap_or(0), action, depends })
    }
}

/// Refuses dependencies that [`seen`] does not know.
fn check(depends: &Value) -> Result<(), String> {
    for (kind, what) in depends.as_object().into_iter().flatten() {
        let known = match kind.as_str() {
            "acl" => what.as_array().is_some_and(|groups| groups.iter().all(Value::is_string)),
            "uci" => what.as_object().is_some_and(|packages| packages.values().all(|v| *v == true)),
            "fs" => what.as_object().is_some_and(|paths| paths.iter().all(|(path, kind)| path.starts_with(ROLES) && kind == "file")),
            _ => false,
        };
        if !known {
            return Err(format!("it depends on {kind} {what}, which is not known to the stand-in"));
        }
    }
    Ok(())
}

/// Whether who has `rights` sees what depends on this; where it does, whether it may only look.
fn seen(depends: &Value, rights: &Rights) -> Option<bool> {
    let named = |kind: &str| depends[kind].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if !named("fs").iter().all(|path| has_role(path)) || !named("uci").iter().all(|package| package == "echomesh") {
        return None;
    }
    let groups: Vec<&str> = depends["acl"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let held: Option<Vec<bool>> = groups.iter().map(|group| rights.groups.get(*group).copied()).collect();
    // As LuCI: all of them are needed, and one that may be written is enough to write.
    held.map(|writes| !writes.is_empty() && !writes.contains(&true))
}

/// Whether the file is there that the package of a role installs: this program has the role.
fn has_role(path: &str) -> bool {
    cfg!(feature = "proxy") && path.strip_prefix(ROLES) == Some("proxy")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn menu(entries: Value) -> Menu {
        let mut menu = Menu(BTreeMap::new());
        let read = |(path, entry): (&String, &Value)| (path.clone(), Entry::read(entry).unwrap());
        menu.0.extend(entries.as_object().unwrap().iter().map(read));
        menu
    }

    fn rights(groups: &[(&str, bool)]) -> Rights {
        let mut rights = Rights::default();
        rights.groups.extend(groups.iter().map(|(name, writes)| ((*name).to_owned(), *writes)));
        rights
    }

    #[test]
    fn a_page_is_for_who_has_its_groups_and_below_what_is_seen() {
        let view = |path: &str| json!({"type": "view", "path": path});
        let menu = menu(json!({
            "admin": {"title": "A", "action": {"type": "firstchild"}},
            "admin/x": {"title": "X", "order": 3, "action": {"type": "firstchild"}, "depends": {"acl": ["g"], "uci": {"echomesh": true}}},
            "admin/x/two": {"title": "Two", "order": 2, "action": view("two")},
            "admin/x/one": {"title": "One", "order": 1, "action": view("one"), "depends": {"acl": ["h"]}},
            "admin/x/none": {"title": "None", "order": 0, "action": view("none"), "depends": {"fs": {"/usr/share/echomesh/roles/relay": "file"}}},
        }));
        let (both, one, none) = (rights(&[("g", true), ("h", false)]), rights(&[("g", false)]), rights(&[]));
        let found = |path, rights| menu.find(path, rights);
        assert_eq!(found("admin/x", &both), Found::Elsewhere("admin/x/one".into()));
        assert_eq!(found("admin/x", &one), Found::Elsewhere("admin/x/two".into()));
        assert_eq!(found("admin", &none), Found::Forbidden);
        assert_eq!(found("admin/x/two", &none), Found::Forbidden, "what is above it counts");
        assert_eq!(found("admin/x/none", &both), Found::Forbidden);
        assert_eq!(found("admin/y", &both), Found::Nowhere);
        assert!(matches!(found("admin/x/two", &one), Found::View { readonly: true, .. }));
        assert!(matches!(found("admin/x/two", &both), Found::View { readonly: false, .. }));
        let tree = menu.tree(&one);
        let two = &tree["children"]["admin"]["children"]["x"]["children"];
        assert_eq!(*two, json!({"two": {"title": "Two", "order": 2, "path": "admin/x/two", "satisfied": true}}));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let good = json!({"title": "T", "action": {"type": "firstchild"}});
        assert!(Entry::read(&good).is_ok());
        for (name, value) in [
            ("action", json!({"type": "call"})),
            ("title", json!(1)),
            ("css", json!("x")),
            ("depends", json!({"fs": {"/etc/passwd": "file"}})),
            ("depends", json!({"uci": {"echomesh": {"node": true}}})),
            ("depends", json!({"acl": "g"})),
        ] {
            let mut odd = good.clone();
            odd[name] = value;
            assert!(Entry::read(&odd).is_err(), "{odd}");
        }
    }
}
