//! The simulated metadata services of other clouds answer as the real ones are documented to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::Bytes;
use hollowtrees_harness::http_get::send;
use hollowtrees_harness::metadata::{Alibaba, Azure, Event, Gcp, Silent};
use http::Method;
use serde_json::Value;
use std::time::Duration;

async fn ask(method: Method, url: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let (status, body) = send(method, url, headers, Bytes::new()).await.unwrap();
    (status.as_u16(), String::from_utf8_lossy(&body).into_owned())
}

async fn get(url: &str, headers: &[(&str, &str)]) -> (u16, String) {
    ask(Method::GET, url, headers).await
}

#[tokio::test]
async fn googles_wants_its_header_and_lets_wait_for_a_change() {
    let gcp = Gcp::start().await.unwrap();
    let flavor = [("metadata-flavor", "Google")];
    let preempted = format!("{}/computeMetadata/v1/instance/preempted", gcp.url());
    assert_eq!(get(&preempted, &[]).await.0, 403);
    assert_eq!(
        get(&preempted, &[flavor[0], ("x-forwarded-for", "10.0.0.1")])
            .await
            .0,
        403
    );
    assert_eq!(get(&preempted, &flavor).await, (200, "FALSE".to_owned()));
    assert_eq!(
        get(
            &format!("{}/computeMetadata/v1/instance/none", gcp.url()),
            &flavor
        )
        .await
        .0,
        404
    );

    // Another version than the last is there at once; the last one is waited for, to its end or to a change.
    let waiting = |etag: &str, seconds| {
        format!("{preempted}?wait_for_change=true&last_etag={etag}&timeout_sec={seconds}")
    };
    assert_eq!(get(&waiting("0", 60), &flavor).await.1, "FALSE");
    let etag = "09dccb2f68f0a098";
    let started = std::time::Instant::now();
    assert_eq!(get(&waiting(etag, 1), &flavor).await.1, "FALSE");
    assert!(started.elapsed() >= Duration::from_secs(1), "it did not wait");
    let long = waiting(etag, 60);
    let (changed, ()) = tokio::join!(get(&long, &flavor), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        gcp.preempt();
    });
    assert_eq!(changed.1, "TRUE");
    assert_eq!(get(&preempted, &flavor).await.1, "TRUE");
}

#[tokio::test]
async fn azures_wants_its_header_and_a_version() {
    let azure = Azure::start("vm").await.unwrap();
    let metadata = [("metadata", "true")];
    let events = format!("{}/metadata/scheduledevents?api-version=2020-07-01", azure.url());
    assert_eq!(get(&events, &[]).await.0, 400);
    assert_eq!(
        get(&format!("{}/metadata/scheduledevents", azure.url()), &metadata)
            .await
            .0,
        400
    );
    let document = async || -> Value { serde_json::from_str(&get(&events, &metadata).await.1).unwrap() };
    let before = document().await;
    assert_eq!(before["Events"], serde_json::json!([]));
    let event = Event::new("E1", "Preempt", "vm", Duration::from_secs(30));
    azure.schedule(std::slice::from_ref(&event));
    let scheduled = document().await;
    assert!(scheduled["DocumentIncarnation"].as_u64() > before["DocumentIncarnation"].as_u64());
    let shown = &scheduled["Events"][0];
    assert_eq!(
        (shown["EventStatus"].as_str(), shown["EventType"].as_str()),
        (Some("Scheduled"), Some("Preempt"))
    );
    assert!(shown["NotBefore"].as_str().unwrap().ends_with(" GMT"));
    azure.schedule(&[event.started()]);
    let started = document().await;
    assert_eq!(
        (
            started["Events"][0]["EventStatus"].as_str(),
            started["Events"][0]["NotBefore"].as_str()
        ),
        (Some("Started"), Some(""))
    );
}

#[tokio::test]
async fn alibabas_wants_a_token() {
    let alibaba = Alibaba::start().await.unwrap();
    let url = |path: &str| format!("{}{path}", alibaba.url());
    let ttl = [("x-aliyun-ecs-metadata-token-ttl-seconds", "60")];
    let (status, token) = ask(Method::PUT, &url("/latest/api/token"), &ttl).await;
    assert_eq!(status, 200);
    let token = [("x-aliyun-ecs-metadata-token", token.as_str())];
    let release = url("/latest/meta-data/instance/spot/termination-time");
    assert_eq!(
        (get(&release, &[]).await.0, get(&release, &token).await.0),
        (401, 404)
    );
    alibaba.release(Duration::from_secs(300));
    let (status, time) = get(&release, &token).await;
    assert!(status == 200 && time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    alibaba.expire_tokens();
    assert_eq!(get(&release, &token).await.0, 401);
}

#[tokio::test]
async fn those_that_announce_nothing_say_who_they_are() {
    let (oracle, droplet) = (
        Silent::oracle().await.unwrap(),
        Silent::digitalocean().await.unwrap(),
    );
    let id = format!("{}/opc/v2/instance/id", oracle.url());
    assert_eq!(get(&id, &[]).await.0, 404);
    assert!(
        get(&id, &[("authorization", "Bearer Oracle")])
            .await
            .1
            .starts_with("ocid1.instance.")
    );
    assert_eq!(
        get(&format!("{}/metadata/v1/id", droplet.url()), &[]).await.1,
        "2756294"
    );
}
