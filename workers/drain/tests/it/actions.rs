//! Each kind of action, done and rehearsed.

use hollowtrees_harness::control_plane::fixtures;
use hollowtrees_schemas::proto;
use serde_json::json;

use crate::world::{World, detail};

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_cordons_empties_and_tells_and_an_uncordon_lets_go() {
    let mut world = World::new("pipeline", 1).await;
    let pods = (0..6).map(|i| fixtures::pod(&format!("p-{i}"), "x", "pipeline-0"));
    world.ground.post_pods(pods).await;
    let worker = world.worker().await;
    let audit = world.ground.audit();
    world.send(&world.action("drain", 120)).await;

    let cordoned = world.next().await;
    assert_eq!(
        (cordoned.result.as_str(), cordoned.reason.as_str()),
        ("progress", "cordoned")
    );
    let outcome = world.next().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(outcome.message, "pipeline-0 is drained. Pods: 6 evicted.");
    let times = outcome.times.as_ref().unwrap();
    assert!(times.cordoned_at.is_some() && times.ended_at.is_some());
    let told = detail(&outcome);
    assert_eq!(told["evicted"][0], "pipeline/p-0");
    assert_eq!(
        (told["forced"].clone(), told["left"].clone()),
        (json!([]), json!([]))
    );

    let events = "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dpipeline-0";
    hollowtrees_harness::eventually("both events", crate::support::BOUND, async || {
        world
            .ground
            .admin
            .list(events)
            .await
            .is_ok_and(|events| events.len() == 2)
    })
    .await;
    let counts = audit.count_by(&world.ground.user()).unwrap();
    let count = |verb: &str, resource: &str| {
        counts
            .get(&(verb.to_owned(), resource.to_owned()))
            .copied()
            .unwrap_or(0)
    };
    assert_eq!(
        (
            count("patch", "nodes"),
            count("create", "pods/eviction"),
            count("create", "events")
        ),
        (1, 6, 2)
    );
    let others = counts
        .iter()
        .filter(|((verb, _), _)| verb != "watch")
        .map(|(_, count)| count)
        .sum::<usize>();
    assert!(others <= 6 + 3, "{counts:?}");

    // The same again: nothing is left to do, and the cordon is still held once.
    let again = proto::Action {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        ..world.action("drain", 120)
    };
    world.send(&again).await;
    assert_eq!(
        world.end().await.message,
        "pipeline-0 is drained. Pods: it had none."
    );
    world.send(&world.action("uncordon", 120)).await;
    assert_eq!(world.end().await.result, "succeeded");
    let node = world.ground.read_node(0).await;
    assert_eq!(
        (node["spec"].get("unschedulable"), node["spec"].get("taints")),
        (None, None),
        "{node}"
    );
    let twice = proto::Action {
        id: "1123456789abcdef0123456789abcdef".to_owned(),
        ..world.action("uncordon", 120)
    };
    world.send(&twice).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("skipped", "not-held")
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cordon_alone_evicts_nobody() {
    let mut world = World::new("alone", 1).await;
    world.ground.post_pods([fixtures::pod("p", "x", "alone-0")]).await;
    let worker = world.worker().await;
    world.send(&world.action("cordon", 120)).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded");
    assert!(outcome.times.unwrap().cordoned_at.is_some());
    assert_eq!(world.ground.read_node(0).await["spec"]["unschedulable"], true);
    assert_eq!(world.ground.names_on("alone-0").await, ["p"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_it_would_do_and_writes_nothing() {
    let mut world = World::new("dry", 1).await;
    let spared = fixtures::annotated(
        fixtures::pod("b", "x", "dry-0"),
        "hollowtrees.io/do-not-evict",
        "true",
    );
    world
        .ground
        .post_pods([fixtures::pod("a", "x", "dry-0"), spared])
        .await;
    let worker = world.worker().await;
    let audit = world.ground.audit();
    for kind in ["drain", "cordon", "uncordon"] {
        world
            .send(&proto::Action {
                mode: "dry-run".to_owned(),
                ..world.action(kind, 120)
            })
            .await;
        let outcome = world.next().await;
        assert_eq!(
            (outcome.kind.as_str(), outcome.result.as_str()),
            (kind, "succeeded")
        );
        assert!(outcome.message.starts_with("Dry run: "), "{outcome:?}");
        if kind == "drain" {
            let skipped = json!([{"pod": "dry/b", "reason": "opted-out"}]);
            assert_eq!(
                detail(&outcome),
                json!({
                    "node": "dry-0",
                    "counts": {"would_evict": 1.0, "skipped": 1.0},
                    "would_evict": ["dry/a"],
                    "skipped": skipped,
                })
            );
        }
    }
    world
        .send(&proto::Action {
            mode: "test".to_owned(),
            id: "3".repeat(32),
            ..world.action("drain", 120)
        })
        .await;
    assert_eq!(world.next().await.reason, "test");
    assert_eq!(audit.writes_by(&world.ground.user()).unwrap(), []);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_there_is_an_outcome() {
    let mut world = World::new("missing", 0).await;
    let worker = world.worker().await;
    for kind in ["drain", "cordon", "uncordon"] {
        world.send(&world.action(kind, 120)).await;
        let outcome = world.end().await;
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str()),
            ("skipped", "node-not-found"),
            "{outcome:?}"
        );
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advisory_that_is_blocked_fails_at_its_deadline_and_names_who_is_left() {
    let mut world = World::new("late", 1).await;
    let mut db = fixtures::pod("db", "db", "late-0");
    db["spec"]["terminationGracePeriodSeconds"] = 1.into();
    world.ground.post_pods([db]).await;
    world.ground.budget("db", 1, 0).await;
    let worker = world.worker().await;
    world
        .send(&proto::Action {
            certainty: "advisory".to_owned(),
            ..world.action("drain", 3)
        })
        .await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "deadline"),
        "{outcome:?}"
    );
    let left = &detail(&outcome)["left"][0];
    assert_eq!(left["pod"], "late/db");
    assert!(
        left["reason"].as_str().unwrap().contains("disruption budget"),
        "{left}"
    );

    // The same once it is certain.
    world
        .send(&proto::Action {
            id: "4".repeat(32),
            ..world.action("drain", 4)
        })
        .await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let told = detail(&outcome);
    let forced = &told["forced"][0];
    assert_eq!(
        (&forced["pod"], &forced["budgets"]),
        (&json!("late/db"), &json!(["db"])),
        "{told}"
    );
    worker.stop().await;
}
