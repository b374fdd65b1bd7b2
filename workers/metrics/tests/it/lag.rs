//! What is shown of streams and consumers is so.

use hollowtrees_bus::{
    apply,
    dead::{Class, Reason},
    topology::{Consumer, Profile},
};
use hollowtrees_harness::eventually;
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    names::Stream,
    outgoing, proto,
};

use crate::world::{BOUND, Replica, World, babble, connect, settings, value};

fn of(name: &str, stream: &str, consumer: &str) -> String {
    format!("hollowtrees_{name}{{consumer=\"{consumer}\",stream=\"{stream}\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gauges_follow_a_consumer_from_behind_to_done() {
    let world = World::new().await;
    let replica = world.replica().await;
    world.notices(0, 5).await;
    let router = |name: &str| of(name, "HT_NOTICES", "router-notices");
    replica.shows(&router("consumer_pending_messages"), 5.0).await;
    replica.shows(&router("consumer_ack_pending_messages"), 0.0).await;
    replica.shows(&router("consumer_waiting_requests"), 0.0).await;
    replica
        .shows("hollowtrees_stream_messages{stream=\"HT_NOTICES\"}", 5.0)
        .await;
    replica
        .shows(
            "hollowtrees_stream_limit_bytes{stream=\"HT_NOTICES\"}",
            134_217_728.0,
        )
        .await;
    // It gets older, by the notices' own key and by the consumer's.
    for series in [
        "hollowtrees_oldest_unhandled_notice_seconds".to_owned(),
        router("consumer_oldest_unhandled_seconds"),
    ] {
        eventually(format!("{series} to pass half a second"), BOUND, || async {
            let age = replica.value(&series);
            (age > 0.5).then_some(()).ok_or(age)
        })
        .await;
        assert!(replica.value(&series) < 60.0);
    }

    let mut deliveries = world.bus.consume(&Consumer::router_notices(), 2).await.unwrap();
    let (first, second) = (deliveries.next().await, deliveries.next().await);
    replica.shows(&router("consumer_ack_pending_messages"), 2.0).await;
    replica.shows(&router("consumer_pending_messages"), 3.0).await;
    // The second alone does not make the first handled.
    second.ack().await;
    replica.shows(&router("consumer_ack_pending_messages"), 1.0).await;
    assert!(replica.value("hollowtrees_oldest_unhandled_notice_seconds") > 0.5);
    first.ack().await;
    for _ in 0..3 {
        deliveries.next().await.ack().await;
    }
    replica
        .shows("hollowtrees_oldest_unhandled_notice_seconds", 0.0)
        .await;
    replica.shows(&router("consumer_pending_messages"), 0.0).await;
    assert_eq!(replica.value(&router("consumer_lost_messages_total")), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_held_and_redeliveries_are_shown() {
    let world = World::new().await;
    let replica = world.replica().await;
    world.notices(0, 2).await;
    let mut deliveries = world.bus.consume(&Consumer::router_notices(), 2).await.unwrap();
    let worker = proto::Worker {
        kind: "router".to_owned(),
        ..proto::Worker::default()
    };
    let delivery = deliveries.next().await;
    let reason = Reason {
        class: Class::Invalid,
        text: "a test".to_owned(),
        attempts: 1,
        action_id: None,
        cluster: "prod",
        worker: &worker,
    };
    world.bus.dead_letter(&delivery, &reason).await.unwrap();
    delivery.term().await;
    replica.shows("hollowtrees_dead_letters_held", 1.0).await;
    let series =
        "hollowtrees_dead_letters_total{class=\"invalid\",consumer=\"router-notices\",stream=\"HT_NOTICES\"}";
    replica.shows(series, 1.0).await;

    let other = deliveries.next().await;
    other.hand_over().await;
    let again = deliveries.next().await;
    assert_eq!(again.delivered, 2);
    let redelivered = of("consumer_redelivered_messages", "HT_NOTICES", "router-notices");
    replica.shows(&redelivered, 1.0).await;
    again.ack().await;
    replica.shows(&redelivered, 0.0).await;

    world.bus.dead_discard(1).await.unwrap();
    replica.shows("hollowtrees_dead_letters_held", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unhandled_notices_that_are_pushed_out_are_told_and_counted_once() {
    let world = World::new().await;
    let (a, b) = (world.replica().await, world.replica().await);
    world.notices(0, 3).await;
    babble(&world, 0, 300).await;
    let lost = of("consumer_lost_messages_total", "HT_NOTICES", "router-notices");
    a.shows(&lost, 44.0).await;
    b.shows(&lost, 44.0).await;
    a.shows(
        &of("consumer_gone_messages", "HT_NOTICES", "router-notices"),
        44.0,
    )
    .await;
    // The three before are still there: nothing stands before the stream's first message.
    assert_eq!(
        a.value(&of(
            "consumer_behind_stream_messages",
            "HT_NOTICES",
            "router-notices"
        )),
        0.0
    );
    // Who reads as fast as they come lost nothing.
    assert_eq!(
        a.value(&of(
            "consumer_lost_messages_total",
            "HT_OUTCOMES",
            "router-outcomes"
        )),
        0.0
    );

    // The router comes back: the gap is behind it, what was lost stays lost.
    let mut deliveries = world.bus.consume(&Consumer::router_notices(), 512).await.unwrap();
    for _ in 0..259 {
        deliveries.next().await.ack().await;
    }
    a.shows(&of("consumer_gone_messages", "HT_NOTICES", "router-notices"), 0.0)
        .await;
    babble(&world, 300, 10).await;
    for _ in 0..10 {
        deliveries.next().await.ack().await;
    }
    a.shows(
        &of("consumer_pending_messages", "HT_NOTICES", "router-notices"),
        0.0,
    )
    .await;
    assert_eq!((a.value(&lost), b.value(&lost)), (44.0, 44.0));
    a.stop().await;
    b.stop().await;
    let c = world.replica().await;
    c.shows(&lost, 44.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_floor_of_a_consumer_behind_the_streams_first_message_shows() {
    let world = World::new().await;
    babble(&world, 0, 300).await;
    // Made on what is left, it has lost nothing.
    let late = Consumer {
        name: "late".to_owned(),
        ..Consumer::metrics(Stream::Notices)
    };
    apply::apply_consumer(&world.bus, &late, Profile::LOCAL)
        .await
        .unwrap();
    let replica = world.replica().await;
    replica
        .shows(
            &of("consumer_behind_stream_messages", "HT_NOTICES", "router-notices"),
            44.0,
        )
        .await;
    replica
        .shows(
            &of("consumer_lost_messages_total", "HT_NOTICES", "router-notices"),
            44.0,
        )
        .await;
    replica
        .shows(&of("consumer_pending_messages", "HT_NOTICES", "late"), 256.0)
        .await;
    for name in [
        "consumer_behind_stream_messages",
        "consumer_gone_messages",
        "consumer_lost_messages_total",
    ] {
        assert_eq!(
            value(&replica.text(), &of(name, "HT_NOTICES", "late")),
            Some(0.0),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_nobody_serves_that_is_pushed_out_is_told() {
    let world = World::new().await;
    let replica = Replica::start(&world.nats.url(), settings(&[])).await;
    let publish = async |first: u32, count: u32| {
        let bus = connect(&world.nats.url()).await;
        for step in first..first + count {
            let action = proto::Action {
                id: format!("a-{step}"),
                cluster: "prod".to_owned(),
                kind: "notify".to_owned(),
                instance: "i-1".to_owned(),
                step,
                ..proto::Action::default()
            };
            let envelope = envelope::action(action, "/hollowtrees/prod/router");
            let out = outgoing::action(&envelope, DataFormat::Json).unwrap();
            bus.publish(&out, None).await.unwrap();
        }
    };
    publish(0, 10).await;
    replica
        .shows(&of("consumer_pending_messages", "HT_ACTIONS", "notify"), 10.0)
        .await;
    publish(10, 290).await;
    let lost = of("consumer_lost_messages_total", "HT_ACTIONS", "notify");
    eventually("the loss to be told", BOUND, || async {
        let found = replica.value(&lost);
        (found >= 1.0).then_some(()).ok_or(found)
    })
    .await;
    assert!(replica.value(&lost) <= 44.0);
    // Of a kind whose actions are none of these, nothing is said.
    assert_eq!(
        replica.value(&of("consumer_lost_messages_total", "HT_ACTIONS", "asg-swap")),
        0.0
    );
    let actions = Stream::Actions;
    world.all_taken(actions).await;
    assert_eq!(replica.counted(actions), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_left_its_stream_in_somebodys_hands_is_not_called_lost() {
    let world = World::new().await;
    let replica = world.replica().await;
    babble(&world, 0, 10).await;
    let mut deliveries = world.bus.consume(&Consumer::router_notices(), 10).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(deliveries.next().await);
    }
    babble(&world, 10, 290).await;
    // 44 are gone: ten in hand, the rest never given out.
    let lost = of("consumer_lost_messages_total", "HT_NOTICES", "router-notices");
    let behind = of("consumer_behind_stream_messages", "HT_NOTICES", "router-notices");
    replica.shows(&lost, 34.0).await;
    replica.shows(&behind, 34.0).await;
    for delivery in held {
        delivery.ack().await;
    }
    for _ in 0..256 {
        deliveries.next().await.ack().await;
    }
    replica.shows(&behind, 0.0).await;
    assert_eq!(replica.value(&lost), 34.0);
}
