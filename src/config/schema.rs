//! The JSON Schema (2020-12) of the settings, from the table.

use serde_json::{Map, Value, json};

use super::json::{SCHEDULES, VERSION, member};
use super::settings::Settings;
use super::table::{KINDS, MAX_WINDOWS, ROWS, Row, WINDOW_ROWS};

/// The schema of what `config show --json` prints and `PUT /config` patches.
pub fn schema() -> Value {
    let defaults = Settings::default();
    let mut groups = Map::new();
    groups.insert("version".into(), json!({"const": VERSION, "description": "Version of this shape."}));
    for kind in &KINDS {
        let mut members = Map::new();
        for row in ROWS.iter().filter(|r| r.section == kind.section) {
            members.insert(row.member.into(), of_row(row, Some(member(row, &defaults))));
        }
        if kind.section == "node" {
            members.insert(SCHEDULES.into(), windows());
        }
        groups.insert(kind.group.into(), object(kind.doc, members, &[]));
    }
    let mut schema = object("Settings of an EchoMesh node. Absent members have their default.", groups, &[]);
    if let Value::Object(members) = &mut schema {
        members.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        members.insert("title".into(), "EchoMesh settings".into());
    }
    schema
}

fn object(doc: &str, members: Map<String, Value>, required: &[&str]) -> Value {
    let mut schema = json!({"type": "object", "description": doc, "properties": members, "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn windows() -> Value {
    let members = WINDOW_ROWS.iter().map(|r| (r.member.to_owned(), of_row(r, None))).collect();
    json!({
        "type": "array",
        "maxItems": MAX_WINDOWS,
        "default": [],
        "description": "When the node works. Empty = always.",
        "items": object("A time window.", members, &["start", "end"]),
    })
}

fn of_row<S>(row: &Row<S>, default: Option<Value>) -> Value {
    let mut schema = match row.list {
        Some(most) => json!({"type": "array", "items": row.form.schema(), "maxItems": most, "uniqueItems": true}),
        None => row.form.schema(),
    };
    // What people read: what it does, then what it may be where the schema cannot say it.
    let allowed = schema.get("description").and_then(Value::as_str).map(|a| format!(" Allowed: {a}.")).unwrap_or_default();
    schema["description"] = format!("{}{allowed}", row.doc).into();
    let unset = default.as_ref().is_none_or(Value::is_null) && row.list.is_none();
    if unset && !matches!(row.member, "start" | "end") {
        schema["type"] = json!([schema["type"], "null"]);
    }
    if row.list.is_some() && default.as_ref().and_then(Value::as_array).is_some_and(|d| !d.is_empty()) {
        schema["minItems"] = 1.into();
    }
    if let Some(default) = default {
        schema["default"] = default;
    }
    schema
}
