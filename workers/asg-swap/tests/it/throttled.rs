//! What AWS throttles for a while in the midst of many swaps: each goes on, and together they ask seldom.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_harness::{
    aws::{Delays, NewGroup, Service},
    eventually,
    proxy::Fault,
};
use tokio::time::Instant;

use crate::world::{BOUND, World, replicas};

const GROUPS: [&str; 2] = ["first", "second"];
const EACH: u32 = 10;
/// As long as that.
const THROTTLED: Duration = Duration::from_secs(3);

/// Throttles these calls until all of them were refused more than once, and for a while; then no more. How often each was
/// refused, and within what time.
async fn throttle(world: &World, calls: &[(Service, &'static str)], begin: impl AsyncFnOnce()) -> Throttled {
    let since = Instant::now();
    let faults: Vec<(&str, Fault)> = calls
        .iter()
        .map(|(service, call)| {
            let fault = match service {
                Service::Ec2 => service.fault("RequestLimitExceeded", 503),
                _ => service.fault("Throttling", 400),
            };
            let fault = fault.containing(format!("Action={call}&"));
            world.aws.inject(fault.clone());
            (*call, fault)
        })
        .collect();
    begin().await;
    eventually("all to be throttled", BOUND, async || {
        faults.iter().all(|(_, fault)| fault.struck() > 1)
    })
    .await;
    tokio::time::sleep(THROTTLED).await;
    world.aws.heal();
    Throttled {
        // A call that was under way is answered after that.
        within: since.elapsed(),
        struck: faults
            .into_iter()
            .map(|(call, fault)| (call, fault.struck()))
            .collect(),
    }
}

struct Throttled {
    within: Duration,
    struck: Vec<(&'static str, usize)>,
}

/// How many calls fit into a time with these pauses between them.
fn calls(within: Duration, pauses: impl Iterator<Item = Duration>) -> usize {
    let mut at = Duration::ZERO;
    let later = pauses.take_while(|pause| {
        at += *pause;
        at <= within
    });
    1 + later.count()
}

/// The pause before the next call of a kind that reads, whoever asks: the kind's own, from a quarter of a second, doubled with each
/// call that is throttled, up to 8 s (`SLOWER` of `reads.rs`).
fn of_a_kind() -> impl Iterator<Item = Duration> {
    (0..).map(|throttled| {
        (Duration::from_millis(250) * 2_u32.saturating_pow(throttled)).min(Duration::from_secs(8))
    })
}

/// The least pause between two calls that attach what is of one group. Who was in a call that is throttled asks again after a second,
/// which is what AWS's silence on that is taken for, or a fifth less (`backoff` of `cloud.rs`, `pause` of `saga.rs`). While one of them
/// is not back, whoever makes the next call waits for it, for nine others 900 ms (`GATHERS` of `desk.rs`).
fn of_a_group() -> impl Iterator<Item = Duration> {
    std::iter::repeat(Duration::from_millis(800))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_outlasts_what_is_throttled_for_a_while_by_few_calls() {
    // One request a call: the SDK repeats none, so that what is counted is ours.
    let mut world = World::with(&[("HT_AWS__ATTEMPTS", "1")]).await;
    let mut olds = Vec::new();
    for name in GROUPS {
        let members = world.group(&NewGroup::new(name).sizes(EACH, EACH, EACH)).await;
        olds.extend(members.into_iter().map(|old| (name, old)));
    }
    world.aws.set_delays(Delays {
        running: THROTTLED,
        in_service: Duration::from_secs(1),
    });
    let worker = world.worker().await;
    let looks = [
        (Service::AutoScaling, "DescribeAutoScalingInstances"),
        (Service::Ec2, "DescribeInstances"),
    ];
    // As they begin, each asks both.
    let looks = throttle(&world, &looks, async || {
        for (_, old) in &olds {
            world.send(&world.action(old, "certain")).await;
        }
    })
    .await;
    // As they are launched, each asks for its group, again and again.
    let mut launched = 0;
    let mut ended = 0;
    while launched == 0 {
        launched += usize::from(world.next().await.reason == "launched");
    }
    let groups = [(Service::AutoScaling, "DescribeAutoScalingGroups")];
    let groups = throttle(&world, &groups, async || {}).await;
    let attach = [(Service::AutoScaling, "AttachInstances")];
    let attach = throttle(&world, &attach, async || {}).await;
    let of_a_kind = |throttled: &Throttled| calls(throttled.within, of_a_kind());
    let of_groups = GROUPS.len() * calls(attach.within, of_a_group());
    for (throttled, most) in [
        (&looks, of_a_kind(&looks)),
        (&groups, of_a_kind(&groups)),
        (&attach, of_groups),
    ] {
        // What one process knows another one does not.
        let (most, within) = (replicas() * most, throttled.within);
        for (call, struck) in &throttled.struck {
            println!("{struck} times {call} in {within:?}, {most} at most");
            assert!(
                *struck <= most,
                "{struck} times {call} in {within:?}, more than {most}"
            );
        }
    }
    while ended < olds.len() {
        let outcome = world.next().await;
        if outcome.result != "progress" {
            assert_eq!(outcome.result, "succeeded", "{outcome:?}");
            ended += 1;
        }
    }
    let mut replacements = BTreeSet::new();
    for (name, old) in &olds {
        replacements.insert(world.swapped(name, old, (EACH, EACH, EACH)).await.id);
    }
    assert_eq!(replacements.len(), olds.len());
    for name in GROUPS {
        let members: BTreeSet<_> = world.members(name).await.into_iter().collect();
        assert!(
            members.len() == EACH as usize && members.is_subset(&replacements),
            "{members:?}"
        );
    }
    assert_eq!(
        world.aws.instances().await.unwrap().len(),
        2 * olds.len(),
        "nothing else was launched"
    );
    worker.stop().await;
}
