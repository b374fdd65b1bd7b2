//! Every process of the whole pipeline, the bus server included, killed at random moments under a thousand notices:
//! each node drained once, each instance replaced once, every run finished. Read from the servers.
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

mod cloud;
mod cluster;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hollowtrees_e2e::{checker::Books, kills::seed};
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    names::{kind, result},
    outgoing, proto,
};
use hollowtrees_stage::{Machine, Process, Rig, Role, machines};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

const GROUPS: usize = 10;
const MACHINES: u32 = 10;
const PODS: usize = 2;
const STEADY: usize = 6;
const KILLS: usize = 20;
const NODE: &str = "/aws/123456789012/us-east-1/imds";
const QUEUE: &str = "/aws/123456789012/us-east-1/sqs";
const NAMESPACE: &str = "shop";
/// Two rules ask for the same drain and swap, a third for the drain on the group's own word.
const RULES: &str = "
version: 1
rules:
  - name: interruption
    match: { exact: { data.kind: spot-interruption } }
    steps:
      - actions: [drain, asg-swap]
  - name: again
    match: { exact: { data.kind: spot-interruption } }
    steps:
      - actions: [asg-swap]
      - actions: [drain]
  - name: leaving
    match: { exact: { data.kind: asg-terminating } }
    steps:
      - actions: [drain]
";

/// What is said of each machine, ten times in all, in an order that the dice make: by its node and by a queue, some
/// of it again.
fn notices(machines: &[Machine], dice: &mut StdRng) -> Vec<(proto::Notice, &'static str)> {
    let mut all = Vec::new();
    for machine in machines {
        let interruption = machine.notice("spot-interruption", 1_800);
        let rebalance = machine.notice("rebalance-recommendation", 1_800);
        let leaving = machine.notice("asg-terminating", 3_600);
        for source in [NODE, QUEUE] {
            all.push((rebalance.clone(), source));
            all.push((interruption.clone(), source));
            all.push((interruption.clone(), source));
            all.push((leaving.clone(), source));
            all.push((machine.notice("instance-state-change", 1_800), source));
        }
    }
    all.shuffle(dice);
    all
}

async fn tell(rig: &Rig, notices: Vec<(proto::Notice, &str)>) {
    for (number, (notice, source)) in notices.into_iter().enumerate() {
        let envelope = envelope::notice(notice, source);
        let message = outgoing::notice(&envelope, DataFormat::Json).unwrap();
        rig.bus.publish(&message, None).await.unwrap();
        if number % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// Kills one of all at a time; it comes back a moment later. Everyone once first, in any order, then whom the dice
/// choose.
async fn kill(rig: &Rig, processes: &[Process], dice: &mut StdRng) -> BTreeMap<&'static str, usize> {
    let mut killed = BTreeMap::new();
    let mut victims: Vec<usize> = (0..=processes.len()).collect();
    victims.shuffle(dice);
    while victims.len() < KILLS {
        victims.push(dice.random_range(0..=processes.len()));
    }
    for victim in victims {
        tokio::time::sleep(Duration::from_millis(dice.random_range(200..2_500))).await;
        let down = Duration::from_millis(dice.random_range(0..1_000));
        let Some(process) = processes.get(victim) else {
            rig.nats.kill();
            tokio::time::sleep(down).await;
            rig.nats.restart().await.unwrap();
            *killed.entry("nats-server").or_default() += 1;
            continue;
        };
        process.worker.kill();
        tokio::time::sleep(down).await;
        process.worker.restart().unwrap();
        *killed.entry(process.role.name()).or_default() += 1;
    }
    killed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_notices_while_everything_is_killed() {
    let mut dice = StdRng::seed_from_u64(seed());
    let rig = Rig::set(env!("CARGO_BIN_EXE_hollowtrees-stage"), RULES)
        .await
        .unwrap();
    let mut all = Vec::new();
    for number in 0..GROUPS {
        // Every other group is full: there is no room above its desired capacity.
        let max = if number % 2 == 0 { MACHINES } else { MACHINES + 4 };
        let group = format!("group{number}");
        all.extend(
            machines::make(&rig.aws, &rig.kubernetes, &group, MACHINES, max)
                .await
                .unwrap(),
        );
    }
    let replicas = all.len() * PODS;
    machines::deploy(&rig.kubernetes, NAMESPACE, replicas)
        .await
        .unwrap();
    machines::make_steady(&rig.kubernetes, STEADY).await.unwrap();
    let before = cloud::groups(&rig.aws, GROUPS).await;
    let residents = cluster::residents(&rig, &all).await;

    let mut processes = Vec::new();
    for role in [Role::Router, Role::Drain, Role::AsgSwap, Role::Metrics] {
        for replica in 1..=2 {
            processes.push(rig.start(role, &format!("{}-{replica}", role.name())).unwrap());
        }
    }
    for process in &processes {
        process.ready().await.unwrap();
    }

    let began = Instant::now();
    let notices = notices(&all, &mut dice);
    let told = notices.len();
    let ((), killed) = tokio::join!(tell(&rig, notices), kill(&rig, &processes, &mut dice));
    println!(
        "{told} notices and {KILLS} kills in {:.1?}: {killed:?}",
        began.elapsed()
    );

    let kinds: Vec<_> = killed.keys().copied().collect();
    assert_eq!(kinds, ["asg-swap", "drain", "metrics", "nats-server", "router"]);

    let books = Books::when_finished(&rig.bus, all.len(), Duration::from_secs(300)).await;
    println!("all runs finished after {:.1?}", began.elapsed());
    books.assert_sound();
    assert_eq!(books.incidents.len(), all.len());
    let wanted: BTreeMap<_, _> = [kind::DRAIN, kind::ASG_SWAP]
        .map(|kind| ((kind.to_owned(), result::SUCCEEDED.to_owned()), all.len()))
        .into();
    assert_eq!(books.results(), wanted, "one drain and one swap a machine");
    assert_eq!(
        rig.bus.dead_range().await.unwrap(),
        None,
        "nothing is a dead letter"
    );

    cluster::assert_drained_once(&rig, &all, &residents, replicas).await;
    cloud::assert_swapped_once(&rig.aws, &all, &before, &books).await;
}
