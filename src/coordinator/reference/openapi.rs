//! The published description of the API (`docs/contracts/coordinator.openapi.json`) is checked against the code.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::buyers::{Listed, Opened, View};
use super::lifecycle::OpenRequest;
use super::usage::{Compared, KeyWish, Usage};
use super::{chain, nodes, usage};
use crate::codec::json;
use crate::coordinator::wire;

fn document() -> Value {
    json::parse(include_str!("../../../docs/contracts/coordinator.openapi.json").as_bytes()).unwrap()
}

/// `example` is read as `T`, and `T` writes every member of it that is not a signature.
fn fits<T: DeserializeOwned + Serialize>(example: &Value) {
    let read: T = serde_json::from_value(example.clone()).unwrap_or_else(|e| panic!("{e}: {example}"));
    let written = serde_json::to_value(&read).unwrap();
    for (name, value) in example.as_object().unwrap().iter().filter(|(name, _)| !name.ends_with("Sig") || *name == "endpointSig") {
        assert_eq!(written.get(name), Some(value), "{name} of {example}");
    }
}

fn check(schema: &str, example: &Value) {
    match schema {
        "Register" => fits::<wire::Register>(example),
        "Registered" => fits::<wire::Registered>(example),
        "Heartbeat" => fits::<wire::Heartbeat>(example),
        "Heard" => fits::<wire::Heard>(example),
        "Leave" => fits::<wire::Leave>(example),
        "Control" => {
            let control: wire::Control = serde_json::from_value(example.clone()).unwrap();
            control.events.iter().for_each(fits::<wire::SessionEvent>);
        }
        "Accept" => fits::<wire::Accept>(example),
        "ProbeRequest" => fits::<wire::ProbeRequest>(example),
        "ProbeReport" => fits::<wire::ProbeReport>(example),
        "ProbeAck" => fits::<wire::ProbeAck>(example),
        "Bundle" => {
            fits::<wire::Bundle>(example);
            let bundle: wire::Bundle = serde_json::from_value(example.clone()).unwrap();
            assert_eq!(chain::consistent(&bundle), Ok(()));
        }
        "Ack" => fits::<wire::Ack>(example),
        "HeadAnswer" => fits::<wire::HeadAnswer>(example),
        "Refusal" => assert!(serde_json::from_value::<wire::Refusal>(example.clone()).is_ok()),
        "OpenRequest" => fits::<OpenRequest>(example),
        "Opened" => fits::<Opened>(example),
        "View" => fits::<View>(example),
        "Listed" => fits::<Listed>(example),
        "BuyerKey" => fits::<KeyWish>(example),
        "Usage" => fits::<Usage>(example),
        "Compared" => fits::<Compared>(example),
        other => panic!("{other} is checked nowhere"),
    }
}

/// Every `{schema: {$ref}, example}` below `value`.
fn examples<'a>(value: &'a Value, out: &mut Vec<(&'a str, &'a Value)>) {
    if let Some(example) = value.get("example") {
        if let Some(schema) = value["schema"]["$ref"].as_str() {
            out.push((schema.trim_start_matches("#/components/schemas/"), example));
        }
        return;
    }
    match value {
        Value::Object(map) => map.values().for_each(|v| examples(v, out)),
        Value::Array(list) => list.iter().for_each(|v| examples(v, out)),
        _ => {}
    }
}

#[test]
fn every_example_is_what_the_code_reads_and_writes() {
    let document = document();
    let mut found = Vec::new();
    examples(&document["paths"], &mut found);
    assert!(found.len() > 40, "{}", found.len());
    for (schema, example) in found {
        check(schema, example);
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_path_is_described() {
    fn references<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(name, v)| match (name.as_str(), v.as_str()) {
                ("$ref", Some(target)) => out.push(target),
                _ => references(v, out),
            }),
            Value::Array(list) => list.iter().for_each(|v| references(v, out)),
            _ => {}
        }
    }
    let document = document();
    let mut all = Vec::new();
    references(&document, &mut all);
    for target in all {
        assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
    }
    for path in nodes::PATHS.into_iter().chain(usage::PATHS) {
        assert!(document["paths"].get(path).is_some(), "{path}");
    }
}
