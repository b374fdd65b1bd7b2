//! The server does what `openapi.yaml` says, and whatever is sent it neither breaks nor says anything else.

use std::collections::BTreeSet;

use hollowtrees_recommender::{
    http::{OPENAPI, route::PATHS},
    pools, spot_recommender,
};
use http::{Method, Response, StatusCode};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::Value;

use crate::world::{Ground, R};

/// Requests with arbitrary parameters or bodies.
const ARBITRARY: usize = 600;

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

fn is(value: &Value, expected: &str) -> bool {
    match expected {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("this test does not know the type `{other}`"),
    }
}

/// Whether a value fits a schema, by the words the document uses.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = followed(document, schema);
    let known = [
        "type",
        "const",
        "enum",
        "required",
        "properties",
        "additionalProperties",
        "items",
    ];
    for word in schema.as_object().into_iter().flat_map(|schema| schema.keys()) {
        assert!(
            known.contains(&word.as_str()),
            "this test does not know `{word}` of schemas"
        );
    }
    let good = match schema.get("type") {
        None => true,
        Some(Value::String(one)) => is(value, one),
        Some(several) => {
            let mut several = several.as_array().unwrap().iter();
            several.any(|one| is(value, one.as_str().unwrap()))
        }
    };
    if !good {
        return Err(format!("{value} is no {}", schema["type"]));
    }
    if schema.get("const").is_some_and(|expected| expected != value) {
        return Err(format!("{value} is not {}", schema["const"]));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        return Err(format!("{value} is none of {words:?}"));
    }
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten() {
        if value.get(name.as_str().unwrap()).is_none() {
            return Err(format!("{value} has no {name}"));
        }
    }
    for (name, property) in value.as_object().into_iter().flatten() {
        let properties = schema.get("properties").and_then(|all| all.get(name));
        if let Some(schema) = properties.or_else(|| schema.get("additionalProperties")) {
            fits(document, schema, property)?;
        }
    }
    if let Some(items) = schema.get("items") {
        for item in value.as_array().into_iter().flatten() {
            fits(document, items, item)?;
        }
    }
    Ok(())
}

/// Whether an answer is one that the operation documents.
fn documented(document: &Value, operation: &Value, answer: &Response<bytes::Bytes>) -> Result<(), String> {
    let status = answer.status();
    let response = operation["responses"].get(status.as_str());
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
        methods
            .as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| {
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                (path.clone(), method, operation.clone())
            })
    });
    operations.collect()
}

/// The path with the examples of its parameters, and those of the query that are to be there.
fn address(document: &Value, path: &str, operation: &Value) -> String {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    let parameters = operation["parameters"].as_array();
    for parameter in parameters.into_iter().flatten() {
        let parameter = followed(document, parameter);
        let name = parameter["name"].as_str().unwrap();
        let Some(example) = parameter.get("example") else {
            continue;
        };
        let example = example
            .as_str()
            .map_or_else(|| example.to_string(), str::to_owned);
        match parameter["in"].as_str() {
            Some("path") => path = path.replace(&format!("{{{name}}}"), &example),
            _ => query.push(format!("{name}={example}")),
        }
    }
    if query.is_empty() {
        path
    } else {
        format!("{path}?{}", query.join("&"))
    }
}

/// Every example of a body with the status it says to expect.
fn examples(operation: &Value) -> Vec<(Value, u64)> {
    let content = operation.pointer("/requestBody/content/application~1json/examples");
    let examples = content.and_then(Value::as_object);
    examples
        .into_iter()
        .flat_map(|examples| examples.values())
        .map(|example| (example["value"].clone(), example["x-status"].as_u64().unwrap()))
        .collect()
}

#[test]
fn the_document_has_every_path_and_parameter_and_no_other() {
    let document = document();
    let documented: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(path, method, _)| (path, method.to_string()))
        .collect();
    let served: BTreeSet<_> = PATHS
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .iter()
                .map(|method| ((*path).to_owned(), method.to_string()))
        })
        .collect();
    assert_eq!(documented, served);
    for (path, known) in [
        ("/api/v1/pools/{region}", &pools::PARAMETERS[..]),
        ("/api/v1/recommender/{region}", &spot_recommender::PARAMETERS[..]),
    ] {
        let named = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let named: BTreeSet<_> = named
            .iter()
            .map(|one| followed(&document, one))
            .filter(|one| one["in"] == "query")
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        assert_eq!(named, known.iter().copied().collect(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_documented_request_is_answered_as_documented() {
    let ground = Ground::new().await;
    let process = ground.recommender(&[]).await;
    let locked = ground
        .recommender(&[("HT_HTTP__TOKEN", "0123456789abcdef")])
        .await;
    let document = document();
    let mut asked = 0;
    for (path, method, operation) in operations(&document) {
        let address = address(&document, &path, &operation);
        let mut bodies = examples(&operation);
        if bodies.is_empty() {
            bodies.push((Value::Null, 200));
        }
        for (body, status) in bodies {
            let body = if body.is_null() {
                String::new()
            } else {
                body.to_string()
            };
            let answer = process.send(method.clone(), &address, &[], body.clone()).await;
            assert_eq!(
                u64::from(answer.status().as_u16()),
                status,
                "{address}: {answer:?}"
            );
            documented(&document, &operation, &answer).unwrap_or_else(|wrong| panic!("{address}: {wrong}"));
            let answer = locked.send(method.clone(), &address, &[], body).await;
            let open = operation.get("security").is_some();
            assert_eq!(answer.status() == StatusCode::UNAUTHORIZED, !open, "{address}");
            documented(&document, &operation, &answer).unwrap_or_else(|wrong| panic!("{address}: {wrong}"));
            asked += 1;
        }
    }
    assert_eq!(asked, 9);
}

/// Values of parameters: good ones, and all sorts.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "m5.xlarge", "c5.xlarge", "us-east-1a", "us-east-1a,us-east-1b", "x86_64", "arm64", "true", "false", "0", "1", "4",
            "16384", "100", "10000", "4294967295", "18446744073709551616", "-1", "*", "m5*.*", "",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,40}",
    ]
}

fn query(names: Vec<&'static str>) -> impl Strategy<Value = String> {
    let one = (prop::sample::select(names), value());
    prop::collection::vec(one, 0..6).prop_map(|pairs| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut seen = BTreeSet::new();
        for (name, value) in pairs {
            if seen.insert(name) || value.len() == 3 {
                query.append_pair(name, &value);
            }
        }
        query.finish()
    })
}

/// A good body with one part replaced, or bytes.
fn body(examples: Vec<Value>) -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0.0..100.0_f64).prop_map(Value::from),
        "\\PC{0,30}".prop_map(Value::from),
        Just(serde_json::json!([])),
        Just(serde_json::json!([{}, 1, "m5.xlarge"])),
    ];
    let changed = (prop::sample::select(examples), any::<prop::sample::Index>(), leaf).prop_map(
        |(mut body, at, leaf)| {
            let fields: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
            body[at.get(&fields).as_str()] = leaf;
            body.to_string().into_bytes()
        },
    );
    prop_oneof![
        6 => changed,
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000)).into_bytes()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_is_answered_as_documented_and_never_with_an_error_of_ours() {
    let ground = Ground::new().await;
    let process = ground.recommender(&[]).await;
    let document = document();
    let bodies: Vec<Value> = operations(&document)
        .iter()
        .flat_map(|(_, _, operation)| examples(operation))
        .map(|(body, _)| body)
        .collect();
    let cluster = "/api/v1/recommender/provider/{provider}/service/{service}/region/{region}/cluster";
    let requests = prop_oneof![
        query(pools::PARAMETERS.to_vec()).prop_map(|query| (
            "/api/v1/pools/{region}",
            Method::GET,
            format!("/api/v1/pools/{R}?{query}"),
            Vec::new()
        )),
        query(spot_recommender::PARAMETERS.to_vec()).prop_map(|query| (
            "/api/v1/recommender/{region}",
            Method::GET,
            format!("/api/v1/recommender/{R}?{query}"),
            Vec::new()
        )),
        (body(bodies), any::<bool>()).prop_map(move |(body, more)| (
            cluster,
            if more { Method::PUT } else { Method::POST },
            format!("/api/v1/recommender/provider/amazon/service/eks/region/{R}/cluster"),
            body
        )),
    ];
    let mut runner = TestRunner::deterministic();
    for _ in 0..ARBITRARY {
        let (path, method, address, body) = requests.new_tree(&mut runner).unwrap().current();
        let shown = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
        let answer = process.send(method.clone(), &address, &[], body).await;
        assert!(
            !answer.status().is_server_error(),
            "{address} {shown}: {answer:?}"
        );
        let operation = &document["paths"][path][method.as_str().to_lowercase()];
        documented(&document, operation, &answer)
            .unwrap_or_else(|wrong| panic!("{address} {shown}: {wrong}"));
        assert!(!String::from_utf8_lossy(answer.body()).contains("NaN"));
    }
    assert!(!process.worker.log().unwrap().contains("panic"));
    assert!(process.worker.exit_status().is_none());
}
