//! A dry run lists the calls that the same swap makes in earnest.

use std::collections::BTreeMap;

use hollowtrees_domain::swap::forecast::REPLACEMENT;
use hollowtrees_harness::aws::NewGroup;
use hollowtrees_schemas::proto;
use serde_json::{Value, json};

use crate::{
    whole,
    world::{World, detail, params},
};

/// As the query of the call has them: `{"A": ["x"], "B": {"C": 1}}` is `A.member.1=x` and `B.C=1`; of EC2 `A.1=x`.
fn flat(prefix: &str, value: &Value, list: &str, into: &mut BTreeMap<String, String>) {
    let named = |name: &str| {
        if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}.{name}")
        }
    };
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                flat(&named(name), field, list, into);
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                let prefix = prefix.trim_end_matches(if list.is_empty() { "s" } else { "" });
                flat(&format!("{prefix}{list}.{}", number + 1), item, list, into);
            }
        }
        Value::String(text) => {
            into.insert(prefix.to_owned(), text.clone());
        }
        // A number of an outcome's detail is one with a point.
        Value::Number(number) => {
            into.insert(prefix.to_owned(), number.as_f64().unwrap().to_string());
        }
        other => {
            into.insert(prefix.to_owned(), other.to_string());
        }
    }
}

/// What would be called, against what was: each parameter that is told is one of the call, and of Auto Scaling all are.
async fn check(world: &mut World, group: &str, old: &str, certainty: &str, more: Value, expected: &[&str]) {
    let asked = proto::Action {
        params: params(more),
        ..world.action(old, certainty)
    };
    let rehearsed = proto::Action {
        id: format!("{}{}", "d".repeat(16), &asked.id[..16]),
        mode: "dry-run".to_owned(),
        ..asked.clone()
    };
    world.aws.forget_calls();
    world.send(&rehearsed).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(world.aws.writes().len(), 0, "{:?}", world.aws.writes());
    let told = detail(&outcome)["calls"].as_array().unwrap().clone();
    world.send(&asked).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let made = world.aws.writes();
    let names: Vec<_> = made.iter().map(|call| call.action.as_str()).collect();
    assert_eq!(names, expected, "{group}");
    let replacement = detail(&outcome)
        .get("replacement")
        .and_then(|id| Some(id.as_str()?.to_owned()));
    assert_eq!(told.len(), made.len(), "{told:#?}");
    for (told, made) in told.iter().zip(&made) {
        assert_eq!(told["action"], made.action, "{told}");
        let of_ec2 = matches!(made.action.as_str(), "RunInstances" | "TerminateInstances");
        let mut parameters = BTreeMap::new();
        let mut given = told["parameters"].clone();
        // Of another action, and written otherwise.
        let tags = given.as_object_mut().unwrap().remove("Tags");
        let token = given.as_object_mut().unwrap().remove("ClientToken");
        assert_eq!(token.is_some(), made.action == "RunInstances");
        flat("", &given, if of_ec2 { "" } else { ".member" }, &mut parameters);
        for value in parameters.values_mut().filter(|value| *value == REPLACEMENT) {
            value.clone_from(replacement.as_ref().unwrap());
        }
        for (name, value) in &parameters {
            assert_eq!(made.get(name), Some(value.as_str()), "{name} of {made:?}");
        }
        let protocol = ["Action", "Version"];
        let others = made
            .params
            .keys()
            .filter(|name| !protocol.contains(&name.as_str()));
        assert!(of_ec2 || others.count() == parameters.len(), "{made:?}");
        for (key, value) in tags.iter().flat_map(|tags| tags.as_object().unwrap()) {
            let named = |name: &&String| {
                made.get(name) == Some(key) && name.contains(".Tag.") && name.ends_with(".Key")
            };
            let name = made.params.keys().find(named);
            let name = name.unwrap_or_else(|| panic!("{key} in {made:?}"));
            let is_same = made.get(&name.replace(".Key", ".Value")) == value.as_str();
            assert!(is_same || key == "hollowtrees.io/action", "{key} of {made:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_swap_where_there_is_room() {
    let mut world = World::new().await;
    let group = NewGroup::new("room").sizes(2, 2, 3).tag("team", "x", true);
    let old = world.group(&group).await.remove(0);
    let worker = world.worker().await;
    let calls = ["RunInstances", "AttachInstances", "DetachInstances"];
    check(&mut world, "room", &old, "certain", json!({}), &calls).await;
    world.swapped("room", &old, (2, 2, 3)).await;
    worker.stop().await;
}

/// No room, zones that would be evened out, a protected old one that goes on running.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_swap_that_needs_everything() {
    let mut world = World::new().await;
    let old = whole::group(&world.aws, "all").await;
    world.undrained(&old).await;
    let worker = world.worker().await;
    let waits = json!({"wait_for_targets": "5m"});
    check(&mut world, "all", &old, "advisory", waits, &whole::CHANGES).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_other_strategies() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    for (strategy, calls) in [
        ("detach", ["DetachInstances"]),
        ("terminate", ["TerminateInstanceInAutoScalingGroup"]),
    ] {
        let old = world.group(&NewGroup::new(strategy)).await.remove(0);
        world.undrained(&old).await;
        let params = json!({"strategy": strategy});
        check(&mut world, strategy, &old, "certain", params, &calls).await;
    }
    worker.stop().await;
}
