//! What EC2 and Auto Scaling say at the end.

use std::collections::{BTreeMap, BTreeSet};

use hollowtrees_e2e::checker::Books;
use hollowtrees_harness::{Aws, aws::Group};
use hollowtrees_schemas::names::kind;
use hollowtrees_stage::Machine;

const REPLACES: &str = "hollowtrees.io/replaces";

/// All groups as they are.
pub(crate) async fn groups(aws: &Aws, count: usize) -> Vec<Group> {
    let mut groups = Vec::new();
    for number in 0..count {
        groups.push(aws.group(&format!("group{number}")).await.unwrap());
    }
    groups
}

/// Each machine is out of its group, one replacement in its place, sizes as before, and nothing else was launched.
pub(crate) async fn assert_swapped_once(aws: &Aws, all: &[Machine], before: &[Group], books: &Books) {
    let instances = aws.instances().await.unwrap();
    let story = |old: &str| {
        let told = books.outcomes.values().flatten().chain(&books.asides);
        let of_it = told.filter(|outcome| outcome.instance == old && outcome.kind == kind::ASG_SWAP);
        let launched = instances
            .iter()
            .filter(|found| found.tags.get(REPLACES).is_some_and(|of| of == old));
        format!(
            "{:#?} {:#?}",
            of_it.collect::<Vec<_>>(),
            launched.collect::<Vec<_>>()
        )
    };
    let originals: BTreeSet<_> = all.iter().map(|machine| machine.instance.as_str()).collect();
    let mut replacements: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for instance in instances.iter().filter(|found| found.state != "terminated") {
        if let Some(old) = instance.tags.get(REPLACES) {
            replacements.entry(old.as_str()).or_default().push(&instance.id);
            assert!(
                instance.group.is_some(),
                "{instance:?} is an orphan: {}",
                story(old)
            );
            assert_eq!(instance.state, "running");
            assert!(instance.spot, "{instance:?} is not of the old one's market");
        } else {
            assert!(
                originals.contains(instance.id.as_str()),
                "{instance:?} was launched by nobody we know"
            );
            assert_eq!(instance.group, None, "{instance:?} is still in its group");
        }
    }
    for machine in all {
        let found = replacements.get(machine.instance.as_str()).map_or(0, Vec::len);
        assert_eq!(found, 1, "{machine:?}: {}", story(&machine.instance));
    }
    for group in before {
        let now = aws.group(&group.name).await.unwrap();
        assert_eq!((now.sizes, now.members.len()), (group.sizes, group.members.len()));
        let in_service = now.members.iter().all(|(_, state)| state == "InService");
        assert!(in_service, "{now:?}");
    }
    let launched = instances
        .iter()
        .filter(|found| found.tags.contains_key(REPLACES))
        .count();
    println!(
        "{} instances replaced by {launched} launches, {} of them given up",
        all.len(),
        launched - all.len()
    );
}
