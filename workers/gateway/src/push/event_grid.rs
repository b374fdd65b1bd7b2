//! Pushes of Azure's Event Grid in its own schema: an array of events, and the handshake by which it asks whether the
//! endpoint wants them. In the CloudEvents schema they are CloudEvents, and the handshake is theirs.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::azure;
use crate::{
    asked::Asked,
    config::Settings,
    events::{self, Mode},
    problem::Problem,
    settle::{Frame, Part},
};

const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    id: String,
    event_type: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    event_time: String,
    #[serde(default)]
    data: Value,
}

/// The events of a push, or the code of the handshake, to be sent back as `validationResponse`.
///
/// # Errors
/// The body is no array of events.
pub fn parts(asked: &Asked, settings: &Settings) -> Result<Result<Vec<Part>, String>, Problem> {
    let content_type = asked.header("content-type").unwrap_or_default();
    let as_events = content_type.to_ascii_lowercase().contains("cloudevents")
        || asked.header("ce-specversion").is_some()
        || events::mode(&asked.headers) == Mode::Batch;
    if as_events {
        return events::parts(asked, settings).map(Ok);
    }
    let sent: Vec<&RawValue> = serde_json::from_slice(&asked.body)
        .map_err(|error| Problem::json(&error, "an array of events, as Event Grid posts it"))?;
    if let Some(code) = sent.first().and_then(|raw| validation(raw)) {
        tracing::info!(client = asked.client.name, "Event Grid's handshake is answered.");
        return Ok(Err(code));
    }
    let parts = sent.iter().enumerate();
    let parts = parts.map(|(index, raw)| part(index, raw, asked, settings));
    Ok(Ok(parts.collect()))
}

/// The code of a handshake, to be sent back.
fn validation(raw: &RawValue) -> Option<String> {
    let sent: Sent = serde_json::from_str(raw.get()).ok()?;
    let code = sent.data.get("validationCode")?.as_str()?;
    (sent.event_type == VALIDATION).then(|| code.to_owned())
}

fn part(index: usize, raw: &RawValue, asked: &Asked, settings: &Settings) -> Part {
    let body = asked.body.slice_ref(raw.get().as_bytes());
    let Ok(sent) = serde_json::from_str::<Sent>(raw.get()) else {
        return Part {
            index,
            id: events::content(&body),
            body,
            frame: Frame::LIST,
            made: Err(Problem::undecodable(
                "the event has not the fields of Event Grid's schema: `id`, `eventType`, `subject`, `eventTime`, `data`",
            )),
        };
    };
    let made = if sent.event_type.starts_with(azure::PREFIX) {
        asked.cluster(&settings.cluster).and_then(|cluster| {
            let said = azure::Said {
                id: &sent.id,
                ty: &sent.event_type,
                subject: &sent.subject,
                time: sent.event_time.clone(),
            };
            events::told(azure::notice(&said, &sent.data, &cluster)?, azure::source, asked)
        })
    } else {
        Err(Problem::rejected(
            "eventType",
            "is none of Azure's; send events of your own as CloudEvents",
        ))
    };
    Part {
        index,
        id: events::content(&body),
        body,
        frame: Frame::LIST,
        made,
    }
}
