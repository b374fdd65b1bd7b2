//! Several swaps: of one group, of one instance.

use hollowtrees_harness::aws::{Delays, NewGroup, Service};
use std::{collections::BTreeSet, time::Duration};

use crate::world::{BOUND, REGION, World, detail};

#[tokio::test(flavor = "multi_thread")]
async fn five_instances_of_one_group_are_swapped_side_by_side() {
    let mut world = World::new().await;
    let group = NewGroup::new("five")
        .zones(&["us-east-1a", "us-east-1b"])
        .sizes(5, 5, 5);
    let olds = world.group(&group).await;
    world.aws.set_delays(Delays {
        running: Duration::from_secs(1),
        in_service: Duration::from_secs(2),
    });
    let workers = [world.worker().await, world.worker().await];
    for old in &olds {
        world.send(&world.action(old, "certain")).await;
    }
    // All are launched before the first is in: they do not wait for each other.
    let mut launched = 0;
    let mut ended = 0;
    while ended < olds.len() {
        let outcome = world.next().await;
        match (outcome.result.as_str(), outcome.reason.as_str()) {
            ("progress", "launched") => {
                assert_eq!(ended, 0, "a launch waited for another swap's end");
                launched += 1;
            }
            ("progress", _) => {}
            _ => {
                assert_eq!(outcome.result, "succeeded", "{outcome:?}");
                ended += 1;
            }
        }
    }
    assert_eq!(launched, 5);
    let mut replacements = BTreeSet::new();
    for old in &olds {
        replacements.insert(world.swapped("five", old, (5, 5, 5)).await.id);
    }
    assert_eq!(replacements.len(), 5);
    let record = world.record("five").await;
    assert_eq!(
        (record.base_max, record.written_max, record.written_desired),
        (0, 0, None)
    );
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_one_name_in_two_regions_are_two() {
    const OTHER: &str = "eu-west-1";
    let mut world = World::new().await;
    let here = world.group(&NewGroup::new("twin")).await.remove(0);
    let there = NewGroup::new("twin").region(OTHER).zones(&["eu-west-1a"]);
    let there = world.group(&there).await.remove(0);
    let worker = world.worker().await;
    let in_region = |instance: &str, region: &str| {
        let mut action = world.action(instance, "certain");
        region.clone_into(&mut action.target.as_mut().unwrap().region);
        action
    };
    let [first, second] = [in_region(&there, OTHER), in_region(&here, REGION)];
    for (action, old, region) in [(first, &there, OTHER), (second, &here, REGION)] {
        world.aws.forget_calls();
        world.send(&action).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        let new = detail(&outcome)["replacement"].as_str().unwrap().to_owned();
        let group = world.aws.group_in(region, "twin").await.unwrap();
        let members: Vec<_> = group.members.iter().map(|(id, _)| id).collect();
        assert_eq!(members, [&new], "{old} is out");
        let calls = world.aws.calls();
        assert!(calls.iter().all(|call| call.region == region), "{calls:?}");
        assert!(calls.iter().any(|call| call.action == "RunInstances"));
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_escalation_waits_for_the_open_swap_and_is_skipped_when_it_was_done() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("twice")).await.remove(0);
    world.undrained(&old).await;
    world.aws.set_delays(Delays {
        in_service: Duration::from_secs(3),
        ..Delays::default()
    });
    let workers = [world.worker().await, world.worker().await];
    world.send(&world.action(&old, "advisory")).await;
    world.fact("attached").await;
    let second = world.action(&old, "certain");
    world.send(&second).await;
    let mut ends = [world.end().await, world.end().await];
    ends.sort_by_key(|outcome| outcome.action_id == second.id);
    assert_eq!(ends[0].result, "succeeded", "{ends:?}");
    assert_eq!(
        (ends[1].result.as_str(), ends[1].reason.as_str()),
        ("skipped", "already-swapped"),
        "{ends:?}"
    );
    world.swapped("twice", &old, (1, 1, 2)).await;
    assert_eq!(world.aws.count("RunInstances"), 1);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_escalation_does_it_itself_when_the_open_swap_came_to_nothing() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("second")).await.remove(0);
    world.aws.set_capacity("m5.large", "us-east-1a", false);
    let worker = world.worker().await;
    world.send(&world.action(&old, "advisory")).await;
    let first = world.end().await;
    assert_eq!(
        (first.result.as_str(), first.reason.as_str()),
        ("failed", "no-capacity")
    );
    world.aws.set_capacity("m5.large", "us-east-1a", true);
    world.send(&world.action(&old, "certain")).await;
    assert_eq!(world.end().await.result, "succeeded");
    world.swapped("second", &old, (1, 1, 2)).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_holders_lease_is_waited_for_no_longer_than_it_lasts() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("held")).await.remove(0);
    let now = jiff::Timestamp::now();
    let until = now + jiff::SignedDuration::from_secs(5);
    let record = hollowtrees_schemas::proto::Group {
        schema: 1,
        lease: Some(hollowtrees_schemas::proto::GroupLease {
            holder: Some(hollowtrees_schemas::proto::Worker {
                process: "dead".to_owned(),
                ..Default::default()
            }),
            action_id: "f".repeat(32),
            until: Some(hollowtrees_schemas::proto::time::to_proto(until)),
        }),
        ..Default::default()
    };
    let key = hollowtrees_schemas::key::group(crate::world::ACCOUNT, crate::world::REGION, "held");
    world.bus.groups().put(&key, &record).await.unwrap();
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    hollowtrees_harness::eventually("the replacement to be launched", BOUND, async || {
        world.aws.count("RunInstances") == 1
    })
    .await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert!(
        jiff::Timestamp::now() >= until,
        "nothing was attached under somebody else's lease"
    );
    world.swapped("held", &old, (1, 1, 2)).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redriven_swap_goes_on_with_what_it_launched_before() {
    let mut world = World::new().await;
    let old = world
        .group(&NewGroup::new("again").sizes(1, 1, 1))
        .await
        .remove(0);
    let action = hollowtrees_schemas::proto::Action {
        redrive: 1,
        ..world.action(&old, "certain")
    };
    let params = [
        ("LaunchTemplate.LaunchTemplateName", "again"),
        ("LaunchTemplate.Version", "1"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("ClientToken", "of-the-first-go"),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "hollowtrees.io/action"),
        ("TagSpecification.1.Tag.1.Value", action.id.as_str()),
        ("TagSpecification.1.Tag.2.Key", "hollowtrees.io/replaces"),
        ("TagSpecification.1.Tag.2.Value", old.as_str()),
    ];
    world
        .aws
        .call(Service::Ec2, "RunInstances", &params)
        .await
        .unwrap();
    let launched = world.replacements(&old).await.remove(0);
    world.aws.forget_calls();
    let worker = world.worker().await;
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(world.swapped("again", &old, (1, 1, 1)).await.id, launched.id);
    assert_eq!(world.aws.count("RunInstances"), 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn room_of_a_swap_that_ended_without_a_word_is_taken_back() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("leak").sizes(1, 1, 3)).await.remove(0);
    let dead = world.action("i-0123456789abcdef0", "certain");
    let record = hollowtrees_schemas::proto::Group {
        schema: 1,
        base_max: 2,
        written_max: 3,
        swaps: vec![hollowtrees_schemas::proto::GroupSwap {
            action_id: dead.id.clone(),
            cluster: dead.cluster.clone(),
            instance: dead.instance.clone(),
            opened_at: Some(hollowtrees_schemas::proto::time::to_proto(
                jiff::Timestamp::now() - jiff::SignedDuration::from_secs(120),
            )),
            room: 1,
            ..Default::default()
        }],
        ..Default::default()
    };
    let key = hollowtrees_schemas::key::group(crate::world::ACCOUNT, crate::world::REGION, "leak");
    world.bus.groups().put(&key, &record).await.unwrap();
    let entry = hollowtrees_schemas::proto::LedgerEntry {
        schema: 1,
        state: "done".to_owned(),
        ..Default::default()
    };
    let key = hollowtrees_schemas::key::ledger(crate::world::CLUSTER, &dead.id.parse().unwrap());
    world.bus.ledger().put(&key, &entry).await.unwrap();
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("leak", &old, (1, 1, 2)).await;
    assert!(
        world
            .record("leak")
            .await
            .swaps
            .iter()
            .all(|swap| !swap.result.is_empty())
    );
    worker.stop().await;
}
