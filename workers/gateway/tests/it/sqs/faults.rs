//! SQS, the bus and the gateway itself, slow or gone in mid-stream: every notice is on the bus once, the queue empty.

use std::time::Duration;

use hollowtrees_harness::{
    eventually,
    proxy::{self, Fault},
};

use super::ground::{Ground, LONG, R, spot};

async fn filled(count: usize) -> (Ground, Vec<String>) {
    let ground = Ground::new().await;
    let ids = ground
        .aws
        .launch(R, count, &[("kubernetes.io/cluster/blue", "owned")])
        .await
        .unwrap();
    let bodies: Vec<_> = ids.iter().map(|id| spot(id)).collect();
    ground.send(&bodies).await;
    (ground, ids)
}

impl Ground {
    async fn all_told_once(&self, ids: &[String]) {
        self.empty().await;
        let notices = self.notices().await;
        assert_eq!(notices.len(), ids.len());
        for id in ids {
            assert!(notices.contains_key(id), "{id} is lost");
        }
        let letters = self.world.letters().await;
        assert!(letters.is_empty(), "{letters:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqs_is_slow_fails_and_forgets_to_answer() {
    let (ground, ids) = filled(150).await;
    let receive = "MaxNumberOfMessages";
    let receipt = "ReceiptHandle";
    for fault in [
        Fault::status(500).containing(receive).percent(20, 1),
        Fault::lost_reply().containing(receive).percent(15, 2),
        Fault::truncated().containing(receive).percent(10, 3),
        Fault::garbage().containing(receive).percent(5, 4),
        Fault::slow(Duration::from_secs(1))
            .containing(receive)
            .percent(20, 5),
        Fault::status(503).containing(receipt).percent(20, 6),
        Fault::lost_reply().containing(receipt).percent(20, 7),
        Fault::no_answer().containing(receipt).percent(10, 8),
        Fault::slow(Duration::from_secs(1))
            .containing(receipt)
            .percent(10, 9),
    ] {
        ground.aws.inject(fault);
    }
    let gateway = ground.gateway(&[]).await;
    ground.stored_at_least(ids.len()).await;
    ground.aws.heal();
    ground.all_told_once(&ids).await;
    // There were faults, and they were counted.
    ground
        .counted(
            &gateway,
            "hollowtrees_sqs_calls_total{call=\"ReceiveMessage\",result=\"unclear\"}",
            1.0,
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqs_refuses_connections_for_longer_than_messages_are_hidden() {
    let (ground, mut ids) = filled(150).await;
    let upstream = ground.aws.url();
    let upstream = upstream.strip_prefix("http://").unwrap().parse().unwrap();
    let wire = proxy::Tcp::start(upstream).await.unwrap();
    let endpoint = format!("http://{}", wire.addr());
    let gateway = ground.gateway(&[("AWS_ENDPOINT_URL", &endpoint)]).await;
    ground.stored_at_least(20).await;
    wire.cut();
    let left = ids.len() - ground.stored().await;
    assert!(left > 0, "it was over before the cut");
    // Meanwhile there are more, and what the gateway had taken is out for others again.
    let more = ground
        .aws
        .launch(R, 20, &[("kubernetes.io/cluster/blue", "owned")])
        .await
        .unwrap();
    let bodies: Vec<_> = more.iter().map(|id| spot(id)).collect();
    ground.send(&bodies).await;
    ids.extend(more);
    ground
        .queue_is("what was taken to come out again", LONG, |depth| depth.taken == 0)
        .await;
    let series = "hollowtrees_sqs_calls_total{call=\"ReceiveMessage\",result=\"unclear\"}";
    ground.counted(&gateway, series, 2.0).await;
    wire.heal();
    ground.all_told_once(&ids).await;
    assert!(gateway.worker.exit_status().is_none(), "it ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_is_slow_and_loses_acknowledgements_and_nothing_comes_out_meanwhile() {
    let (ground, ids) = filled(60).await;
    let wire = proxy::Tcp::start(ground.world.nats.addr()).await.unwrap();
    let bus = format!("nats://{}", wire.addr());
    let gateway = ground
        .gateway(&[
            ("HT_NATS__URL", &bus),
            // Four at a time: the last waits for much longer than it would be hidden.
            ("HT_INGEST__IN_FLIGHT", "4"),
        ])
        .await;
    // More than a second for each acknowledgement: fifteen and more for all.
    wire.latency(Duration::from_millis(600));
    ground
        .queue_is("all to be taken", LONG, |depth| depth.waiting == 0)
        .await;
    let mut slow = 0;
    while ground.stored().await < ids.len() / 2 {
        slow += 1;
        let depth = ground.aws.queue_depth(R, &ground.queue).await.unwrap();
        assert_eq!(
            depth.waiting, 0,
            "messages came out while they were held: {depth:?}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(slow > 0, "it was not slow");
    // Stored, and the acknowledgements lost: for longer than an attempt takes.
    wire.lose_replies();
    let swallowed = wire.bytes_swallowed();
    eventually("replies to be lost", LONG, async || {
        match wire.bytes_swallowed() {
            now if now > swallowed => Ok(()),
            now => Err(now),
        }
    })
    .await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    wire.heal();
    ground.all_told_once(&ids).await;
    assert!(gateway.worker.exit_status().is_none(), "it ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_is_away_for_twenty_seconds_and_nothing_comes_again_meanwhile() {
    let (ground, ids) = filled(120).await;
    let gateway = ground.gateway(&[]).await;
    ground.stored_at_least(20).await;
    ground.world.nats.kill();
    ground
        .queue_is("all others to be taken", LONG, |depth| depth.waiting == 0)
        .await;
    // Five times as long as a message is hidden: that they stay hidden is what is tested.
    let mut seen = Vec::new();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let depth = ground.aws.queue_depth(R, &ground.queue).await.unwrap();
        seen.push(depth);
    }
    let hidden = seen.iter().all(|depth| depth.waiting == 0 && depth.taken > 0);
    assert!(hidden, "messages came out while they were held: {seen:?}");
    ground.bus_back().await;
    ground.all_told_once(&ids).await;
    assert!(gateway.worker.exit_status().is_none(), "it ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_stream_another_takes_up_what_is_left() {
    let (ground, ids) = filled(200).await;
    let gateway = ground.gateway(&[]).await;
    ground.stored_at_least(10).await;
    gateway.worker.kill();
    let left = ids.len() - ground.stored().await;
    assert!(left > 0, "it was over before the kill");
    let _another = ground.gateway(&[]).await;
    ground.all_told_once(&ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_it_gives_back_what_it_holds() {
    let (ground, ids) = filled(60).await;
    // Long enough to tell a message given back from one whose time was over.
    let hidden = ("HT_SQS__HIDDEN", "10m");
    let gateway = ground.gateway(&[hidden, ("HT_SHUTDOWN__GRACE", "6s")]).await;
    ground.stored_at_least(1).await;
    ground.world.nats.kill();
    ground
        .queue_is("all others to be taken", LONG, |depth| depth.waiting == 0)
        .await;
    let held = ground.aws.queue_depth(R, &ground.queue).await.unwrap().taken;
    assert!(held > 0, "it was over before the bus went");
    gateway.worker.terminate(LONG).await.unwrap();
    ground
        .queue_is(
            "what was held to be given back",
            Duration::from_secs(10),
            |depth| depth.taken == 0,
        )
        .await;
    ground.bus_back().await;
    let _another = ground.gateway(&[hidden]).await;
    ground.all_told_once(&ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_again_is_no_second_notice() {
    let (ground, ids) = filled(30).await;
    let again: Vec<_> = ids.iter().map(|id| spot(id)).collect();
    ground.send(&again).await;
    let gateway = ground.gateway(&[]).await;
    ground.all_told_once(&ids).await;
    ground
        .counted(
            &gateway,
            "hollowtrees_gateway_notices_repeated_total{source=\"sqs\"}",
            30.0,
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_rubbish_is_kept_so_far_and_deleted_and_the_good_come_through() {
    let (ground, ids) = filled(5).await;
    let rubbish: Vec<_> = (0..60).map(|number| format!("{{rubbish {number}")).collect();
    ground.send(&rubbish).await;
    let gateway = ground
        .gateway(&[("HT_INGEST__DEAD_LETTERS_PER_MINUTE", "10")])
        .await;
    ground.empty().await;
    assert_eq!(ground.notices().await.len(), ids.len());
    let kept = ground.world.letters().await.len();
    // Ten at once, and what comes free while it lasts.
    assert!((10..60).contains(&kept), "{kept}");
    ground
        .counted(
            &gateway,
            "hollowtrees_sqs_messages_total{queue=\"events\",result=\"unusable\"}",
            60.0,
        )
        .await;
}
