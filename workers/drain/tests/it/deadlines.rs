//! What the time allows: nodes that can never be emptied politely beside others, pods that take their time, a machine whose
//! clock is wrong.

use std::time::{Duration, Instant};

use hollowtrees_harness::{Error, Worker, clock, control_plane::fixtures, eventually, ports::Port};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    burst::{Burst, assert_succeeded},
    support::BOUND,
    world::{World, detail},
};

fn with_grace(mut pod: Value, seconds: u32) -> Value {
    pod["spec"]["terminationGracePeriodSeconds"] = seconds.into();
    pod
}

/// It ignores SIGTERM: only the end of its grace ends it.
fn stubborn(pod: Value) -> Value {
    fixtures::annotated(pod, fixtures::EXIT_AFTER, "900s")
}

/// Each on nodes of its own, by one worker: the free ones alone, and others like them beside the kept ones.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_kept_for_ever_hold_up_no_other() {
    const FREE: usize = 20;
    const KEPT: usize = 3;
    const EACH: usize = 4;
    const SECONDS: i64 = 20;
    const GRACE: u32 = 4;
    let mut world = World::new("beside", 2 * FREE + KEPT).await;
    let free = |n: usize| {
        (0..EACH).map(move |i| fixtures::pod(&format!("free-{n}-{i}"), "free", &format!("beside-{n}")))
    };
    let kept = |n: usize| {
        (0..EACH).map(move |i| {
            with_grace(
                fixtures::pod(&format!("kept-{n}-{i}"), "kept", &format!("beside-{n}")),
                GRACE,
            )
        })
    };
    let pods = (0..2 * FREE)
        .flat_map(free)
        .chain((2 * FREE..2 * FREE + KEPT).flat_map(kept));
    let burst = Burst::of(&world.ground, pods.collect()).await;
    world.ground.budget("kept", KEPT * EACH, 0).await;
    let worker = world.worker().await;

    let began = Instant::now();
    world.drain_all(0..FREE, SECONDS).await;
    assert_succeeded(&world.ends(FREE).await);
    let alone = began.elapsed();

    // The kept ones come first, so that they would be in the way.
    let began = Instant::now();
    let deadline = Timestamp::now() + SignedDuration::from_secs(SECONDS);
    world.drain_all(2 * FREE..2 * FREE + KEPT, SECONDS).await;
    world.drain_all(FREE..2 * FREE, SECONDS).await;
    let ends = world.ends(FREE).await;
    let beside = began.elapsed();
    println!("{FREE} nodes alone {alone:.2?}, beside {KEPT} that are kept {beside:.2?}");
    assert_succeeded(&ends);
    let kept_ids: Vec<String> = (2 * FREE..2 * FREE + KEPT)
        .map(|n| fixtures::instance_id("beside", n))
        .collect();
    assert!(
        kept_ids.iter().all(|id| !ends.contains_key(id)),
        "the free ones end first"
    );
    // As if they were alone, but for what a busy machine adds.
    assert!(
        beside < alone * 2 + Duration::from_secs(1),
        "{alone:?}, {beside:?}"
    );

    let ends = world.ends(KEPT).await;
    assert_succeeded(&ends);
    for outcome in ends.values() {
        assert_eq!(
            detail(outcome)["forced"].as_array().unwrap().len(),
            EACH,
            "{outcome:?}"
        );
    }
    let over = Timestamp::now().duration_since(deadline);
    assert!(over < SignedDuration::from_secs(1), "in time: {over}");
    // Pods without a budget are deleted as well where the machine is so slow that evictions would be late.
    let deleted = burst.deleted();
    let forced: Vec<_> = deleted
        .iter()
        .filter(|entry| entry.name.starts_with("kept-"))
        .collect();
    assert_eq!(forced.len(), KEPT * EACH);
    let first = forced.iter().map(|entry| entry.at).min().unwrap();
    let left = deadline.duration_since(first).as_secs_f64();
    assert!(
        (3.0..=f64::from(GRACE) + 0.2).contains(&left),
        "not before its last moment: {left}"
    );
    worker.stop().await;
}

/// Deadline and grace are those of the real thing; what is waited for is the server's word, not the end.
#[tokio::test(flavor = "multi_thread")]
async fn ten_minutes_of_grace_are_cut_to_what_a_notice_leaves() {
    for (name, seconds) in [("long", 120), ("brief", 30)] {
        let world = World::new(&format!("grace-{name}"), 1).await;
        let node = format!("grace-{name}-0");
        let free = stubborn(with_grace(fixtures::pod("free", "free", &node), 600));
        let db = stubborn(with_grace(fixtures::pod("db", "db", &node), 600));
        let burst = Burst::of(&world.ground, vec![free, db]).await;
        world.ground.budget("db", 1, 0).await;
        let worker = world.worker().await;
        let sent = Timestamp::now();
        world.send(&world.action("drain", seconds)).await;
        for pod in ["free", "db"] {
            let path = format!("{}/{pod}", world.ground.pods_path());
            let found = eventually(format!("{pod} to be ending"), BOUND, async || {
                let pod = world.ground.admin.get(&path).await?;
                let ends = pod["metadata"].get("deletionTimestamp").cloned();
                ends.map(|_| pod).ok_or_else(|| Error::new("it is not"))
            })
            .await;
            let metadata = &found["metadata"];
            let grace = metadata["deletionGracePeriodSeconds"].as_i64().unwrap();
            let ends: Timestamp = metadata["deletionTimestamp"].as_str().unwrap().parse().unwrap();
            println!("{pod} under {seconds} s: {grace} s");
            assert!((seconds - 3..=seconds).contains(&grace), "{grace}");
            let over = ends.duration_since(sent + SignedDuration::from_secs(seconds));
            assert!(over <= SignedDuration::from_secs(1), "ends in time: {over}");
        }
        assert_eq!(burst.granted().len(), 1, "the free one by eviction");
        assert_eq!(burst.deleted().len(), 1, "the kept one by force, and at once");
        worker.stop().await;
    }
}

/// The same to its end, with a notice of ten seconds in proportion; and pods whose grace is shorter than the notice.
#[tokio::test(flavor = "multi_thread")]
async fn pods_that_ignore_their_signal_are_gone_by_the_deadline() {
    let mut world = World::new("deaf", 2).await;
    let pods = vec![
        stubborn(with_grace(fixtures::pod("brief", "x", "deaf-0"), 3)),
        stubborn(with_grace(fixtures::pod("other", "x", "deaf-0"), 3)),
        stubborn(with_grace(fixtures::pod("long", "x", "deaf-1"), 600)),
        stubborn(with_grace(fixtures::pod("db", "db", "deaf-1"), 600)),
    ];
    let burst = Burst::of(&world.ground, pods).await;
    world.ground.budget("db", 1, 0).await;
    let worker = world.worker().await;
    let began = Instant::now();
    world.drain_all(0..2, 10).await;
    let ends = world.ends(2).await;
    let took = began.elapsed();
    println!("both after {took:.1?}");
    assert_succeeded(&ends);
    assert!(took < Duration::from_secs(12), "{took:?}");
    let of = |n: usize| detail(&ends[&fixtures::instance_id("deaf", n)]);
    assert_eq!(
        (&of(0)["forced"], &of(0)["left"]),
        (&json!([]), &json!([])),
        "{}",
        of(0)
    );
    assert_eq!(of(1)["forced"][0]["pod"], "deaf/db", "{}", of(1));
    assert_eq!(of(1)["left"], json!([]), "{}", of(1));
    assert_eq!((burst.granted().len(), burst.deleted().len()), (3, 1));
    worker.stop().await;
}

/// A real process under a clock that is a minute off. Notice and deadline are by the right time.
#[tokio::test(flavor = "multi_thread")]
async fn a_minute_of_clock_skew_moves_no_last_moment() {
    for (name, ahead) in [("fast", 60), ("late", -60)] {
        const SECONDS: i64 = 10;
        const GRACE: u32 = 3;
        let mut world = World::new(&format!("skew-{name}"), 1).await;
        let node = format!("skew-{name}-0");
        let pods = vec![
            with_grace(fixtures::pod("db", "db", &node), GRACE),
            with_grace(fixtures::pod("free", "free", &node), GRACE),
        ];
        let burst = Burst::of(&world.ground, pods).await;
        world.ground.budget("db", 1, 0).await;
        let port = Port::reserve().unwrap();
        let process = Worker::builder("drain", env!("CARGO_BIN_EXE_hollowtrees-drain"))
            .env("HT_CLUSTER__NAME", &world.cluster)
            // The cluster is shared with tests that cordon as well.
            .env("HT_DRAIN__ADVISORY_CORDONS", "100%")
            .env("HT_CLUSTER__KUBECONFIG", &world.ground.kubeconfig)
            .env("HT_NATS__URL", world.nats.url())
            .env("HT_HEALTH__LISTEN", port.addr().to_string());
        let process = clock::ahead(process, ahead).unwrap().start().unwrap();
        let ready = format!("http://{}/readyz", port.addr());
        process.ready(&ready, BOUND).await.unwrap();
        assert_is_off(&process, ahead);
        let deadline = Timestamp::now() + SignedDuration::from_secs(SECONDS);
        world.send(&world.action("drain", SECONDS)).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{ahead}: {outcome:?}");
        let told = detail(&outcome);
        assert_eq!(told["forced"][0]["pod"], format!("skew-{name}/db"), "{told}");
        let forced = burst.deleted();
        assert_eq!(forced.len(), 1, "{forced:?}");
        let left = deadline.duration_since(forced[0].at).as_secs_f64();
        println!("{ahead} s ahead: forced {left:.2} s before the deadline");
        assert!((2.0..=f64::from(GRACE) + 0.2).contains(&left), "{left}");
        process.terminate(Duration::from_secs(20)).await.unwrap();
    }
}

/// By its own log it has another time than we have.
fn assert_is_off(process: &Worker, ahead: i64) {
    let log = process.log().unwrap();
    let first = log.split_whitespace().next().unwrap();
    let said: Timestamp = first.parse().unwrap_or_else(|_| panic!("no time in {log}"));
    let off = said.duration_since(Timestamp::now()).as_secs();
    assert!(
        (ahead - 10..=ahead + 1).contains(&off),
        "{off} for {ahead}: {log}"
    );
}
