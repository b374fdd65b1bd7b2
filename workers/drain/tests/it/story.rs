//! What an operator is told of a node: its events, as `kubectl describe node` finds them, and its outcome.

use hollowtrees_harness::{
    Error,
    control_plane::{Entry, fixtures},
    eventually,
};
use hollowtrees_schemas::proto;
use http::Method;
use serde_json::{Value, json};

use crate::{
    support::BOUND,
    world::{World, detail},
};

/// Events on node 0 by the selector of `kubectl describe node`, the oldest first: reason, type, message.
async fn told(world: &World) -> Vec<(String, String, String)> {
    let node = format!("{}-0", world.ground.name);
    let selector =
        format!("involvedObject.kind%3DNode,involvedObject.name%3D{node},involvedObject.uid%3D{node}");
    let path = format!("/api/v1/events?fieldSelector={selector}");
    let mut events = world.ground.admin.list(&path).await.unwrap();
    events.retain(|event| event["source"]["component"] == "hollowtrees-drain");
    let version = |event: &Value| {
        let text = event["metadata"]["resourceVersion"].as_str().unwrap();
        text.parse::<u64>().unwrap()
    };
    events.sort_by_key(version);
    let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    events
        .iter()
        .map(|event| (text(event, "reason"), text(event, "type"), text(event, "message")))
        .collect()
}

/// Waits for so many events.
async fn all(world: &World, count: usize) -> Vec<(String, String, String)> {
    eventually(format!("{count} events"), BOUND, async || {
        let told = told(world).await;
        if told.len() == count {
            Ok(told)
        } else {
            Err(Error::new(format!("{told:?}")))
        }
    })
    .await
}

/// A world whose node has one pod that nobody may evict, and one that anybody may.
async fn blocked(name: &str) -> World {
    let world = World::new(name, 1).await;
    let node = format!("{name}-0");
    let mut db = fixtures::pod("db", "db", &node);
    db["spec"]["terminationGracePeriodSeconds"] = 2.into();
    let web = fixtures::pod("web", "web", &node);
    world.ground.post_pods([db, web]).await;
    world.ground.budget("db", 1, 0).await;
    world
}

/// The page for operators has every key.
fn is_documented(found: &Value) {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/draining.md");
    let page = std::fs::read_to_string(page).unwrap();
    for object in [found, &found["conditions"], &found["counts"]] {
        for key in object.as_object().unwrap().keys() {
            assert!(
                page.contains(&format!("\n| `{key}` |")),
                "docs/draining.md does not know {key}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_tells_what_keeps_it_until_when_and_what_was_forced() {
    let mut world = blocked("kept").await;
    let worker = world.worker().await;
    let advisory = proto::Action {
        certainty: "advisory".to_owned(),
        ..world.action("drain", 600)
    };
    world.send(&advisory).await;
    let told = all(&world, 2).await;
    assert_eq!(
        (told[0].0.as_str(), told[0].1.as_str()),
        ("HollowtreesDraining", "Normal")
    );
    assert_eq!(
        (told[1].0.as_str(), told[1].1.as_str()),
        ("HollowtreesBlocked", "Warning")
    );
    let said = &told[1].2;
    let expected =
        "1 pod is kept by the disruption budget kept/db: kept/db. Nothing may be forced (advisory): ";
    assert!(said.starts_with(expected), "{said}");

    // The same node is certain to go now: one word more, for both actions.
    let certain = proto::Action {
        id: "5".repeat(32),
        ..world.action("drain", 8)
    };
    world.send(&certain).await;
    let outcomes = [world.end().await, world.end().await];
    assert!(
        outcomes.iter().all(|outcome| outcome.result == "succeeded"),
        "{outcomes:?}"
    );
    let told = all(&world, 4).await;
    let said = &told[2].2;
    assert!(
        told[2].0 == "HollowtreesBlocked"
            && said.contains("kept/db. From 20")
            && said.ends_with("past its budgets."),
        "{told:?}"
    );
    let (reason, kind, said) = &told[3];
    assert_eq!((reason.as_str(), kind.as_str()), ("HollowtreesDrained", "Normal"));
    assert!(
        said.starts_with("kept-0 is drained, ")
            && said.ends_with(
                " its deadline. Pods: 1 evicted, 1 deleted past their budgets. Forced: kept/db (db)."
            ),
        "{said}"
    );

    let outcome = outcomes
        .iter()
        .find(|outcome| outcome.action_id == certain.id)
        .unwrap();
    let found = detail(outcome);
    let left = found["time_left_seconds"].as_f64().unwrap();
    assert!(left > -3.0 && left < 3.0, "{found}");
    let conditions = json!({
        "cordoned": true, "empty": true, "detached": true, "unforced": false, "whole_grace": found["conditions"]["whole_grace"],
        "in_time": left >= 0.0,
    });
    assert_eq!(found["conditions"], conditions);
    is_documented(&found);
    assert_eq!(
        (
            &found["counts"]["evicted"],
            &found["counts"]["forced"],
            &found["counts"]["left"]
        ),
        (&json!(1.0), &json!(1.0), &json!(0.0)),
        "{found}"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_is_told_once_whoever_tells_it() {
    let mut world = blocked("once").await;
    let audit = world.ground.audit();
    let worker = world.worker().await;
    world.send(&world.action("drain", 600)).await;
    all(&world, 2).await;
    // Another process takes over and finds the same.
    worker.stop().await;
    let worker = world.worker().await;
    eventually("both to be told in vain", BOUND, async || {
        let writes = audit.writes_by(&world.ground.user()).unwrap();
        let vain = |entry: &&Entry| entry.resource == "events" && entry.code == 409;
        match writes.iter().filter(vain).count() {
            2 => Ok(()),
            count => Err(Error::new(format!("{count} so far"))),
        }
    })
    .await;
    // The budget gives way, and there is nothing more to tell of it.
    let path = format!("{}/db", world.ground.budgets_path());
    world
        .ground
        .admin
        .request(Method::DELETE, &path, None)
        .await
        .unwrap();
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let found = detail(&outcome);
    assert_eq!(
        found["conditions"],
        json!({
            "cordoned": true, "empty": true, "detached": true, "unforced": true, "whole_grace": true, "in_time": true,
        })
    );
    let told = all(&world, 3).await;
    assert_eq!(told[2].0, "HollowtreesDrained");
    assert!(
        told[2].2.contains(" s before its deadline. Pods: 1 evicted"),
        "{told:?}"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cordon_and_its_end_are_told() {
    let mut world = World::new("held", 1).await;
    let worker = world.worker().await;
    for (kind, reason, expected) in [
        ("cordon", "HollowtreesCordoned", "Cordoned: "),
        ("uncordon", "HollowtreesUncordoned", "Uncordoned: "),
    ] {
        world.send(&world.action(kind, 120)).await;
        assert_eq!(world.end().await.result, "succeeded");
        let told = all(&world, if kind == "cordon" { 1 } else { 2 }).await;
        let (last, level, said) = told.last().unwrap();
        assert_eq!((last.as_str(), level.as_str()), (reason, "Normal"));
        assert!(said.starts_with(expected), "{said}");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_drained_says_who_is_left_and_why() {
    let mut world = blocked("rest").await;
    let worker = world.worker().await;
    let advisory = proto::Action {
        certainty: "advisory".to_owned(),
        ..world.action("drain", 3)
    };
    world.send(&advisory).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "deadline")
    );
    let found = detail(&outcome);
    assert_eq!(
        found["conditions"],
        json!({
            "cordoned": true, "empty": false, "detached": true, "unforced": true, "whole_grace": true, "in_time": false,
        })
    );
    assert_eq!(found["counts"]["left"], json!(1.0));
    // Too short a time to have been worth a word before.
    let told = all(&world, 2).await;
    let (reason, kind, said) = &told[1];
    assert_eq!(
        (reason.as_str(), kind.as_str()),
        ("HollowtreesNotDrained", "Warning")
    );
    assert!(
        said.starts_with("Time ran out for rest-0, ")
            && said.contains(" s after its deadline. Pods: 1 evicted, 1 still there. Still there: rest/db (")
            && said.contains("disruption budget"),
        "{said}"
    );
    worker.stop().await;
}
