//! What a rule can ask of a notice: attributes of its envelope and fields of
//! its data, as text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hollowtrees_schemas::proto;
use pbjson_types::value::Kind;
use pbjson_types::{Struct, Value};

use crate::notice::Notice;

/// CloudEvents attributes and extensions by their lower-case names, in their
/// canonical text form.
pub type Attributes = BTreeMap<String, String>;

/// A notice with its envelope, as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// `id`, `source`, `type`, `subject`, `time`, extensions.
    pub attributes: &'a Attributes,
    /// The data.
    pub notice: &'a Notice,
}

/// The name of a value of a notice: an attribute, or `data.<field>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(String);

/// Fields of the data that are one text, as in `notice.proto`; the
/// lower-camel names of its JSON are as good.
const FIELDS: [&str; 17] = [
    "cluster",
    "provider",
    "account",
    "region",
    "zone",
    "instance",
    "kind",
    "state",
    "certainty",
    "mode",
    "event_id",
    "provider_action",
    "noticed_at",
    "deadline",
    "node",
    "group",
    "instance_type",
];

impl Path {
    /// Checks a name.
    ///
    /// # Errors
    /// A sentence saying what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(field) = text.strip_prefix("data.") {
            let nested = ["labels.", "detail."]
                .iter()
                .any(|prefix| field.len() > prefix.len() && field.starts_with(prefix));
            if nested || FIELDS.contains(&snake(field).as_ref()) {
                return Ok(Self(text.to_owned()));
            }
            return Err(format!(
                "expected a field of a notice, one of data.{}, data.labels.<label> or data.detail.<path>, found `{text}`",
                FIELDS.join(", data.")
            ));
        }
        let attribute = (1..=20).contains(&text.len())
            && text != "data"
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if attribute {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "expected the name of a CloudEvents attribute (1 to 20 of a-z and 0-9) or `data.<field>`, found `{text}`"
        ))
    }

    /// As it is written in the rule.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value as text; none where the notice has none. An empty field of
    /// the data counts as absent, as proto3 does not tell them apart.
    #[must_use]
    pub fn value<'a>(&self, candidate: &Candidate<'a>) -> Option<Cow<'a, str>> {
        let Some(field) = self.0.strip_prefix("data.") else {
            return candidate
                .attributes
                .get(&self.0)
                .map(|value| Cow::Borrowed(value.as_str()));
        };
        let message = &candidate.notice.message;
        if let Some(label) = field.strip_prefix("labels.") {
            return message
                .labels
                .get(label)
                .map(|value| Cow::Borrowed(value.as_str()));
        }
        if let Some(path) = field.strip_prefix("detail.") {
            return message
                .detail
                .as_ref()
                .and_then(|detail| in_struct(detail, path))
                .and_then(text);
        }
        let time = |at: jiff::Timestamp| Some(Cow::Owned(proto::time::text(at)));
        match snake(field).as_ref() {
            "noticed_at" => time(candidate.notice.noticed_at),
            "deadline" => candidate.notice.deadline.and_then(time),
            name => plain(message, name)
                .filter(|value| !value.is_empty())
                .map(Cow::Borrowed),
        }
    }
}

fn plain<'a>(message: &'a proto::Notice, name: &str) -> Option<&'a str> {
    Some(match name {
        "cluster" => &message.cluster,
        "provider" => &message.provider,
        "account" => &message.account,
        "region" => &message.region,
        "zone" => &message.zone,
        "instance" => &message.instance,
        "kind" => &message.kind,
        "state" => &message.state,
        "certainty" => &message.certainty,
        "mode" => &message.mode,
        "event_id" => &message.event_id,
        "provider_action" => &message.provider_action,
        "node" => &message.node,
        "group" => &message.group,
        "instance_type" => &message.instance_type,
        _ => return None,
    })
}

fn snake(name: &str) -> Cow<'_, str> {
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    let mut text = String::with_capacity(name.len() + 2);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    Cow::Owned(text)
}

/// Finds `a.b.c`; keys may themselves have dots, the longest that is there wins.
fn in_struct<'a>(fields: &'a Struct, path: &str) -> Option<&'a Value> {
    if let Some(value) = fields.fields.get(path) {
        return Some(value);
    }
    let mut end = path.len();
    while let Some(dot) = path.get(..end)?.rfind('.') {
        let (key, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
        if let Some(value) = fields.fields.get(key).and_then(|value| in_value(value, rest)) {
            return Some(value);
        }
        end = dot;
    }
    None
}

fn in_value<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    match value.kind.as_ref()? {
        Kind::StructValue(fields) => in_struct(fields, path),
        Kind::ListValue(list) => {
            let (index, rest) = path
                .split_once('.')
                .map_or((path, None), |(index, rest)| (index, Some(rest)));
            let value = list.values.get(index.parse::<usize>().ok()?)?;
            rest.map_or(Some(value), |rest| in_value(value, rest))
        }
        Kind::NullValue(_) | Kind::NumberValue(_) | Kind::StringValue(_) | Kind::BoolValue(_) => None,
    }
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value.kind.as_ref()? {
        Kind::StringValue(text) => Some(Cow::Borrowed(text)),
        Kind::BoolValue(value) => Some(Cow::Owned(value.to_string())),
        Kind::NumberValue(value) => Some(Cow::Owned(value.to_string())),
        Kind::NullValue(_) | Kind::StructValue(_) | Kind::ListValue(_) => None,
    }
}
