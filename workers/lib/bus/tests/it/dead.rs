use std::time::Duration;

use hollowtrees_bus::{
    Delivery,
    dead::{Class, DeadError, Reason},
    topology::Consumer,
};
use hollowtrees_harness::Nats;
use hollowtrees_schemas::proto;
use jiff::Timestamp;

use crate::support::{connected, notice};

async fn next(from: &mut hollowtrees_bus::Deliveries) -> Delivery {
    tokio::time::timeout(Duration::from_secs(30), from.next())
        .await
        .expect("a message comes")
}

#[tokio::test]
async fn a_dead_letter_is_kept_whole_redriven_and_discarded() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let mut garbage = notice("i-1");
    garbage.wire.body = vec![0, 159, 146, 150, b'\n'].into();
    garbage
        .wire
        .headers
        .push(("X-Of-The-Sender".to_owned(), "kept".to_owned()));
    bus.publish(&garbage, None).await.unwrap();

    let mut from = bus.consume(&Consumer::router_notices(), 4).await.unwrap();
    let delivery = next(&mut from).await;
    let me = proto::Worker {
        kind: "router".to_owned(),
        process: "p".to_owned(),
        version: "1.2".to_owned(),
    };
    let reason = Reason {
        class: Class::Undecodable,
        text: "not JSON\nat all".to_owned(),
        attempts: 3,
        action_id: None,
        cluster: "c1",
        worker: &me,
    };
    let kept = bus.dead_letter(&delivery, &reason).await.unwrap();
    assert!(
        bus.dead_letter(&delivery, &reason).await.unwrap().duplicate,
        "twice is once"
    );
    delivery.term().await;

    assert_eq!(
        bus.dead_range().await.unwrap(),
        Some((kept.sequence, kept.sequence))
    );
    let letter = bus.dead_show(kept.sequence).await.unwrap();
    assert_eq!(letter.body, garbage.wire.body);
    assert_eq!(
        (
            letter.cluster.as_str(),
            letter.stream.as_str(),
            letter.consumer.as_str(),
            letter.original_sequence
        ),
        ("c1", "HT_NOTICES", "router-notices", 1)
    );
    assert_eq!(
        (
            letter.error_class.as_str(),
            letter.reason.as_str(),
            letter.attempts
        ),
        ("undecodable", "not JSON at all", 3)
    );
    assert!(
        letter
            .headers
            .iter()
            .any(|header| header.name == "X-Of-The-Sender" && header.value == "kept")
    );
    assert!(letter.headers.iter().any(|header| header.name == "ce-id"));

    let deadline: Timestamp = "2030-01-02T03:04:05Z".parse().unwrap();
    let again = bus.dead_redrive(kept.sequence, Some(deadline)).await.unwrap();
    assert!(
        !again.duplicate,
        "the stream takes it although it knows the first one"
    );
    assert!(
        bus.dead_redrive(kept.sequence, Some(deadline))
            .await
            .unwrap()
            .duplicate
    );
    let redriven = next(&mut from).await;
    assert_eq!(redriven.wire.body, garbage.wire.body);
    let value = |name: &str| {
        redriven
            .wire
            .headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.clone())
    };
    assert_eq!(value("Ht-Redrive").as_deref(), Some("1"));
    assert_eq!(value("Ht-Deadline").as_deref(), Some("2030-01-02T03:04:05Z"));
    assert_eq!(
        value("ce-id"),
        letter
            .headers
            .iter()
            .find(|header| header.name == "ce-id")
            .map(|header| header.value.clone())
    );
    redriven.ack().await;

    bus.dead_discard(kept.sequence).await.unwrap();
    assert!(matches!(
        bus.dead_show(kept.sequence).await.unwrap_err(),
        DeadError::NotFound(_)
    ));
    assert_eq!(bus.dead_range().await.unwrap(), None);
}
