//! A thousand notices while every process, the server included, is killed at random moments.
//!
//! Bounded and seeded: the seed is printed, and `HOLLOWTREES_CHAOS_SEED` repeats it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests: what they cannot do fails the test"
)]

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use hollowtrees_bus::topology::Profile;
use hollowtrees_e2e::{
    checker::{Books, assert_once_in_effect},
    kills::{Kills, seed},
    pipeline::{Pipeline, Process, Programs, interruption},
};
use hollowtrees_harness::Nats;
use hollowtrees_schemas::proto;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

const PROGRAMS: Programs = Programs {
    router: env!("CARGO_BIN_EXE_router"),
    worker: env!("CARGO_BIN_EXE_counting-worker"),
};
const NOTICES: usize = 1_000;
const KILLS: usize = 24;
/// Every so many an interruption is seen by a second origin as well,
const TWICE_SEEN: usize = 10;
/// whose word is behind by so many notices every other time.
const BEHIND: usize = 150;
const NODE: &str = "/aws/1/eu/imds";
const QUEUE: &str = "/aws/1/eu/sqs";
const RULES: &str = "
version: 1
rules:
  - name: plain
    match: { exact: { data.kind: spot-interruption } }
    steps:
      - actions: [drain]
      - actions: [asg-swap]
";

/// Tells every interruption from its node; some also from the queue, at once or late, once or twice.
async fn tell(pipeline: &Pipeline, instances: &[String]) {
    let mut late: VecDeque<(usize, proto::Notice)> = VecDeque::new();
    for (number, instance) in instances.iter().enumerate() {
        let notice = interruption(instance, 1_800);
        pipeline.notify(notice.clone(), NODE).await;
        if number % TWICE_SEEN == 0 {
            if number % (2 * TWICE_SEEN) == 0 {
                pipeline.notify(notice.clone(), QUEUE).await;
            } else {
                late.push_back((number + BEHIND, notice.clone()));
            }
            if number % (3 * TWICE_SEEN) == 0 {
                late.push_back((number + BEHIND, notice));
            }
        }
        while let Some((_, notice)) = late.pop_front_if(|(due, _)| *due <= number) {
            pipeline.notify(notice, QUEUE).await;
        }
        if number % 40 == 0 {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    }
    for (_, notice) in late {
        pipeline.notify(notice, QUEUE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_notices_under_kills() {
    let mut dice = StdRng::seed_from_u64(seed());
    let nats = Nats::start().await.unwrap();
    let pipeline = Pipeline::prepare(PROGRAMS, &[nats.url()], Profile::LOCAL).await;
    let rules = tempfile::tempdir().unwrap();
    let file = rules.path().join("rules.yaml");
    std::fs::write(&file, RULES).unwrap();
    let pause = Duration::from_millis(10);
    let routers = [
        pipeline.router("router-1", Some(&file)),
        pipeline.router("router-2", Some(&file)),
    ];
    let workers = [
        pipeline.worker("worker-1", pause),
        pipeline.worker("worker-2", pause),
    ];
    for process in routers.iter().chain(&workers) {
        process.ready().await;
    }
    let instances: Vec<_> = (0..NOTICES).map(|number| format!("i-{number:04}")).collect();

    let mut kills = Kills::default();
    let killing = async {
        for _ in 0..KILLS {
            tokio::time::sleep(Duration::from_millis(dice.random_range(50..900))).await;
            // The server now and then; workers and routers most of the time.
            if dice.random_range(0..8) == 0 {
                nats.kill();
                tokio::time::sleep(Duration::from_millis(dice.random_range(0..1_500))).await;
                nats.restart().await.unwrap();
                continue;
            }
            let processes: Vec<&Process> = routers.iter().chain(&workers).collect();
            let victim = processes.choose(&mut dice).unwrap();
            kills.kill(victim);
            tokio::time::sleep(Duration::from_millis(dice.random_range(0..700))).await;
            victim.worker.restart().unwrap();
        }
    };
    let began = Instant::now();
    tokio::join!(tell(&pipeline, &instances), killing);
    println!("{NOTICES} notices and {KILLS} kills in {:.1?}", began.elapsed());

    let books = Books::when_finished(&pipeline.bus, NOTICES, Duration::from_secs(240)).await;
    println!("all runs finished after {:.1?}", began.elapsed());
    books.assert_sound();
    assert_once_in_effect(&pipeline.world, &instances, &["drain", "asg-swap"], &kills);
    assert_eq!(books.incidents.len(), NOTICES);
    for incident in books.incidents.values() {
        assert_eq!(
            (incident.generation, incident.facts.len()),
            (1, 1),
            "whoever told it how often: {incident:?}"
        );
    }
    assert_eq!(books.outcomes.len(), 2 * NOTICES, "one outcome an action");
    let wrong: Vec<_> = books
        .outcomes
        .values()
        .flatten()
        .filter(|outcome| outcome.result != "succeeded")
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(
        pipeline.bus.dead_range().await.unwrap(),
        None,
        "nothing is a dead letter"
    );
}
