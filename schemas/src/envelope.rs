//! One of our messages as a CloudEvent: typed data, and the attributes that go with it.

mod fill;
mod source;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use fill::{action, incident, notice, outcome, run};
pub use source::source;

use crate::codec::parts::{self, Content};
use crate::codec::{self, DecodeError, EncodeError, Wire, Writer, media};
use crate::id::MessageId;
use crate::proto;
use crate::proto::time;

/// A message that travels as the data of an event.
pub trait Message:
    prost::Message + Serialize + DeserializeOwned + Default + Clone + PartialEq + fmt::Debug
{
    /// `ce-type`: reverse-DNS, with the major version of the data.
    const TYPE: &'static str;
    /// `ce-dataschema`: an absolute URI that changes with the major version of the data.
    const DATASCHEMA: &'static str;
}

macro_rules! messages {
    ($($message:ident => $word:literal),*) => {
        $(impl Message for proto::$message {
            const TYPE: &'static str = concat!("io.hollowtrees.", $word, ".v1");
            const DATASCHEMA: &'static str = concat!("https://hollowtrees.io/schemas/v1/", $word);
        })*

        /// `ce-type` of every message, in the order of its stream.
        pub const TYPES: &[&str] = &[$(<proto::$message as Message>::TYPE),*];
    };
}

messages!(Notice => "notice", Action => "action", Outcome => "outcome", Incident => "incident", Run => "run");

/// How data is written. Either is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DataFormat {
    /// proto3 JSON: readable on the bus, by any language.
    #[default]
    Json,
    /// Protobuf: smaller, faster.
    Protobuf,
}

impl DataFormat {
    /// `ce-datacontenttype`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/protobuf",
        }
    }
}

/// A message with its context attributes. Type, schema and content type follow from `T` and the format.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope<T> {
    /// With `source`, unique to what is said; a repetition has the same.
    pub id: String,
    /// URI reference of the origin, e.g. `/aws/<account>/<region>/imds`; never of a process. See [`source()`].
    pub source: String,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// The instance.
    pub subject: Option<String>,
    /// What to keep in order by: the instance.
    pub partitionkey: Option<String>,
    /// After this it is of no use.
    pub expirytime: Option<Timestamp>,
    /// W3C trace context of the incident.
    pub traceparent: Option<String>,
    /// All other extensions by name, as canonical text: for rules to match.
    pub extensions: BTreeMap<String, String>,
    /// The message.
    pub data: T,
}

impl<T: Message> Envelope<T> {
    /// What `Nats-Msg-Id` carries.
    pub fn message_id(&self) -> MessageId {
        MessageId::of(&self.source, &self.id)
    }

    /// All attributes and extensions by name, in their canonical text: what rules see. An extension never stands in
    /// for an attribute of its name.
    pub fn attributes(&self) -> BTreeMap<String, String> {
        let known = [
            ("specversion", Some("1.0".to_owned())),
            ("type", Some(T::TYPE.to_owned())),
            ("id", Some(self.id.clone())),
            ("source", Some(self.source.clone())),
            ("subject", self.subject.clone()),
            ("time", self.time.map(time::text)),
            ("partitionkey", self.partitionkey.clone()),
            ("expirytime", self.expirytime.map(time::text)),
            ("traceparent", self.traceparent.clone()),
        ];
        let mut attributes = self.extensions.clone();
        attributes.extend(
            known
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?))),
        );
        attributes
    }

    /// The message in binary mode.
    ///
    /// Fails where an attribute or a field has no legal form: an empty id or source, a source that is no URI
    /// reference, control characters, a time out of range, a number that is not finite.
    pub fn encode(&self, format: DataFormat) -> Result<Wire, EncodeError> {
        let body = match format {
            DataFormat::Json => Bytes::from(serde_json::to_vec(&self.data)?),
            DataFormat::Protobuf => Bytes::from(self.data.encode_to_vec()),
        };
        let mut writer = Writer::new();
        writer.attribute("id", &self.id)?;
        writer.attribute("source", &self.source)?;
        writer.attribute("type", T::TYPE)?;
        writer.attribute("datacontenttype", format.content_type())?;
        writer.attribute("dataschema", T::DATASCHEMA)?;
        writer.optional("subject", self.subject.as_deref())?;
        writer.optional("time", self.time.map(time::text).as_deref())?;
        writer.optional("expirytime", self.expirytime.map(time::text).as_deref())?;
        writer.optional("partitionkey", self.partitionkey.as_deref())?;
        writer.optional("traceparent", self.traceparent.as_deref())?;
        for (name, value) in &self.extensions {
            writer.attribute(name, value)?;
        }
        Ok(writer.finish(body))
    }

    /// The message of a wire form, in any mode and data format.
    pub fn decode(wire: &Wire) -> Result<Self, DecodeError> {
        let mut parts = codec::read(wire)?;
        if parts.ty != T::TYPE {
            return Err(DecodeError::Type {
                found: parts.ty,
                expected: T::TYPE,
            });
        }
        let content = parts
            .data
            .take()
            .ok_or(DecodeError::NoData { expected: T::TYPE })?;
        let data = decode_data(parts.datacontenttype.as_deref(), content)?;
        let expirytime = match parts.take_extension("expirytime") {
            Some(text) => Some(time::parse(&text).map_err(|error| DecodeError::Attribute {
                name: "expirytime".to_owned(),
                fault: error.into(),
            })?),
            None => None,
        };
        Ok(Self {
            partitionkey: parts.take_extension("partitionkey"),
            traceparent: parts.take_extension("traceparent"),
            expirytime,
            extensions: parts
                .extensions
                .into_iter()
                .map(|(name, value)| (name, parts::text_of(value)))
                .collect(),
            id: parts.id,
            source: parts.source,
            time: parts.time,
            subject: parts.subject,
            data,
        })
    }
}

/// A missing content type reads as JSON (JSON format section 3.1).
fn decode_data<T: Message>(content_type: Option<&str>, content: Content) -> Result<T, DecodeError> {
    let json = |source| DecodeError::DataJson {
        message: T::TYPE,
        source,
    };
    let found = content_type.unwrap_or(DataFormat::Json.content_type());
    if media::is_json(found) {
        match content {
            Content::Bytes(bytes) => serde_json::from_slice(&bytes).map_err(json),
            Content::Text(text) => serde_json::from_str(&text).map_err(json),
            Content::Json(value) => serde_json::from_value(value).map_err(json),
        }
    } else if let (true, Content::Bytes(bytes)) = (media::is_protobuf(found), content) {
        T::decode(bytes).map_err(|source| DecodeError::DataProtobuf {
            message: T::TYPE,
            source,
        })
    } else {
        Err(DecodeError::DataFormat {
            found: found.chars().take(64).collect(),
        })
    }
}
