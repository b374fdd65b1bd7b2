use std::time::Duration;

use hollowtrees_bus::{Bus, Options, StoreError, WriteError, store::Presence};
use hollowtrees_harness::{Nats, eventually, proxy};

use crate::support::{connected, entry};

#[tokio::test]
async fn only_the_first_create_and_the_newest_revision_write() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let ledger = bus.ledger();
    assert!(ledger.get("c1.a").await.unwrap().is_none());
    let first = ledger.create("c1.a", &entry("one")).await.unwrap();
    assert!(
        ledger
            .create("c1.a", &entry("two"))
            .await
            .unwrap_err()
            .is_conflict()
    );
    let second = ledger.update("c1.a", &entry("three"), first).await.unwrap();
    assert!(
        ledger
            .update("c1.a", &entry("four"), first)
            .await
            .unwrap_err()
            .is_conflict()
    );
    let found = ledger.get("c1.a").await.unwrap().unwrap();
    assert_eq!((found.value.nonce.as_str(), found.revision), ("three", second));

    assert!(
        ledger
            .remove("c1.a", Some(first))
            .await
            .unwrap_err()
            .is_conflict()
    );
    ledger.remove("c1.a", Some(second)).await.unwrap();
    assert!(ledger.get("c1.a").await.unwrap().is_none());
    ledger.create("c1.a", &entry("five")).await.unwrap();
}

#[tokio::test]
async fn a_record_of_a_newer_layout_is_named_and_left() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let newer = hollowtrees_schemas::proto::LedgerEntry {
        schema: 2,
        ..entry("newer")
    };
    bus.ledger().create("c1.a", &newer).await.unwrap();
    let error = bus.ledger().get("c1.a").await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 2, .. }), "{error}");

    let raw = async_nats::jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let bucket = raw.get_key_value("ht_ledger").await.unwrap();
    // The second is what a server answers to a publish.
    for stranger in ["not a record", r#"{"stream":"KV_ht_ledger","seq":7}"#] {
        bucket.put("c1.b", stranger.into()).await.unwrap();
        let error = bus.ledger().get("c1.b").await.unwrap_err();
        assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_write_whose_reply_was_lost_is_read_back() {
    let nats = Nats::start().await.unwrap();
    connected(&nats).await;
    let proxy = proxy::Tcp::start(nats.addr()).await.unwrap();
    let mut options = Options::new(format!("nats://{}", proxy.addr()));
    options.request_timeout = Duration::from_secs(2);
    let bus = Bus::connect(&options).await.unwrap();
    bus.ledger().create("c1.warm", &entry("warm")).await.unwrap();

    let swallowed = proxy.bytes_swallowed();
    proxy.lose_replies();
    let writing = {
        let bus = bus.clone();
        tokio::spawn(async move { bus.ledger().create("c1.a", &entry("mine")).await })
    };
    eventually("the reply to be swallowed", Duration::from_secs(10), async || {
        (proxy.bytes_swallowed() > swallowed).then_some(())
    })
    .await;
    proxy.heal();
    let revision = writing.await.unwrap().expect("the value read back is ours");
    let found = bus.ledger().get("c1.a").await.unwrap().unwrap();
    assert_eq!((found.value.nonce.as_str(), found.revision), ("mine", revision));
}

#[tokio::test]
async fn without_the_server_nothing_is_claimed_to_be_written() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    bus.ledger().create("c1.warm", &entry("warm")).await.unwrap();
    nats.kill();
    let error = bus.ledger().create("c1.a", &entry("mine")).await.unwrap_err();
    assert!(matches!(error, WriteError::Unavailable { .. }), "{error}");
    assert!(matches!(
        bus.ledger().get("c1.a").await.unwrap_err(),
        StoreError::Unavailable { .. }
    ));
}

#[tokio::test]
async fn what_was_removed_long_ago_is_forgotten_and_what_came_since_stays() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let ledger = bus.ledger();
    for key in ["c1.gone", "c1.again", "c1.stays", "c1.late"] {
        ledger.create(key, &entry(key)).await.unwrap();
    }
    for key in ["c1.gone", "c1.again"] {
        ledger.remove(key, None).await.unwrap();
    }
    ledger.create("c1.again", &entry("anew")).await.unwrap();
    let before = ledger.get("c1.again").await.unwrap().unwrap().stored_at;
    ledger.remove("c1.late", None).await.unwrap();

    assert_eq!(ledger.forget_removed(before).await.unwrap(), 1);
    let presence = async |key| ledger.presence(key).await.unwrap();
    assert_eq!(presence("c1.gone").await, Presence::Absent);
    assert_eq!(presence("c1.late").await, Presence::Removed, "it is too young");
    assert_eq!(presence("c1.again").await, Presence::There);
    assert_eq!(presence("c1.stays").await, Presence::There);
    assert_eq!(ledger.forget_removed(before).await.unwrap(), 0, "once is enough");
    ledger.create("c1.gone", &entry("new")).await.unwrap();
}
