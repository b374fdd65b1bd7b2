//! A notice that an older release could not use, sent again after the upgrade.

use std::time::Duration;

use hollowtrees_bus::{
    dead::{Class, Reason},
    topology::{Consumer, Profile},
};
use hollowtrees_e2e::{
    checker::{Books, assert_begun_once, assert_once_in_effect},
    kills::Kills,
    pipeline::{Pipeline, interruption},
};
use hollowtrees_harness::Nats;
use hollowtrees_schemas::proto;

use crate::support::{BOUND, KINDS, PLAIN, PROGRAMS, rules_file, rules_in};

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_was_a_dead_letter_is_handled_once_when_it_is_redriven() {
    let nats = Nats::start().await.unwrap();
    let pipeline = Pipeline::prepare(PROGRAMS, &[nats.url()], Profile::LOCAL).await;
    let bus = &pipeline.bus;
    let notice = interruption("i-1", 600);
    pipeline.notify(notice.clone(), "/aws/1/eu/imds").await;

    // What a release does that cannot read it: a dead letter, then the end of the delivery.
    let mut deliveries = bus.consume(&Consumer::router_notices(), 1).await.unwrap();
    let delivery = deliveries.next().await;
    let old = proto::Worker {
        kind: "router".to_owned(),
        process: "old".to_owned(),
        version: "0.0.1".to_owned(),
    };
    let reason = Reason {
        class: Class::Undecodable,
        text: "This release does not know the form.".to_owned(),
        attempts: 1,
        action_id: None,
        cluster: "c1",
        worker: &old,
    };
    bus.dead_letter(&delivery, &reason).await.unwrap();
    delivery.term().await;
    drop(deliveries);

    let rules = rules_in(PLAIN);
    let router = pipeline.router("router", Some(&rules_file(&rules)));
    let worker = pipeline.worker("worker", Duration::from_millis(5));
    router.ready().await;
    worker.ready().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(
        Books::read(bus).await.incidents.is_empty(),
        "a dead letter does not come by itself"
    );

    let (first, last) = bus.dead_range().await.unwrap().unwrap();
    assert_eq!(first, last);
    bus.dead_redrive(first, None).await.unwrap();
    let books = Books::when_finished(bus, 1, BOUND).await;
    books.assert_sound();
    let instances = ["i-1".to_owned()];
    assert_once_in_effect(&pipeline.world, &instances, &KINDS, &Kills::default());

    // Redriven once more, and told by another origin: it is known.
    bus.dead_redrive(first, None).await.unwrap();
    pipeline.notify(notice, "/aws/1/eu/sqs").await;
    pipeline.notify(interruption("i-2", 600), "/aws/1/eu/imds").await;
    Books::when_finished_of(bus, "i-2", BOUND).await;
    let books = Books::read(bus).await;
    books.assert_sound();
    assert_eq!((books.incidents.len(), books.runs.len()), (2, 2));
    assert_begun_once(&pipeline.world, 4);
    let facts = books.incidents.values().map(|incident| incident.facts.len());
    assert_eq!(facts.collect::<Vec<_>>(), [1, 1]);
    assert_eq!(
        bus.dead_range().await.unwrap(),
        Some((first, last)),
        "it stays until it is discarded"
    );
}
