//! What is not touched, and why.

use hollowtrees_harness::aws::NewGroup;
use hollowtrees_schemas::proto;
use serde_json::json;

use crate::world::{World, detail, params};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_to_swap_is_skipped_with_its_reason() {
    let mut world = World::with(&[("HT_SWAP__GROUPS", "named")]).await;
    let new = NewGroup::new;
    let unmanaged = world.group(&new("unmanaged").unmanaged()).await.remove(0);
    let named = world.group(&new("named").unmanaged()).await.remove(0);
    let own = world
        .group(&new("own").spot().capacity_rebalance())
        .await
        .remove(0);
    let node_group = world
        .group(&new("nodes").tag("eks:nodegroup-name", "n", true))
        .await
        .remove(0);
    let none = world
        .group(&new("none").tag("hollowtrees.io/strategy", "none", false))
        .await
        .remove(0);
    let leaving = world.group(&new("leaving")).await.remove(0);
    world
        .aws
        .set_member_state(&leaving, Some("Terminating:Wait"))
        .await
        .unwrap();
    let worker = world.worker().await;
    let cases = [
        (unmanaged.as_str(), "not-managed"),
        (&own, "group-replaces-itself"),
        (&node_group, "group-replaces-itself"),
        (&none, "strategy-none"),
        (&leaving, "leaving"),
        ("i-0123456789abcdef0", "not-in-group"),
    ];
    for (instance, reason) in cases {
        world.send(&world.action(instance, "certain")).await;
        let outcome = world.end().await;
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str()),
            ("skipped", reason),
            "{outcome:?}"
        );
    }
    assert_eq!(world.aws.writes().len(), 0, "{:?}", world.aws.writes());
    // Named in the configuration it needs no tag.
    world.send(&world.action(&named, "certain")).await;
    assert_eq!(world.end().await.result, "succeeded");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_and_a_test_write_nothing() {
    let mut world = World::new().await;
    let group = NewGroup::new("dry")
        .zones(&["us-east-1a", "us-east-1b"])
        .types(&["m5.large", "m4.large"]);
    let old = world.group(&group.sizes(1, 1, 1).spot()).await.remove(0);
    let worker = world.worker().await;
    for (mode, result) in [("dry-run", "succeeded"), ("test", "skipped")] {
        let id = if mode == "test" { "0" } else { "1" }.repeat(32);
        let action = proto::Action {
            id,
            mode: mode.to_owned(),
            ..world.action(&old, "certain")
        };
        world.send(&action).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, result, "{outcome:?}");
        if mode == "dry-run" {
            assert!(outcome.message.starts_with("Dry run: "), "{outcome:?}");
            let told = detail(&outcome);
            assert_eq!(told["choices"].as_array().unwrap().len(), 4);
            assert_eq!((&told["room"], &told["market"]), (&json!(1.0), &json!("spot")));
        }
    }
    assert_eq!(world.aws.writes().len(), 0, "{:?}", world.aws.writes());
    let key = hollowtrees_schemas::key::group(crate::world::ACCOUNT, crate::world::REGION, "dry");
    assert!(world.bus.groups().get(&key).await.unwrap().is_none());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_action_cannot_mean_is_a_dead_letter_with_a_remedy() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("odd")).await.remove(0);
    let tagged = NewGroup::new("tagged").tag("hollowtrees.io/strategy", "swop", false);
    let tagged = world.group(&tagged).await.remove(0);
    let worker = world.worker().await;
    let base = world.action(&old, "certain");
    let cases = [
        (
            proto::Action {
                params: params(json!({"strategy": "swop"})),
                ..base.clone()
            },
            "unknown-strategy",
            "give swap, detach, terminate or none",
        ),
        (
            proto::Action {
                params: params(json!({"wait": "1m"})),
                id: "a".repeat(32),
                ..base.clone()
            },
            "unknown-param",
            "`wait`",
        ),
        (
            proto::Action {
                target: Some(proto::Target {
                    region: String::new(),
                    ..base.target.clone().unwrap()
                }),
                id: "b".repeat(32),
                ..base.clone()
            },
            "no-region",
            "HT_AWS__REGION",
        ),
        (
            world.action(&tagged, "certain"),
            "unknown-strategy",
            "correct the tag",
        ),
    ];
    for (action, reason, remedy) in cases {
        world.send(&action).await;
        let outcome = world.end().await;
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str()),
            ("failed", reason),
            "{outcome:?}"
        );
        assert!(outcome.message.contains(remedy), "{outcome:?}");
    }
    assert_eq!(world.aws.writes().len(), 0);
    worker.stop().await;
}
