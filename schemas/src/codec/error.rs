//! Why a message could not be written or read.

use thiserror::Error;

use super::attribute::Fault;

/// Why an event cannot be written.
#[derive(Debug, Error)]
pub enum EncodeError {
    /// An attribute a reader would have to refuse.
    #[error("cannot write attribute `{name}`: {fault}")]
    Attribute {
        /// Name of the attribute.
        name: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A version of CloudEvents other than 1.0.
    #[error("cannot write CloudEvents {found}; convert the event to 1.0")]
    Version {
        /// The event's version.
        found: String,
    },
    /// The data has no JSON form, e.g. a time out of range or a number that is not finite.
    #[error("cannot write the data as JSON: {0}; correct the field")]
    Json(#[from] serde_json::Error),
}

/// Why a message is no event, or not the one expected.
///
/// None of these passes with time: the message is a dead letter.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// Neither headers nor body are those of a CloudEvent.
    #[error(
        "the message is no CloudEvent: it has no ce-specversion header and its body is no JSON event; send binary mode (ce-* headers) or structured JSON"
    )]
    NotAnEvent,
    /// Batched mode, which NATS does not have.
    #[error(
        "content type `{found}` is a batch, which the NATS binding does not have; send one message an event"
    )]
    Batch {
        /// The content type.
        found: String,
    },
    /// A structured format other than JSON.
    #[error(
        "content type `{found}` is a structured format or charset that is not read here; send application/cloudevents+json in UTF-8, or binary mode"
    )]
    Format {
        /// The content type.
        found: String,
    },
    /// A structured body that is no JSON object.
    #[error("the structured event is no JSON object: {0}")]
    Json(serde_json::Error),
    /// A required attribute is missing.
    #[error("attribute `{name}` is missing; CloudEvents 1.0 requires it")]
    Missing {
        /// Name of the attribute.
        name: &'static str,
    },
    /// An attribute that breaks its rules.
    #[error("attribute `{name}`: {fault}")]
    Attribute {
        /// Name of the attribute, cut to 64 characters.
        name: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// Two headers for one attribute, with different values.
    #[error("attribute `{name}` comes twice with different values; send it once")]
    Twice {
        /// Name of the attribute.
        name: String,
    },
    /// Both `data` and `data_base64`.
    #[error("the event has both `data` and `data_base64`; send one of them")]
    TwoData,
    /// `data_base64` that is no base64 text.
    #[error("`data_base64` is no base64 text (RFC 4648 section 4)")]
    Base64,
    /// Data of a content type that is not JSON must be text in structured mode.
    #[error("data of content type `{content_type}` must be a JSON string; or send it as data_base64")]
    DataNotText {
        /// The event's `datacontenttype`.
        content_type: String,
    },
    /// Another type of event than this place reads.
    #[error("the event is of type `{found}`, expected `{expected}`; was it sent to the right subject?")]
    Type {
        /// `ce-type` of the message.
        found: String,
        /// What is read here.
        expected: &'static str,
    },
    /// Data of a content type that is not read.
    #[error("data of content type `{found}` cannot be read; send application/json or application/protobuf")]
    DataFormat {
        /// The event's `datacontenttype`.
        found: String,
    },
    /// An event without the data its type has.
    #[error("the event has no data; send a message of type `{expected}` in it")]
    NoData {
        /// What is read here.
        expected: &'static str,
    },
    /// JSON data that is not the message.
    #[error("the data is no {message} in JSON: {source}")]
    DataJson {
        /// The message expected.
        message: &'static str,
        /// What serde says.
        source: serde_json::Error,
    },
    /// Protobuf data that is not the message.
    #[error("the data is no {message} in protobuf: {source}")]
    DataProtobuf {
        /// The message expected.
        message: &'static str,
        /// What prost says.
        source: prost::DecodeError,
    },
}
