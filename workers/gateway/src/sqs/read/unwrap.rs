//! Takes off what is wrapped around an event on its way to a queue.
//!
//! | wrapper | looks like |
//! |---|---|
//! | none | the event |
//! | SNS without raw delivery | `{"Type": "Notification", "Message": "<text>", ...}` |
//! | EventBridge Pipes, batched | `[<event>, ...]` |
//! | a record of SQS or SNS that Pipes or Lambda passed on | `{"body": "<text>", "messageId": ...}`, `{"Sns": {"Message": "<text>"}}` |
//! | a list of such records | `{"Records": [...]}` |
//! | text in text | `"<JSON as a JSON string>"` |

use serde_json::Value;

use super::{Document, Idle, Unusable};

/// Nobody wraps more often: text, SNS, a record of it, a list of those, and some to spare.
const DEEPEST: usize = 8;
/// SQS takes 1 MiB; no event is under a kilobyte.
const MOST: usize = 1000;

/// What is under the wrappers.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Event(Document),
    Idle(Idle),
}

/// All events in a body, in their order.
pub(super) fn documents(body: &str) -> Vec<Result<Found, Unusable>> {
    let mut found = Vec::new();
    // SQS takes no byte-order mark away that a sender put there.
    text(body.trim_start_matches('\u{feff}'), DEEPEST, &mut found);
    if found.is_empty() {
        found.push(Ok(Found::Idle(Idle::Empty)));
    }
    found
}

fn text(text: &str, layers: usize, found: &mut Vec<Result<Found, Unusable>>) {
    match serde_json::from_str(text) {
        Ok(value) => open(value, layers, found),
        // Line and column say enough, and nothing of the text.
        Err(error) => found.push(Err(Unusable::NotJson(format!(
            "{:?} at line {} column {}",
            error.classify(),
            error.line(),
            error.column()
        )))),
    }
}

fn open(value: Value, layers: usize, found: &mut Vec<Result<Found, Unusable>>) {
    if found.len() >= MOST {
        // Said once.
        if found.len() == MOST {
            found.push(Err(Unusable::TooMany(MOST)));
        }
        return;
    }
    let Some(layers) = layers.checked_sub(1) else {
        found.push(Err(Unusable::TooDeep(DEEPEST)));
        return;
    };
    match value {
        Value::String(inner) => text(&inner, layers, found),
        Value::Array(items) => {
            for item in items {
                open(item, layers, found);
            }
        }
        Value::Object(document) => object(document, layers, found),
        Value::Null | Value::Bool(_) | Value::Number(_) => found.push(Err(Unusable::Shape)),
    }
}

fn object(mut document: Document, layers: usize, found: &mut Vec<Result<Found, Unusable>>) {
    let is_event = document.contains_key("detail-type") || document.contains_key("detail_type");
    let is_notification = ["LifecycleTransition", "Event"]
        .iter()
        .any(|key| document.get(*key).is_some_and(Value::is_string));
    if is_event || is_notification {
        found.push(Ok(Found::Event(document)));
        return;
    }
    if let Some(Value::Array(records)) = document.get_mut("Records").map(Value::take) {
        for record in records {
            open(record, layers, found);
        }
        return;
    }
    if let Some(kind) = document.get("Type").and_then(Value::as_str) {
        if kind.ends_with("Confirmation") {
            found.push(Ok(Found::Idle(Idle::Subscription)));
            return;
        }
        if let Some(message) = inner(&mut document, "Message") {
            open(message, layers, found);
            return;
        }
    }
    if let Some(message) = document
        .get_mut("Sns")
        .and_then(Value::as_object_mut)
        .and_then(|sns| inner(sns, "Message"))
    {
        open(message, layers, found);
        return;
    }
    if document.contains_key("messageId")
        && let Some(body) = inner(&mut document, "body")
    {
        open(body, layers, found);
        return;
    }
    found.push(Err(Unusable::Shape));
}

/// What is wrapped: text, or JSON already read.
fn inner(document: &mut Document, key: &str) -> Option<Value> {
    let value = document.get_mut(key)?;
    (value.is_string() || value.is_object() || value.is_array()).then(|| value.take())
}
