//! The codec over whatever comes: nothing is lost, nothing illegal is written, nothing brings it down.

#![allow(clippy::expect_used, clippy::panic, reason = "test code: to fail is its job")]

use cloudevents::event::{Data, ExtensionValue};
use cloudevents::{
    AttributesReader as _, AttributesWriter as _, Event, EventBuilder as _, EventBuilderV03, EventBuilderV10,
};
use hollowtrees_schemas::codec::{DecodeError, EncodeError, Wire, decode, encode_binary};
use hollowtrees_schemas::envelope::Envelope;
use hollowtrees_schemas::proto::{Action, Incident, Notice, Outcome, Run};
use hollowtrees_schemas::subject::Subject;
use proptest::prelude::*;

/// Text the String type allows: no control characters, no noncharacters.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ -~üß€😀%\"\\\\]{0,20}"].prop_map(|text| {
        text.chars()
            .filter(|&found| {
                let code = u32::from(found);
                !found.is_control() && code & 0xfffe != 0xfffe && !(0xfdd0..=0xfdef).contains(&code)
            })
            .collect()
    })
}

fn filled() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.is_empty() { "x".to_owned() } else { text })
}

fn extension() -> impl Strategy<Value = ExtensionValue> {
    prop_oneof![
        text().prop_map(ExtensionValue::String),
        any::<bool>().prop_map(ExtensionValue::Boolean),
        any::<i32>().prop_map(|number| ExtensionValue::Integer(number.into())),
    ]
}

fn data() -> impl Strategy<Value = Option<Data>> {
    prop_oneof![
        Just(None),
        prop::collection::vec(any::<u8>(), 1..40).prop_map(|bytes| Some(Data::Binary(bytes))),
        filled().prop_map(|text| Some(Data::String(text))),
        any::<(bool, i64, String)>().prop_map(|data| Some(Data::Json(serde_json::json!({ "data": data })))),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let core = (
        filled(),
        "[a-zA-Z0-9/:.#~-]{1,20}(%[0-9A-F]{2})?",
        filled(),
        prop::option::of(filled()),
    );
    let time = prop::option::of((0..4_000_000_000_i64, 0..1_000_000_000_u32));
    let extensions = prop::collection::btree_map("ext[a-z0-9]{0,12}", extension(), 0..4);
    (core, time, extensions, data()).prop_map(|((id, source, ty, subject), time, extensions, data)| {
        let mut event = EventBuilderV10::new()
            .id(id)
            .source(source)
            .ty(ty)
            .build()
            .expect("an event");
        event.set_subject(subject);
        if let Some((seconds, nanos)) = time {
            let at =
                jiff::Timestamp::new(seconds, i32::try_from(nanos).expect("nanoseconds")).expect("a time");
            event.set_time(cloudevents::event::TryIntoTime::into_time(at.to_string()).ok());
        }
        for (name, value) in extensions {
            event.set_extension(&name, value);
        }
        if let Some(data) = data {
            event.set_data("application/octet-stream", data);
        }
        event
    })
}

/// What binary mode keeps of an event: data as bytes, extensions as text.
fn as_binary(event: &Event) -> Event {
    let mut kept = event.clone();
    for (name, value) in event.iter_extensions() {
        kept.set_extension(name, value.to_string());
    }
    if let Some(data) = event.data() {
        kept.set_data_unchecked(Vec::try_from(data.clone()).expect("bytes"));
    }
    kept
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        any::<String>(),
        "[Cc][Ee]-[a-zA-Z0-9-]{0,12}",
        prop::sample::select(vec![
            "ce-specversion",
            "ce-id",
            "ce-source",
            "ce-type",
            "ce-time",
            "ce-datacontenttype",
            "Content-Type"
        ])
        .prop_map(str::to_owned),
    ];
    let value = prop_oneof![
        any::<String>(),
        "\"?[%0-9A-Fa-f\\\\ü]{0,12}\"?",
        prop::sample::select(vec![
            "1.0",
            "application/json",
            "application/protobuf",
            "application/cloudevents+json",
            "io.hollowtrees.action.v1",
            "2026-01-31T12:00:00Z"
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec((name, value), 0..10)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        "\\{(\"(specversion|id|type|source|data|data_base64|time|deadlineReserve|params)\":(\"[ -~]{0,8}\"|1|null|\\{\\}),?){0,6}\\}".prop_map(String::into_bytes),
    ]
}

fn read_as_everything(wire: &Wire) {
    if let Ok(event) = decode(wire) {
        let canonical =
            encode_binary(&event).unwrap_or_else(|error| panic!("{event} cannot be written: {error}"));
        let again = decode(&canonical).unwrap_or_else(|error| panic!("{event} cannot be read back: {error}"));
        assert_eq!(encode_binary(&again).expect("written before"), canonical);
    }
    drop(Envelope::<Notice>::decode(wire));
    drop(Envelope::<Action>::decode(wire));
    drop(Envelope::<Outcome>::decode(wire));
    drop(Envelope::<Incident>::decode(wire));
    drop(Envelope::<Run>::decode(wire));
}

proptest! {
    #[test]
    fn an_event_comes_back(event in event()) {
        let wire = encode_binary(&event).expect("legal attributes");
        for (name, value) in &wire.headers {
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
            prop_assert!(value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'), "{}: {}", name, value);
        }
        prop_assert_eq!(decode(&wire).expect("what was written"), as_binary(&event));
    }

    #[test]
    fn an_event_in_structured_json_is_the_same(event in event()) {
        let body = serde_json::to_vec(&event).expect("JSON");
        let structured = Wire { headers: vec![], body: body.into() };
        let read = match decode(&structured) {
            // The SDK writes JSON data under any content type; the format wants text there.
            Err(DecodeError::DataNotText { .. }) => return Ok(()),
            read => read.expect("what the SDK wrote"),
        };
        prop_assert_eq!(as_binary(&read), as_binary(&event));
    }

    #[test]
    fn case_and_order_of_headers_do_not_matter(event in event(), seed in any::<u64>()) {
        let mut wire = encode_binary(&event).expect("legal attributes");
        let expected = decode(&wire).expect("what was written");
        for (index, (name, _)) in wire.headers.iter_mut().enumerate() {
            *name = name.char_indices().map(|(at, letter)| {
                if seed >> ((index + at) % 64) & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
            }).collect();
        }
        wire.headers.reverse();
        prop_assert_eq!(decode(&wire).expect("the same"), expected);
    }

    #[test]
    fn needless_encoding_reads_the_same(text in filled()) {
        let mut event = EventBuilderV10::new().id("a").source("/s").ty("t").build().expect("an event");
        event.set_subject(Some(text.clone()));
        let mut wire = encode_binary(&event).expect("legal attributes");
        for (name, value) in &mut wire.headers {
            if name == "ce-subject" {
                *value = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            }
        }
        let read = decode(&wire).expect("legal");
        prop_assert_eq!(read.subject(), Some(text.as_str()));
    }

    #[test]
    fn whatever_comes_is_read_or_refused(headers in headers(), body in body()) {
        read_as_everything(&Wire { headers, body: body.into() });
    }

    #[test]
    fn a_damaged_message_is_read_or_refused(
        protobuf in any::<bool>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let format = if protobuf { "application/protobuf" } else { "application/json" };
        let action = Action { id: "x".to_owned(), params: Some(pbjson_types::Struct::default()), generation: 5, ..Action::default() };
        let mut body = if protobuf { prost::Message::encode_to_vec(&action) } else { serde_json::to_vec(&action).expect("JSON") };
        let at = at.index(body.len());
        body.splice(at..=at, [byte]);
        body.truncate(cut.index(body.len() + 1));
        let attributes = [("specversion", "1.0"), ("id", "x"), ("source", "/s"), ("type", "io.hollowtrees.action.v1"), ("datacontenttype", format)];
        let headers = attributes.map(|(name, value)| (format!("ce-{name}"), value.to_owned())).into();
        read_as_everything(&Wire { headers, body: body.into() });
    }

    #[test]
    fn an_escaped_subject_survives_as_an_attribute(name in any::<String>()) {
        let subject = Subject::Notice { cluster: name.clone(), kind: name.clone(), instance: name };
        let mut event = EventBuilderV10::new().id("a").source("/s").ty("t").build().expect("an event");
        event.set_subject(Some(subject.to_string()));
        let wire = encode_binary(&event).expect("legal attributes");
        prop_assert_eq!(wire.header("CE-Subject").map(str::to_owned), Some(subject.to_string()));
    }
}

#[test]
fn deep_json_is_refused() {
    for depth in [100, 10_000] {
        let data = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let body = format!(
            r#"{{"specversion":"1.0","id":"a","source":"/s","type":"io.hollowtrees.notice.v1","data":{{"detail":{{"a":{data}}}}}}}"#
        );
        read_as_everything(&Wire {
            headers: vec![],
            body: body.into(),
        });
    }
}

#[test]
fn illegal_events_are_not_written() {
    let build = || {
        EventBuilderV10::new()
            .id("a")
            .source("/s")
            .ty("t")
            .build()
            .expect("an event")
    };
    let check = |what: &str, change: fn(&mut Event)| {
        let mut event = build();
        change(&mut event);
        let error = encode_binary(&event).expect_err(what).to_string();
        assert!(error.contains(what), "expected {what}: {error}");
    };
    check("`id`: it is empty", |event| drop(event.set_id("")));
    check("`type`: it is empty", |event| drop(event.set_type("")));
    check("`source`: it is empty", |event| drop(event.set_source("")));
    check("`subject`: it is empty", |event| {
        drop(event.set_subject(Some("")));
    });
    check("no URI reference", |event| drop(event.set_source("/a b")));
    check("control characters", |event| drop(event.set_id("a\nb")));
    check("no media type", |event| {
        drop(event.set_datacontenttype(Some("json")));
    });
    check("`My-Ext`: its name", |event| event.set_extension("My-Ext", "x"));
    check("`data`: its name", |event| event.set_extension("data", "x"));
    check("does not fit 32 bits", |event| event.set_extension("n", i64::MAX));
    let old = EventBuilderV03::new()
        .id("a")
        .source("/s")
        .ty("t")
        .build()
        .expect("an event");
    assert!(matches!(encode_binary(&old), Err(EncodeError::Version { found }) if found == "0.3"));
}

#[test]
fn json_data_is_named_as_json() {
    let mut event = EventBuilderV10::new()
        .id("a")
        .source("/s")
        .ty("t")
        .build()
        .expect("an event");
    event.set_data_unchecked(serde_json::json!([1]));
    let wire = encode_binary(&event).expect("legal attributes");
    assert_eq!(wire.header("ce-datacontenttype"), Some("application/json"));
    assert_eq!(wire.body.as_ref(), b"[1]");
    assert_eq!(wire.size(), "NATS/1.0\r\nce-specversion: 1.0\r\nce-id: a\r\nce-source: /s\r\nce-type: t\r\nce-datacontenttype: application/json\r\n\r\n[1]".len());
}
