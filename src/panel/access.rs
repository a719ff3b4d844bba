//! Who may do what: two logins, and the app's access groups (acl.d) as rpcd understands them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::files::{self, Files};
use crate::core::exit::{self, Failure};

/// Where the app's access groups are.
const ACL: &str = "usr/share/rpcd/acl.d";

/// Who is logged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Login {
    /// Has the app's groups for reading and writing.
    Owner,
    /// Has them for reading.
    Observer,
}

impl Login {
    /// Every login, the usual one first.
    pub const ALL: [Login; 2] = [Login::Owner, Login::Observer];

    /// Its name in addresses and cookies.
    pub fn name(self) -> &'static str {
        match self {
            Login::Owner => "owner",
            Login::Observer => "observer",
        }
    }
}

/// A session id for each login, new at each start.
#[derive(Debug)]
pub struct Logins([(Login, String); 2]);

impl Logins {
    /// Draws the ids.
    ///
    /// # Errors
    /// The system gave no random bytes.
    pub fn new() -> Result<Logins, Failure> {
        let draw = || {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).map_err(|_| Failure::new(exit::OS, "the system gave no random bytes"))?;
            Ok::<_, Failure>(bytes.iter().map(|b| format!("{b:02x}")).collect())
        };
        Ok(Logins([(Login::Owner, draw()?), (Login::Observer, draw()?)]))
    }

    /// The id of `login`'s session.
    pub fn session(&self, login: Login) -> &str {
        self.0.iter().find(|(known, _)| *known == login).map_or("", |(_, id)| id)
    }

    /// Whose session `id` is.
    pub fn of(&self, id: &str) -> Option<Login> {
        self.0.iter().find(|(_, known)| known == id).map(|(login, _)| *login)
    }
}

/// What one login may do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rights {
    /// Groups it has, and whether for writing, too.
    pub groups: BTreeMap<String, bool>,
    /// Methods it may call, by object.
    ubus: BTreeMap<String, BTreeSet<String>>,
    /// UCI packages it may read.
    reads: BTreeSet<String>,
    /// UCI packages it may write.
    writes: BTreeSet<String>,
}

impl Rights {
    /// The rights of `login` by the groups that `files` hold.
    ///
    /// # Errors
    /// A file of groups is not as rpcd takes it.
    pub fn of(login: Login, files: &Files) -> Result<Rights, String> {
        let mut rights = Rights::default();
        for (name, bytes) in files.all(files::ROOT, ACL) {
            let groups: BTreeMap<String, Value> = serde_json::from_slice(&bytes).map_err(|e| format!("{ACL}/{name}: {e}"))?;
            for (group, parts) in groups {
                rights.give(login, &group, &parts).map_err(|what| format!("{ACL}/{name}: {group}: {what}"))?;
            }
        }
        rights.give_what_luci_has(login);
        Ok(rights)
    }

    fn give(&mut self, login: Login, group: &str, parts: &Value) -> Result<(), String> {
        self.groups.insert(group.to_owned(), login == Login::Owner);
        for (part, writes) in [("read", false), ("write", true)] {
            let scopes = parts[part].as_object().into_iter().flatten();
            for (scope, what) in scopes.filter(|_| !writes || login == Login::Owner) {
                match (scope.as_str(), what) {
                    ("ubus", Value::Object(objects)) => {
                        for (object, methods) in objects {
                            self.ubus.entry(object.clone()).or_default().extend(names(methods)?);
                        }
                    }
                    ("uci", packages) if writes => self.writes.extend(names(packages)?),
                    ("uci", packages) => self.reads.extend(names(packages)?),
                    (scope, _) => return Err(format!("the scope `{scope}` is none that this app needs")),
                }
            }
        }
        Ok(())
    }

    /// LuCI's own groups: how every page speaks to UCI.
    fn give_what_luci_has(&mut self, login: Login) {
        let mut give = |object: &str, methods: &[&str]| self.ubus.entry(object.into()).or_default().extend(methods.iter().map(|m| (*m).to_owned()));
        give("session", &["access"]);
        give("uci", &["get", "changes"]);
        if login == Login::Owner {
            give("uci", &["add", "set", "delete", "order", "rename", "revert", "apply", "confirm", "rollback"]);
        }
    }

    /// Whether the method may be called.
    pub fn may_call(&self, object: &str, method: &str) -> bool {
        self.ubus.get(object).is_some_and(|methods| methods.contains(method))
    }

    /// Whether the UCI package may be read.
    pub fn may_read(&self, package: &str) -> bool {
        self.reads.contains(package)
    }

    /// Whether it may be written.
    pub fn may_write(&self, package: &str) -> bool {
        self.writes.contains(package)
    }
}

/// Names one by one. A pattern is refused: it would give more than was meant.
fn names(list: &Value) -> Result<Vec<String>, String> {
    let listed = list.as_array().ok_or("a list of names is expected")?;
    let name = |v: &Value| v.as_str().filter(|name| !name.contains(['*', '?', '['])).map(str::to_owned);
    listed.iter().map(|v| name(v).ok_or_else(|| format!("{v} is no name"))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rights(login: Login, parts: Value) -> Result<Rights, String> {
        let mut rights = Rights::default();
        rights.give(login, "g", &parts).map(|()| rights)
    }

    #[test]
    fn an_observer_gets_the_reading_half() {
        let parts = json!({"description": "x", "read": {"ubus": {"o": ["see"]}, "uci": ["p"]}, "write": {"ubus": {"o": ["do"]}, "uci": ["p"]}});
        let (owner, observer) = (rights(Login::Owner, parts.clone()).unwrap(), rights(Login::Observer, parts).unwrap());
        let told = |r: &Rights| [r.may_call("o", "see"), r.may_call("o", "do"), r.may_read("p"), r.may_write("p"), r.may_call("x", "see")];
        assert_eq!((told(&owner), told(&observer)), ([true, true, true, true, false], [true, false, true, false, false]));
        assert_eq!((owner.groups["g"], observer.groups["g"]), (true, false));
    }

    #[test]
    fn what_gives_more_than_names_is_refused() {
        for parts in [json!({"read": {"ubus": {"o": ["*"]}}}), json!({"read": {"file": {"/x": ["exec"]}}}), json!({"read": {"uci": "p"}})] {
            assert!(rights(Login::Owner, parts.clone()).is_err(), "{parts}");
        }
    }
}
