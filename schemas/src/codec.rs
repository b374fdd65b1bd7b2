//! CloudEvents 1.0 over NATS: between [`cloudevents::Event`] and (header pairs, bytes).
//!
//! Writes binary mode (NATS binding 1.0.3-wip section 3.1, cloudevents/spec#1016): each attribute in a header
//! `ce-<name>`, lower case, percent-encoded; the data as the body. Reads binary mode and structured JSON
//! (JSON format 1.0.2), headers in any case, and refuses what those specifications refuse.
//!
//! How the mode is found: a `content-type` that begins with `application/cloudevents` is structured (a batch is
//! refused, for NATS has no batched mode); else a `ce-specversion` header is binary; else a JSON object with
//! `specversion` is structured, since other writers leave the header out; anything else is no event.

mod attribute;
mod base64;
mod binary;
mod error;
mod event;
pub(crate) mod media;
pub(crate) mod parts;
mod percent;
mod structured;

use bytes::Bytes;

pub use attribute::Fault;
pub(crate) use binary::Writer;
pub use error::{DecodeError, EncodeError};

use crate::names::header;

/// A message as NATS carries it, without its subject.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wire {
    /// Headers in order; a name may come twice.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Wire {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Headers and body in bytes, as NATS counts a message against `max_msg_size` (names, values, separators,
    /// and the `NATS/1.0` line).
    pub fn size(&self) -> usize {
        let head: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        let frame = if self.headers.is_empty() {
            0
        } else {
            "NATS/1.0\r\n\r\n".len()
        };
        frame + head + self.body.len()
    }
}

/// An event in binary mode.
///
/// Data that is JSON in memory is written as `application/json` where no other content type is set. Fails on
/// what a reader would have to refuse: a version other than 1.0, an empty or ill-formed attribute.
pub fn encode_binary(event: &cloudevents::Event) -> Result<Wire, EncodeError> {
    event::write(event)
}

/// The event of a message, in either mode.
///
/// Binary data stays bytes, whatever its content type; JSON data of structured mode stays JSON. Extensions of
/// binary mode are text, for a header does not tell their type; their canonical text is the same.
pub fn decode(wire: &Wire) -> Result<cloudevents::Event, DecodeError> {
    event::build(read(wire)?)
}

/// The attributes and data of a message, checked.
pub(crate) fn read(wire: &Wire) -> Result<parts::Parts, DecodeError> {
    match wire.header(header::CONTENT_TYPE) {
        Some(content_type) if media::is_cloudevents(content_type) => {
            media::check_structured(content_type)?;
            structured::read(&wire.body)
        }
        content_type if wire.header(header::ce::SPECVERSION).is_some() => binary::read(wire, content_type),
        _ => structured::sniff(&wire.body),
    }
}
