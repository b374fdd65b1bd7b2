//! Each message is counted once, whatever happens to who counts it.

use std::time::Duration;

use hollowtrees_bus::topology::Consumer;
use hollowtrees_harness::{eventually, proxy::Tcp};
use hollowtrees_metrics::{claim::Counted, config};
use hollowtrees_schemas::names::Stream;

use crate::world::{BOUND, Replica, World, babble, counted, settings};

/// Batches are small, so that two replicas both get their share.
const SMALL: [(&str, &str); 3] = [
    ("HT_METRICS__ACCEPTED", "64"),
    ("HT_METRICS__BATCH", "32"),
    ("HT_METRICS__LINGER", "20ms"),
];
const BATCH: u64 = 32;
const NOTICES: Stream = Stream::Notices;

/// A batch waits nearly as long as a delivery lasts, so that there is time to do something to who holds it.
fn slow() -> config::Metrics {
    config::Metrics {
        linger: Duration::from_secs(4),
        ..settings(&[])
    }
}

async fn small(world: &World) -> Replica {
    Replica::start(&world.nats.url(), settings(&SMALL)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_share_the_work_and_sum_exactly() {
    let world = World::new().await;
    let (a, b) = (small(&world).await, small(&world).await);
    world.notices(0, 1_000).await;
    world.all_taken(NOTICES).await;
    let (of_a, of_b) = (a.counted(NOTICES), b.counted(NOTICES));
    assert_eq!(of_a + of_b, 1_000, "{of_a} + {of_b}");
    assert!(of_a > 0 && of_b > 0, "{of_a} + {of_b}");
    let series = "hollowtrees_notices_total{cluster=\"prod\",kind=\"spot-interruption\",mode=\"live\",provider=\"aws\",state=\"active\"}";
    assert_eq!(a.value(series) + b.value(series), 1_000.0);
    // Told to stop, they go without a word of what they counted being taken back.
    let (a, b) = (a.stop().await, b.stop().await);
    assert_eq!(counted(&a, NOTICES) + counted(&b, NOTICES), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_replica_had_counted_is_not_counted_again() {
    let world = World::new().await;
    let (a, b) = (small(&world).await, small(&world).await);
    let publishing = async { world.notices(0, 1_000).await };
    let killing = async {
        eventually("the first replica to have counted some", BOUND, || async {
            let so_far = a.counted(NOTICES);
            (so_far >= 100).then_some(()).ok_or(so_far)
        })
        .await;
        a.crash().await
    };
    let ((), a) = tokio::join!(publishing, killing);
    world.all_taken(NOTICES).await;
    let of_a = counted(&a, NOTICES);
    let sum = of_a + b.counted(NOTICES);
    assert!(sum <= 1_000, "{sum}");
    // A batch may have been claimed and not counted when it ended.
    assert!(sum >= 1_000 - BATCH, "{sum}");

    let c = small(&world).await;
    world.notices(1_000, 500).await;
    world.all_taken(NOTICES).await;
    assert_eq!(of_a + b.counted(NOTICES) + c.counted(NOTICES), sum + 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_comes_back_changes_nothing() {
    let world = World::new().await;
    let (a, b) = (small(&world).await, small(&world).await);
    let publishing = async { world.notices(0, 1_000).await };
    let killing = async {
        eventually("some to be counted", BOUND, || async {
            let so_far = a.counted(NOTICES) + b.counted(NOTICES);
            (so_far >= 200).then_some(()).ok_or(so_far)
        })
        .await;
        world.nats.restart().await.unwrap();
    };
    tokio::join!(publishing, killing);
    world.all_taken(NOTICES).await;
    assert_eq!(a.counted(NOTICES) + b.counted(NOTICES), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_answer_is_lost_is_known_for_ones_own() {
    let world = World::new().await;
    let proxy = Tcp::start(world.nats.addr()).await.unwrap();
    let url = format!("nats://{}", proxy.addr());
    let a = Replica::start(&url, slow()).await;
    // One before, so that everything stands.
    world.notices(0, 1).await;
    world.all_taken(NOTICES).await;

    world.notices(1, 50).await;
    let name = Consumer::metrics(NOTICES).name;
    eventually("a batch to be held", BOUND, || async {
        let held = world.consumer(NOTICES, &name).await.ack_pending;
        (held == 50).then_some(()).ok_or(held)
    })
    .await;
    let record = || async {
        let found = world.bus.metrics::<Counted>().get(NOTICES.name()).await.unwrap();
        found.unwrap().revision
    };
    let before = record().await;
    proxy.lose_replies();
    eventually("the claim to be written", BOUND, || async {
        (record().await > before).then_some(()).ok_or("no news")
    })
    .await;
    // The other one is handed what the first one cannot acknowledge. Without the cut the first one's pull would still
    // stand, and take some of what comes again.
    proxy.cut();
    let b = world.replica().await;
    eventually("the other replica to see them again", BOUND, || async {
        let seen = b.value("hollowtrees_metrics_repeated_total{stream=\"HT_NOTICES\"}");
        (seen >= 50.0).then_some(()).ok_or(seen)
    })
    .await;
    assert_eq!((a.counted(NOTICES), b.counted(NOTICES)), (1, 0));
    proxy.heal();
    a.shows("hollowtrees_metrics_counted_total{stream=\"HT_NOTICES\"}", 51.0)
        .await;
    world.all_taken(NOTICES).await;
    assert_eq!((a.counted(NOTICES), b.counted(NOTICES)), (51, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_of_the_bus_longer_than_a_delivery_lasts_counts_nothing_twice() {
    let world = World::new().await;
    let proxy = Tcp::start(world.nats.addr()).await.unwrap();
    let url = format!("nats://{}", proxy.addr());
    let a = Replica::start(&url, slow()).await;
    world.notices(0, 50).await;
    let name = Consumer::metrics(NOTICES).name;
    eventually("a batch to be held", BOUND, || async {
        let held = world.consumer(NOTICES, &name).await.ack_pending;
        (held == 50).then_some(()).ok_or(held)
    })
    .await;
    proxy.cut();
    let b = world.replica().await;
    b.shows("hollowtrees_metrics_counted_total{stream=\"HT_NOTICES\"}", 50.0)
        .await;
    proxy.heal();
    // It is back once it counts something new; what it held is somebody else's by then.
    b.stop().await;
    world.notices(50, 1).await;
    a.shows("hollowtrees_metrics_counted_total{stream=\"HT_NOTICES\"}", 1.0)
        .await;
    world.all_taken(NOTICES).await;
    assert_eq!(a.counted(NOTICES), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_contiguous_takes_one_span() {
    let world = World::new().await;
    let (a, b) = (small(&world).await, small(&world).await);
    world.notices(0, 500).await;
    world.all_taken(NOTICES).await;
    assert_eq!(spans(&world).await, serde_json::json!([[1, 500]]));
    for replica in [a, b] {
        tokio::time::timeout(BOUND, replica.stop()).await.unwrap();
    }
}

/// Two notices of three are of one instance, whose subject keeps 256.
#[tokio::test(flavor = "multi_thread")]
async fn many_gaps_do_not_make_the_record_large() {
    const OTHERS: u64 = 1_300;
    let world = World::new().await;
    for number in 0..OTHERS {
        world.notices(usize::try_from(number).unwrap(), 1).await;
        babble(&world, 2 * i64::try_from(number).unwrap(), 2).await;
    }
    let replica = Replica::start(&world.nats.url(), settings(&[("HT_METRICS__BATCH", "100")])).await;
    world.all_taken(NOTICES).await;
    assert_eq!(replica.counted(NOTICES), OTHERS + 256);
    assert_eq!(
        replica.value("hollowtrees_metrics_forgone_total{stream=\"HT_NOTICES\"}"),
        0.0
    );
    let spans = spans(&world).await;
    let count = spans.as_array().unwrap().len();
    // Without a look at what is acknowledged there would be one for each of most others.
    assert!(count <= 1_000, "{count}");
}

async fn spans(world: &World) -> serde_json::Value {
    let record = world.bus.metrics::<Counted>().get(NOTICES.name()).await.unwrap();
    let record = serde_json::to_value(record.unwrap().value).unwrap();
    record["spans"].clone()
}
