//! The simulated metadata service answers as the real one is documented to.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use bytes::Bytes;
use hollowtrees_harness::http_get::{get, send};
use hollowtrees_harness::metadata::{Instance, Metadata, Mode, When};
use hollowtrees_harness::proxy::Fault;
use http::Method;
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const SPOT: &str = "/latest/meta-data/spot/instance-action";

async fn start() -> Metadata {
    Metadata::start(Instance::new("i-0123456789abcdef0", "us-east-1a").hostname("ip-10-0-0-7.ec2.internal"))
        .await
        .unwrap()
}

async fn token(metadata: &Metadata, ttl: &str) -> (u16, String) {
    let url = format!("{}/latest/api/token", metadata.url());
    let (status, body) = send(Method::PUT, &url, &[(TTL, ttl)], Bytes::new())
        .await
        .unwrap();
    (status.as_u16(), String::from_utf8_lossy(&body).into_owned())
}

async fn page(metadata: &Metadata, token: &str, path: &str) -> (u16, String) {
    let (status, body) = send(
        Method::GET,
        &format!("{}{path}", metadata.url()),
        &[(TOKEN, token)],
        Bytes::new(),
    )
    .await
    .unwrap();
    (status.as_u16(), String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn pages_need_a_token_and_tokens_a_time_to_live() {
    let metadata = start().await;
    for (ttl, status) in [
        ("21600", 200),
        ("1", 200),
        ("0", 400),
        ("21601", 400),
        ("x", 400),
        ("", 400),
    ] {
        assert_eq!(token(&metadata, ttl).await.0, status, "{ttl:?}");
    }
    let (_, token) = token(&metadata, "60").await;
    for (path, expected) in [
        ("/latest/meta-data/instance-id", "i-0123456789abcdef0"),
        ("/latest/meta-data/instance-type", "m5.large"),
        ("/latest/meta-data/placement/availability-zone", "us-east-1a"),
        ("/latest/meta-data/placement/region", "us-east-1"),
        ("/latest/meta-data/local-hostname", "ip-10-0-0-7.ec2.internal"),
        (
            "/latest/meta-data/autoscaling/target-lifecycle-state",
            "InService",
        ),
    ] {
        assert_eq!(
            page(&metadata, &token, path).await,
            (200, expected.to_owned()),
            "{path}"
        );
    }
    let document = page(&metadata, &token, "/latest/dynamic/instance-identity/document")
        .await
        .1;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(
        (&document["accountId"], &document["region"]),
        (&"123456789012".into(), &"us-east-1".into())
    );
    assert_eq!(
        page(&metadata, &token, "/latest/meta-data/tags/instance/team")
            .await
            .0,
        404
    );
    metadata.update(|instance| drop(instance.tags.insert("team".into(), "moon".into())));
    assert_eq!(
        page(&metadata, &token, "/latest/meta-data/tags/instance/team")
            .await
            .1,
        "moon"
    );
    assert_eq!(get(&format!("{}{SPOT}", metadata.url())).await.unwrap().0, 401);
    metadata.expire_tokens();
    assert_eq!(page(&metadata, &token, SPOT).await.0, 401);
    assert_eq!(metadata.count("/latest/api/token"), 7);
}

#[tokio::test]
async fn notices_come_and_go() {
    let metadata = start().await;
    let (_, token) = token(&metadata, "60").await;
    assert_eq!(page(&metadata, &token, SPOT).await.0, 404);
    metadata.interrupt("terminate", Duration::from_secs(120));
    let first = page(&metadata, &token, SPOT).await;
    let notice: Value = serde_json::from_str(&first.1).unwrap();
    assert_eq!(notice["action"], "terminate");
    let time: jiff::Timestamp = notice["time"].as_str().unwrap().parse().unwrap();
    let left = time.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((110..=120).contains(&left), "{left}");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(page(&metadata, &token, SPOT).await, first);
    metadata.interrupt_when("terminate", When::After(Duration::from_secs(120)));
    let moving = page(&metadata, &token, SPOT).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_ne!(page(&metadata, &token, SPOT).await, moving);
    metadata.withdraw();
    assert_eq!(page(&metadata, &token, SPOT).await.0, 404);

    let rebalance = "/latest/meta-data/events/recommendations/rebalance";
    assert_eq!(page(&metadata, &token, rebalance).await.0, 404);
    metadata.recommend_rebalance(true);
    assert!(
        page(&metadata, &token, rebalance)
            .await
            .1
            .contains("\"noticeTime\":\"20")
    );
}

#[tokio::test]
async fn a_service_of_the_local_stack_is_steered_by_requests() {
    let metadata = start().await;
    let order = async |order: &str| {
        let url = format!("{}/testbed/{order}", metadata.url());
        send(Method::PUT, &url, &[], Bytes::new())
            .await
            .unwrap()
            .0
            .as_u16()
    };
    assert_ne!(order("interrupt").await, 200, "only where it is allowed");
    metadata.allow_control();
    let (_, token) = token(&metadata, "60").await;
    assert_eq!(order("interrupt?action=stop&seconds=60").await, 200);
    assert!(
        page(&metadata, &token, SPOT)
            .await
            .1
            .contains("\"action\":\"stop\"")
    );
    assert_eq!(order("interrupt?seconds=soon").await, 400);
    assert_eq!(order("withdraw").await, 200);
    assert_eq!(page(&metadata, &token, SPOT).await.0, 404);
    assert_eq!(order("no-such-order").await, 404);
}

#[tokio::test]
async fn older_services_and_faults() {
    let metadata = start().await;
    metadata.set_mode(Mode::V1Only);
    assert_eq!(token(&metadata, "60").await.0, 404);
    assert_eq!(
        get(&format!("{}/latest/meta-data/instance-id", metadata.url()))
            .await
            .unwrap()
            .0,
        200
    );
    metadata.set_mode(Mode::Disabled);
    assert_eq!(token(&metadata, "60").await.0, 403);
    metadata.set_mode(Mode::V2Required);
    let (_, token) = token(&metadata, "60").await;
    metadata.interrupt("stop", Duration::from_secs(120));
    metadata.inject(Fault::status(503).path("spot").times(1));
    metadata.inject(Fault::garbage().path("spot").times(1));
    assert_eq!(page(&metadata, &token, SPOT).await.0, 503);
    assert!(page(&metadata, &token, SPOT).await.1.contains("garbage"));
    metadata.inject(Fault::truncated().path("spot").times(1));
    let url = format!("{}{SPOT}", metadata.url());
    assert!(
        send(Method::GET, &url, &[(TOKEN, token.as_str())], Bytes::new())
            .await
            .is_err()
    );
    // A status and half of a body come, then nothing, and the connection stays.
    metadata.inject(Fault::stalled().path("spot").times(1));
    let mut stream = tokio::net::TcpStream::connect(metadata.addr()).await.unwrap();
    let request = format!("GET {SPOT} HTTP/1.1\r\nhost: metadata\r\n{TOKEN}: {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut came = Vec::new();
    let silent = tokio::time::timeout(Duration::from_secs(1), stream.read_to_end(&mut came)).await;
    assert!(silent.is_err(), "{silent:?}");
    let came = String::from_utf8(came).unwrap();
    assert!(
        came.starts_with("HTTP/1.1 200 OK") && came.contains("{\"action\":\"") && !came.contains('}'),
        "{came}"
    );
    assert_eq!(page(&metadata, &token, SPOT).await.0, 200);
}
