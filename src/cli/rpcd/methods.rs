//! Every method with its arguments, stated once; from a method's arguments to the call of the control API. Pure.

use serde_json::{Map, Value};

use crate::cli::ask::encoded;
use crate::codec::json;

/// A method a line: name, HTTP method and path of the call of the control API, arguments. `-` = answered by the plugin itself.
///
/// An argument is its name, `!` where it must be given and `:` where it may, and its type: `s` text, `n` whole number, `f` number,
/// `b` boolean, `o` object. Arguments go into the query of a GET (into the path that ends with `/`) and into the body of all
/// else; `patch` is the whole body.
const METHODS: &str = "\
status GET /status
tile GET /status
overview GET /overview seconds:n
series GET /series seconds:n
control POST /control action!s seconds:n
sessions_close POST /sessions/close sessionId!s
config_get GET /config
config_set PUT /config patch!o
config_check POST /config/check patch!o
policy_explain GET /policy/explain host!s port:n session:s
logs GET /logs since:n
logs_export - - id:s offset:n
logs_who GET /logs/who at!s host:s
logs_open_day POST /logs/open-day date!s
metrics GET /metrics
report GET /report text:b
identity GET /identity
identity_seal POST /identity/seal passphrase!s
identity_unseal POST /identity/unseal passphrase!s
identity_unlock POST /identity/unlock passphrase!s
identity_backup POST /identity/backup passphrase!s
identity_rotate POST /identity/rotate passphrase:s
identity_restore - - backup!s passphrase!s sealed:b replace:b
identity_opt_out - - confirm!s offline:b
job GET /jobs/ id!s
survey - -
presets - - line:f
setup_start - -
setup_test POST /setup/test patch:o
update_status - -
update_check - -
update_apply - - early:b again:b allowDowngrade:b ignoreFeed:b
update_rollback - -
";
/// What uhttpd adds to every call; of no use here.
const SESSION: &str = "ubus_rpc_session";
/// What is the whole body.
const PATCH: &str = "patch";

/// A call as it was asked for, checked.
#[derive(Debug)]
pub struct Request {
    /// The method's name.
    pub method: &'static str,
    /// `GET`, `POST` or `PUT`; `-` where the plugin answers itself.
    pub verb: &'static str,
    /// Path with query.
    pub target: String,
    /// JSON body; null with GET.
    pub body: Value,
    /// The arguments.
    pub args: Map<String, Value>,
}

/// One argument of a method: name, whether it must be given, type.
type Arg = (&'static str, bool, char);

/// Words of the method's line: name, HTTP method, path, and then the arguments.
fn words(line: &'static str) -> (&'static str, &'static str, &'static str, impl Iterator<Item = Arg>) {
    let mut words = line.split(' ');
    let mut next = || words.next().unwrap_or_default();
    (next(), next(), next(), words.filter_map(arg))
}

fn arg(word: &'static str) -> Option<Arg> {
    let at = word.find([':', '!'])?;
    Some((&word[..at], word[at..].starts_with('!'), word.chars().last()?))
}

/// What rpcd asks for at its start: every method with its arguments, each by a value of its type.
pub fn list() -> Map<String, Value> {
    let sample = |kind| match kind {
        'n' | 'f' => Value::from(0),
        'b' => Value::from(true),
        'o' => Value::Object(Map::new()),
        _ => Value::from(""),
    };
    let one = |line| {
        let (name, _, _, args) = words(line);
        (name.to_owned(), Value::Object(args.map(|(name, _, kind)| (name.to_owned(), sample(kind))).collect()))
    };
    METHODS.lines().map(one).collect()
}

/// The call that `method` with the arguments `given` (JSON of at most 64 KiB; nothing = none) comes to.
///
/// # Errors
/// What is wrong, for the person who wrote it.
pub fn request(method: &str, given: &[u8]) -> Result<Request, String> {
    let unknown = || format!("there is no method `{}`; `ubus -v list echomesh` lists them", method.escape_debug());
    let (method, verb, path, args) = METHODS.lines().map(words).find(|(name, ..)| *name == method).ok_or_else(unknown)?;
    let expected: Vec<Arg> = args.collect();
    let args = checked(method, &expected, given)?;
    let mut target = path.to_owned();
    let mut body = Value::Null;
    if verb == "GET" {
        for (name, value) in &args {
            let text = value.as_str().map_or_else(|| value.to_string(), encoded);
            let text = if value.is_boolean() { u8::from(*value == true).to_string() } else { text };
            if path.ends_with('/') {
                target += &text;
            } else {
                target += if target.contains('?') { "&" } else { "?" };
                target += &format!("{name}={text}");
            }
        }
    } else if expected.iter().any(|(name, ..)| *name == PATCH) {
        body = args.get(PATCH).cloned().unwrap_or_else(|| Value::Object(Map::new()));
    } else {
        body = Value::Object(args.clone());
    }
    Ok(Request { method, verb, target, body, args })
}

/// The arguments without those of rpcd's own and those that are null, each known and of its type.
fn checked(method: &str, expected: &[Arg], given: &[u8]) -> Result<Map<String, Value>, String> {
    let mut args = match given.trim_ascii() {
        b"" => Map::new(),
        given if given.len() > json::MAX_BODY => return Err("the arguments are longer than 64 KiB".into()),
        given => match json::parse(given) {
            Ok(Value::Object(args)) => args,
            Ok(_) => return Err("the arguments are a JSON object".into()),
            Err(e) => return Err(format!("the arguments are {e}")),
        },
    };
    args.retain(|name, value| name != SESSION && !value.is_null());
    for (name, value) in &args {
        let Some((_, _, kind)) = expected.iter().find(|(known, ..)| known == name) else {
            let known: Vec<&str> = expected.iter().map(|(name, ..)| *name).collect();
            let known = if known.is_empty() { "no argument".to_owned() } else { known.join(", ") };
            return Err(format!("{method} has no argument `{}`; it takes {known}", name.escape_debug()));
        };
        let (fits, allowed) = match kind {
            'n' => (value.is_u64(), "a whole number"),
            'f' => (value.is_number(), "a number"),
            'b' => (value.is_boolean(), "true or false"),
            'o' => (value.is_object(), "an object"),
            _ => (value.is_string(), "a text"),
        };
        if !fits {
            return Err(format!("{name} is {allowed}"));
        }
    }
    match expected.iter().find(|(name, needed, _)| *needed && !args.contains_key(*name)) {
        Some((name, ..)) => Err(format!("{method} needs the argument {name}")),
        None => Ok(args),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::control::route::ROUTES;

    fn call(method: &str, given: &str) -> (String, Value) {
        let request = request(method, given.as_bytes()).unwrap();
        (format!("{} {}", request.verb, request.target), request.body)
    }

    #[test]
    fn arguments_become_queries_paths_and_bodies() {
        assert_eq!(call("status", ""), ("GET /status".into(), Value::Null));
        let (target, _) = call("policy_explain", r#"{"host":"a b&c","port":8443,"session":null,"ubus_rpc_session":"0123"}"#);
        assert_eq!(target, "GET /policy/explain?host=a%20b%26c&port=8443");
        assert_eq!(call("job", r#"{"id":"../status"}"#).0, "GET /jobs/..%2Fstatus");
        assert_eq!(call("report", r#"{"text":true}"#).0, "GET /report?text=1");
        assert_eq!(call("control", r#"{"action":"pause","seconds":60}"#).1, json!({"action": "pause", "seconds": 60}));
        assert_eq!(call("config_set", r#"{"patch":{"network":{"maxMbps":null}}}"#).1, json!({"network": {"maxMbps": null}}));
        assert_eq!(call("setup_test", "{}").1, json!({}));
        assert_eq!(call("presets", r#"{"line":2.5}"#).0, "- -");
    }

    #[test]
    fn what_is_off_is_named() {
        for (method, given, part) in [
            ("fly", "", "no method `fly`"),
            ("status", r#"{"seconds":1}"#, "takes no argument"),
            ("overview", r#"{"second":1}"#, "takes seconds"),
            ("overview", r#"{"seconds":-1}"#, "whole number"),
            ("overview", r#"{"seconds":"1"}"#, "whole number"),
            ("control", "{}", "needs the argument action"),
            ("config_set", r#"{"patch":"x"}"#, "an object"),
            ("report", r#"{"text":1}"#, "true or false"),
            ("presets", r#"{"line":"x"}"#, "a number"),
            ("status", "[]", "JSON object"),
            ("status", r#"{"a":1,"a":2}"#, "not acceptable JSON"),
        ] {
            let why = request(method, given.as_bytes()).unwrap_err();
            assert!(why.contains(part), "{method} {given}: {why}");
        }
        assert!(request("status", &vec![b' '; json::MAX_BODY + 1]).is_ok(), "nothing but blanks");
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(json::MAX_BODY));
        assert!(request("status", long.as_bytes()).unwrap_err().contains("64 KiB"));
    }

    #[test]
    fn every_call_of_the_control_api_is_a_method() {
        let offered: Vec<(&str, &str)> = METHODS.lines().map(|line| (words(line).1, words(line).2)).collect();
        // Done by root, who sees and may write more of the box, or in pieces; events reach ubus by `echomesh hooks`.
        let otherwise = ["/events", "/survey", "/presets", "/logs/export", "/identity/opt-out"];
        for (path, allow) in ROUTES.iter().filter(|(path, _)| !otherwise.contains(path)) {
            let path = path.trim_end_matches("{id}");
            allow.split(", ").for_each(|verb| assert!(offered.contains(&(verb, path)), "{verb} {path}"));
        }
        for (verb, path) in offered.iter().filter(|(verb, _)| *verb != "-") {
            assert!(ROUTES.iter().any(|(known, allow)| known.trim_end_matches("{id}") == *path && allow.contains(verb)), "{verb} {path}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// A target is one word of printable ASCII below the method's path, whatever the arguments.
        #[test]
        fn any_arguments_come_to_a_call_or_a_reason(line in prop::sample::select(METHODS.lines().collect::<Vec<_>>()), text in "\\PC{0,20}", number in any::<u32>(), flag in any::<bool>(), noise in prop::collection::vec(any::<u8>(), 0..40)) {
            let (method, _, path, args) = words(line);
            let value = |kind| match kind {
                'n' | 'f' => json!(number),
                'b' => json!(flag),
                'o' => json!({ &text: &text }),
                _ => json!(text),
            };
            let given: Map<String, Value> = args.map(|(name, _, kind)| (name.to_owned(), value(kind))).collect();
            let request = request(method, Value::Object(given).to_string().as_bytes()).unwrap();
            prop_assert!(request.target.starts_with(path) && request.target.bytes().all(|b| b.is_ascii_graphic()));
            let _ = super::request(method, &noise);
        }
    }
}
