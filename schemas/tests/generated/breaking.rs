//! What a reader or writer built from the baseline would stumble over.
//!
//! Both encodings count: protobuf goes by field number, JSON by field name.

use std::collections::BTreeMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// One sentence for each breaking change from `old` to `new`, in the order of the old files.
pub(crate) fn changes(old: &FileDescriptorSet, new: &FileDescriptorSet) -> Vec<String> {
    let new_messages = messages(new);
    let mut found = Vec::new();
    for (name, old) in messages(old) {
        match new_messages.get(&name) {
            None => found.push(format!("message {name} is gone")),
            Some(new) => fields(&name, old, new, &mut found),
        }
    }
    found
}

fn messages(set: &FileDescriptorSet) -> BTreeMap<String, &DescriptorProto> {
    let mut all = BTreeMap::new();
    for file in &set.file {
        for message in &file.message_type {
            nested(file.package(), message, &mut all);
        }
    }
    all
}

fn nested<'a>(scope: &str, message: &'a DescriptorProto, all: &mut BTreeMap<String, &'a DescriptorProto>) {
    let name = format!("{scope}.{}", message.name());
    for inner in &message.nested_type {
        nested(&name, inner, all);
    }
    all.insert(name, message);
}

fn fields(message: &str, old: &DescriptorProto, new: &DescriptorProto, found: &mut Vec<String>) {
    for before in &old.field {
        let at = format!("{message}.{} (number {})", before.name(), before.number());
        let Some(after) = new.field.iter().find(|field| field.number() == before.number()) else {
            if !withdrawn(new, before) {
                found.push(format!("{at} is gone; reserve its number and its name"));
            }
            continue;
        };
        if after.name() != before.name() || after.json_name() != before.json_name() {
            found.push(format!(
                "{at} is now named {}: JSON readers miss it",
                after.name()
            ));
        }
        if shape(after) != shape(before) {
            found.push(format!("{at} was {} and is now {}", shape(before), shape(after)));
        }
    }
}

/// A field may go when neither its number nor its name can come back with another meaning.
fn withdrawn(message: &DescriptorProto, field: &FieldDescriptorProto) -> bool {
    let number = message
        .reserved_range
        .iter()
        .any(|range| (range.start()..range.end()).contains(&field.number()));
    number && message.reserved_name.iter().any(|name| name == field.name())
}

fn shape(field: &FieldDescriptorProto) -> String {
    let label = if field.label() == Label::Repeated {
        "repeated "
    } else {
        ""
    };
    let kind = match field.r#type() {
        Type::Message | Type::Enum => field.type_name().to_owned(),
        scalar => scalar.as_str_name().to_owned(),
    };
    let oneof = if field.oneof_index.is_some() {
        " of a oneof"
    } else {
        ""
    };
    format!("{label}{kind}{oneof}")
}

#[test]
fn each_kind_of_breaking_change_is_named() {
    let field = |name: &str, number, kind: Type| FieldDescriptorProto {
        name: Some(name.to_owned()),
        json_name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(kind.into()),
        ..FieldDescriptorProto::default()
    };
    let set = |field: Vec<FieldDescriptorProto>, reserved: &[&str]| FileDescriptorSet {
        file: vec![prost_types::FileDescriptorProto {
            package: Some("p".to_owned()),
            message_type: vec![DescriptorProto {
                name: Some("M".to_owned()),
                field,
                reserved_name: reserved.iter().map(|&name| name.to_owned()).collect(),
                reserved_range: reserved
                    .iter()
                    .map(|_| prost_types::descriptor_proto::ReservedRange {
                        start: Some(1),
                        end: Some(2),
                    })
                    .collect(),
                ..DescriptorProto::default()
            }],
            ..prost_types::FileDescriptorProto::default()
        }],
    };
    let old = set(vec![field("a", 1, Type::String)], &[]);
    let check = |new: FileDescriptorSet, expected: &[&str]| {
        assert_eq!(changes(&old, &new), expected);
    };
    check(old.clone(), &[]);
    check(
        set(vec![field("a", 1, Type::String), field("b", 2, Type::Bool)], &[]),
        &[],
    );
    check(set(vec![], &["a"]), &[]);
    check(
        set(vec![], &[]),
        &["p.M.a (number 1) is gone; reserve its number and its name"],
    );
    check(
        set(vec![field("b", 1, Type::String)], &[]),
        &["p.M.a (number 1) is now named b: JSON readers miss it"],
    );
    check(
        set(vec![field("a", 1, Type::Bytes)], &[]),
        &["p.M.a (number 1) was TYPE_STRING and is now TYPE_BYTES"],
    );
    check(FileDescriptorSet::default(), &["message p.M is gone"]);
}
