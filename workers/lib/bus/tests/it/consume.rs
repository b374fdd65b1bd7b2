use std::{collections::HashSet, time::Duration};

use hollowtrees_bus::{Deliveries, Delivery, topology::Consumer};
use hollowtrees_harness::{Nats, proxy};

use crate::support::{connect, connected, notice};

/// Longer than anything here takes, shorter than a person waits.
const BOUND: Duration = Duration::from_secs(30);

async fn next(from: &mut Deliveries) -> Delivery {
    tokio::time::timeout(BOUND, from.next())
        .await
        .expect("a message comes")
}

async fn nothing_for(from: &mut Deliveries, quiet: Duration) {
    if let Ok(delivery) = tokio::time::timeout(quiet, from.next()).await {
        panic!("nothing more was due, and {delivery:?} came");
    }
}

#[tokio::test]
async fn no_more_is_taken_than_can_be_held() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    for number in 0..10 {
        bus.publish(&notice(&format!("i-{number}")), None).await.unwrap();
    }
    let mut three = bus.consume(&Consumer::router_notices(), 3).await.unwrap();
    let mut held = vec![
        next(&mut three).await,
        next(&mut three).await,
        next(&mut three).await,
    ];
    nothing_for(&mut three, Duration::from_millis(300)).await;
    assert_eq!(three.held(), 3);

    held.pop().unwrap().ack().await;
    held.push(next(&mut three).await);
    nothing_for(&mut three, Duration::from_millis(300)).await;

    let mut all: Vec<_> = held.iter().map(|delivery| delivery.sequence).collect();
    for delivery in held {
        delivery.ack().await;
    }
    while all.len() < 9 {
        let delivery = next(&mut three).await;
        all.push(delivery.sequence);
        delivery.ack().await;
    }
    all.push(3);
    all.sort_unstable();
    assert_eq!(all, (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_dropped_comes_back_and_what_is_handed_over_comes_at_once() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    bus.publish(&notice("i-1"), None).await.unwrap();
    let mut one = bus.consume(&Consumer::router_notices(), 4).await.unwrap();
    drop(next(&mut one).await);
    let second = next(&mut one).await;
    assert_eq!((second.sequence, second.delivered), (1, 2));
    second.hand_over().await;
    let third = next(&mut one).await;
    assert_eq!((third.sequence, third.delivered), (1, 3));
    third.ack().await;
    nothing_for(&mut one, Duration::from_millis(300)).await;
    assert_eq!(one.held(), 0);
}

#[tokio::test]
async fn an_abandoned_delivery_leaves_the_newer_owner_alone() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    bus.publish(&notice("i-1"), None).await.unwrap();
    let mut one = bus.consume(&Consumer::router_notices(), 1).await.unwrap();
    let mut two = bus.consume(&Consumer::router_notices(), 1).await.unwrap();
    let slow = next(&mut one).await;
    let taken_over = next(&mut two).await;
    assert_eq!(taken_over.sequence, slow.sequence);
    slow.abandon();
    // Had the old owner said NAK, the message would come to someone a third time.
    nothing_for(&mut one, Duration::from_secs(2)).await;
    taken_over.ack().await;
    nothing_for(&mut one, Duration::from_secs(6)).await;
}

#[tokio::test]
async fn in_progress_keeps_a_message_beyond_the_ack_wait() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    bus.publish(&notice("i-1"), None).await.unwrap();
    let mut one = bus.consume(&Consumer::router_notices(), 2).await.unwrap();
    let held = next(&mut one).await;
    for _ in 0..5 {
        held.keepalive().unwrap().touch().await;
        nothing_for(&mut one, Duration::from_millis(1_500)).await;
    }
    held.ack().await;
}

#[tokio::test]
async fn taking_goes_on_over_a_restart_a_cut_and_a_silent_network() {
    let nats = Nats::start().await.unwrap();
    let direct = connected(&nats).await;
    let proxy = proxy::Tcp::start(nats.addr()).await.unwrap();
    let bus = connect(&format!("nats://{}", proxy.addr())).await;
    let mut from = bus.consume(&Consumer::router_notices(), 8).await.unwrap();
    let mut seen = HashSet::new();
    let mut round = 0;
    let mut publish_and_take = async |from: &mut Deliveries| {
        round += 1;
        let stored = direct
            .publish(&notice(&format!("i-{round}")), None)
            .await
            .unwrap();
        // What was in flight when the line went comes again: the round ends with its own message.
        loop {
            let delivery = next(from).await;
            let sequence = delivery.sequence;
            seen.insert(sequence);
            delivery.ack().await;
            if sequence == stored.sequence {
                break;
            }
        }
    };
    publish_and_take(&mut from).await;

    nats.kill();
    nats.restart().await.unwrap();
    publish_and_take(&mut from).await;

    proxy.cut();
    tokio::time::sleep(Duration::from_millis(300)).await;
    proxy.heal();
    publish_and_take(&mut from).await;

    // Nothing is refused and nothing arrives: only missing heartbeats tell.
    proxy.blackhole();
    let waiting = tokio::time::timeout(Duration::from_secs(7), from.next()).await;
    assert!(waiting.is_err());
    proxy.heal();
    publish_and_take(&mut from).await;
    assert!(from.rebuilds() >= 1, "the silence was noticed");
}

#[tokio::test]
async fn what_was_delivered_and_not_taken_is_handed_over() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    for number in 0..20 {
        bus.publish(&notice(&format!("i-{number}")), None).await.unwrap();
    }
    let mut going = bus.consume(&Consumer::router_notices(), 20).await.unwrap();
    next(&mut going).await.ack().await;
    let mut staying = bus.consume(&Consumer::router_notices(), 20).await.unwrap();
    for delivery in going.leftover() {
        delivery.hand_over().await;
    }
    // Far within the five seconds of `ack_wait`.
    let began = std::time::Instant::now();
    let mut sequences = HashSet::new();
    while sequences.len() < 19 {
        let delivery = next(&mut staying).await;
        sequences.insert(delivery.sequence);
        delivery.ack().await;
    }
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}
