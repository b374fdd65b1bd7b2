//! CloudEvents over HTTP: one in binary or structured mode, or a batch (HTTP binding 1.0.2).

use bytes::Bytes;
use cloudevents::{AttributesReader, Data, Event};
use hollowtrees_domain::notice::Notice;
use hollowtrees_runtime::http::{Answer, text};
use hollowtrees_schemas::{
    codec::{self, Wire},
    envelope::{self, DataFormat, Envelope, Message},
    id::{Hash, MessageId},
    outgoing::{self, Outgoing},
    proto::{self, time::to_proto},
};
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::{Value, value::RawValue};

use crate::{
    asked::Asked,
    config::Settings,
    http::answer,
    ingest::{self, Refused},
    problem::Problem,
    push::{audit, azure, pubsub},
    settle::{Frame, Part},
};

const CLOUDEVENTS: &str = "application/cloudevents";
const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch";
const BATCH_JSON: &str = "application/cloudevents-batch+json";

const ORIGIN: &str = "webhook-request-origin";
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// An event about a Google audit log entry, as Eventarc sends it.
pub const AUDIT_LOG: &str = "google.cloud.audit.log.v1.written";
/// An event about a Pub/Sub message, as Eventarc sends it.
pub const PUBSUB_MESSAGE: &str = "google.cloud.pubsub.topic.v1.messagePublished";

/// Answers a sender that asks whether it may send (CloudEvents Web Hooks 1.0 section 4): who proved itself may, so many
/// requests a minute.
pub fn handshake(headers: &HeaderMap, per_second: u32) -> Answer {
    let answer = answer::with(text(StatusCode::OK, ""), header::ALLOW, "POST");
    match headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()) {
        Some(origin) => {
            let rate = u64::from(per_second) * 60;
            let answer = answer::with(answer, ALLOWED_ORIGIN, origin);
            answer::with(answer, ALLOWED_RATE, &rate.to_string())
        }
        None => answer,
    }
}

/// What a body is, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Attributes in headers, or an event that is recognised by its fields.
    One,
    /// An array of structured events.
    Batch,
    /// A format that is not read.
    Unsupported,
}

/// The mode of a request.
pub fn mode(headers: &HeaderMap) -> Mode {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    match essence.trim().to_ascii_lowercase().as_str() {
        BATCH_JSON => Mode::Batch,
        CLOUDEVENTS | STRUCTURED => Mode::One,
        other if other.starts_with(BATCH) || other.starts_with(CLOUDEVENTS) => Mode::Unsupported,
        _ => Mode::One,
    }
}

/// The events of a request.
///
/// # Errors
/// A batch that is no array.
pub fn parts(asked: &Asked, settings: &Settings) -> Result<Vec<Part>, Problem> {
    if mode(&asked.headers) == Mode::Batch {
        let events: Vec<&RawValue> = serde_json::from_slice(&asked.body)
            .map_err(|error| Problem::json(&error, "an array of CloudEvents"))?;
        let part = |(index, raw): (usize, &&RawValue)| {
            let body = asked.body.slice_ref(raw.get().as_bytes());
            Part {
                frame: Frame::LIST,
                ..part(index, &structured(body.clone()), body, asked, settings)
            }
        };
        return Ok(events.iter().enumerate().map(part).collect());
    }
    let headers = asked.headers.iter();
    let headers =
        headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    let wire = Wire {
        headers: headers.collect(),
        body: asked.body.clone(),
    };
    Ok(vec![part(0, &wire, asked.body.clone(), asked, settings)])
}

/// A structured event.
pub(crate) fn structured(body: Bytes) -> Wire {
    Wire {
        headers: vec![("content-type".to_owned(), STRUCTURED.to_owned())],
        body,
    }
}

/// One event of a request; `body` is what is kept where it cannot be used.
pub(crate) fn part(index: usize, wire: &Wire, body: Bytes, asked: &Asked, settings: &Settings) -> Part {
    match codec::decode(wire) {
        Ok(event) => Part {
            index,
            id: MessageId::of(event.source(), event.id()).to_string(),
            body,
            frame: Frame::default(),
            made: made(&event, wire, asked, settings),
        },
        Err(error) => Part {
            index,
            id: content(&body),
            body,
            frame: Frame::default(),
            made: Err(Problem::undecodable(error.to_string())),
        },
    }
}

/// What follows from a body alone.
pub(crate) fn content(body: &[u8]) -> String {
    Hash::new("body").field(body).finish()
}

fn made(event: &Event, wire: &Wire, asked: &Asked, settings: &Settings) -> Result<Option<Outgoing>, Problem> {
    match event.ty() {
        <proto::Notice as Message>::TYPE => own(wire, asked, settings).map(Some),
        AUDIT_LOG => {
            let cluster = asked.cluster(&settings.cluster)?;
            told(audit::notice(&json(event)?, &cluster)?, audit::source, asked)
        }
        PUBSUB_MESSAGE => pubsub::made(&json(event)?, asked, settings),
        ty if ty.starts_with(azure::PREFIX) => {
            let cluster = asked.cluster(&settings.cluster)?;
            let said = azure::Said {
                id: event.id(),
                ty,
                subject: event.subject().unwrap_or_default(),
                time: event.time().map(|time| time.to_rfc3339()).unwrap_or_default(),
            };
            told(
                azure::notice(&said, &json(event)?, &cluster)?,
                azure::source,
                asked,
            )
        }
        _ => Err(Problem::rejected(
            "type",
            format!(
                "is no type of event that is known here; send {}, {AUDIT_LOG}, {PUBSUB_MESSAGE} or Azure's own",
                <proto::Notice as Message>::TYPE
            ),
        )),
    }
}

/// A notice that a cloud's document is, as a message.
pub(crate) fn told(
    notice: Option<proto::Notice>,
    source: fn(&proto::Notice) -> String,
    asked: &Asked,
) -> Result<Option<Outgoing>, Problem> {
    let Some(notice) = notice else {
        return Ok(None);
    };
    let source = source(&notice);
    Ok(Some(ingest::message(notice, &source, asked.at)?))
}

/// A notice as we write it ourselves. Its id and source are the sender's; what else follows from the content is filled in.
fn own(wire: &Wire, asked: &Asked, settings: &Settings) -> Result<Outgoing, Problem> {
    let said =
        Envelope::<proto::Notice>::decode(wire).map_err(|error| Problem::undecodable(error.to_string()))?;
    let mut notice = said.data;
    if notice.cluster.is_empty() {
        notice.cluster = asked.cluster(&settings.cluster)?;
    } else {
        asked.may_speak_for(&notice.cluster)?;
    }
    if notice.noticed_at.is_none() {
        notice.noticed_at = Some(to_proto(said.time.unwrap_or(asked.at)));
    }
    let checked = Notice::parse(notice.clone(), &said.source, asked.at);
    checked.map_err(|invalid| Problem::from(Refused::from(invalid)))?;
    let cluster = notice.cluster.clone();
    let mut filled = envelope::notice(notice, said.source);
    filled.id = said.id;
    filled.time = said.time.or(filled.time);
    filled.extensions = said.extensions;
    let mut out =
        outgoing::notice(&filled, DataFormat::Json).map_err(|error| Problem::from(Refused::from(error)))?;
    // Of two clusters' senders with the same source and id neither silences the other, nor another origin.
    out.message_id = MessageId::of(
        &Hash::new("event over HTTP")
            .field(&cluster)
            .field(&filled.source)
            .finish(),
        &filled.id,
    );
    Ok(out)
}

/// The data of an event, which has to be JSON.
fn json(event: &Event) -> Result<Value, Problem> {
    let read = |bytes: &[u8]| {
        serde_json::from_slice(bytes)
            .map_err(|_| Problem::new("data", "is no JSON; this type of event has JSON data"))
    };
    match event.data() {
        Some(Data::Json(value)) => Ok(value.clone()),
        Some(Data::String(text)) => read(text.as_bytes()),
        Some(Data::Binary(bytes)) => read(bytes),
        None => Err(Problem::new(
            "data",
            "is missing; this type of event has JSON data",
        )),
    }
}
