//! Keeps `docs/contracts/control.openapi.json` and `docs/reference/metrics.md` true: their examples and names are
//! those of the types. Tests only.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::{Call, Controlled, Explanation, IdentityView};
use super::events::{Event, EventHub};
use super::jobs::Job;
use super::metrics::{self, Counters};
use super::overview::overview;
use super::report::Report;
use super::route::{ROUTES, Route, route};
use super::series::Series;
use super::status::Status;
use super::survey::Survey;
use super::who::{OpenedDay, Who};
use crate::codec::time;
use crate::config::presets;
use crate::config::settings::Rate;
use crate::net::http::{Body, Request};

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn contract() -> Value {
    serde_json::from_str(&file("contracts/control.openapi.json")).unwrap()
}

/// The example of an answer; the status object of it serves other tests, too.
fn example(path: &str, method: &str, status: &str, media: &str) -> Value {
    contract()["paths"][path][method]["responses"][status]["content"][media]["example"].clone()
}

pub(crate) fn status() -> Status {
    serde_json::from_value(example("/status", "get", "200", "application/json")).unwrap()
}

pub(crate) fn who() -> Who {
    serde_json::from_value(example("/logs/who", "get", "200", "application/json")).unwrap()
}

pub(crate) fn series() -> Series {
    serde_json::from_value(example("/series", "get", "200", "application/json")).unwrap()
}

/// Through the type and back, member for member.
fn same<T: Serialize + DeserializeOwned>(path: &str, method: &str) {
    let shown = example(path, method, "200", "application/json");
    let read: T = serde_json::from_value(shown.clone()).unwrap_or_else(|e| panic!("{path}: {e}"));
    assert_eq!(serde_json::to_value(read).unwrap(), shown, "{path}");
}

#[test]
fn examples_of_answers_are_the_types() {
    same::<Status>("/status", "get");
    same::<Controlled>("/control", "post");
    same::<Explanation>("/policy/explain", "get");
    same::<Series>("/series", "get");
    same::<IdentityView>("/identity", "get");
    same::<Report>("/report", "get");
    same::<Job>("/jobs/{id}", "get");
    same::<Who>("/logs/who", "get");
    same::<OpenedDay>("/logs/open-day", "post");
    same::<Survey>("/survey", "get");
    let event = example("/events", "get", "200", "text/event-stream");
    assert!(matches!(serde_json::from_value(event).unwrap(), Event::SessionClose { .. }));
}

#[test]
fn the_contract_lists_every_route_and_its_bodies_are_calls() {
    let contract = contract();
    let listed: BTreeSet<(String, String)> = contract["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |m| (path.clone(), m.to_uppercase())))
        .collect();
    let served = ROUTES.iter().flat_map(|(path, allow)| allow.split(", ").map(move |m| ((*path).to_owned(), m.to_owned())));
    assert_eq!(listed, served.collect());
    for (path, method) in &listed {
        let operation = &contract["paths"][path][method.to_lowercase()];
        let body = operation["requestBody"]["content"]["application/json"]["example"].clone();
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(&body).unwrap() };
        let target = match path.as_str() {
            "/policy/explain" => "/policy/explain?host=example.com",
            "/logs/who" => "/logs/who?at=2026-01-31T12:00:00Z",
            path => path,
        };
        let request = Request { method: method.clone(), target: target.into(), body, ..Request::default() };
        match route(&request) {
            Ok(Route::Events) => assert_eq!(path, "/events"),
            Ok(Route::Call(Call::Control { seconds, .. })) => assert_eq!(seconds, Some(3600)),
            Ok(Route::Call(_)) => {}
            Err(answer) => panic!("{method} {path}: {answer:?}"),
        }
    }
}

#[test]
fn presets_and_overview_are_as_their_examples() {
    let shown = example("/presets", "get", "200", "application/json");
    let told = presets::to_json(Some(Rate::mbps(40)));
    assert_eq!((&told["caps"][1], &told["hours"][1]), (&shown["caps"][0], &shown["hours"][0]));
    let shown = example("/overview", "get", "200", "application/json");
    let hub = EventHub::new();
    let event = serde_json::from_value(shown["recentAlerts"][0].clone()).unwrap();
    hub.publish(time::from_rfc3339(shown["recentAlerts"][0]["at"].as_str().unwrap()).unwrap(), &event);
    let series = serde_json::from_value(shown["series"].clone()).unwrap();
    let Body::Whole(body) = overview(&status(), Some(&series), &hub.recent_alerts()).body else { panic!() };
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), shown);
}

/// Members of the schema's objects are those of the type: the example has them all, so compare schema with example.
#[test]
fn the_status_schema_names_every_member() {
    let contract = contract();
    let schema = contract["components"]["schemas"]["Status"]["properties"].as_object().unwrap();
    let shown = example("/status", "get", "200", "application/json");
    let names = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(schema.keys().cloned().collect::<BTreeSet<_>>(), names(&shown));
    for part in ["qos", "caps", "coordinator", "sandbox", "offload", "memory", "flash", "update"] {
        assert_eq!(names(&schema[part]["properties"]), names(&shown[part]), "{part}");
    }
    assert_eq!(names(&contract["components"]["schemas"]["Session"]["properties"]), names(&shown["sessions"][0]));
    assert_eq!(names(&contract["components"]["schemas"]["Alert"]["properties"]), names(&shown["alerts"][0]));
}

#[test]
fn the_metrics_page_lists_every_family_with_its_type_and_the_text_is_well_formed() {
    let text = metrics::text(&status(), &Counters::default());
    let typed: BTreeSet<(&str, &str)> = text.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let page = file("reference/metrics.md");
    let rows = page.lines().filter_map(|l| l.strip_prefix("| `")?.split_once("` | "));
    let listed: BTreeSet<(&str, &str)> = rows.map(|(name, rest)| (name, rest.split(' ').next().unwrap())).collect();
    assert_eq!(typed, listed);
    let families: BTreeSet<&str> = typed.iter().map(|(name, _)| *name).collect();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let family = name.split('{').next().unwrap();
        assert!(families.contains(family), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let before = text.lines().take(i).filter(|l| l.starts_with("# TYPE ")).last().unwrap();
        assert!(before.starts_with(&format!("# TYPE {family} ")), "{line} stands under {before}");
    }
    assert!(
        text.ends_with('\n')
            && text.contains("echomesh_state{state=\"running\"} 1\n")
            && text.contains("echomesh_refusals_total{reason=\"geo\"} 0\n")
    );
}
