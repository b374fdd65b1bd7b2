//! Alerts from Prometheus and from Alertmanager's webhook.

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{process::Process, world::World};

fn in_seconds(seconds: i64) -> String {
    (Timestamp::now() + SignedDuration::from_secs(seconds)).to_string()
}

/// A firing alert as Prometheus posts it.
pub(crate) fn firing(instance: &str) -> Value {
    json!({
        "labels": {
            "alertname": "SpotTerminationNotice", "instance_id": instance, "instance_action": "terminate",
            "cluster_name": "prod", "job": "spot-exporter",
        },
        "annotations": {"summary": "The instance is about to go."},
        "startsAt": "2026-10-01T12:00:00.25Z",
        "endsAt": in_seconds(240),
        "generatorURL": "http://prometheus:9090/graph?g0.expr=aws_instance_termination_imminent",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_one_notice_by_whichever_way_and_however_often() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let alert = firing("i-0d2aab13057917887");
    for path in ["/api/v2/alerts", "/api/v1/alerts", "/api/v2/alerts"] {
        let mut alert = alert.clone();
        alert["endsAt"] = in_seconds(300).into();
        let answer = process
            .send(Method::POST, path, &[], json!([alert]).to_string())
            .await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        match path {
            "/api/v2/alerts" => assert!(answer.body().is_empty()),
            _ => assert_eq!(answer.body(), r#"{"data":"ok","status":200}"#),
        }
    }
    let mut passed_on = alert.clone();
    passed_on["status"] = "firing".into();
    passed_on["endsAt"] = "0001-01-01T00:00:00Z".into();
    passed_on["fingerprint"] = "abc".into();
    let webhook = json!({
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "hollowtrees",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager:9093",
        "alerts": [passed_on],
    });
    let (status, body) = process.json("/alertmanager/webhook", &webhook).await;
    assert_eq!(
        (status, body["repeated"].as_u64()),
        (StatusCode::OK, Some(1)),
        "{body}"
    );
    let notices = world.notices().await;
    assert_eq!(notices.len(), 1, "{notices:?}");
    let (envelope, notice) = (&notices[0], &notices[0].data);
    assert_eq!(envelope.source, "/alerts/prod");
    assert_eq!(envelope.subject.as_deref(), Some("i-0d2aab13057917887"));
    assert_eq!(
        [
            &notice.cluster,
            &notice.provider,
            &notice.kind,
            &notice.state,
            &notice.certainty
        ],
        ["prod", "aws", "alert", "active", ""]
    );
    assert_eq!(notice.labels["instance_action"], "terminate");
    // It no longer fires.
    let mut over = alert.clone();
    over["endsAt"] = in_seconds(-1).into();
    let (status, _) = process.json("/api/v2/alerts", &json!([over])).await;
    assert_eq!(status, StatusCode::OK);
    let mut over = passed_on.clone();
    over["status"] = "resolved".into();
    let mut webhook = webhook.clone();
    webhook["alerts"] = json!([over]);
    let (_, body) = process.json("/alertmanager/webhook", &webhook).await;
    assert_eq!(body["repeated"], 1, "{body}");
    let notices = world.notices().await;
    assert_eq!(notices.len(), 2);
    assert_eq!(notices[1].data.state, "resolved");
    assert_eq!(notices[1].data.event_id, notices[0].data.event_id);
    let scrape = process.scrape().await;
    for (series, expected) in [
        (
            "hollowtrees_gateway_notices_stored_total{source=\"alertmanager\"}",
            2.0,
        ),
        (
            "hollowtrees_gateway_notices_repeated_total{source=\"alertmanager\"}",
            4.0,
        ),
        (
            "hollowtrees_gateway_requests_total{path=\"alerts-v2\",status=\"200\"}",
            3.0,
        ),
    ] {
        assert_eq!(crate::world::value(&scrape, series), Some(expected), "{scrape}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_the_good_are_taken_and_the_bad_are_named_and_kept() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let mut nameless = firing("i-2");
    nameless["labels"].as_object_mut().unwrap().remove("instance_id");
    let mut wrong = firing("i-3");
    wrong["labels"]["team"] = json!(7);
    let batch = json!([firing("i-1"), nameless, wrong, firing("i-4"), "no alert"]);
    let (status, body) = process.json("/api/v2/alerts", &batch).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let said = body.as_str().unwrap();
    for expected in [
        "number 1: `labels.instance_id` is missing",
        "number 2: ",
        "number 4: ",
        "alerts.names",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    assert!(!said.contains("number 0") && !said.contains("number 3"), "{said}");
    let instances: Vec<_> = world
        .notices()
        .await
        .into_iter()
        .map(|notice| notice.data.instance)
        .collect();
    assert_eq!(instances.len(), 2, "{instances:?}");
    let letters = world.letters().await;
    let bodies: Vec<Value> = letters
        .iter()
        .map(|letter| serde_json::from_slice(&letter.body).unwrap())
        .collect();
    // Each so that it can be posted again alone.
    for kept in [&batch[1], &batch[2], &batch[4]] {
        assert!(bodies.contains(&json!([kept])), "{bodies:?}");
    }
    assert!(
        letters
            .iter()
            .all(|letter| letter.stream == "alertmanager/anyone"),
        "{letters:?}"
    );
    // Said again, they are kept once; the original's interface names them apart.
    let (status, body) = process.json("/api/v1/alerts", &batch).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["message"], "invalid alert");
    assert_eq!(body["refused"][0]["index"], 1);
    assert_eq!(body["refused"][0]["field"], "labels.instance_id");
    assert_eq!(world.letters().await.len(), 3);
    let log = process.worker.log().unwrap();
    assert!(!log.contains("no alert") && !log.contains("about to go"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_alert_is_refused_in_the_words_of_each_interface() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let (status, body) = process.post("/api/v2/alerts", &[], "[{").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.as_str().unwrap().contains("no JSON"), "{body}");
    let (status, body) = process.post("/api/v1/alerts", &[], "{}").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["message"], "failed to process alerts");
    assert_eq!(body["status"], 400);
    let (status, body) = process.post("/alertmanager/webhook", &[], "[]").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body["error"].as_str().unwrap().contains("webhook"), "{body}");
    let letters = world.letters().await;
    let bodies: Vec<_> = letters.iter().map(|letter| letter.body.as_slice()).collect();
    assert_eq!(bodies, [b"[{".as_slice(), b"{}", b"[]"]);
    assert_eq!(letters[0].error_class, "undecodable");
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_other_names_are_left_alone_where_names_are_given() {
    let world = World::new().await;
    let process = Process::start(&world, &[("HT_ALERTS__NAMES", "SpotTerminationNotice")]).await;
    let watchdog = json!({"labels": {"alertname": "Watchdog"}, "startsAt": "2026-10-01T12:00:00Z"});
    let (status, _) = process
        .json("/api/v2/alerts", &json!([watchdog, firing("i-1")]))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(world.notices().await.len(), 1);
    let scrape = process.scrape().await;
    let ignored = crate::world::value(
        &scrape,
        "hollowtrees_gateway_ignored_total{source=\"alertmanager\"}",
    );
    assert_eq!(ignored, Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correlation_id_goes_along_and_comes_back() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let send = |headers: &'static [(&'static str, &'static str)], body: Value| {
        process.send(Method::POST, "/api/v2/alerts", headers, body.to_string())
    };
    let answer = send(&[("Correlation-ID", "mine-1")], json!([firing("i-1")])).await;
    assert_eq!(answer.headers()["correlation-id"], "mine-1");
    let answer = send(&[], json!([firing("i-2")])).await;
    assert_eq!(answer.headers()["correlation-id"].len(), 32);
    let detail = serde_json::to_value(world.notices().await[0].data.detail.clone().unwrap()).unwrap();
    assert_eq!(detail["correlationId"], "mine-1");
}
