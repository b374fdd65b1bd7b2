//! The other ways, and who says which.

use hollowtrees_harness::aws::NewGroup;
use hollowtrees_schemas::proto;
use serde_json::json;

use crate::world::{World, params};

#[tokio::test(flavor = "multi_thread")]
async fn detach_and_terminate_leave_the_replacing_to_the_group() {
    let mut world = World::new().await;
    let tagged = |name: &str, strategy: &str| {
        NewGroup::new(name)
            .sizes(1, 2, 2)
            .tag("hollowtrees.io/strategy", strategy, false)
    };
    let detached = world.group(&tagged("detached", "detach")).await.remove(0);
    let ended = world.group(&tagged("ended", "terminate")).await.remove(0);
    // The action's word goes before the tag.
    let asked = world.group(&tagged("asked", "none")).await.remove(0);
    for old in [&detached, &ended, &asked] {
        world.undrained(old).await;
    }
    let worker = world.worker().await;
    world.send(&world.action(&detached, "certain")).await;
    assert_eq!(world.end().await.result, "succeeded");
    world.send(&world.action(&ended, "certain")).await;
    assert_eq!(world.end().await.result, "succeeded");
    let action = proto::Action {
        params: params(json!({"strategy": "detach"})),
        ..world.action(&asked, "advisory")
    };
    world.send(&action).await;
    assert_eq!(world.end().await.result, "succeeded");
    for (group, old, state) in [
        ("detached", &detached, "running"),
        ("ended", &ended, "terminated"),
        // Nothing interrupts it, so that it would go on costing.
        ("asked", &asked, "terminated"),
    ] {
        let members = world.members(group).await;
        assert!(
            !members.contains(old) && members.len() == 2,
            "{group}: {members:?}"
        );
        assert_eq!(world.sizes(group).await, (1, 2, 2));
        assert_eq!(world.instance(old).await.state, state, "{group}");
        assert!(world.replacements(old).await.is_empty());
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terminate_waits_for_the_drain() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("drained")).await.remove(0);
    // No record is not no drain: it may only not be read yet.
    let worker = world.worker().await;
    let action = proto::Action {
        params: params(json!({"strategy": "terminate"})),
        ..world.action(&old, "certain")
    };
    world.send(&action).await;
    hollowtrees_harness::eventually("some looks", crate::world::BOUND, async || {
        world.aws.count("DescribeAutoScalingGroups") > 4
    })
    .await;
    assert_eq!(world.aws.writes().len(), 0);
    world.incident(&old, "open").await;
    world.drain(&old, "published", "").await;
    let looks = world.aws.count("DescribeAutoScalingGroups");
    hollowtrees_harness::eventually("more looks", crate::world::BOUND, async || {
        world.aws.count("DescribeAutoScalingGroups") > looks + 4
    })
    .await;
    assert_eq!(world.aws.writes().len(), 0);
    world.drain(&old, "done", "succeeded").await;
    assert_eq!(world.end().await.result, "succeeded");
    assert_eq!(world.instance(&old).await.state, "terminated");
    worker.stop().await;
}
