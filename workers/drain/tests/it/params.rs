//! What an action's own parameters change.

use hollowtrees_bus::read::{From, Until};
use hollowtrees_harness::control_plane::fixtures;
use hollowtrees_schemas::{names::Stream, proto};
use serde_json::{Value, json};

use crate::{
    support::BOUND,
    world::{World, detail},
};

fn with(action: proto::Action, params: Value) -> proto::Action {
    proto::Action {
        params: Some(serde_json::from_value(params).unwrap()),
        ..action
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_spares_what_it_says_and_caps_the_grace() {
    let mut world = World::new("terms", 1).await;
    // Ends by itself after a minute, is killed after half a minute of its own grace, or after the cap.
    let slow = fixtures::annotated(
        fixtures::deployment("slow", 1, "terms"),
        fixtures::EXIT_AFTER,
        "60s",
    );
    world
        .ground
        .admin
        .post("/apis/apps/v1/namespaces/terms/deployments", &slow)
        .await
        .unwrap();
    world
        .ground
        .post_pods([fixtures::pod("bare", "x", "terms-0")])
        .await;
    hollowtrees_harness::eventually("both pods", BOUND, async || {
        let names = world.ground.names_on("terms-0").await;
        if names.len() == 2 {
            Ok(())
        } else {
            Err(format!("{names:?}"))
        }
    })
    .await;
    let worker = world.worker().await;
    let params = json!({"bare": false, "grace_cap": "2s", "force": "never"});
    let began = std::time::Instant::now();
    world.send(&with(world.action("drain", 600), params)).await;
    let outcome = world.end().await;
    let took = began.elapsed();
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let told = detail(&outcome);
    assert_eq!(
        told["skipped"],
        json!([{"pod": "terms/bare", "reason": "bare"}]),
        "{told}"
    );
    assert_eq!(told["evicted"].as_array().unwrap().len(), 1, "{told}");
    assert!(took.as_secs() < 20, "the cap counts, not its own 30 s: {took:?}");
    assert_eq!(world.ground.names_on("terms-0").await, ["bare"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_forbids_force_gets_none_though_it_is_certain() {
    let mut world = World::new("gentle", 1).await;
    let mut db = fixtures::pod("db", "db", "gentle-0");
    db["spec"]["terminationGracePeriodSeconds"] = 1.into();
    world.ground.post_pods([db]).await;
    world.ground.budget("db", 1, 0).await;
    let worker = world.worker().await;
    world
        .send(&with(world.action("drain", 4), json!({"force": "never"})))
        .await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "deadline"),
        "{outcome:?}"
    );
    let told = detail(&outcome);
    assert_eq!(
        (&told["forced"], &told["left"][0]["pod"]),
        (&json!([]), &json!("gentle/db"))
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_mean_nothing_end_the_action_and_are_kept_for_a_person() {
    let mut world = World::new("wrong", 1).await;
    world.ground.post_pods([fixtures::pod("p", "x", "wrong-0")]).await;
    let worker = world.worker().await;
    let audit = world.ground.audit();
    world
        .send(&with(world.action("drain", 120), json!({"gracecap": "2s"})))
        .await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", hollowtrees_drain::params::BAD_PARAMS),
        "{outcome:?}"
    );
    assert!(
        outcome.message.contains("`gracecap`") && outcome.message.contains("grace_cap"),
        "{outcome:?}"
    );
    let mut dead = world
        .bus
        .read(Stream::Dead, &[], From::First, Until::Stopped)
        .await
        .unwrap();
    tokio::time::timeout(BOUND, dead.next())
        .await
        .expect("a dead letter")
        .unwrap();
    assert_eq!(audit.writes_by(&world.ground.user()).unwrap(), []);
    worker.stop().await;
}
