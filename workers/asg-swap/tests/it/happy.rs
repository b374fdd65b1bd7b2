//! A replacement in, the old one out.

use hollowtrees_harness::aws::NewGroup;
use serde_json::json;

use crate::world::{World, detail};

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_a_template_gets_a_replacement_before_the_old_one_goes() {
    let mut world = World::new().await;
    let group = NewGroup::new("web").sizes(2, 2, 3).tag("team", "x", true);
    let old = world.group(&group).await.remove(0);
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let mut facts = Vec::new();
    let outcome = loop {
        let outcome = world.next().await;
        if outcome.result != "progress" {
            break outcome;
        }
        facts.push(outcome.reason);
    };
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(
        facts,
        ["launched", "running", "attached", "in-service", "detached"]
    );
    let new = world.swapped("web", &old, (2, 2, 3)).await;
    assert_eq!(
        outcome.message,
        format!("{} is in web in place of {old}.", new.id)
    );
    let told = detail(&outcome);
    assert_eq!(
        (
            &told["replacement"],
            &told["type"],
            &told["restored"],
            &told["room"]
        ),
        (&json!(new.id), &json!("m5.large"), &json!(true), &json!(0.0))
    );
    assert_eq!((&new.tags["team"], new.spot), (&"x".to_owned(), false));
    // An interruption ends the old one; there was room, so that MaxSize was not touched.
    assert_eq!(world.instance(&old).await.state, "running");
    let writes: Vec<String> = world.aws.writes().into_iter().map(|call| call.action).collect();
    assert_eq!(writes, ["RunInstances", "AttachInstances", "DetachInstances"]);
    let record = world.record("web").await;
    assert_eq!(
        (record.lease, record.swaps[0].result.as_str()),
        (None, "succeeded")
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_mixed_group_gets_room_a_spot_instance_of_the_cheapest_pool_and_its_max_back() {
    let mut world = World::new().await;
    let group = NewGroup::new("mixed")
        .zones(&["us-east-1a", "us-east-1b"])
        .types(&["m5.large", "m4.large"])
        .sizes(2, 2, 2)
        .spot();
    let old = world.group(&group).await.remove(0);
    let zone = world.instance(&old).await.zone;
    // The cheapest is the interrupted pool itself; the next one is of the other type.
    for (instance_type, dollars) in [("m5.large", 0.02), ("m4.large", 0.03)] {
        world.aws.set_spot_price(instance_type, &zone, dollars);
    }
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("mixed", &old, (2, 2, 2)).await;
    assert_eq!(
        (new.instance_type.as_str(), &new.zone, new.spot),
        ("m4.large", &zone, true)
    );
    let told = detail(&outcome);
    assert_eq!((&told["room"], &told["market"]), (&json!(1.0), &json!("spot")));
    let writes: Vec<String> = world.aws.writes().into_iter().map(|call| call.action).collect();
    assert_eq!(
        writes,
        [
            "RunInstances",
            "UpdateAutoScalingGroup",
            "AttachInstances",
            "DetachInstances",
            "UpdateAutoScalingGroup"
        ]
    );
    let record = world.record("mixed").await;
    assert_eq!(
        (record.base_max, record.written_max, record.pending),
        (0, 0, None)
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_of_an_advice_is_ended_after_its_drain() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("advised")).await.remove(0);
    world.incident(&old, "open").await;
    world.drain(&old, "published", "").await;
    let worker = world.worker().await;
    world.send(&world.action(&old, "advisory")).await;
    world.fact("detached").await;
    let looks = world.aws.count("DescribeInstances");
    hollowtrees_harness::eventually("some more looks", crate::world::BOUND, async || {
        world.aws.count("DescribeInstances") > looks + 3
    })
    .await;
    assert_eq!(world.instance(&old).await.state, "running");
    world.drain(&old, "done", "succeeded").await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(detail(&outcome)["old_terminated"], true);
    assert_eq!(world.instance(&old).await.state, "terminated");
    world.swapped("advised", &old, (1, 1, 2)).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_that_leaves_first_leaves_desired_as_it_was() {
    let mut world = World::new().await;
    let old = world
        .group(&NewGroup::new("early").sizes(1, 2, 3))
        .await
        .remove(0);
    world.aws.hold_replacements(true).await.unwrap();
    world.aws.set_delays(hollowtrees_harness::aws::Delays {
        in_service: std::time::Duration::from_secs(3600),
        ..Default::default()
    });
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    world.fact("attached").await;
    world.aws.interrupt(&old).await.unwrap();
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert!(outcome.message.contains("the old left first"), "{outcome:?}");
    assert_eq!(detail(&outcome)["old_left_first"], true);
    world.swapped("early", &old, (1, 2, 3)).await;
    assert_eq!(world.aws.count("DetachInstances"), 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_group_has_replaced_itself_is_not_replaced_twice() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("own").sizes(1, 2, 3)).await.remove(0);
    world.aws.set_delays(hollowtrees_harness::aws::Delays {
        running: std::time::Duration::from_secs(3600),
        ..Default::default()
    });
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    world.fact("launched").await;
    world.aws.interrupt(&old).await.unwrap();
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("skipped", "old-left-first"),
        "{outcome:?}"
    );
    assert!(world.replacements(&old).await.is_empty());
    assert_eq!(world.sizes("own").await, (1, 2, 3));
    assert_eq!(world.members("own").await.len(), 2);
    worker.stop().await;
}
