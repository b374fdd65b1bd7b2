//! CloudEvents over HTTP (binding 1.0.2, JSON format 1.0.2) as data: each request of `data/cloudevents-http.json` with the
//! status it is answered with, and the events that are on the bus then. It restates what the specification's conformance
//! suite covers for HTTP, and more.

use std::collections::BTreeMap;

use hollowtrees_schemas::{envelope::Envelope, names::Stream, proto};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    process::Process,
    world::{World, held},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    headers: BTreeMap<String, String>,
    /// JSON, or `text`.
    #[serde(default)]
    body: Value,
    text: Option<String>,
    status: u16,
    /// Attributes of each event stored; none where the request is refused.
    #[serde(default)]
    events: Vec<BTreeMap<String, String>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_answered_and_stored_as_the_binding_says() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../data/cloudevents-http.json")).unwrap();
    assert!(cases.len() > 50);
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let mut seen = 0;
    for (number, case) in cases.iter().enumerate() {
        // One source each, so that no case is a repetition of another.
        let of_case = |text: &str| text.replace("/conformance", &format!("/conformance/{number}"));
        let body = case.text.clone().unwrap_or_else(|| case.body.to_string());
        let headers: Vec<_> = case
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), of_case(value)))
            .collect();
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = process
            .send(Method::POST, "/events", &headers, of_case(&body))
            .await;
        assert_eq!(
            answer.status(),
            StatusCode::from_u16(case.status).unwrap(),
            "{}: {:?}",
            case.name,
            answer.body()
        );
        let stored = held(&world.bus, Stream::Notices).await;
        let found: Vec<BTreeMap<String, String>> = stored[seen..]
            .iter()
            .map(|message| {
                Envelope::<proto::Notice>::decode(&message.wire)
                    .unwrap()
                    .attributes()
            })
            .collect();
        seen = stored.len();
        assert_eq!(found.len(), case.events.len(), "{}: {found:?}", case.name);
        for expected in &case.events {
            let is = |event: &BTreeMap<String, String>| {
                expected
                    .iter()
                    .all(|(name, value)| event.get(name) == Some(&of_case(value)))
            };
            assert!(
                found.iter().any(is),
                "{}: {expected:?} among {found:?}",
                case.name
            );
        }
    }
}
