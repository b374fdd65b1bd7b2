//! `asyncapi.yaml` says what the code does: every subject, stream, header, message, field and word.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: to fail is its job"
)]

use std::collections::{BTreeMap, BTreeSet};

use hollowtrees_schemas::envelope::{self, DataFormat, Message, TYPES};
use hollowtrees_schemas::names::{
    Stream, action_state, certainty, effect, error_class, header, kind, mode, on_failure, phase, result,
    state, when_expired,
};
use hollowtrees_schemas::proto;
use hollowtrees_schemas::subject::{IncidentEvent, RunEvent, Subject};
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use serde_json::{Value, json};

fn document() -> Value {
    serde_saphyr::from_str(include_str!("../asyncapi.yaml")).expect("YAML")
}

fn texts(value: &Value) -> BTreeSet<&str> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("no list: {value}"))
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

fn set<'a>(words: &[&'a str]) -> BTreeSet<&'a str> {
    words.iter().copied().collect()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("no map: {value}"))
        .keys()
        .map(String::as_str)
        .collect()
}

/// One subject of each shape, by the name of its channel, made of the names of its parameters.
fn subjects() -> BTreeMap<&'static str, Subject> {
    let name = str::to_owned;
    let (cluster, instance) = (|| name("cluster"), || name("instance"));
    BTreeMap::from([
        (
            "notices",
            Subject::Notice {
                cluster: cluster(),
                kind: name("kind"),
                instance: instance(),
            },
        ),
        (
            "actions",
            Subject::Action {
                cluster: cluster(),
                action: name("action"),
                instance: instance(),
            },
        ),
        (
            "outcomes",
            Subject::Outcome {
                cluster: cluster(),
                action: name("action"),
                result: name("result"),
                instance: instance(),
            },
        ),
        (
            "incidents",
            Subject::Incident {
                cluster: cluster(),
                event: IncidentEvent::Opened,
                instance: instance(),
            },
        ),
        (
            "runs",
            Subject::Run {
                cluster: cluster(),
                event: RunEvent::Started,
                instance: instance(),
            },
        ),
        (
            "dead",
            Subject::Dead {
                cluster: cluster(),
                origin: name("origin"),
                consumer: name("consumer"),
            },
        ),
    ])
}

#[test]
fn channels_are_the_subjects() {
    let document = document();
    let subjects = subjects();
    assert_eq!(keys(&document["channels"]), subjects.keys().copied().collect());
    let mut patterns: BTreeMap<Stream, BTreeSet<&str>> = BTreeMap::new();
    for (name, subject) in &subjects {
        let channel = &document["channels"][*name];
        let address = channel["address"].as_str().expect("an address");
        let parameters = keys(&channel["parameters"]);
        let made = address.replace(
            "{event}",
            match subject {
                Subject::Run { .. } => "started",
                _ => "opened",
            },
        );
        assert_eq!(
            made.replace(['{', '}'], ""),
            subject.to_string(),
            "{name}: address"
        );
        let in_address: BTreeSet<&str> = address
            .split('.')
            .filter_map(|token| token.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        assert_eq!(parameters, in_address, "{name}: parameters");
        assert_eq!(
            channel["x-stream"],
            json!(subject.stream().name()),
            "{name}: stream"
        );
        let pattern = channel["x-pattern"].as_str().expect("a pattern");
        let tokens = |text: &str| text.split('.').count();
        assert_eq!(tokens(pattern), tokens(address), "{name}: pattern");
        patterns.entry(subject.stream()).or_default().insert(pattern);
    }
    for stream in Stream::ALL {
        assert_eq!(
            patterns.remove(&stream),
            Some(set(stream.subjects())),
            "{stream}: subjects"
        );
    }
}

#[test]
fn each_channel_is_sent_and_received() {
    let document = document();
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for operation in document["operations"].as_object().expect("operations").values() {
        let channel = operation["channel"]["$ref"].as_str().expect("a channel");
        let channel = channel.strip_prefix("#/channels/").expect("one of this document");
        used.entry(channel)
            .or_default()
            .insert(operation["action"].as_str().expect("an action"));
    }
    for channel in keys(&document["channels"]) {
        assert_eq!(used.remove(channel), Some(set(&["send", "receive"])), "{channel}");
    }
    assert!(used.is_empty(), "operations on unknown channels: {used:?}");
}

#[test]
fn words_are_the_words() {
    let document = document();
    let channels = &document["channels"];
    let incident_events = IncidentEvent::ALL.map(IncidentEvent::as_str);
    let run_events = RunEvent::ALL.map(RunEvent::as_str);
    assert_eq!(
        texts(&channels["outcomes"]["parameters"]["result"]["enum"]),
        set(&result::ALL)
    );
    assert_eq!(
        texts(&channels["incidents"]["parameters"]["event"]["enum"]),
        set(&incident_events)
    );
    assert_eq!(
        texts(&channels["runs"]["parameters"]["event"]["enum"]),
        set(&run_events)
    );
    let notices = &channels["notices"]["parameters"]["kind"]["examples"];
    let actions = &document["components"]["parameters"]["action"]["examples"];
    let kinds: BTreeSet<&str> = texts(notices).into_iter().chain(texts(actions)).collect();
    assert_eq!(kinds, set(&kind::ALL));

    let words: BTreeMap<&str, Vec<&[&str]>> = BTreeMap::from([
        ("certainty", vec![&certainty::ALL[..]]),
        ("mode", vec![&mode::ALL[..]]),
        ("effect", vec![&effect::ALL[..]]),
        ("phase", vec![&phase::ALL[..]]),
        ("whenExpired", vec![&when_expired::ALL[..]]),
        ("onFailure", vec![&on_failure::ALL[..]]),
        ("onSkipped", vec![&on_failure::ALL[..]]),
        ("Ht-Dead-Class", vec![&error_class::ALL[..]]),
        (
            "state",
            vec![
                &[state::ACTIVE, state::CANCELLED, state::RESOLVED],
                &[state::OPEN, state::CANCELLED, state::CLOSED],
                &action_state::ALL[..],
            ],
        ),
        (
            "result",
            vec![
                &result::ALL[..],
                &[
                    result::SUCCEEDED,
                    result::FAILED,
                    result::EXPIRED,
                    result::CANCELLED,
                    result::SKIPPED,
                ],
                &[result::SUCCEEDED, result::FAILED, result::CANCELLED],
            ],
        ),
        (
            "ce-datacontenttype",
            vec![&["application/json", "application/protobuf"]],
        ),
    ]);
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        for (field, property) in schema["properties"].as_object().expect("properties") {
            let Some(listed) = property.get("enum") else {
                let free = matches!(field.as_str(), "kind" | "reason" | "providerAction");
                assert!(
                    free || !words.contains_key(field.as_str()),
                    "{name}.{field} lists no words"
                );
                continue;
            };
            let known = words
                .get(field.as_str())
                .unwrap_or_else(|| panic!("{name}.{field} is not checked here"));
            assert!(
                known.iter().any(|known| set(known) == texts(listed)),
                "{name}.{field}: {listed}"
            );
        }
    }
    for format in [DataFormat::Json, DataFormat::Protobuf] {
        let types =
            &document["components"]["schemas"]["EventHeaders"]["properties"]["ce-datacontenttype"]["enum"];
        assert!(texts(types).contains(format.content_type()));
    }
}

#[test]
fn headers_are_the_headers() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let mut written: BTreeSet<String> = BTreeSet::from([header::MESSAGE_ID.to_owned()]);
    let notice = proto::Notice {
        instance: "i".to_owned(),
        ..proto::Notice::default()
    };
    let mut full = envelope::notice(notice, "/s");
    full.time = Some(jiff::Timestamp::UNIX_EPOCH);
    full.expirytime = full.time;
    written.extend(
        full.encode(DataFormat::Json)
            .expect("legal")
            .headers
            .into_iter()
            .map(|(name, _)| name),
    );
    let described: BTreeSet<String> = keys(&schemas["EventHeaders"]["properties"])
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(described, written);
    assert_eq!(
        keys(&schemas["DeadHeaders"]["properties"]),
        set(&header::dead::ALL)
    );
    for required in texts(&schemas["DeadHeaders"]["required"]) {
        assert!(header::dead::ALL.contains(&required));
    }
}

fn check_message<T: Message>(document: &Value, channel: &str, seen: &mut BTreeSet<&'static str>) {
    let message = document["channels"][channel]["messages"]
        .as_object()
        .expect("messages");
    assert_eq!(message.len(), 1, "{channel}");
    let reference = message
        .values()
        .next()
        .and_then(|message| message["$ref"].as_str())
        .expect("a reference");
    let name = reference
        .strip_prefix("#/components/messages/")
        .expect("one of this document");
    let message = &document["components"]["messages"][name];
    assert_eq!(message["name"], json!(T::TYPE));
    let own = &message["headers"]["allOf"][1]["properties"];
    assert_eq!(own["ce-type"]["const"], json!(T::TYPE));
    assert_eq!(own["ce-dataschema"]["const"], json!(T::DATASCHEMA));
    assert_eq!(
        message["payload"]["$ref"],
        json!(format!("#/components/schemas/{name}"))
    );
    seen.insert(T::TYPE);
}

#[test]
fn messages_are_the_messages() {
    let document = document();
    let mut seen = BTreeSet::new();
    check_message::<proto::Notice>(&document, "notices", &mut seen);
    check_message::<proto::Action>(&document, "actions", &mut seen);
    check_message::<proto::Outcome>(&document, "outcomes", &mut seen);
    check_message::<proto::Incident>(&document, "incidents", &mut seen);
    check_message::<proto::Run>(&document, "runs", &mut seen);
    assert_eq!(seen, set(TYPES));
    assert_eq!(
        keys(&document["components"]["messages"]).len(),
        seen.len() + 1,
        "and the dead letter"
    );
}

/// The messages as they are: compiled from the same files as the code.
fn descriptors() -> BTreeMap<String, DescriptorProto> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let files =
        ["notice", "action", "outcome", "incident", "run"].map(|name| format!("hollowtrees/v1/{name}.proto"));
    let set = protox::compile(files, [root]).unwrap_or_else(|error| panic!("{error:?}"));
    let set = FileDescriptorSet::decode(set.encode_to_vec().as_slice()).expect("a descriptor set");
    let files = set
        .file
        .into_iter()
        .filter(|file| file.package() == "hollowtrees.v1");
    files
        .flat_map(|file| file.message_type)
        .map(|message| (message.name().to_owned(), message))
        .collect()
}

/// The JSON schema of a field, as far as its type goes.
fn shape(field: &FieldDescriptorProto, message: &DescriptorProto) -> Value {
    let one = match (field.r#type(), field.type_name()) {
        (Type::String, _) => json!("string"),
        (Type::Bool, _) => json!("boolean"),
        (Type::Uint32, _) => json!("integer"),
        (Type::Uint64, _) => json!("string of ^[0-9]+$"),
        (Type::Message, ".google.protobuf.Timestamp") => json!("date-time"),
        (Type::Message, ".google.protobuf.Duration") => json!("string of ^-?[0-9]+(\\.[0-9]{1,9})?s$"),
        (Type::Message, ".google.protobuf.Struct") => json!("object"),
        (Type::Message, other) => {
            let name = other.rsplit('.').next().unwrap_or_default();
            let nested = message.nested_type.iter().find(|nested| nested.name() == name);
            if nested.is_some_and(|nested| nested.options.as_ref().is_some_and(|options| options.map_entry()))
            {
                return json!("object");
            }
            json!(format!("#/components/schemas/{name}"))
        }
        (other, _) => panic!(
            "{}.{}: {} has no shape here yet",
            message.name(),
            field.name(),
            other.as_str_name()
        ),
    };
    if field.label() == Label::Repeated {
        json!([one])
    } else {
        one
    }
}

fn described_shape(property: &Value) -> Value {
    if let Some(reference) = property.get("$ref") {
        return reference.clone();
    }
    if property["type"] == json!("array") {
        return json!([described_shape(&property["items"])]);
    }
    if let Some(format) = property.get("format") {
        return format.clone();
    }
    match property["pattern"].as_str() {
        Some(pattern) => json!(format!("string of {pattern}")),
        None => property["type"].clone(),
    }
}

#[test]
fn fields_are_the_fields() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let descriptors = descriptors();
    let described: BTreeSet<&str> = schemas
        .keys()
        .map(String::as_str)
        .filter(|name| !name.ends_with("Headers"))
        .collect();
    assert_eq!(described, descriptors.keys().map(String::as_str).collect());
    for (name, message) in &descriptors {
        let properties = &schemas[name]["properties"];
        let fields: BTreeSet<&str> = message
            .field
            .iter()
            .map(FieldDescriptorProto::json_name)
            .collect();
        assert_eq!(keys(properties), fields, "{name}");
        for field in &message.field {
            let property = &properties[field.json_name()];
            assert_eq!(
                described_shape(property),
                shape(field, message),
                "{name}.{}",
                field.json_name()
            );
        }
    }
}

#[test]
fn references_lead_somewhere() {
    fn walk(value: &Value, document: &Value) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').expect("within this document");
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, document)),
            Value::Object(fields) => fields.values().for_each(|field| walk(field, document)),
            _ => {}
        }
    }
    let document = document();
    assert_eq!(document["asyncapi"], json!("3.0.0"));
    walk(&document, &document);
}
