//! Our drain and kubectl's over the same clusters, for every combination of the options that both have. What they do
//! differently is in [`rules`], each with its reason: a difference that no rule explains fails the test, and so does a
//! rule that explains none.
//!
//! Bounded and seeded: the seed is printed, and `HOLLOWTREES_PARITY_SEED` repeats it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod cases;
mod fates;
mod ground;
mod page;
mod pods;
mod rules;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{StreamExt, stream};
use hollowtrees_cluster::{Cluster, engine::Summary};
use hollowtrees_domain::drain::Unbudgeted;
use hollowtrees_harness::{
    Error, eventually,
    kubectl::{self, Drained},
};
use serde_json::Value;

use cases::{Case, Mode};
use fates::{Fate, Granted};
use ground::{BOUND, Ground, SIDES, Side, is_met};
use pods::{Kind, SLOW};
use rules::{Difference, RULES, What, explaining};

/// Cases under way at once: a drain mostly waits.
const AT_ONCE: usize = 13;

/// What both did in one case.
struct Done {
    case: Case,
    sides: [Side; 2],
    kubectl: Drained,
    ours: Summary,
    /// The grace that slow pods were given, by each.
    grace: [BTreeSet<u32>; 2],
}

/// What the cluster shows afterwards, and was asked.
struct Found {
    granted: [BTreeMap<(String, String), Granted>; 2],
    pods: BTreeMap<(String, String), Value>,
}

/// The seed: `HOLLOWTREES_PARITY_SEED`, or by chance.
fn seed() -> u64 {
    let given = std::env::var("HOLLOWTREES_PARITY_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().expect("a seed is a number"));
    println!("seed {seed}: repeat with HOLLOWTREES_PARITY_SEED={seed}");
    seed
}

#[tokio::test(flavor = "multi_thread")]
async fn every_difference_to_kubectl_is_one_that_is_meant() {
    let ground = Ground::new().await;
    let cases = cases::cases(seed());
    let (g, both) = (&ground, |case| SIDES.map(|of| (case, Side::new(case, of))));
    stream::iter(cases.iter().flat_map(both))
        .for_each_concurrent(AT_ONCE, async |(case, side)| g.make(case, &side).await)
        .await;
    ground.settle(&cases).await;
    // Not by what the machine makes of its time.
    let shared = ground.cluster(Unbudgeted::Evict).await;
    let done: Vec<Done> = stream::iter(cases)
        .map(|case| drain(&ground, &shared, case))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let found = Found {
        granted: ground
            .ways
            .each_ref()
            .map(|way| fates::granted(&way.proxy.seen())),
        pods: ground.pods().await,
    };

    let mut occurred = BTreeMap::<&str, usize>::new();
    let mut wrong = Vec::new();
    for done in &done {
        for kind in &done.case.kinds {
            for what in done.differences(kind, &found, &mut wrong) {
                let difference = Difference {
                    case: &done.case,
                    kind,
                    what,
                };
                match explaining(&difference) {
                    Some(rule) => *occurred.entry(rule.name).or_default() += 1,
                    None => wrong.push(format!(
                        "{} {:?} {:?}: {}: {what:?}",
                        done.case.name, done.case.mode, done.case.options, kind.name
                    )),
                }
            }
        }
    }
    let pods: usize = done
        .iter()
        .flat_map(|done| &done.case.kinds)
        .map(|kind| kind.pods)
        .sum();
    let differ: usize = occurred.values().sum();
    println!("{pods} pods by each, {differ} of them differently: {occurred:#?}");
    assert!(
        wrong.is_empty(),
        "{} without a reason:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let never = RULES
        .iter()
        .map(|rule| rule.name)
        .filter(|name| !occurred.contains_key(name));
    let never: Vec<_> = never.collect();
    assert!(never.is_empty(), "differences that never occurred: {never:?}");
}

/// Drains one node by each, at the same time.
async fn drain(ground: &Ground, shared: &Cluster, case: Case) -> Done {
    let sides = SIDES.map(|of| Side::new(&case, of));
    // What slows an engine down slows all its drains down: it is one of this case alone.
    let answered = case.kinds.iter().any(|kind| kind.answer.is_some());
    let cluster = match case.mode {
        Mode::Unbudgeted => ground.cluster(Unbudgeted::Delete).await,
        _ if answered => ground.cluster(Unbudgeted::Evict).await,
        _ => shared.clone(),
    };
    for (side, way) in sides.iter().zip(&ground.ways) {
        ground.begin(&case, side, way).await;
    }
    for side in &sides {
        met(&cluster, &case, side).await;
    }
    let node = cluster.node(&sides[1].node).expect("the node is known");
    let by_kubectl = async {
        let drain = kubectl::Drain::of([&sides[0].node]).client(100, 100);
        let drain = case
            .flags()
            .into_iter()
            .fold(drain, |drain, (flag, value)| drain.with(flag, value));
        drain
            .run(&ground.ways[0].kubeconfig, BOUND)
            .await
            .unwrap()
            .nodes
            .remove(0)
    };
    let by_us = async {
        cluster.cordon(&node, "i-parity/1").await.unwrap();
        let (want, until) = case.want();
        let mut ticket = cluster.drain(&node, want, until);
        tokio::time::timeout(BOUND, ticket.ended())
            .await
            .expect("the drain to end")
            .unwrap()
    };
    let mut grace = [BTreeSet::new(), BTreeSet::new()];
    let watching = async {
        loop {
            for (side, grace) in sides.iter().zip(&mut grace) {
                grace.extend(grace_of_slow(&cluster, side));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (kubectl, ours) = tokio::select! {
        both = async { tokio::join!(by_kubectl, by_us) } => both,
        () = watching => unreachable!("it watches for ever"),
    };
    Done {
        case,
        sides,
        kubectl,
        ours,
        grace,
    }
}

/// Waits until our picture of a node is as both drains are to meet it.
async fn met(cluster: &Cluster, case: &Case, side: &Side) {
    eventually(
        format!("the pods of {} to be as told", side.node),
        BOUND,
        async || {
            let pods = cluster.pods_on(&side.node);
            let count: usize = case.kinds.iter().map(|kind| kind.pods).sum();
            let waiting: Vec<_> = pods
                .iter()
                .filter(|pod| {
                    let kind = case.kinds.iter().find(|kind| pod.labels["app"] == kind.name);
                    !is_met(kind.expect("a pod of ours"), pod)
                })
                .map(|pod| pod.path())
                .collect();
            if pods.len() == count && waiting.is_empty() {
                Ok(())
            } else {
                Err(Error::new(format!(
                    "{} of {count} pods, not yet: {waiting:?}",
                    pods.len()
                )))
            }
        },
    )
    .await;
}

/// The grace that the slow pods of a node are ending with.
fn grace_of_slow(cluster: &Cluster, side: &Side) -> Vec<u32> {
    let pods = cluster.pods_on(&side.node);
    let slow = pods.iter().filter(|pod| pod.labels["app"] == SLOW);
    slow.filter_map(|pod| pod.deletion.map(|deletion| deletion.grace_seconds))
        // The kubelet's last word.
        .filter(|grace| *grace > 0)
        .collect()
}

impl Done {
    /// What a side did about a pod; or what cannot be.
    fn fate(&self, which: usize, kind: &Kind, name: &str, found: &Found) -> Result<Fate, String> {
        let namespace = self.sides[which].namespace(kind);
        let key = (namespace.clone(), name.to_owned());
        let (granted, pod) = (
            found.granted[which].get(&key).copied().unwrap_or_default(),
            found.pods.get(&key),
        );
        let fate = if which == 0 {
            Some(fates::by_kubectl(&self.kubectl, &namespace, name, granted))
        } else {
            fates::by_us(&self.ours, &namespace, name, granted)
        };
        // On a slow machine it has ended before the drain looked.
        let early = matches!(fate, None | Some(Fate::Skipped)) && kind.ending && pod.is_none();
        match fate {
            _ if early => Ok(Fate::Going),
            None => Err(format!("{key:?}: {granted:?}, but we tell {:?}", self.ours)),
            Some(fate) if is_so(kind, fate, pod) => Ok(fate),
            Some(fate) => Err(format!("{key:?}: {fate:?}, but {pod:?}")),
        }
    }

    /// How the pods of a kind fared differently; what cannot be is `wrong`.
    fn differences(&self, kind: &Kind, found: &Found, wrong: &mut Vec<String>) -> Vec<What> {
        let mut fates = [Vec::new(), Vec::new()];
        for (which, fates) in fates.iter_mut().enumerate() {
            for name in kind.pods() {
                match self.fate(which, kind, &name, found) {
                    Ok(fate) => fates.push(fate),
                    Err(what) => wrong.push(what),
                }
            }
        }
        let [mut kubectl, mut ours] = fates;
        // Which of two equals a budget let go does not matter.
        kubectl.retain(|fate| match ours.iter().position(|other| other == fate) {
            Some(at) => {
                ours.swap_remove(at);
                false
            }
            None => true,
        });
        kubectl.sort_unstable();
        ours.sort_unstable();
        let same = kubectl.is_empty();
        let fates = kubectl.into_iter().zip(ours);
        let mut differences: Vec<_> = fates
            .map(|(kubectl, ours)| What::Fate { kubectl, ours })
            .collect();
        let grace = self.grace.iter().map(|grace| grace.first().copied());
        if let (SLOW, true, [Some(kubectl), Some(ours)]) = (kind.name, same, &grace.collect::<Vec<_>>()[..])
            && kubectl != ours
        {
            let (kubectl, ours) = (*kubectl, *ours);
            differences.push(What::Grace { kubectl, ours });
        }
        differences
    }
}

/// Whether the cluster shows what a fate means.
fn is_so(kind: &Kind, fate: Fate, pod: Option<&Value>) -> bool {
    let ends = pod.is_none_or(|pod| pod["metadata"].get("deletionTimestamp").is_some());
    match fate {
        Fate::Skipped | Fate::Refused | Fate::Unasked | Fate::Left | Fate::Believed => ends == kind.ending,
        Fate::Evicted | Fate::Deleted | Fate::Unended | Fate::Going => ends,
    }
}
