//! Times of messages, as values and as proto3-JSON text.

#![allow(clippy::expect_used, reason = "test code: to fail is its job")]

use hollowtrees_schemas::proto::time;
use hollowtrees_schemas::proto::{Action, Notice, Outcome};
use jiff::{SignedDuration, Timestamp};
use pbjson_types::value::Kind;
use pbjson_types::{Duration, Struct, Value};
use proptest::prelude::*;
use serde_json::json;

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (
        -62_135_596_800_i64..=253_402_207_199,
        prop_oneof![Just(0), Just(5_000_000), Just(7_000), 0..1_000_000_000_i32],
    )
        .prop_map(|(seconds, nanos)| {
            let nanos = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
            Timestamp::from_nanosecond(nanos).expect("within jiff's range")
        })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Kind::NullValue(0)),
        any::<bool>().prop_map(Kind::BoolValue),
        (-1e15..1e15_f64).prop_map(Kind::NumberValue),
        any::<i32>().prop_map(|number| Kind::NumberValue(number.into())),
        any::<String>().prop_map(Kind::StringValue),
    ]
    .prop_map(|kind| Value { kind: Some(kind) });
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| Kind::ListValue(pbjson_types::ListValue { values })),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|fields| Kind::StructValue(Struct { fields })),
        ]
        .prop_map(|kind| Value { kind: Some(kind) })
    })
}

proptest! {
    #[test]
    fn times_come_back(at in timestamp()) {
        let message = time::to_proto(at);
        prop_assert!((0..1_000_000_000).contains(&message.nanos));
        prop_assert_eq!(time::from_proto(&message), Ok(at));
        let text = time::text(at);
        prop_assert_eq!(time::parse(&text), Ok(at), "{}", text);
        prop_assert!(text.ends_with('Z'));
        let digits = text.split_once('.').map_or(0, |(_, rest)| rest.len() - 1);
        prop_assert!([0, 3, 6, 9].contains(&digits), "{}", text);
    }

    #[test]
    fn durations_come_back(seconds in -315_576_000_000_i64..=315_576_000_000, nanos in 0..1_000_000_000_i32) {
        let duration = SignedDuration::new(seconds, if seconds < 0 { -nanos } else { nanos });
        let message = time::duration_to_proto(duration);
        let action = Action { deadline_reserve: Some(message), ..Action::default() };
        let json = serde_json::to_string(&action).expect("JSON");
        prop_assert_eq!(&serde_json::from_str::<Action>(&json).expect("an action"), &action, "{}", json);
        if seconds.abs() < 315_576_000_000 {
            prop_assert_eq!(time::duration_from_proto(&message), Ok(duration));
        }
    }

    #[test]
    fn any_seconds_and_nanos_are_taken_or_refused(seconds in any::<i64>(), nanos in any::<i32>()) {
        let at = time::from_proto(&pbjson_types::Timestamp { seconds, nanos });
        if let Ok(at) = &at {
            prop_assert_eq!(time::to_proto(*at), pbjson_types::Timestamp { seconds, nanos });
        }
        let span = time::duration_from_proto(&Duration { seconds, nanos });
        if let Ok(span) = &span {
            prop_assert_eq!(time::duration_to_proto(*span).seconds, seconds);
        }
        // Whatever it is, writing it fails or succeeds, and does not panic.
        let action = Action {
            deadline: Some(pbjson_types::Timestamp { seconds, nanos }),
            deadline_reserve: Some(Duration { seconds, nanos }),
            ..Action::default()
        };
        prop_assert_eq!(serde_json::to_string(&action).is_ok(), at.is_ok() && span.is_ok());
    }

    #[test]
    fn no_text_brings_the_readers_down(text in prop_oneof![any::<String>(), "-?-?[0-9]{1,19}(\\.[-+0-9]{0,10})?s", "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}[-+.Z0-9:]{0,12}"]) {
        drop(time::parse(&text));
        drop(serde_json::from_value::<Action>(json!({ "deadlineReserve": text, "deadline": null })));
        drop(serde_json::from_value::<Action>(json!({ "deadline": text })));
    }

    #[test]
    fn structs_come_back(fields in prop::collection::hash_map(any::<String>(), value(), 0..4)) {
        let notice = Notice { detail: Some(Struct { fields }), ..Notice::default() };
        let json = serde_json::to_string(&notice).expect("JSON");
        let back: Notice = serde_json::from_str(&json).expect("a notice");
        prop_assert_eq!(serde_json::to_string(&back).expect("JSON"), json.as_str(), "one form");
        let tree: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let back: Notice = serde_json::from_value(tree).expect("a notice");
        prop_assert_eq!(back, notice);
    }
}

#[test]
fn json_is_canonical() {
    let fields = |pairs: [(&str, Kind); 4]| Struct {
        fields: pairs
            .into_iter()
            .map(|(name, kind)| (name.to_owned(), Value { kind: Some(kind) }))
            .collect(),
    };
    let action = Action {
        id: "x".to_owned(),
        generation: 3,
        deadline: Some(time::to_proto("2026-01-31T12:00:00.5Z".parse().expect("a time"))),
        deadline_reserve: Some(time::duration_to_proto(SignedDuration::from_millis(-1500))),
        params: Some(fields([
            ("b", Kind::NumberValue(5.0)),
            ("a", Kind::NumberValue(0.5)),
            ("d", Kind::NullValue(0)),
            ("c", Kind::BoolValue(true)),
        ])),
        ..Action::default()
    };
    assert_eq!(
        serde_json::to_string(&action).expect("JSON"),
        r#"{"id":"x","generation":"3","deadline":"2026-01-31T12:00:00.500Z","deadlineReserve":"-1.500s","params":{"a":0.5,"b":5,"c":true,"d":null}}"#
    );
    for number in [f64::NAN, f64::INFINITY] {
        let value = Value {
            kind: Some(Kind::NumberValue(number)),
        };
        let params = Struct {
            fields: [("n".to_owned(), value)].into(),
        };
        let error = serde_json::to_string(&Action {
            params: Some(params),
            ..Action::default()
        });
        assert!(error.expect_err("no JSON").to_string().contains("not finite"));
    }
}

#[test]
fn reading_json_is_tolerant() {
    let outcome: Outcome = serde_json::from_value(json!({
        "action_id": "snake", "instance": null, "generation": 7, "attempt": "2", "late": null, "times": null,
        "unknown": { "of": ["a later", "version"] }, "detail": { "big": 9_007_199_254_740_993_u64, "none": null },
        "deadline": "2026-01-31T13:00:00+01:00",
    }))
    .expect("an outcome");
    assert_eq!(
        (outcome.action_id.as_str(), outcome.generation, outcome.attempt),
        ("snake", 7, 2)
    );
    assert_eq!(
        (outcome.instance.as_str(), outcome.late, outcome.times),
        ("", false, None)
    );
    let deadline = time::from_proto(&outcome.deadline.expect("a deadline"));
    assert_eq!(deadline, Ok("2026-01-31T12:00:00Z".parse().expect("a time")));
    assert_eq!(outcome.detail.expect("a detail").fields.len(), 2);
    let notice: Notice = serde_json::from_value(json!({ "labels": null, "detail": null })).expect("a notice");
    assert_eq!(notice, Notice::default());
    for refused in [
        json!({ "deadline": "tomorrow" }),
        json!({ "deadline": 5 }),
        json!({ "deadlineReserve": "--9223372036854775808s" }),
        json!({ "deadlineReserve": "1.s" }),
        json!({ "deadlineReserve": "1" }),
        json!({ "params": [] }),
        json!({ "params": "x" }),
        json!({ "generation": -1 }),
        json!({ "id": 5 }),
        json!([]),
    ] {
        assert!(
            serde_json::from_value::<Action>(refused.clone()).is_err(),
            "{refused} was accepted"
        );
    }
}
