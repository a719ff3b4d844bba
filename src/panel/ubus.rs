//! `/ubus/`: JSON-RPC 2.0 as uhttpd-mod-ubus speaks it, single or batched, with rpcd's access checks.

use serde_json::{Map, Value, json};

use super::Panel;
use super::access::Rights;
use crate::codec::json;

/// JSON-RPC's own errors, and those of uhttpd.
const PARSE: (i64, &str) = (-32700, "Parse error");
const REQUEST: (i64, &str) = (-32600, "Invalid request");
const METHOD: (i64, &str) = (-32601, "Method not found");
const PARAMS: (i64, &str) = (-32602, "Invalid parameters");
const INTERNAL: (i64, &str) = (-32603, "Internal error");
const OBJECT: (i64, &str) = (-32000, "Object not found");
const ACCESS: (i64, &str) = (-32002, "Access denied");

/// Why a method was not done, as ubus numbers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)] // the names say it
pub enum Status {
    InvalidArgument = 2,
    MethodNotFound = 3,
    NotFound = 4,
    NoData = 5,
    PermissionDenied = 6,
    UnknownError = 9,
}

/// What a method answers with, or why not.
pub type Outcome = Result<Map<String, Value>, Status>;

/// The answer to a request's body.
pub fn answer(panel: &Panel, body: &[u8]) -> Value {
    match json::parse(body) {
        Ok(Value::Array(batch)) => batch.iter().map(|one| answer_one(panel, one)).collect(),
        Ok(one @ Value::Object(_)) => answer_one(panel, &one),
        _ => said(&Value::Null, Err(PARSE)),
    }
}

fn answer_one(panel: &Panel, request: &Value) -> Value {
    let outcome = match (&request["jsonrpc"], request["method"].as_str()) {
        (version, Some(_)) if *version != "2.0" => Err(REQUEST),
        (_, Some("call")) => call(panel, &request["params"]),
        (_, Some("list")) => list(panel, &request["params"]),
        (_, Some(_)) => Err(METHOD),
        (_, None) => Err(REQUEST),
    };
    said(&request["id"], outcome)
}

fn said(id: &Value, outcome: Result<Value, (i64, &str)>) -> Value {
    match outcome {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err((code, message)) => json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }),
    }
}

/// `[session, object, method, arguments]`.
fn call(panel: &Panel, params: &Value) -> Result<Value, (i64, &'static str)> {
    let (session, object, method, args) = match params.as_array().map(Vec::as_slice) {
        Some([Value::String(session), Value::String(object), Value::String(method), Value::Object(args)]) => (session, object, method, args),
        _ => return Err(PARAMS),
    };
    if !OBJECTS.contains(&object.as_str()) {
        return Err(OBJECT);
    }
    let login = panel.logins.of(session).ok_or(ACCESS)?;
    // A file of groups that cannot be read is a fault of the app; the page says what is wrong with it.
    let rights = Rights::of(login, &panel.files).map_err(|_| INTERNAL)?;
    if !rights.may_call(object, method) {
        return Err(ACCESS);
    }
    let outcome = match object.as_str() {
        "session" => access(&rights, args),
        "uci" => panel.uci.call(session, &rights, method, args),
        _ if !panel.plugin.methods().contains_key(method) => Err(Status::MethodNotFound),
        _ => panel.plugin.call(method, args, session).ok_or(Status::UnknownError),
    };
    Ok(match outcome {
        Ok(data) if data.is_empty() => json!([0]),
        Ok(data) => json!([0, data]),
        Err(status) => json!([status as u8]),
    })
}

/// The objects there are.
const OBJECTS: [&str; 3] = ["echomesh", "session", "uci"];

/// The methods of the plugin with the types of their arguments, where it is among the objects that are named.
fn list(panel: &Panel, params: &Value) -> Result<Value, (i64, &'static str)> {
    let wanted: Vec<&str> = match params {
        Value::Null => OBJECTS.to_vec(),
        Value::Array(names) => names.iter().map(|name| name.as_str().ok_or(PARAMS)).collect::<Result<_, _>>()?,
        _ => return Err(PARAMS),
    };
    let known = wanted.contains(&"echomesh") || wanted.contains(&"*");
    let typed =
        |args: &Value| args.as_object().into_iter().flatten().map(|(name, example)| (name.clone(), json!(kind(example)))).collect::<Map<_, _>>();
    let methods = panel.plugin.methods().iter().map(|(name, args)| (name.clone(), Value::Object(typed(args))));
    Ok(if known { json!({ "echomesh": methods.collect::<Map<_, _>>() }) } else { json!({}) })
}

/// The type that a plugin shows by an example.
fn kind(example: &Value) -> &'static str {
    match example {
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        _ => "number",
    }
}

/// `session access`: whether this session may do one thing.
fn access(rights: &Rights, args: &Map<String, Value>) -> Outcome {
    let text = |name: &str| args.get(name).and_then(Value::as_str).ok_or(Status::InvalidArgument);
    let (object, function) = (text("object")?, text("function")?);
    let access = match (args.get("scope").and_then(Value::as_str).unwrap_or("ubus"), function) {
        ("ubus", method) => rights.may_call(object, method),
        ("uci", "read") => rights.may_read(object),
        ("uci", "write") => rights.may_write(object),
        ("access-group", "read") => rights.groups.contains_key(object),
        ("access-group", "write") => rights.groups.get(object) == Some(&true),
        _ => false,
    };
    Ok(Map::from_iter([("access".to_owned(), json!(access))]))
}
