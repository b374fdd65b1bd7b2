//! What a message must and must not be, as data.
//!
//! `data/structured-*.json` covers what the CloudEvents conformance suite covers for the JSON format (restated:
//! every one of its cases has one here), and more; `data/message-*.json` the NATS binding. A valid case names the
//! attributes by the header values of the same event in binary mode, which is the canonical form.

#![allow(clippy::expect_used, clippy::panic, reason = "test code: to fail is its job")]

use std::collections::BTreeMap;

use hollowtrees_schemas::codec::{Wire, decode, encode_binary};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn cases<T: DeserializeOwned>(text: &str) -> Vec<T> {
    serde_json::from_str(text).expect("a list of cases")
}

fn structured(event: &Value) -> Wire {
    let content_type = (
        "Content-Type".to_owned(),
        "application/cloudevents+json".to_owned(),
    );
    Wire {
        headers: vec![content_type],
        body: event.to_string().into(),
    }
}

fn check_valid(name: &str, wire: &Wire, attributes: &BTreeMap<String, String>, data: &str) {
    let event = decode(wire).unwrap_or_else(|error| panic!("`{name}` was refused: {error}"));
    let canonical =
        encode_binary(&event).unwrap_or_else(|error| panic!("`{name}` cannot be written: {error}"));
    let found: BTreeMap<String, String> = canonical
        .headers
        .iter()
        .map(|(header, value)| {
            (
                header.strip_prefix("ce-").unwrap_or(header).to_owned(),
                value.clone(),
            )
        })
        .collect();
    assert_eq!(
        found.len(),
        canonical.headers.len(),
        "`{name}` writes a header twice"
    );
    assert_eq!(&found, attributes, "`{name}`: attributes");
    assert_eq!(String::from_utf8_lossy(&canonical.body), data, "`{name}`: data");
    let again = decode(&canonical).unwrap_or_else(|error| panic!("`{name}` written was refused: {error}"));
    let again =
        encode_binary(&again).unwrap_or_else(|error| panic!("`{name}` read back cannot be written: {error}"));
    assert_eq!(again, canonical, "`{name}`: binary mode is a fixed point");
}

fn check_invalid(name: &str, wire: &Wire, expected: &str) {
    match decode(wire) {
        Ok(event) => panic!("`{name}` was accepted: {event}"),
        Err(error) => {
            let error = error.to_string();
            assert!(
                error.contains(expected),
                "`{name}` was refused for another reason: {error}"
            );
        }
    }
}

#[test]
fn valid_structured_events() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        event: Value,
        attributes: BTreeMap<String, String>,
        body: String,
    }
    for case in cases::<Case>(include_str!("data/structured-valid.json")) {
        check_valid(&case.name, &structured(&case.event), &case.attributes, &case.body);
    }
}

#[test]
fn invalid_structured_events() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        event: Value,
        error: String,
    }
    for case in cases::<Case>(include_str!("data/structured-invalid.json")) {
        check_invalid(&case.name, &structured(&case.event), &case.error);
    }
}

#[test]
fn valid_messages() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        headers: Vec<(String, String)>,
        body: String,
        attributes: BTreeMap<String, String>,
        data: String,
    }
    for case in cases::<Case>(include_str!("data/message-valid.json")) {
        let wire = Wire {
            headers: case.headers,
            body: case.body.into(),
        };
        check_valid(&case.name, &wire, &case.attributes, &case.data);
    }
}

#[test]
fn invalid_messages() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        headers: Vec<(String, String)>,
        body: String,
        error: String,
    }
    for case in cases::<Case>(include_str!("data/message-invalid.json")) {
        let wire = Wire {
            headers: case.headers,
            body: case.body.into(),
        };
        check_invalid(&case.name, &wire, &case.error);
    }
}
