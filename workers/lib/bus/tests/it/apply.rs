use async_nats::jetstream::{self, stream};
use hollowtrees_bus::{
    apply::{self, ApplyError, Weight},
    topology::{self, Consumer, Profile},
};
use hollowtrees_harness::Nats;

use crate::support::{connect, connected};

/// The server as someone else sees it, to change things behind our back.
async fn behind_our_back(nats: &Nats) -> jetstream::Context {
    jetstream::new(async_nats::connect(nats.url()).await.unwrap())
}

#[tokio::test]
async fn what_was_applied_passes_and_is_applied_once() {
    let nats = Nats::start().await.unwrap();
    let bus = connect(&nats.url()).await;
    let missing = apply::verify(&bus).await.unwrap_err();
    assert!(missing.to_string().contains("hollowtrees bus apply"), "{missing}");

    let consumers = topology::consumers();
    let first = apply::apply(&bus, Profile::LOCAL, &consumers).await.unwrap();
    assert_eq!(first.len(), 11 + consumers.len(), "{first:?}");
    assert!(
        apply::apply(&bus, Profile::LOCAL, &consumers)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        apply::check(&bus, Profile::LOCAL, &consumers)
            .await
            .unwrap()
            .is_empty()
    );
    apply::verify(&bus).await.unwrap();
}

#[tokio::test]
async fn drift_is_refused_by_workers_and_mended_by_apply() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let server = behind_our_back(&nats).await;
    let mut notices = server
        .get_stream("HT_NOTICES")
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    notices.max_age = std::time::Duration::from_secs(3_600);
    notices.duplicate_window = std::time::Duration::from_secs(60);
    server.update_stream(&notices).await.unwrap();

    let drift = apply::verify(&bus).await.unwrap_err().to_string();
    assert!(
        drift.contains("HT_NOTICES: max_age is 3600s, declared 604800s"),
        "{drift}"
    );
    let mended = apply::apply(&bus, Profile::LOCAL, &[]).await.unwrap();
    assert_eq!(
        mended.iter().map(|found| found.setting).collect::<Vec<_>>(),
        ["max_age", "duplicate_window"]
    );
    apply::verify(&bus).await.unwrap();
}

#[tokio::test]
async fn an_operators_sizes_are_left_to_the_operator() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let server = behind_our_back(&nats).await;
    let mut actions = server
        .get_stream("HT_ACTIONS")
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    actions.max_bytes *= 2;
    server.update_stream(&actions).await.unwrap();
    apply::verify(&bus).await.unwrap();
    let found = apply::check(&bus, Profile::LOCAL, &[]).await.unwrap();
    assert_eq!(
        found.iter().map(|found| found.weight).collect::<Vec<_>>(),
        [Weight::Sizing]
    );
}

#[tokio::test]
async fn what_cannot_be_changed_in_place_is_said_and_left() {
    let nats = Nats::start().await.unwrap();
    let server = behind_our_back(&nats).await;
    let foreign = stream::Config {
        name: "HT_OUTCOMES".to_owned(),
        subjects: vec!["ht.outcome.v1.*.*.*.*".to_owned()],
        retention: stream::RetentionPolicy::WorkQueue,
        ..stream::Config::default()
    };
    server.create_stream(&foreign).await.unwrap();
    let bus = connect(&nats.url()).await;
    let error = apply::apply(&bus, Profile::LOCAL, &[]).await.unwrap_err();
    assert!(matches!(error, ApplyError::Fixed(_)), "{error}");
    let left = server
        .get_stream("HT_OUTCOMES")
        .await
        .unwrap()
        .cached_info()
        .config
        .retention;
    assert_eq!(left, stream::RetentionPolicy::WorkQueue);
}

#[tokio::test]
async fn a_consumer_of_ones_own_is_made_and_checked() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let mine = Consumer::actions("drain", Some("prod.eu"), &["drain", "cordon"]);
    assert_eq!(mine.name, "drain-prod=2Eeu");
    assert!(bus.consume(&mine, 1).await.is_err(), "it does not exist yet");
    apply::apply_consumer(&bus, &mine, Profile::LOCAL).await.unwrap();
    bus.consume(&mine, 1).await.unwrap();
    let other = Consumer {
        filters: vec!["ht.action.v1.*.drain.*".to_owned()],
        ..mine
    };
    let drift = bus.consume(&other, 1).await.err().unwrap().to_string();
    assert!(drift.contains("filter_subjects"), "{drift}");
}
