//! One event, and what a script is told of it. Pure.

use serde_json::{Map, Value};

/// Longest value that is handed to a script; a UUID has 36 characters.
const MOST_VALUE: usize = 64;
/// Longest kind.
const MOST_KIND: usize = 32;

/// Kinds that scripts are run for.
const FOR_SCRIPTS: [&str; 4] = [OPEN, CLOSE, "relay-up", "relay-down"];
/// A session was accepted.
pub const OPEN: &str = "session-open";
/// A session ended.
pub const CLOSE: &str = "session-close";

/// Variables of a script's environment, and the members of an event that they come from. All are always set; one whose event
/// has no such member is empty.
pub const VARIABLES: [(&str, &str); 7] = [
    ("ECHOMESH_EVENT", "kind"),
    ("ECHOMESH_TIME", "at"),
    ("ECHOMESH_ROLE", "role"),
    ("ECHOMESH_SESSION", "sessionId"),
    ("ECHOMESH_RELAY", "relayId"),
    ("ECHOMESH_DEVICE", "device"),
    ("ECHOMESH_REASON", "reason"),
];

/// An event of the daemon's stream.
#[derive(Clone, Debug, PartialEq)]
pub struct News(Map<String, Value>);

impl News {
    /// Of what a line says; none where its kind is no kind.
    pub fn of(value: Value) -> Option<News> {
        let Value::Object(members) = value else { return None };
        let kind = members.get("kind")?.as_str()?;
        let plain =
            !kind.is_empty() && kind.len() <= MOST_KIND && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !kind.starts_with('-');
        plain.then_some(News(members))
    }

    /// Of a session whose event was not heard.
    pub fn missed(kind: &str, session: &str) -> News {
        let mut members = Map::new();
        members.insert("kind".into(), kind.into());
        members.insert("sessionId".into(), session.into());
        if kind == CLOSE {
            members.insert("reason".into(), "missed".into());
        }
        News(members)
    }

    /// What happened: lower-case letters and hyphens, at most 32.
    pub fn kind(&self) -> &str {
        self.0.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// The session it is about.
    pub fn session(&self) -> Option<&str> {
        self.0.get("sessionId").and_then(Value::as_str).filter(|id| plain(id))
    }

    /// Whether scripts are run for it.
    pub fn is_for_scripts(&self) -> bool {
        FOR_SCRIPTS.contains(&self.kind())
    }

    /// Whether it says that there is a new version.
    pub fn is_of_an_update(&self) -> bool {
        self.kind() == "alert" && self.0.get("alert").is_some_and(|a| a["id"] == "update-available")
    }

    /// As JSON.
    pub fn text(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// What a script is told. A value that is not plain is left out: a script may use it unquoted.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let value = |member: &str| match (self.0.get(member).and_then(Value::as_str).filter(|v| plain(v)), member) {
            (Some(value), _) => value,
            // Sessions are the proxy's.
            (None, "role") if self.session().is_some() => "proxy",
            (None, _) => "",
        };
        VARIABLES.iter().map(|(name, member)| (*name, value(member).to_owned())).collect()
    }
}

/// Nothing that a shell, a file name or an option could take for more than a word.
fn plain(value: &str) -> bool {
    let fit = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
    !value.is_empty() && value.len() <= MOST_VALUE && value.bytes().all(fit) && !value.starts_with(['-', '.'])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::Event;
    use crate::control::status::{Alert, At, Severity};

    fn told(value: Value) -> Vec<String> {
        News::of(value).unwrap().environment().into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn a_script_is_told_who_and_why_in_plain_words() {
        let session = "3f0d9a52-3f2a-4d0e-9a52-0d4a6e1b7c10";
        assert_eq!(
            told(json!({"at": "2026-01-01T00:00:00Z", "kind": "session-close", "sessionId": session, "reason": "closed-by-owner", "host": "x"})),
            [
                "ECHOMESH_EVENT=session-close",
                "ECHOMESH_TIME=2026-01-01T00:00:00Z",
                "ECHOMESH_ROLE=proxy",
                &format!("ECHOMESH_SESSION={session}"),
                "ECHOMESH_RELAY=",
                "ECHOMESH_DEVICE=",
                "ECHOMESH_REASON=closed-by-owner",
            ]
        );
        let sly = told(json!({"kind": "relay-up", "relayId": "$(reboot)", "device": "-wg0", "role": "a b", "at": 7, "reason": "x\ny"}));
        assert_eq!(sly.iter().filter(|line| line.ends_with('=')).count(), 6, "{sly:?}");
        assert!(told(json!({"kind": "relay-up", "role": "relay", "relayId": "exit:7", "device": "wg0"})).contains(&"ECHOMESH_DEVICE=wg0".to_owned()));
    }

    #[test]
    fn what_the_daemon_tells_is_news() {
        let of = |event: &Event| News::of(serde_json::to_value(event).unwrap()).unwrap();
        let open = of(&Event::SessionOpen { session_id: "s".into() });
        assert_eq!((open.kind(), open.session(), open.is_for_scripts()), (OPEN, Some("s"), true));
        let close = of(&Event::SessionClose { session_id: "s".into(), reason: "expired".into() });
        assert_eq!((close.kind(), close.is_for_scripts()), (CLOSE, true));
        let up = of(&Event::RelayUp { role: "relay".into(), relay_id: "r".into(), device: Some("wg0".into()) });
        assert!(
            up.is_for_scripts()
                && up.environment().contains(&("ECHOMESH_RELAY", "r".into()))
                && up.environment().contains(&("ECHOMESH_DEVICE", "wg0".into()))
        );
        assert!(of(&Event::RelayDown { role: "relay".into(), relay_id: "r".into(), reason: "stopped".into() }).is_for_scripts());
        assert!(!of(&Event::AlertCleared { id: "x".into() }).is_for_scripts());
        let alert = |id: &str| {
            let alert = Alert { id: id.into(), severity: Severity::Info, message: "m".into(), remedy: "r".into(), since: At(0) };
            of(&Event::Alert { alert }).is_of_an_update()
        };
        assert!(alert("update-available") && !alert("update-failed"));
        assert!(!of(&Event::AlertCleared { id: "update-available".into() }).is_of_an_update());
    }

    #[test]
    fn missed_news_look_like_heard_ones() {
        assert_eq!(News::missed(OPEN, "s").text(), r#"{"kind":"session-open","sessionId":"s"}"#);
        assert!(News::missed(CLOSE, "s").environment().contains(&("ECHOMESH_REASON", "missed".into())));
    }
}
