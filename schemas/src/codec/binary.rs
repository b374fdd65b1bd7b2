//! Binary mode: attributes in `ce-*` headers, data as the body.

use bytes::Bytes;
use cloudevents::event::ExtensionValue;

use super::error::{DecodeError, EncodeError};
use super::parts::{Builder, Content, Parts};
use super::{Wire, attribute, percent};
use crate::names::header;

/// Reads it. A plain `content-type` stands in for a missing `ce-datacontenttype`: some writers send only that.
pub(super) fn read(wire: &Wire, content_type: Option<&str>) -> Result<Parts, DecodeError> {
    let mut builder = Builder::default();
    for (name, value) in &wire.headers {
        let Some((prefix, name)) = name.split_at_checked(header::CE_PREFIX.len()) else {
            continue;
        };
        if !prefix.eq_ignore_ascii_case(header::CE_PREFIX) {
            continue;
        }
        let name = name.to_ascii_lowercase();
        let value = percent::decode(value).map_err(|fault| DecodeError::Attribute {
            name: attribute::cut(&name),
            fault,
        })?;
        builder.add(&name, ExtensionValue::String(value.into_owned()))?;
    }
    if let Some(content_type) = content_type.filter(|_| !builder.has("datacontenttype")) {
        builder.add("datacontenttype", ExtensionValue::String(content_type.to_owned()))?;
    }
    let mut parts = builder.build()?;
    if !wire.body.is_empty() {
        parts.data = Some(Content::Bytes(wire.body.clone()));
    }
    Ok(parts)
}

/// Writes it, attribute by attribute.
#[derive(Debug)]
pub(crate) struct Writer {
    headers: Vec<(String, String)>,
}

impl Writer {
    /// Begins an event of version 1.0.
    pub(crate) fn new() -> Self {
        let mut headers = Vec::with_capacity(12);
        headers.push((header::ce::SPECVERSION.to_owned(), "1.0".to_owned()));
        Self { headers }
    }

    /// Adds an attribute by its canonical text; refuses what a reader would refuse.
    pub(crate) fn attribute(&mut self, name: &str, value: &str) -> Result<(), EncodeError> {
        let checked = attribute::check_name(name).and_then(|()| attribute::check_value(name, value));
        checked.map_err(|fault| EncodeError::Attribute {
            name: attribute::cut(name),
            fault,
        })?;
        self.headers
            .push((format!("{}{name}", header::CE_PREFIX), percent::encode(value)));
        Ok(())
    }

    /// Adds an attribute if it is set.
    pub(crate) fn optional(&mut self, name: &str, value: Option<&str>) -> Result<(), EncodeError> {
        value.map_or(Ok(()), |value| self.attribute(name, value))
    }

    /// The message, with the data as its body.
    pub(crate) fn finish(self, body: Bytes) -> Wire {
        Wire {
            headers: self.headers,
            body,
        }
    }
}
