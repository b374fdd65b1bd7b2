use std::{collections::HashSet, time::Duration};

use hollowtrees_bus::{
    Deliveries, Delivery, apply,
    topology::{Consumer, Profile},
};
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
    going.stop().await;
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

#[tokio::test]
async fn the_first_pull_is_not_thrown_away() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    for number in 0..20 {
        bus.publish(&notice(&format!("i-{number}")), None).await.unwrap();
    }
    // Well within the `ack_wait` of five seconds, after which a lost first pull would come again.
    let began = std::time::Instant::now();
    let mut from = bus.consume(&Consumer::router_notices(), 20).await.unwrap();
    for _ in 0..20 {
        let delivery = next(&mut from).await;
        assert_eq!(delivery.delivered, 1);
        delivery.ack().await;
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(from.rebuilds(), 0);
}

#[tokio::test]
async fn after_an_outage_taking_goes_on_at_once() {
    let nats = Nats::start().await.unwrap();
    let direct = connected(&nats).await;
    let proxy = proxy::Tcp::start(nats.addr()).await.unwrap();
    let bus = connect(&format!("nats://{}", proxy.addr())).await;
    let mut from = bus.consume(&Consumer::router_notices(), 8).await.unwrap();
    direct.publish(&notice("i-1"), None).await.unwrap();
    next(&mut from).await.ack().await;
    proxy.cut();
    // Long enough for every wait to have grown to its longest.
    if let Ok(delivery) = tokio::time::timeout(Duration::from_secs(15), from.next()).await {
        panic!("{delivery:?} came over no connection");
    }
    direct.publish(&notice("i-2"), None).await.unwrap();
    proxy.heal();
    let taken = async { next(&mut from).await };
    let back = async {
        hollowtrees_harness::eventually("the connection to be back", BOUND, async || {
            bus.is_connected().then_some(())
        })
        .await;
        std::time::Instant::now()
    };
    let (delivery, back) = tokio::join!(taken, back);
    assert!(
        back.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        back.elapsed()
    );
    delivery.ack().await;
}

#[tokio::test]
async fn what_came_before_the_connection_went_is_taken() {
    let nats = Nats::start().await.unwrap();
    let direct = connected(&nats).await;
    let proxy = proxy::Tcp::start(nats.addr()).await.unwrap();
    let bus = connect(&format!("nats://{}", proxy.addr())).await;
    for number in 0..20 {
        direct
            .publish(&notice(&format!("i-{number}")), None)
            .await
            .unwrap();
    }
    let mut from = bus.consume(&Consumer::router_notices(), 20).await.unwrap();
    next(&mut from).await.ack().await;
    // The rest is here and unread.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let connections = proxy.connections();
    proxy.drop_connections();
    hollowtrees_harness::eventually("the connection to be back", BOUND, async || {
        (proxy.connections() > connections && bus.is_connected()).then_some(())
    })
    .await;
    let began = std::time::Instant::now();
    for _ in 1..20 {
        let delivery = next(&mut from).await;
        assert_eq!(delivery.delivered, 1, "it was not thrown away");
        delivery.ack().await;
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    nothing_for(&mut from, Duration::from_secs(6)).await;
}

#[tokio::test]
async fn a_consumer_that_is_gone_is_said_and_taken_up_again() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let mut from = bus.consume(&Consumer::router_notices(), 8).await.unwrap();
    let mut trouble = from.trouble();
    let taking = tokio::spawn(async move { next(&mut from).await.ack().await });
    let server = async_nats::jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let notices = server.get_stream("HT_NOTICES").await.unwrap();
    notices.delete_consumer("router-notices").await.unwrap();
    let said = tokio::time::timeout(BOUND, trouble.wait_for(Option::is_some)).await;
    let said = said.unwrap().unwrap().clone().unwrap();
    assert!(
        said.contains("router-notices") && said.contains("hollowtrees bus apply"),
        "{said}"
    );

    apply::apply_consumer(&bus, &Consumer::router_notices(), Profile::LOCAL)
        .await
        .unwrap();
    tokio::time::timeout(BOUND, trouble.wait_for(Option::is_none))
        .await
        .unwrap()
        .unwrap();
    bus.publish(&notice("i-1"), None).await.unwrap();
    taking.await.unwrap();
}

#[tokio::test]
async fn who_cancels_and_asks_again_loses_nothing() {
    let nats = Nats::start().await.unwrap();
    let bus = connected(&nats).await;
    let mut from = bus.consume(&Consumer::router_notices(), 64).await.unwrap();
    let publishing = {
        let bus = bus.clone();
        tokio::spawn(async move {
            for number in 0..200 {
                bus.publish(&notice(&format!("i-{number}")), None).await.unwrap();
            }
        })
    };
    let began = std::time::Instant::now();
    let mut seen = HashSet::new();
    while seen.len() < 200 {
        assert!(began.elapsed() < BOUND, "{} of 200 came", seen.len());
        let polled = tokio::time::timeout(Duration::from_micros(500), from.next()).await;
        if let Ok(delivery) = polled {
            assert_eq!(delivery.delivered, 1);
            seen.insert(delivery.sequence);
            delivery.ack().await;
        }
    }
    publishing.await.unwrap();
    assert_eq!(from.rebuilds(), 0);
}

#[tokio::test]
async fn who_may_not_hear_what_is_given_to_it_finds_out() {
    use hollowtrees_harness::nats::User;

    let at = "ht.forward.v1.=.router.a";
    for (publish, subscribe, heard) in [(">", ">", true), ("$JS.>", ">", false), (">", "_INBOX.>", false)] {
        let nats = Nats::builder()
            .user(User::new("all", "secret"))
            .user(
                User::new("some", "secret")
                    .publish([publish])
                    .subscribe([subscribe]),
            )
            .start()
            .await
            .unwrap();
        let of = async |user: &str| {
            let auth = hollowtrees_bus::Auth::Password {
                user: user.to_owned(),
                password: "secret".to_owned(),
            };
            let options = hollowtrees_bus::Options {
                auth,
                ..hollowtrees_bus::Options::new(nats.url())
            };
            hollowtrees_bus::Bus::connect(&options).await.unwrap()
        };
        let consumer = Consumer::router_notices();
        apply::apply(&of("all").await, Profile::LOCAL, std::slice::from_ref(&consumer))
            .await
            .unwrap();
        let bus = of("some").await;
        let deliveries = bus.consume(&consumer, 3).await.unwrap();
        let forwards = deliveries.forwards(at.to_owned()).await;
        assert_eq!(forwards.is_ok(), heard, "{publish} {subscribe}");
        if let Err(error) = forwards {
            assert!(error.to_string().contains(at), "{error}");
        }
    }
}
