//! Pushes of Google's Pub/Sub: one message a request, wrapped (`{"message": {...}, "subscription": ...}`) or as it was
//! published. What the message holds is an audit log entry or a CloudEvent, in either mode of the Pub/Sub binding.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use hollowtrees_schemas::{codec::Wire, names::header, outgoing::Outgoing};
use serde::Deserialize;
use serde_json::Value;

use super::audit;
use crate::{
    asked::Asked,
    config::Settings,
    events,
    problem::Problem,
    settle::{Frame, Part},
};

#[derive(Deserialize)]
struct Push {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    data: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

/// The message of a push.
///
/// # Errors
/// The body is no push.
pub fn parts(asked: &Asked, settings: &Settings) -> Result<Vec<Part>, Problem> {
    let document: Value =
        serde_json::from_slice(&asked.body).map_err(|error| Problem::json(&error, "a push of Pub/Sub"))?;
    // Of a repetition the body differs by `deliveryAttempt`; an id is its topic's own.
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let id = match (text("/subscription"), text("/message/messageId")) {
        (Some(subscription), Some(id)) => format!("{subscription}/{id}"),
        _ => events::content(&asked.body),
    };
    let made = if document.get("message").is_some() {
        made(&document, asked, settings)
    } else {
        inner(&document, asked.body.clone(), asked, settings)
    };
    Ok(vec![Part {
        index: 0,
        id,
        body: asked.body.clone(),
        frame: Frame::default(),
        made,
    }])
}

/// What a wrapped message is.
///
/// # Errors
/// It is nothing that is known here.
pub fn made(document: &Value, asked: &Asked, settings: &Settings) -> Result<Option<Outgoing>, Problem> {
    let Push { message } = serde_json::from_value(document.clone()).map_err(|_| {
        Problem::undecodable(
            "the body has not the fields of a push of Pub/Sub: `message` with `data` and `attributes`",
        )
    })?;
    let data = BASE64
        .decode(message.data.as_bytes())
        .map_err(|_| Problem::new("message.data", "is no base64"))?;
    if message.attributes.contains_key(header::ce::SPECVERSION) {
        // Attributes of Pub/Sub are text as it is, headers are percent-encoded.
        let headers = message.attributes.into_iter();
        let wire = Wire {
            headers: headers
                .map(|(name, value)| (name, value.replace('%', "%25")))
                .collect(),
            body: data.into(),
        };
        return events::part(0, &wire, asked.body.clone(), asked, settings).made;
    }
    let inside = serde_json::from_slice(&data).map_err(|_| {
        Problem::new(
            "message.data",
            "is no JSON; export audit log entries, or send CloudEvents",
        )
    })?;
    inner(&inside, data.into(), asked, settings)
}

fn inner(
    document: &Value,
    bytes: bytes::Bytes,
    asked: &Asked,
    settings: &Settings,
) -> Result<Option<Outgoing>, Problem> {
    if audit::is_entry(document) {
        let cluster = asked.cluster(&settings.cluster)?;
        return events::told(audit::notice(document, &cluster)?, audit::source, asked);
    }
    if document.get("specversion").is_some() {
        return events::part(0, &events::structured(bytes), asked.body.clone(), asked, settings).made;
    }
    Err(Problem::rejected(
        "message.data",
        "is neither an audit log entry nor a CloudEvent; does the sink filter for cloudaudit.googleapis.com?",
    ))
}
