//! The binary itself: killed, and told to go; and what it calls of AWS, beside what the page says it may.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_harness::{
    Worker, aws::Policy, eventually, http_get, ports::Port, process::Builder, supervise::Signal,
};

use crate::world::{BOUND, GROUP, World, word};

/// The page that says which rights the worker needs.
const PAGE: &str = include_str!("../../../../docs/hooks.md");

/// The policy of the page, for groups of this name in this region.
fn policy(region: &str, group: &str) -> Policy {
    let text = PAGE
        .split("```json\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let [in_region, of_group] = ["eu-west-1", "autoScalingGroupName/workers-*"];
    assert!(text.contains(in_region) && text.contains(of_group), "{text}");
    let text = text.replace(in_region, region);
    Policy::parse(&text.replace(of_group, &format!("autoScalingGroupName/{group}"))).unwrap()
}

/// The process, to be started, serving `/readyz` and `/metrics` there.
pub(crate) fn process(world: &World, port: &Port) -> Builder {
    Worker::builder("lifecycle", env!("CARGO_BIN_EXE_hollowtrees-lifecycle"))
        .env("AWS_ENDPOINT_URL", world.aws.url())
        .env("AWS_ACCESS_KEY_ID", "testbed")
        .env("AWS_SECRET_ACCESS_KEY", "testbed")
        .env("AWS_REGION", "us-east-1")
        .env("HT_HOOK__POLL", "100ms")
        .env("HT_NATS__URL", world.nats.url())
        .env("HT_HEALTH__LISTEN", port.addr().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_heartbeats_another_goes_on_and_it_calls_what_the_page_says() {
    let mut world = World::new().await;
    let instance = world.terminating(Duration::from_secs(14)).await;
    world.drain(&instance, "published", "").await;
    let port = Port::reserve().unwrap();
    let url = |path: &str| format!("http://{}{path}", port.addr());
    let first = process(&world, &port).start().unwrap();
    first.ready(&url("/readyz"), BOUND).await.unwrap();
    let mut action = world.action(&instance);
    // Its region comes from the environment.
    action.target.as_mut().unwrap().region = String::new();
    world.send(&action).await;
    eventually("a heartbeat to be noted", BOUND, async || {
        world.checkpoint(&action, "heartbeats").await == "1"
    })
    .await;
    first.signal(Signal::KILL).unwrap();
    first.exited(BOUND).await.unwrap();
    let second = process(&world, &port).start().unwrap();
    world.heartbeats(&instance, 2).await;
    world.drain(&instance, "done", "succeeded").await;
    let outcome = world.end().await;
    assert_eq!(
        (word(&outcome), outcome.attempt),
        (("succeeded", ""), 2),
        "{outcome:?}"
    );
    assert!(!world.wait(&instance).timed_out);
    let (_, metrics) = http_get::get(&url("/metrics")).await.unwrap();
    let metrics = String::from_utf8_lossy(&metrics);
    for line in [
        "hollowtrees_lifecycle_requests_total{answer=\"ok\",call=\"answer\"} 1",
        "hollowtrees_lifecycle_hooks_total{end=\"continue\"} 1",
        "hollowtrees_lifecycle_held 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} is not in\n{metrics}"
        );
    }
    let called: BTreeSet<_> = world.aws.calls().into_iter().map(|call| call.action).collect();
    let may: BTreeSet<_> = PAGE
        .split("\"autoscaling:")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(called, may, "called, and allowed by docs/hooks.md");
    let policy = policy("us-east-1", GROUP);
    world.aws.judge(&policy).await.unwrap();
    // Of each call that is about a group: in another region, or of another group, it is denied.
    for elsewhere in [
        self::policy("eu-west-1", GROUP),
        self::policy("us-east-1", "another"),
    ] {
        for call in world.aws.calls() {
            let denied = elsewhere
                .denied(&world.aws.checks(&call).await.unwrap())
                .is_some();
            assert_eq!(denied, call.writes(), "{call:?}");
        }
    }
    second.signal(Signal::TERM).unwrap();
    let status = second.exited(Duration::from_secs(20)).await.unwrap();
    assert!(status.success(), "{status}");
}
