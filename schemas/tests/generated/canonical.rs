//! Makes pbjson's code canonical where it is not (see `src/proto/json.rs`).
//!
//! Fields of the well-known types go through our readers and writers, and `null` reads as the default for every
//! field, as <https://protobuf.dev/programming-guides/json/> asks. Each rewriting must hit exactly one place, so
//! that a change in pbjson's output is noticed and never passes silently.

use std::collections::HashMap;

use prost_types::field_descriptor_proto::Label;
use prost_types::{DescriptorProto, FileDescriptorSet};

const WRITER: &str = "impl serde::Serialize for ";
const READER: &str = "impl<'de> serde::Deserialize<'de> for ";

pub(crate) fn rewrite(text: &str, set: &FileDescriptorSet) -> String {
    let messages: HashMap<&str, &DescriptorProto> = set
        .file
        .iter()
        .filter(|file| file.package() == "hollowtrees.v1")
        .flat_map(|file| &file.message_type)
        .map(|message| (message.name(), message))
        .collect();
    let mut out = String::with_capacity(text.len());
    for block in blocks(text) {
        if let Some(message) = block
            .strip_prefix(WRITER)
            .and_then(|rest| messages.get(name(rest)))
        {
            out.push_str(&writer(block, message));
        } else if let Some(message) = block
            .strip_prefix(READER)
            .and_then(|rest| messages.get(name(rest)))
        {
            out.push_str(&reader(block, message));
        } else {
            panic!(
                "unknown code from pbjson-build: {}",
                block.lines().next().unwrap_or_default()
            );
        }
    }
    out
}

/// Top-level items.
fn blocks(text: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = text.match_indices("\nimpl").map(|(at, _)| at + 1).collect();
    starts.insert(0, 0);
    starts.push(text.len());
    starts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

fn name(rest: &str) -> &str {
    rest.split_whitespace().next().unwrap_or_default()
}

fn once(block: &str, from: &str, to: &str) -> String {
    assert_eq!(
        block.matches(from).count(),
        1,
        "pbjson-build's code changed; expected once:\n{from}\nin\n{block}"
    );
    block.replacen(from, to, 1)
}

/// Our reader and writer for a well-known type.
fn wrapper(message: &DescriptorProto, field: &prost_types::FieldDescriptorProto) -> Option<&'static str> {
    let wrapper = match field.type_name() {
        ".google.protobuf.Timestamp" => "Time",
        ".google.protobuf.Duration" => "Span",
        ".google.protobuf.Struct" => "Fields",
        other if other.starts_with(".google.protobuf.") => {
            panic!(
                "{}.{}: {other} has no canonical form in src/proto/json.rs yet",
                message.name(),
                field.name()
            )
        }
        _ => return None,
    };
    let single = field.label() != Label::Repeated && field.oneof_index.is_none();
    assert!(
        single,
        "{}.{}: only single fields of {wrapper} are rewritten",
        message.name(),
        field.name()
    );
    Some(wrapper)
}

fn writer(block: &str, message: &DescriptorProto) -> String {
    message
        .field
        .iter()
        .fold(block.to_owned(), |block, field| match wrapper(message, field) {
            Some(wrapper) => {
                let call = format!("struct_ser.serialize_field(\"{}\", ", field.json_name());
                once(
                    &block,
                    &format!("{call}v)?;"),
                    &format!("{call}&crate::proto::json::{wrapper}(v))?;"),
                )
            }
            None => block,
        })
}

fn reader(block: &str, message: &DescriptorProto) -> String {
    let block = message.field.iter().fold(block.to_owned(), |block, field| {
        let place = format!(" {}__ = ", field.name());
        match wrapper(message, field) {
            Some(wrapper) => once(
                &block,
                &format!("{place}map_.next_value()?;"),
                &format!(
                    "{place}map_.next_value::<Option<crate::proto::json::{wrapper}<_>>>()?.map(|v| v.0);"
                ),
            ),
            None => block,
        }
    });
    const NUMBER: &str = "::pbjson::private::NumberDeserialize<_>";
    const BYTES: &str = "::pbjson::private::BytesDeserialize<_>";
    const MAP: &str = "std::collections::BTreeMap<_, _>";
    let mut block = block.replace("Some(map_.next_value()?)", "map_.next_value()?");
    for kind in [NUMBER, BYTES] {
        let from = format!("Some(map_.next_value::<{kind}>()?.0)");
        block = block.replace(
            &from,
            &format!("map_.next_value::<Option<{kind}>>()?.map(|v| v.0)"),
        );
    }
    if let (Some(start), Some(end)) = (
        block.find("Some(\n"),
        block.find(&format!("next_value::<{MAP}>()?")),
    ) {
        // The one form that pbjson spreads over lines: `x__ = Some(` ... `);`.
        assert!(end - start < 120, "pbjson-build's code of maps changed");
        block = block.replacen("Some(\n", "\n", 1);
        block = block.replacen(
            &format!("next_value::<{MAP}>()?\n                            );"),
            &format!("next_value::<Option<{MAP}>>()?\n                            ;"),
            1,
        );
    }
    block
}
