//! From method, target and body to a [`Call`]; pure. What is off becomes a JSON error.

use serde::Deserialize;
use serde_json::Value;

use super::call::{Action, Call, refusal};
use super::keys::Keys;
use super::series;
use crate::codec::{json, time};
use crate::config::form;
use crate::config::settings::Rate;
use crate::net::http::{Request, Response};

/// Longest pause: 31 days. Whoever wants longer says `stop`.
const MAX_PAUSE_SEC: u32 = 31 * 24 * 3600;
/// Longest host and session id taken from a query or body; a host name has at most 253 characters.
const MAX_NAME: usize = 256;

/// Every route with the methods it takes, as the `Allow` header lists them.
pub(crate) const ROUTES: &[(&str, &str)] = &[
    ("/status", "GET"),
    ("/control", "POST"),
    ("/sessions/close", "POST"),
    ("/config", "GET, PUT"),
    ("/config/check", "POST"),
    ("/policy/explain", "GET"),
    ("/logs", "GET"),
    ("/logs/export", "GET"),
    ("/logs/who", "GET"),
    ("/logs/open-day", "POST"),
    ("/series", "GET"),
    ("/overview", "GET"),
    ("/survey", "GET"),
    ("/presets", "GET"),
    ("/setup/test", "POST"),
    ("/events", "GET"),
    ("/metrics", "GET"),
    ("/identity", "GET"),
    ("/report", "GET"),
    ("/identity/seal", "POST"),
    ("/identity/unseal", "POST"),
    ("/identity/unlock", "POST"),
    ("/identity/backup", "POST"),
    ("/identity/rotate", "POST"),
    ("/identity/opt-out", "POST"),
    (JOBS, "GET"),
];
/// Stands for every path below `/jobs/`.
const JOBS: &str = "/jobs/{id}";

/// Where a request goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Route {
    /// To the daemon, one answer.
    Call(Call),
    /// The event stream, which the doorman serves itself.
    Events,
}

#[derive(Deserialize)]
struct ControlBody {
    action: String,
    seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CloseBody {
    session_id: String,
}

#[derive(Deserialize)]
struct DayBody {
    date: String,
}

/// Finds the route of `request`. The error is the answer to send.
pub fn route(request: &Request) -> Result<Route, Box<Response>> {
    let method = request.method.as_str();
    let Some((path, allow)) = ROUTES.iter().copied().find(|(path, _)| serves(path, request.path())) else {
        return Err(Box::new(refusal(404, "not-found", "there is no such call; docs/contracts/control.openapi.json lists them")));
    };
    if !allow.split(", ").any(|m| m == method) {
        let message = format!("{path} takes {allow}");
        return Err(Box::new(refusal(405, "method-not-allowed", &message).with("Allow", allow)));
    }
    let call = match (method, path) {
        (_, "/events") => return Ok(Route::Events),
        (_, "/status") => Call::Status,
        (_, "/control") => control(body(request)?)?,
        (_, "/sessions/close") => Call::CloseSession(name("sessionId", body::<CloseBody>(request)?.session_id)?),
        ("GET", "/config") => Call::GetConfig,
        (_, "/config") => Call::PutConfig(patch(request)?),
        (_, "/config/check") => Call::CheckConfig(patch(request)?),
        (_, "/policy/explain") => explain(request)?,
        (_, "/logs") => Call::Logs { since: number(request, "since", 0)? },
        (_, "/logs/export") => Call::ExportLogs,
        (_, "/logs/who") => who(request)?,
        (_, "/logs/open-day") => Call::OpenDay(name("date", body::<DayBody>(request)?.date)?),
        (_, "/series") => Call::Series { seconds: seconds(request)? },
        (_, "/overview") => Call::Overview { seconds: seconds(request)? },
        (_, "/survey") => Call::Survey,
        (_, "/presets") => Call::Presets { line: line(request)? },
        (_, "/setup/test") => Call::TestSettings(patch(request)?),
        (_, "/metrics") => Call::Metrics,
        (_, "/report") => Call::Report { text: number(request, "text", 0)? != 0 },
        (_, "/identity") => Call::Identity,
        (_, JOBS) => Call::Job(name("id", request.path().trim_start_matches("/jobs/").to_owned())?),
        _ => Call::Keys(Keys::of(path, body(request)?).map_err(|e| bad(&e.to_string()))?),
    };
    Ok(Route::Call(call))
}

/// Whether the route `path` is that of `asked`.
fn serves(path: &str, asked: &str) -> bool {
    path == asked || (path == JOBS && asked.strip_prefix("/jobs/").is_some_and(|id| !id.is_empty() && !id.contains('/')))
}

fn bad(message: &str) -> Box<Response> {
    Box::new(refusal(400, "bad-request", message))
}

fn body<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Box<Response>> {
    json::from_slice(&request.body).map_err(|e| bad(&format!("the body is {e}")))
}

fn patch(request: &Request) -> Result<Value, Box<Response>> {
    match body(request)? {
        patch @ Value::Object(_) => Ok(patch),
        _ => Err(bad("a merge patch (RFC 7396) is a JSON object")),
    }
}

fn control(body: ControlBody) -> Result<Call, Box<Response>> {
    let allowed = "action is one of start, pause, stop, clear-quarantine, unlock";
    let action: Action = json::read(&Value::String(body.action)).map_err(|_| bad(allowed))?;
    let seconds = match (action, body.seconds) {
        (_, None) => None,
        (Action::Pause, Some(n)) => match u32::try_from(n) {
            Ok(n @ 1..=MAX_PAUSE_SEC) => Some(n),
            _ => return Err(bad("seconds is 1 to 2678400 (31 days); for longer, use stop")),
        },
        _ => return Err(bad("seconds goes with pause only")),
    };
    Ok(Call::Control { action, seconds })
}

fn explain(request: &Request) -> Result<Call, Box<Response>> {
    let host = request.query("host").ok_or_else(|| bad("name a host: /policy/explain?host=example.com&port=443"))?;
    let port = u16::try_from(number(request, "port", 443)?).ok().filter(|p| *p > 0).ok_or_else(|| bad("port is 1 to 65535"))?;
    let session = request.query("session").filter(|s| !s.is_empty()).map(|s| name("session", s)).transpose()?;
    Ok(Call::Explain { host: name("host", host)?, port, session })
}

fn who(request: &Request) -> Result<Call, Box<Response>> {
    let at = request.query("at").as_deref().and_then(time::from_rfc3339);
    let at = at.ok_or_else(|| bad("name a time: /logs/who?at=2026-01-31T12:00:00Z"))?;
    Ok(Call::Who { at, host: request.query("host").filter(|h| !h.is_empty()).map(|h| name("host", h)).transpose()? })
}

fn seconds(request: &Request) -> Result<usize, Box<Response>> {
    let seconds = number(request, "seconds", series::SECONDS as u64)?;
    usize::try_from(seconds).ok().filter(|n| (1..=series::SECONDS).contains(n)).ok_or_else(|| bad("seconds is 1 to 300"))
}

fn line(request: &Request) -> Result<Option<Rate>, Box<Response>> {
    let wrong = || bad("line is a number of Mbps, like 40 or 2.5");
    let given = request.query("line").filter(|text| !text.is_empty());
    given.map(|text| form::bits(&text).filter(|bits| *bits > 0).map(Rate).ok_or_else(wrong)).transpose()
}

fn name(what: &str, value: String) -> Result<String, Box<Response>> {
    if value.is_empty() || value.len() > MAX_NAME || value.chars().any(char::is_control) {
        return Err(bad(&format!("{what} has 1 to {MAX_NAME} characters, none of them a control character")));
    }
    Ok(value)
}

fn number(request: &Request, name: &str, default: u64) -> Result<u64, Box<Response>> {
    match request.query(name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| bad(&format!("{name} is a whole number"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(method: &str, target: &str, body: &str) -> Request {
        Request { method: method.into(), target: target.into(), body: body.into(), ..Request::default() }
    }

    fn call(method: &str, target: &str, body: &str) -> Call {
        match route(&request(method, target, body)).unwrap() {
            Route::Call(call) => call,
            Route::Events => panic!("events"),
        }
    }

    fn status(method: &str, target: &str, body: &str) -> u16 {
        route(&request(method, target, body)).unwrap_err().status
    }

    #[test]
    fn calls_carry_what_was_asked() {
        assert_eq!(call("POST", "/control", r#"{"action":"pause","seconds":60}"#), Call::Control { action: Action::Pause, seconds: Some(60) });
        assert_eq!(call("POST", "/control", r#"{"action":"clear-quarantine"}"#), Call::Control { action: Action::ClearQuarantine, seconds: None });
        assert_eq!(
            call("GET", "/policy/explain?host=a.example%2ecom&port=8443&session=x", ""),
            Call::Explain { host: "a.example.com".into(), port: 8443, session: Some("x".into()) }
        );
        assert_eq!(call("GET", "/policy/explain?host=b", ""), Call::Explain { host: "b".into(), port: 443, session: None });
        assert_eq!(call("GET", "/logs?since=17", ""), Call::Logs { since: 17 });
        assert_eq!(call("PUT", "/config", r#"{"network":{"maxMbps":null}}"#), Call::PutConfig(serde_json::json!({"network":{"maxMbps":null}})));
        assert_eq!(route(&request("GET", "/events", "")).unwrap(), Route::Events);
        assert_eq!(call("GET", "/overview?seconds=5", ""), Call::Overview { seconds: 5 });
        assert_eq!(call("GET", "/presets?line=2.5", ""), Call::Presets { line: Some(Rate(2_500_000)) });
        assert_eq!(call("GET", "/jobs/5f-1", ""), Call::Job("5f-1".into()));
        let seal = call("POST", "/identity/seal", r#"{"passphrase":"correct horse"}"#);
        assert!(matches!(&seal, Call::Keys(Keys::Seal(p)) if p.expose() == "correct horse"));
        assert!(!format!("{seal:?}").contains("horse"), "no passphrase in a log");
    }

    #[test]
    fn what_is_off_is_named() {
        assert_eq!(status("GET", "/nothing", ""), 404);
        assert_eq!(status("GET", "/status/", ""), 404);
        assert_eq!((status("GET", "/jobs/", ""), status("GET", "/jobs/1/2", "")), (404, 404));
        for body in ["", "{}", r#"{"confirm":"yes"}"#] {
            assert_eq!(status("POST", "/identity/opt-out", body), 400, "{body}");
        }
        for body in ["", "{}", r#"{"passphrase":""}"#, r#"{"passphrase":"short"}"#, r#"{"passphrase":7}"#] {
            assert_eq!(status("POST", "/identity/seal", body), 400, "{body}");
        }
        let wrong = route(&request("DELETE", "/config", "")).unwrap_err();
        assert_eq!((wrong.status, wrong.headers.last().unwrap()), (405, &("Allow", "GET, PUT".to_owned())));
        for body in [
            "",
            "{}",
            r#"{"action":"Start"}"#,
            r#"{"action":"start","seconds":1}"#,
            r#"{"action":"pause","seconds":0}"#,
            r#"{"action":"pause","seconds":2678401}"#,
            r#"{"action":"pause","seconds":-1}"#,
            r#"{"action":"pause","action":"start"}"#,
        ] {
            assert_eq!(status("POST", "/control", body), 400, "{body}");
        }
        assert_eq!(status("PUT", "/config", "[]"), 400);
        assert_eq!(status("POST", "/sessions/close", r#"{"sessionId":""}"#), 400);
        for target in [
            "/policy/explain",
            "/policy/explain?host=",
            "/policy/explain?host=a&port=0",
            "/policy/explain?host=a&port=65536",
            "/logs?since=x",
            "/series?seconds=0",
            "/overview?seconds=301",
            "/presets?line=fast",
            "/presets?line=0",
        ] {
            assert_eq!(status("GET", target, ""), 400, "{target}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_request_gets_a_call_or_an_error(path in prop::sample::select(ROUTES), method in "GET|PUT|POST", query in "[ -~]{0,40}", body in prop::collection::vec(any::<u8>(), 0..64)) {
            let request = Request { method, target: format!("{}?{query}", path.0), body, ..Request::default() };
            if let Err(answer) = route(&request) {
                prop_assert!((400..500).contains(&answer.status));
            }
        }
    }
}
