//! Structured mode in JSON (JSON event format 1.0.2).

use cloudevents::event::ExtensionValue;
use serde_json::{Map, Value};

use super::attribute::{self, Fault};
use super::error::DecodeError;
use super::parts::{Builder, Content, Parts};
use super::{base64, media};

/// Reads a body whose content type says it is an event.
pub(super) fn read(body: &[u8]) -> Result<Parts, DecodeError> {
    build(serde_json::from_slice(body).map_err(DecodeError::Json)?)
}

/// Reads a body that may be an event: a JSON object with `specversion`.
pub(super) fn sniff(body: &[u8]) -> Result<Parts, DecodeError> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(DecodeError::NotAnEvent);
    }
    match serde_json::from_slice::<Map<String, Value>>(body) {
        Ok(object) if object.contains_key("specversion") => build(object),
        _ => Err(DecodeError::NotAnEvent),
    }
}

fn build(mut object: Map<String, Value>) -> Result<Parts, DecodeError> {
    let data = object.remove("data").filter(|data| !data.is_null());
    let data_base64 = object.remove("data_base64").filter(|data| !data.is_null());
    let mut builder = Builder::default();
    for (name, value) in object {
        // Unset, by section 2.2 of the format; its name must be right all the same.
        if let Some(value) = attribute_value(&name, value)? {
            builder.add(&name, value)?;
        }
    }
    let mut parts = builder.build()?;
    parts.data = content(parts.datacontenttype.as_deref(), data, data_base64)?;
    Ok(parts)
}

fn attribute_value(name: &str, value: Value) -> Result<Option<ExtensionValue>, DecodeError> {
    let at_fault = |fault| DecodeError::Attribute {
        name: attribute::cut(name),
        fault,
    };
    attribute::check_name(name).map_err(at_fault)?;
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(ExtensionValue::String(text))),
        Value::Bool(value) => Ok(Some(ExtensionValue::Boolean(value))),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Ok(Some(ExtensionValue::Integer(number))),
            None => Err(at_fault(Fault::JsonType(
                "number with a fraction or beyond 64 bits",
            ))),
        },
        Value::Array(_) => Err(at_fault(Fault::JsonType("array"))),
        Value::Object(_) => Err(at_fault(Fault::JsonType("object"))),
    }
}

/// Section 3.1: `data_base64` is bytes; `data` is JSON where the content type is JSON or missing, else text.
fn content(
    content_type: Option<&str>,
    data: Option<Value>,
    data_base64: Option<Value>,
) -> Result<Option<Content>, DecodeError> {
    match (data, data_base64) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(DecodeError::TwoData),
        (None, Some(encoded)) => {
            let bytes = encoded
                .as_str()
                .and_then(base64::decode)
                .ok_or(DecodeError::Base64)?;
            Ok(Some(Content::Bytes(bytes.into())))
        }
        (Some(data), None) if content_type.is_none_or(media::is_json) => Ok(Some(Content::Json(data))),
        (Some(Value::String(text)), None) => Ok(Some(Content::Text(text))),
        (Some(_), None) => Err(DecodeError::DataNotText {
            content_type: attribute::cut(content_type.unwrap_or_default()),
        }),
    }
}
