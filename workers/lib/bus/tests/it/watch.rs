use std::{collections::BTreeMap, time::Duration};

use hollowtrees_bus::{
    store::Record,
    watch::{Change, Watch},
};
use hollowtrees_harness::{Nats, proxy};

use crate::support::{connect, connected, entry};

async fn next<T: Record>(watch: &mut Watch<T>) -> Change<T> {
    tokio::time::timeout(Duration::from_secs(60), watch.next())
        .await
        .expect("a change comes")
}

#[tokio::test]
async fn present_values_come_first_then_changes() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let mut empty = bus.ledger().watch(&[">"]);
    assert!(matches!(next(&mut empty).await, Change::Resync));
    assert!(
        matches!(next(&mut empty).await, Change::Synced),
        "an empty bucket is known at once"
    );

    let revision = bus.ledger().create("c1.a", &entry("one")).await.unwrap();
    bus.ledger().create("c2.b", &entry("elsewhere")).await.unwrap();
    assert!(matches!(next(&mut empty).await, Change::Put(key, _) if key == "c1.a"));

    let mut of_one_cluster = bus.ledger().watch(&["c1.>"]);
    assert!(matches!(next(&mut of_one_cluster).await, Change::Resync));
    assert!(
        matches!(next(&mut of_one_cluster).await, Change::Put(key, value) if key == "c1.a" && value.revision == revision)
    );
    assert!(matches!(next(&mut of_one_cluster).await, Change::Synced));
    bus.ledger().remove("c1.a", None).await.unwrap();
    assert!(matches!(next(&mut of_one_cluster).await, Change::Removed(key) if key == "c1.a"));
}

#[tokio::test]
async fn a_watch_starts_over_when_the_server_was_away() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    bus.ledger().create("c1.a", &entry("one")).await.unwrap();
    let mut watch = bus.ledger().watch(&[">"]);
    while !matches!(next(&mut watch).await, Change::Synced) {}
    nats.kill();
    nats.restart().await.unwrap();
    hollowtrees_harness::eventually(
        "the bucket to take a write",
        Duration::from_secs(30),
        async || bus.ledger().create("c1.b", &entry("two")).await.ok(),
    )
    .await;
    // Whether by a resync or by the old consumer: in the end both keys are known.
    let mut known = BTreeMap::from([("c1.a".to_owned(), ())]);
    while known.len() < 2 {
        match next(&mut watch).await {
            Change::Resync => known.clear(),
            Change::Put(key, _) => {
                known.insert(key, ());
            }
            Change::Removed(_) | Change::Unreadable(_) | Change::Synced => {}
        }
    }
}

#[tokio::test]
async fn after_an_outage_a_watch_is_current_at_once() {
    let nats = Nats::start().await.unwrap();
    let direct = connected(&nats).await;
    let proxy = proxy::Tcp::start(nats.addr()).await.unwrap();
    let bus = connect(&format!("nats://{}", proxy.addr())).await;
    let mut watch = bus.ledger().watch(&[">"]);
    while !matches!(next(&mut watch).await, Change::Synced) {}
    proxy.cut();
    // Long enough for every wait to have grown to its longest.
    let outage = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let change = watch.next().await;
            assert!(matches!(change, Change::Resync), "{change:?}");
        }
    });
    assert!(outage.await.is_err());
    direct.ledger().create("c1.a", &entry("one")).await.unwrap();
    proxy.heal();
    let told = async { while !matches!(next(&mut watch).await, Change::Put(..)) {} };
    let back = async {
        hollowtrees_harness::eventually("the connection to be back", Duration::from_secs(30), async || {
            bus.is_connected().then_some(())
        })
        .await;
        std::time::Instant::now()
    };
    let ((), back) = tokio::join!(told, back);
    assert!(
        back.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        back.elapsed()
    );
}

#[tokio::test]
async fn a_watch_may_read_a_part_of_its_records() {
    #[derive(serde::Deserialize)]
    struct Nonce {
        nonce: String,
    }
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    bus.ledger().create("c1.a", &entry("one")).await.unwrap();
    let newer = hollowtrees_schemas::proto::LedgerEntry {
        schema: 2,
        ..entry("two")
    };
    bus.ledger().create("c1.b", &newer).await.unwrap();
    let mut watch = bus.ledger().watch_as::<Nonce>(&[">"]);
    let mut told = async || {
        tokio::time::timeout(Duration::from_secs(60), watch.next())
            .await
            .unwrap()
    };
    assert!(matches!(told().await, Change::Resync));
    assert!(matches!(told().await, Change::Put(key, found) if key == "c1.a" && found.value.nonce == "one"));
    assert!(
        matches!(told().await, Change::Unreadable(_)),
        "a newer layout is refused all the same"
    );
}
