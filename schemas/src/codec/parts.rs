//! An event between the wire and the types: attributes checked, data untouched.

use std::collections::BTreeMap;

use bytes::Bytes;
use cloudevents::event::ExtensionValue;
use jiff::Timestamp;

use super::attribute::{self, Fault};
use super::error::DecodeError;
use crate::proto::time;

/// Data as it came.
#[derive(Debug)]
pub(crate) enum Content {
    /// Bytes: any data of binary mode, `data_base64` of structured mode.
    Bytes(Bytes),
    /// `data` of structured mode where its content type is not JSON.
    Text(String),
    /// `data` of structured mode where its content type is JSON or not given.
    Json(serde_json::Value),
}

/// A CloudEvent 1.0.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) ty: String,
    pub(crate) datacontenttype: Option<String>,
    pub(crate) dataschema: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) extensions: BTreeMap<String, ExtensionValue>,
    pub(crate) data: Option<Content>,
}

impl Parts {
    /// Takes an extension out, as its canonical text.
    pub(crate) fn take_extension(&mut self, name: &str) -> Option<String> {
        self.extensions.remove(name).map(text_of)
    }
}

/// The canonical text of an extension's value.
pub(crate) fn text_of(value: ExtensionValue) -> String {
    match value {
        ExtensionValue::String(text) => text,
        other => other.to_string(),
    }
}

/// Gathers attributes in any order, then gives the event or says what is missing.
#[derive(Debug, Default)]
pub(super) struct Builder {
    attributes: BTreeMap<String, ExtensionValue>,
}

impl Builder {
    /// Adds an attribute whose name and value are right; refuses it where they are not, or where it was added with
    /// another value before.
    pub(super) fn add(&mut self, name: &str, value: ExtensionValue) -> Result<(), DecodeError> {
        let at_fault = |fault| DecodeError::Attribute {
            name: attribute::cut(name),
            fault,
        };
        attribute::check_name(name).map_err(at_fault)?;
        let checked = match &value {
            ExtensionValue::String(text) => attribute::check_value(name, text),
            ExtensionValue::Boolean(_) => attribute::check_not_text(name, "boolean"),
            ExtensionValue::Integer(number) => attribute::check_not_text(name, "number").and_then(|()| {
                i32::try_from(*number)
                    .map(|_| ())
                    .map_err(|_| Fault::Integer(*number))
            }),
        };
        checked.map_err(at_fault)?;
        match self.attributes.get(name) {
            Some(before) if *before != value => Err(DecodeError::Twice {
                name: attribute::cut(name),
            }),
            Some(_) => Ok(()),
            None => {
                self.attributes.insert(name.to_owned(), value);
                Ok(())
            }
        }
    }

    /// Whether that attribute is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    /// A core attribute. All of them are text, as [`Self::add`] has checked.
    fn take(&mut self, name: &str) -> Option<String> {
        self.attributes.remove(name).map(text_of)
    }

    fn need(&mut self, name: &'static str) -> Result<String, DecodeError> {
        self.take(name).ok_or(DecodeError::Missing { name })
    }

    /// The event, still without data.
    pub(super) fn build(mut self) -> Result<Parts, DecodeError> {
        self.need("specversion")?;
        let time = self.take("time");
        let time = time.map(|text| time::parse(&text)).transpose();
        Ok(Parts {
            id: self.need("id")?,
            source: self.need("source")?,
            ty: self.need("type")?,
            datacontenttype: self.take("datacontenttype"),
            dataschema: self.take("dataschema"),
            subject: self.take("subject"),
            time: time.map_err(|error| DecodeError::Attribute {
                name: "time".to_owned(),
                fault: error.into(),
            })?,
            extensions: self.attributes,
            data: None,
        })
    }
}
