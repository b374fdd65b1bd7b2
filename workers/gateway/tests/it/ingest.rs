//! What is stored is stored once, over an outage; what cannot be used is kept, so many of a source.

use bytes::Bytes;
use hollowtrees_bus::dead::Class;
use hollowtrees_gateway::ingest::{Aside, Ingest, Origin, Refused, Unusable, message};
use hollowtrees_harness::eventually;
use hollowtrees_schemas::{names::Stream, proto};
use jiff::Timestamp;

use crate::world::{BOUND, World};

fn origin() -> Origin {
    Origin::new("test", "test/somebody")
}

fn notice(instance: &str) -> proto::Notice {
    proto::Notice {
        cluster: "prod".to_owned(),
        instance: instance.to_owned(),
        kind: "alert".to_owned(),
        event_id: "e-1".to_owned(),
        ..proto::Notice::default()
    }
}

async fn put_aside(ingest: &Ingest, id: &str, body: &[u8]) -> Aside {
    let what = Unusable {
        address: "/somewhere",
        id,
        cluster: "prod",
        class: Class::Undecodable,
        reason: "it is no JSON; send JSON".to_owned(),
        headers: &[("content-type".to_owned(), "text/plain".to_owned())],
        body: Bytes::copy_from_slice(body),
        first_at: Timestamp::UNIX_EPOCH,
    };
    ingest.put_aside(&origin(), &what).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_stored_once_and_a_repetition_says_so() {
    let world = World::new().await;
    let ingest = world.ingest(&[]).await;
    let out = message(notice("i-1"), "/test", Timestamp::now()).unwrap();
    assert!(!ingest.store(&origin(), &out).await.unwrap().duplicate);
    assert!(ingest.store(&origin(), &out).await.unwrap().duplicate);
    assert_eq!(world.notices().await.len(), 1);
    assert_eq!(
        world.value("hollowtrees_gateway_notices_stored_total{source=\"test\"}"),
        1.0
    );
    assert_eq!(
        world.value("hollowtrees_gateway_notices_repeated_total{source=\"test\"}"),
        1.0
    );
    assert_eq!(world.value("hollowtrees_gateway_in_flight"), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_while_the_bus_is_away_is_stored_once_it_is_back() {
    let world = World::new().await;
    let ingest = world.ingest(&[("HT_INGEST__IN_FLIGHT", "2")]).await;
    world.nats.kill();
    eventually("the connection to be lost", BOUND, || async {
        if ingest.is_connected() {
            Err("it stands")
        } else {
            Ok(())
        }
    })
    .await;
    let waiting: Vec<_> = (0..5)
        .map(|number| {
            let (ingest, out) = (
                ingest.clone(),
                message(notice(&format!("i-{number}")), "/test", Timestamp::now()).unwrap(),
            );
            tokio::spawn(async move { ingest.store(&origin(), &out).await })
        })
        .collect();
    eventually("two to be under way", BOUND, || async {
        match world.value("hollowtrees_gateway_in_flight") {
            2.0 => Ok(()),
            found => Err(found),
        }
    })
    .await;
    assert!(waiting.iter().all(|task| !task.is_finished()));
    world.nats.restart().await.unwrap();
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    assert_eq!(world.notices().await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_router_would_refuse_is_refused_here() {
    let nameless = message(notice(""), "/test", Timestamp::now()).unwrap_err();
    assert!(
        nameless.to_string().contains("`instance`: is empty"),
        "{nameless}"
    );
    let world = World::new().await;
    let ingest = world.ingest(&[]).await;
    let large = proto::Notice {
        detail: serde_json::from_value(serde_json::json!({"text": "x".repeat(300 * 1024)})).unwrap(),
        ..notice("i-1")
    };
    let out = message(large, "/test", Timestamp::now()).unwrap();
    let refused = ingest.store(&origin(), &out).await.unwrap_err();
    assert!(matches!(refused, Refused::TooLarge { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_kept_whole_once_and_so_many_of_a_source() {
    let world = World::new().await;
    let ingest = world.ingest(&[("HT_INGEST__DEAD_LETTERS_PER_MINUTE", "3")]).await;
    assert_eq!(put_aside(&ingest, "a", b"\xff\x00 no notice").await, Aside::Kept);
    assert_eq!(put_aside(&ingest, "a", b"\xff\x00 no notice").await, Aside::Kept);
    assert_eq!(put_aside(&ingest, "b", b"another").await, Aside::Kept);
    assert_eq!(put_aside(&ingest, "c", b"one too many").await, Aside::Capped);
    let letters = world.letters().await;
    assert_eq!(letters.len(), 2, "{letters:?}");
    let letter = &letters[0];
    assert_eq!(letter.body, b"\xff\x00 no notice");
    assert_eq!(letter.cluster, "prod");
    assert_eq!(letter.stream, "test/somebody");
    assert_eq!(letter.consumer, "gateway");
    assert_eq!(letter.subject, "/somewhere");
    assert_eq!(letter.error_class, "undecodable");
    assert_eq!(letter.reason, "it is no JSON; send JSON");
    assert_eq!(letter.headers[0].name, "content-type");
    let held = world.held(Stream::Dead).await;
    assert_eq!(held[0].subject, "ht.dead.v1.prod.test=2Fsomebody.gateway");
    assert_eq!(
        world.value("hollowtrees_gateway_not_kept_total{source=\"test\"}"),
        1.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_body_too_large_for_the_bus_the_beginning_is_kept() {
    let world = World::new().await;
    let ingest = world.ingest(&[]).await;
    let body = vec![b'x'; 2 * 1024 * 1024];
    assert_eq!(put_aside(&ingest, "a", &body).await, Aside::Kept);
    let letters = world.letters().await;
    assert_eq!(letters[0].body.len(), 128 * 1024);
    assert!(
        letters[0].reason.contains("of 2097152 bytes"),
        "{}",
        letters[0].reason
    );
}
