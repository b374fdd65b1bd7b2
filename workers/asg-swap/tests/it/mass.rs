//! Many instances of many groups at once: what they have in common is one call.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hollowtrees_harness::{
    aws::{Delays, NewGroup, Service},
    eventually,
};
use hollowtrees_schemas::{
    key,
    proto::{self, time::to_proto},
};

use crate::world::{ACCOUNT, APART, BOUND, REGION, World};

const GROUPS: usize = 20;
const EACH: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_swaps_of_twenty_groups_take_two_calls_each_at_most() {
    wave("certain").await;
}

/// The old instances, which nobody interrupts, are ended too.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_swaps_for_advice_take_two_calls_each_at_most() {
    wave("advisory").await;
}

async fn wave(certainty: &str) {
    let mut world = World::with(&[("HT_SWAP__POLL", "2s")]).await;
    let mut olds = Vec::new();
    for number in 0..GROUPS {
        let name = format!("g-{number}");
        let group = NewGroup::new(&name)
            .zones(&["us-east-1a", "us-east-1b"])
            .sizes(EACH, EACH, EACH);
        olds.extend(
            world
                .group(&group)
                .await
                .into_iter()
                .map(|old| (name.clone(), old)),
        );
    }
    // Not group by group, as little as a cloud does.
    olds.sort_by_key(|(_, old)| old.chars().rev().collect::<String>());
    world.aws.set_delays(Delays {
        running: Duration::from_secs(2),
        in_service: Duration::from_secs(2),
    });
    world.aws.forget_calls();
    if certainty != "certain" {
        for (_, old) in &olds {
            world.undrained(old).await;
        }
    }
    let worker = world.worker().await;
    for (_, old) in &olds {
        world.send(&world.action(old, certainty)).await;
    }
    let mut by: BTreeMap<String, usize> = BTreeMap::new();
    for _ in &olds {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        *by.entry(outcome.worker.unwrap_or_default().process).or_default() += 1;
    }
    println!("by {by:?}");
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    let mut tokens = BTreeSet::new();
    for call in world.aws.calls() {
        tokens.extend(call.get("ClientToken").map(str::to_owned));
        *calls.entry(call.action).or_default() += 1;
    }
    println!("{} swaps: {calls:?}", olds.len());
    // One that is not answered in time is repeated, by its token.
    assert_eq!(tokens.len(), olds.len());
    assert!(calls.remove("RunInstances").is_some());
    let others: usize = calls.values().sum();
    // Few calls come of it that one process works them all.
    let is_apart = std::env::var_os(APART).is_some();
    assert!(
        is_apart || others <= 2 * olds.len(),
        "{others} calls apart from launches for {} swaps: {calls:?}",
        olds.len()
    );
    let mut replacements = BTreeSet::new();
    let all = world.aws.instances().await.unwrap();
    for number in 0..GROUPS {
        let name = format!("g-{number}");
        assert_eq!(world.sizes(&name).await, (EACH, EACH, EACH), "{name}");
        replacements.extend(world.members(&name).await);
        let record = world.record(&name).await;
        assert_eq!(
            (record.base_max, record.written_max, record.written_desired),
            (0, 0, None),
            "{name}"
        );
    }
    assert_eq!(replacements.len(), olds.len());
    assert!(olds.iter().all(|(_, old)| !replacements.contains(old)));
    assert_eq!(all.len(), 2 * olds.len(), "nothing else was launched");
    let ended = all.iter().filter(|found| found.state == "terminated").count();
    assert_eq!(ended, if certainty == "certain" { 0 } else { olds.len() });
    worker.stop().await;
}

/// Swaps all of a group, and counts the calls for several instances, and those for one.
async fn swap_all(world: &mut World, group: &str, call: &str) -> (usize, usize) {
    let olds = world.group(&NewGroup::new(group).sizes(4, 4, 4)).await;
    for old in &olds {
        world.send(&world.action(old, "certain")).await;
    }
    for _ in &olds {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    }
    for old in &olds {
        world.swapped(group, old, (4, 4, 4)).await;
    }
    let calls = world.aws.calls();
    let made = calls.iter().filter(|made| made.action == call);
    let (several, one): (Vec<_>, Vec<_>) =
        made.partition(|made| made.params.contains_key("InstanceIds.member.2"));
    (several.len(), one.len())
}

/// A refusal that may be about one of several is asked for each alone.
async fn refused_together(call: &str) {
    let mut world = World::new().await;
    world.aws.set_delays(Delays {
        running: Duration::from_secs(3),
        in_service: Duration::from_secs(1),
    });
    let worker = world.worker().await;
    let (several, _) = swap_all(&mut world, "together", call).await;
    assert!(several >= 1, "they are asked for together");
    // Only a call for two or more has a second instance. What a fault answers is not among the calls.
    let fault = Service::AutoScaling
        .fault("ValidationError", 400)
        .containing(format!("Action={call}&"))
        .containing("InstanceIds.member.2=");
    world.aws.inject(fault);
    assert_eq!(swap_all(&mut world, "apart", call).await, (0, 4));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_attached_together_is_attached_one_by_one() {
    refused_together("AttachInstances").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_detached_together_is_detached_one_by_one() {
    refused_together("DetachInstances").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_attached_holds_up_no_other() {
    let mut world = World::new().await;
    let olds = world.group(&NewGroup::new("some").sizes(3, 3, 3)).await;
    world.aws.set_delays(Delays {
        running: Duration::from_secs(2),
        in_service: Duration::from_millis(500),
    });
    let worker = world.worker().await;
    for old in &olds {
        world.send(&world.action(old, "certain")).await;
    }
    hollowtrees_harness::eventually("a replacement of the first", BOUND, async || {
        world.replacements(&olds[0]).await.len() == 1
    })
    .await;
    let bad = world.replacements(&olds[0]).await.remove(0).id;
    // Refused whenever it is named, alone or with others.
    let fault = Service::AutoScaling
        .fault("ValidationError", 400)
        .containing("Action=AttachInstances&")
        .containing(bad.clone());
    world.aws.inject(fault);
    let (mut swapped, mut failed) = (0, 0);
    for _ in &olds {
        let outcome = world.end().await;
        match (outcome.result.as_str(), outcome.instance == olds[0]) {
            ("succeeded", false) => swapped += 1,
            ("failed", true) => failed += 1,
            _ => panic!("{outcome:?}"),
        }
    }
    assert_eq!((swapped, failed), (2, 1));
    for old in &olds[1..] {
        world.swapped("some", old, (3, 3, 3)).await;
    }
    assert!(world.members("some").await.contains(&olds[0]));
    assert_eq!(world.instance(&bad).await.state, "terminated");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_launches_are_throttled_the_earliest_deadline_goes_first() {
    const MANY: u32 = 24;
    const TAKEN: f64 = 4.0;
    let mut world = World::new().await;
    let olds = world.group(&NewGroup::new("slow").sizes(MANY, MANY, MANY)).await;
    // None, until all of them are there: who comes late cannot be first.
    world.aws.set_launch_rate(0, TAKEN);
    world.aws.forget_calls();
    let worker = world.worker().await;
    let now = jiff::Timestamp::now();
    // The last one that is sent is the first that goes.
    for (number, old) in (1..).zip(&olds) {
        let deadline = now + jiff::SignedDuration::from_secs(600 - 10 * number);
        let action = proto::Action {
            deadline: Some(to_proto(deadline)),
            ..world.action(old, "certain")
        };
        world.send(&action).await;
    }
    let key = key::group(ACCOUNT, REGION, "slow");
    eventually("all swaps to be open", BOUND, async || {
        let record = world.bus.groups().get(&key).await.unwrap();
        record.is_some_and(|record| record.value.swaps.len() == olds.len())
    })
    .await;
    world.aws.set_launch_rate(2, TAKEN);
    let mut launched = Vec::new();
    let mut ended = 0;
    while ended < olds.len() {
        let outcome = world.next().await;
        match (outcome.result.as_str(), outcome.reason.as_str()) {
            ("succeeded", _) => ended += 1,
            ("progress", "launched") => launched.push(outcome.instance),
            ("progress", _) => {}
            _ => panic!("{outcome:?}"),
        }
    }
    let calls = world.aws.count("RunInstances");
    println!("{MANY} launches by {calls} calls");
    // Each is refused once at first; from then on few are.
    assert!(calls <= 3 * olds.len(), "{calls} calls");
    // Those that were taken before any was refused apart, the urgent half goes before the other.
    let urgent = &olds[olds.len() / 2..];
    let half = &launched[..olds.len() / 2];
    let of_them = half.iter().filter(|old| urgent.contains(old)).count();
    assert!(
        of_them >= half.len() - 4,
        "{of_them} of {}: {launched:?}",
        half.len()
    );
    worker.stop().await;
}
