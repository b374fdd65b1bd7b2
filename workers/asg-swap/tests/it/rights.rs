//! What the page of rights says, beside the calls that are made.

use std::collections::BTreeSet;

use hollowtrees_harness::aws::{Call, Delays, NewGroup};
use hollowtrees_schemas::proto;
use serde_json::{Value, json};

use crate::world::{World, params};

const PAGE: &str = include_str!("../../../../docs/operating.md");
const OURS: &str = "### Rights in AWS";
/// Rights that are no call of ours: EC2 asks for them when it launches.
pub(crate) const NO_CALLS: [&str; 2] = ["ec2:CreateTags", "iam:PassRole"];

/// The rights that the page lists after this: `ec2:RunInstances`.
pub(crate) fn listed(after: &str) -> BTreeSet<String> {
    let text = PAGE.split(after).nth(1).expect("the page says so");
    let block = text.split("\n\n").find(|part| part.starts_with("    "));
    let mut service = "";
    let mut rights = BTreeSet::new();
    for word in block.expect("a list").split_whitespace() {
        if let Some(named) = word.strip_suffix(':') {
            service = named;
        } else if word.starts_with(char::is_uppercase) {
            // What is said of a call begins small.
            rights.insert(format!("{service}:{word}"));
        }
    }
    rights
}

/// What the lists of what swaps call are headed by.
pub(crate) const OF_SWAPS: [&str; 4] = [OURS, MORE[0], MORE[1], MORE[2]];
/// What each list after the first is headed by.
const MORE: [&str; 4] = [
    "For groups of launch configurations",
    "For groups of types by requirements",
    "With `wait_for_targets`",
    "With `exporter.prices_every`",
];

/// The policies of the page, in its order: that of all rights, and what may stand in it for the end of instances.
pub(crate) fn policy(place: usize) -> &'static str {
    let text = PAGE.split(OURS).nth(1).unwrap();
    let block = text.split("```json\n").nth(place + 1).expect("a policy");
    block.split("```").next().unwrap()
}

#[test]
fn the_policy_has_what_the_lists_have() {
    let policy: Value = serde_json::from_str(policy(0)).expect("a policy that can be used");
    let mut named = Vec::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        for action in statement["Action"].as_array().unwrap() {
            named.push(action.as_str().unwrap().to_owned());
        }
    }
    let policy: BTreeSet<String> = named.iter().cloned().collect();
    assert_eq!(policy.len(), named.len(), "something is named twice");
    let mut lists = listed(OURS);
    lists.extend(MORE.iter().flat_map(|head| listed(head)));
    assert_eq!(policy, lists);
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_call_all_that_the_page_lists_and_nothing_else() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let mut made = BTreeSet::new();
    let mut swap = async |group: NewGroup, action: &dyn Fn(&World, &str) -> proto::Action, leaves: bool| {
        let old = world.group(&group).await.remove(0);
        if leaves {
            world.aws.set_delays(Delays {
                in_service: std::time::Duration::from_secs(3600),
                ..Delays::default()
            });
            world.aws.hold_replacements(true).await.unwrap();
        }
        if !leaves {
            world.protect(&old).await;
        }
        let action = action(&world, &old);
        world.undrained(&old).await;
        world.send(&action).await;
        if leaves {
            world.fact("attached").await;
            world.aws.interrupt(&old).await.unwrap();
        }
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        made.extend(world.aws.calls().iter().map(Call::right));
    };
    let certain = |world: &World, old: &str| world.action(old, "certain");
    // Room, other zones, prices, protection; then the old one, which nobody interrupts.
    let zones = ["us-east-1a", "us-east-1b"];
    let full = NewGroup::new("full")
        .zones(&zones)
        .types(&["m5.large"])
        .sizes(2, 2, 2)
        .spot();
    swap(full, &|world, old| world.action(old, "advisory"), false).await;
    let ended = |world: &World, old: &str| proto::Action {
        params: params(json!({"strategy": "terminate"})),
        ..certain(world, old)
    };
    swap(NewGroup::new("ended"), &ended, false).await;
    // It leaves before its replacement serves.
    swap(NewGroup::new("early").sizes(1, 2, 3), &certain, true).await;
    let mut ours = listed(OURS);
    assert!(NO_CALLS.iter().all(|right| ours.remove(*right)), "{ours:?}");
    assert_eq!(made, ours);
    worker.stop().await;
}
