//! The server does what `openapi.yaml` says, and whatever is sent it neither breaks nor says anything else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Mutex,
};

use hollowtrees_gateway::{http::route::PATHS, status::OPENAPI};
use http::{Method, StatusCode};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestCaseError, TestRunner},
};
use serde_json::Value;
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    posts::Posts,
    process::Process,
    sns::{self, Host},
};

/// Requests with arbitrary bodies.
const ARBITRARY: u32 = 600;
/// Repeats a run.
const SEED: &str = "HOLLOWTREES_OPENAPI_SEED";

/// A gateway that is open by all its ways, and what that needs.
struct Open {
    posts: Posts,
    host: Host,
}

impl Open {
    async fn new() -> Self {
        Self {
            posts: Posts::new().await,
            host: Host::showing(&sns::data("sns.pem")).await,
        }
    }

    async fn gateway(&self, env: &[(&str, &str)]) -> Process {
        let stand_in = self.host.url();
        let all = [
            ("HT_CLUSTER", "home"),
            ("HT_SNS__TOPICS", sns::TOPIC),
            ("HT_SNS__ENDPOINT", &stand_in),
        ];
        self.posts.gateway(&[&all, env].concat()).await
    }
}

fn document() -> Value {
    serde_saphyr::from_str(OPENAPI).unwrap()
}

/// What `$ref` points to, or the value itself.
fn followed<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(path) => followed(document, document.pointer(path.trim_start_matches('#')).unwrap()),
        None => value,
    }
}

/// Whether a value fits a schema, by the words the document uses.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = followed(document, schema);
    let known: BTreeSet<&str> = [
        "type",
        "const",
        "enum",
        "required",
        "properties",
        "additionalProperties",
        "items",
        "minimum",
        "format",
        "contentEncoding",
    ]
    .into();
    for word in schema.as_object().into_iter().flat_map(|schema| schema.keys()) {
        assert!(
            known.contains(word.as_str()),
            "this test does not know `{word}` of schemas"
        );
    }
    if let Some(expected) = schema.get("type").and_then(Value::as_str) {
        let is = match expected {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            other => panic!("this test does not know the type `{other}`"),
        };
        if !is {
            return Err(format!("{value} is no {expected}"));
        }
    }
    if schema.get("const").is_some_and(|expected| expected != value) {
        return Err(format!("{value} is not {}", schema["const"]));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        return Err(format!("{value} is none of {words:?}"));
    }
    for name in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if value.get(name.as_str().unwrap()).is_none() {
            return Err(format!("{value} has no {name}"));
        }
    }
    for (name, property) in value.as_object().into_iter().flatten() {
        let schema = schema
            .pointer(&format!("/properties/{name}"))
            .or_else(|| schema.get("additionalProperties"));
        if let Some(schema) = schema {
            fits(document, schema, property)?;
        }
    }
    if let Some(items) = schema.get("items") {
        let each = value.as_array().into_iter().flatten();
        each.map(|item| fits(document, items, item))
            .collect::<Result<Vec<_>, _>>()?;
    }
    Ok(())
}

/// Whether an answer is one that the operation documents.
fn documented(
    document: &Value,
    operation: &Value,
    answer: &http::Response<bytes::Bytes>,
) -> Result<(), String> {
    let status = answer.status();
    let status = status.as_str();
    let response = operation["responses"].get(status);
    let response = followed(
        document,
        response.ok_or_else(|| format!("{status} is not documented"))?,
    );
    let Some(content) = response.get("content").and_then(Value::as_object) else {
        return Ok(());
    };
    let content_type = answer.headers()["content-type"].to_str().unwrap();
    let media = content
        .get(content_type)
        .ok_or_else(|| format!("{content_type} is not documented"))?;
    let body: Value = serde_json::from_slice(answer.body()).map_err(|error| error.to_string())?;
    fits(document, &media["schema"], &body)
}

fn operations(document: &Value) -> Vec<(String, Method, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            (path.clone(), method, operation.clone())
        })
    });
    operations.collect()
}

/// Every example of a request body, with its media type and the status it says to expect.
fn examples(operation: &Value) -> Vec<(String, String, Value, u64)> {
    let content = operation
        .pointer("/requestBody/content")
        .and_then(Value::as_object);
    let media = content.into_iter().flatten();
    media
        .flat_map(|(media_type, media)| {
            let examples = media["examples"].as_object().unwrap().iter();
            examples.map(move |(name, example)| {
                let status = example["x-status"].as_u64().unwrap();
                (media_type.clone(), name.clone(), example["value"].clone(), status)
            })
        })
        .collect()
}

#[test]
fn the_document_has_every_path_and_no_other() {
    let documented: BTreeSet<_> = operations(&document())
        .into_iter()
        .map(|(path, method, _)| (path, method.to_string()))
        .collect();
    let served: BTreeSet<_> = PATHS
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.iter();
            methods.map(|(method, _)| ((*path).to_owned(), method.to_string()))
        })
        .collect();
    assert_eq!(documented, served);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_documented_request_is_answered_as_documented() {
    let open = Open::new().await;
    let process = open.gateway(&[]).await;
    let locked = open.gateway(&[("HT_AUTH__TOKEN", "0123456789abcdef")]).await;
    let document = document();
    let mut asked = 0;
    for (path, method, operation) in operations(&document) {
        let open = operation.get("security").is_some();
        let mut requests = examples(&operation);
        if requests.is_empty() {
            requests.push((String::new(), "nothing".to_owned(), Value::Null, 200));
        }
        for (media_type, name, body, status) in requests {
            let what = format!("{method} {path} {name}");
            let headers = [("content-type", media_type.as_str())];
            let headers = if media_type.is_empty() { &[][..] } else { &headers };
            let body = match media_type.as_str() {
                "" => String::new(),
                // An example that is an event or an alert in the document is one by its schema.
                _ => body.to_string(),
            };
            let answer = process.send(method.clone(), &path, headers, body.clone()).await;
            assert_eq!(
                u64::from(answer.status().as_u16()),
                status,
                "{what}: {:?}",
                answer.body()
            );
            if method != Method::HEAD {
                documented(&document, &operation, &answer).unwrap_or_else(|wrong| panic!("{what}: {wrong}"));
            }
            let answer = locked.send(method.clone(), &path, headers, body).await;
            if open {
                assert_eq!(answer.status(), StatusCode::OK, "{what}");
            } else {
                assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{what}");
                documented(&document, &operation, &answer).unwrap_or_else(|wrong| panic!("{what}: {wrong}"));
            }
            asked += 1;
        }
        // What takes anything shows something that is taken.
        let examples_of = examples(&operation);
        let taken = examples_of.iter().any(|(_, _, _, status)| *status == 200);
        assert!(
            examples_of.is_empty() || taken,
            "{path} has no example that is taken"
        );
        // Examples that are taken fit their own schema.
        for (media_type, name, body, status) in examples(&operation) {
            let schema = &operation["requestBody"]["content"][&media_type]["schema"];
            if status == 200 && !name.starts_with("no ") {
                fits(&document, schema, &body).unwrap_or_else(|wrong| panic!("{path} {name}: {wrong}"));
            }
        }
    }
    assert!(asked > 20, "{asked}");
}

/// A document that is an example with something else in one place, or cut off, or no document.
fn arbitrary(examples: Vec<Value>) -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        Just(Value::from("2026-10-01T12:00:00Z")),
        Just(serde_json::json!([])),
        Just(serde_json::json!({})),
        Just(serde_json::json!({"a": {"b": ["c"]}})),
    ];
    let changed = (prop::sample::select(examples), any::<prop::sample::Index>(), leaf).prop_map(
        |(example, place, leaf)| {
            let mut example = example;
            let mut pointers = Vec::new();
            pointers_of(&example, "", &mut pointers);
            let pointer = place.get(&pointers).clone();
            if let Some(found) = example.pointer_mut(&pointer) {
                *found = leaf;
            }
            example.to_string().into_bytes()
        },
    );
    let cut = (changed.clone(), any::<prop::sample::Index>()).prop_map(|(body, at)| {
        let length = at.index(body.len().max(1));
        body[..length.min(body.len())].to_vec()
    });
    prop_oneof![
        6 => changed,
        1 => cut,
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes()),
    ]
}

fn pointers_of(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            pointers_of(
                value,
                &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                found,
            );
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| pointers_of(value, &format!("{at}/{index}"), found)),
        _ => {}
    }
}

/// One request.
struct Sent {
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.body[..self.body.len().min(2_000)];
        let headers = &self.headers;
        let (path, length) = (&self.path, self.body.len());
        write!(
            f,
            "POST {path}\n{headers:?}\n{} ({length} bytes)",
            shown.escape_ascii()
        )
    }
}

/// Requests to each path, most of them made from its own examples.
fn requests(posted: &BTreeMap<String, Value>) -> impl Strategy<Value = Sent> + use<> {
    let of_all: Vec<Value> = posted
        .values()
        .flat_map(examples)
        .map(|(_, _, body, _)| body)
        .collect();
    let own: Vec<_> = posted
        .iter()
        .flat_map(|(path, operation)| {
            let examples = examples(operation).into_iter();
            examples.map(|(media_type, _, body, _)| (path.clone(), media_type, body))
        })
        .collect();
    let paths: Vec<String> = posted.keys().cloned().collect();
    let media_types = [
        "application/json",
        "application/cloudevents+json; charset=utf-8",
        "application/cloudevents-batch+json",
        "text/plain",
        "application/cloudevents+protobuf",
        "",
    ]
    .map(str::to_owned)
    .to_vec();
    let aimed = prop::sample::select(own)
        .prop_flat_map(|(path, media_type, body)| (Just(path), Just(media_type), arbitrary(vec![body])));
    let stray = (
        prop::sample::select(paths),
        prop::sample::select(media_types),
        arbitrary(of_all),
    );
    let word = prop::option::of("[ -~]{0,20}");
    (prop_oneof![2 => aimed, 1 => stray], word).prop_map(|((path, media_type, body), word)| {
        let mut headers = vec![("content-type", media_type)];
        if let Some(word) = word.filter(|word| !word.is_empty()) {
            headers.push(("ce-specversion", "1.0".to_owned()));
            headers.push(("ce-type", "io.hollowtrees.notice.v1".to_owned()));
            for name in ["ce-id", "ce-source", "correlation-id"] {
                headers.push((name, word.clone()));
            }
        }
        Sent { path, headers, body }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_is_answered_as_documented_and_never_with_an_error_of_ours() {
    let open = Open::new().await;
    let process = open
        .gateway(&[("HT_INGEST__DEAD_LETTERS_PER_MINUTE", "60000")])
        .await;
    let document = document();
    let posted: BTreeMap<_, _> = operations(&document)
        .into_iter()
        .filter(|(_, method, _)| *method == Method::POST)
        .map(|(path, _, operation)| (path, operation))
        .collect();
    let given = std::env::var(SEED).ok();
    let seed: u64 = given.map_or_else(rand::random, |seed| seed.parse().unwrap());
    println!("seed {seed}: repeat with {SEED}={seed}");
    let mut runner = TestRunner::new(Config {
        cases: ARBITRARY,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 1_000,
        ..Config::default()
    });
    let taken = Mutex::new(BTreeMap::<String, usize>::new());
    let answered = async |sent: Sent| {
        let headers: Vec<_> = sent
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = process
            .send(Method::POST, &sent.path, &headers, sent.body.clone())
            .await;
        let status = answer.status();
        if status == StatusCode::OK {
            *taken.lock().unwrap().entry(sent.path.clone()).or_default() += 1;
        }
        prop_assert!(!status.is_server_error(), "{status}");
        documented(&document, &posted[&sent.path], &answer).map_err(TestCaseError::fail)
    };
    let run = block_in_place(|| {
        let handle = Handle::current();
        runner.run(&requests(&posted), |sent| handle.block_on(answered(sent)))
    });
    run.unwrap_or_else(|failed| panic!("{SEED}={seed}: {failed}"));
    let log = process.worker.log().unwrap();
    assert!(!log.contains("panic"), "{log}");
    assert!(process.worker.exit_status().is_none());
    // Where AWS is asked first it was more than refusals.
    let taken = taken.into_inner().unwrap();
    assert!(taken.contains_key("/aws/events"), "{taken:?}");
    println!("taken: {taken:?}");
    // What was stored can all be read.
    open.posts.world.notices().await;
}
