//! Between [`Parts`] and the SDK's `Event`.

use bytes::Bytes;
use cloudevents::event::{Data, ExtensionValue, SpecVersion, TryIntoTime as _, TryIntoUrl as _};
use cloudevents::{AttributesReader as _, AttributesWriter as _, Event, EventBuilder as _, EventBuilderV10};
use jiff::Timestamp;

use super::Wire;
use super::attribute::{self, Fault};
use super::binary::Writer;
use super::error::{DecodeError, EncodeError};
use super::parts::{Content, Parts};
use crate::proto::time;

/// Attributes of the core specification come first, extensions by name, so that equal events give equal bytes.
pub(super) fn write(event: &Event) -> Result<Wire, EncodeError> {
    if event.specversion() != SpecVersion::V10 {
        return Err(EncodeError::Version {
            found: event.specversion().to_string(),
        });
    }
    let (body, default_type) = match event.data() {
        None => (Bytes::new(), None),
        Some(Data::Binary(bytes)) => (Bytes::copy_from_slice(bytes), None),
        Some(Data::String(text)) => (Bytes::copy_from_slice(text.as_bytes()), None),
        Some(Data::Json(value)) => (Bytes::from(serde_json::to_vec(value)?), Some("application/json")),
    };
    let mut writer = Writer::new();
    writer.attribute("id", event.id())?;
    writer.attribute("source", event.source())?;
    writer.attribute("type", event.ty())?;
    writer.optional("datacontenttype", event.datacontenttype().or(default_type))?;
    writer.optional("dataschema", event.dataschema().map(|url| url.as_str()))?;
    writer.optional("subject", event.subject())?;
    if let Some(at) = event.time() {
        let at = i128::from(at.timestamp()) * 1_000_000_000 + i128::from(at.timestamp_subsec_nanos());
        let at = Timestamp::from_nanosecond(at).map_err(|_| EncodeError::Attribute {
            name: "time".to_owned(),
            fault: Fault::Time(time::TimeError::Text { text: at.to_string() }),
        })?;
        writer.attribute("time", &time::text(at))?;
    }
    let mut extensions: Vec<_> = event.iter_extensions().collect();
    extensions.sort_unstable_by_key(|&(name, _)| name);
    for (name, value) in extensions {
        match value {
            ExtensionValue::String(text) => writer.attribute(name, text)?,
            ExtensionValue::Boolean(value) => {
                writer.attribute(name, if *value { "true" } else { "false" })?;
            }
            ExtensionValue::Integer(number) => match i32::try_from(*number) {
                Ok(number) => writer.attribute(name, &number.to_string())?,
                Err(_) => {
                    let fault = Fault::Integer(*number);
                    return Err(EncodeError::Attribute {
                        name: attribute::cut(name),
                        fault,
                    });
                }
            },
        }
    }
    Ok(writer.finish(body))
}

pub(super) fn build(parts: Parts) -> Result<Event, DecodeError> {
    let at_fault = |name: &str, fault| DecodeError::Attribute {
        name: name.to_owned(),
        fault,
    };
    // The attributes `build` wants are all set; Event::default() would ask the clock and the host's name.
    let builder = EventBuilderV10::new()
        .id(parts.id)
        .source(parts.source)
        .ty(parts.ty);
    let mut event = builder.build().map_err(|_| DecodeError::NotAnEvent)?;
    event.set_datacontenttype(parts.datacontenttype);
    event.set_subject(parts.subject);
    if let Some(uri) = parts.dataschema {
        let url = uri.as_str().into_url();
        event.set_dataschema(Some(
            url.map_err(|_| at_fault("dataschema", Fault::Uri(attribute::cut(&uri))))?,
        ));
    }
    if let Some(at) = parts.time {
        let text = time::text(at);
        let at = text.as_str().into_time();
        event.set_time(Some(at.map_err(|_| {
            at_fault("time", Fault::Time(time::TimeError::Text { text }))
        })?));
    }
    for (name, value) in parts.extensions {
        event.set_extension(&name, value);
    }
    match parts.data {
        None => {}
        Some(Content::Bytes(bytes)) => drop(event.set_data_unchecked(Vec::from(bytes))),
        Some(Content::Text(text)) => drop(event.set_data_unchecked(text)),
        Some(Content::Json(value)) => drop(event.set_data_unchecked(value)),
    }
    Ok(event)
}
