//! One staged change, from a call's arguments and as `uci changes` tells it.

use serde_json::{Map, Value, json};

use super::draft::Draft;
use crate::config::uci;
use crate::panel::ubus::Status;

/// A change of one thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Add {
        section: String,
        kind: String,
        anonymous: bool,
    },
    /// Without a value the option goes.
    Set {
        section: String,
        option: String,
        value: Option<uci::Value>,
    },
    Remove {
        section: String,
    },
    Order {
        section: String,
        to: usize,
    },
    Rename {
        section: String,
        option: Option<String>,
        name: String,
    },
}

impl Step {
    /// What a call asks for. A new section without a name has none yet: see [`Step::named`].
    ///
    /// # Errors
    /// There is no such method, or the arguments are not its own.
    pub(super) fn read(method: &str, args: &Map<String, Value>) -> Result<Vec<Step>, Status> {
        let name =
            |key: &str| args.get(key).map(|v| v.as_str().filter(|text| is_name(text)).map(str::to_owned).ok_or(Status::InvalidArgument)).transpose();
        let needed = |key: &str| name(key)?.ok_or(Status::InvalidArgument);
        match method {
            "add" => {
                let (kind, section) = (needed("type")?, name("name")?);
                let (anonymous, section) = (section.is_none(), section.unwrap_or_default());
                let values = sets(&section, args.get("values"))?;
                Ok([Step::Add { section, kind, anonymous }].into_iter().chain(values).collect())
            }
            "set" => {
                let values = sets(&needed("section")?, args.get("values"))?;
                if values.is_empty() { Err(Status::InvalidArgument) } else { Ok(values) }
            }
            "delete" => {
                let section = needed("section")?;
                let options = match args.get("options") {
                    None | Some(Value::Null) => name("option")?.into_iter().collect(),
                    Some(listed) => names(listed)?,
                };
                if options.is_empty() && !args.contains_key("options") {
                    return Ok(vec![Step::Remove { section }]);
                }
                Ok(options.into_iter().map(|option| Step::Set { section: section.clone(), option, value: None }).collect())
            }
            "order" => {
                let listed = names(args.get("sections").ok_or(Status::InvalidArgument)?)?;
                Ok(listed.into_iter().enumerate().map(|(to, section)| Step::Order { section, to }).collect())
            }
            "rename" => Ok(vec![Step::Rename { section: needed("section")?, option: name("option")?, name: needed("name")? }]),
            _ => Err(Status::MethodNotFound),
        }
    }

    /// The same, about the section that the step before it made where it is about one without a name.
    pub(super) fn named(mut self, draft: &Draft, made: Option<&str>) -> Step {
        match &mut self {
            Step::Add { section, kind, .. } if section.is_empty() => *section = draft.next_id(kind),
            Step::Set { section, .. } if section.is_empty() => *section = made.unwrap_or_default().to_owned(),
            _ => {}
        }
        self
    }

    /// As libuci keeps it: `[what, section, …]`.
    pub(super) fn told(&self) -> Vec<Value> {
        match self {
            Step::Add { section, kind, .. } => vec![json!(["add", section, kind])],
            Step::Set { section, option, value: Some(uci::Value::One(text)) } => vec![json!(["set", section, option, text])],
            Step::Set { section, option, value: None } => vec![json!(["remove", section, option])],
            Step::Set { section, option, value: Some(uci::Value::List(texts)) } => {
                let adds = texts.iter().map(|text| json!(["list-add", section, option, text]));
                [json!(["remove", section, option])].into_iter().chain(adds).collect()
            }
            Step::Remove { section } => vec![json!(["remove", section])],
            Step::Order { section, to } => vec![json!(["order", section, to])],
            Step::Rename { section, option: None, name } => vec![json!(["rename", section, name])],
            Step::Rename { section, option: Some(option), name } => vec![json!(["rename", section, option, name])],
        }
    }
}

/// The options of `values`, each to be set in `section`.
fn sets(section: &str, values: Option<&Value>) -> Result<Vec<Step>, Status> {
    let values = match values {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(values) => values.as_object().ok_or(Status::InvalidArgument)?,
    };
    let set = |(option, value): (&String, &Value)| {
        let value = match value {
            Value::Array(texts) => Some(uci::Value::List(texts.iter().map(text).collect::<Result<_, _>>()?)),
            one => Some(uci::Value::One(text(one)?)),
        };
        // Nothing is UCI's way to say that the option goes.
        let value = value.filter(|value| value.texts().iter().any(|text| !text.is_empty()));
        if is_name(option) { Ok(Step::Set { section: section.to_owned(), option: option.clone(), value }) } else { Err(Status::InvalidArgument) }
    };
    values.iter().map(set).collect()
}

fn names(list: &Value) -> Result<Vec<String>, Status> {
    let name = |v: &Value| v.as_str().filter(|text| is_name(text)).map(str::to_owned);
    list.as_array().ok_or(Status::InvalidArgument)?.iter().map(|v| name(v).ok_or(Status::InvalidArgument)).collect()
}

/// As rpcd writes what is no text.
fn text(value: &Value) -> Result<String, Status> {
    match value {
        Value::String(text) if !text.contains('\0') => Ok(text.clone()),
        Value::Bool(on) => Ok(u8::from(*on).to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Status::InvalidArgument),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
