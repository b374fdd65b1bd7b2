//! What the API server says at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hollowtrees_harness::control_plane::KUBELET_USER;
use hollowtrees_stage::{Machine, Rig, machines, rig::DRAIN_USER};

use crate::NAMESPACE;

/// The pods on the machines, before anything happens.
pub(crate) async fn residents(rig: &Rig, all: &[Machine]) -> BTreeSet<String> {
    let nodes: BTreeSet<_> = all.iter().map(|machine| machine.node.as_str()).collect();
    machines::pods(&rig.kubernetes, NAMESPACE)
        .await
        .unwrap()
        .iter()
        .filter(|pod| nodes.contains(pod["spec"]["nodeName"].as_str().unwrap_or_default()))
        .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Every machine's node is cordoned and empty, no other was touched, and no pod was evicted that need not go.
pub(crate) async fn assert_drained_once(
    rig: &Rig,
    all: &[Machine],
    residents: &BTreeSet<String>,
    replicas: usize,
) {
    machines::running(&rig.kubernetes, NAMESPACE, replicas, Duration::from_secs(60))
        .await
        .unwrap();
    let going: BTreeSet<_> = all.iter().map(|machine| machine.node.as_str()).collect();
    for node in rig.kubernetes.list("/api/v1/nodes").await.unwrap() {
        let name = node["metadata"]["name"].as_str().unwrap();
        let taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
        let ours = taints
            .iter()
            .filter(|taint| taint["key"] == "hollowtrees.io/terminating")
            .count();
        let cordoned = node["spec"]["unschedulable"] == true;
        assert_eq!(
            (cordoned, ours == 1),
            (going.contains(name), going.contains(name)),
            "{node}"
        );
    }
    for pod in machines::pods(&rig.kubernetes, NAMESPACE).await.unwrap() {
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        assert!(!going.contains(node), "{} is on {node}", pod["metadata"]["name"]);
    }

    // An eviction that is asked for again, after a crash, finds the pod on its way out: 201 again, without effect. One
    // whose asker was killed before the answer may have worked. Who was asked to go was on a node that goes, if only
    // because it landed there before that node's own notice.
    let entries = rig.control_plane.audit().entries().unwrap();
    let mut evicted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut cut_off: BTreeSet<&str> = BTreeSet::new();
    let mut on_going: BTreeSet<&str> = residents.iter().map(String::as_str).collect();
    for entry in &entries {
        match (entry.verb.as_str(), entry.resource.as_str()) {
            ("create", "pods/binding") if entry.is_done() && going.contains(entry.bound_to.as_str()) => {
                on_going.insert(&entry.name);
            }
            ("create", "pods/eviction") if entry.user == DRAIN_USER && entry.is_done() => {
                *evicted.entry(&entry.name).or_default() += 1;
            }
            ("create", "pods/eviction") if entry.user == DRAIN_USER && entry.may_be_done() => {
                cut_off.insert(&entry.name);
            }
            // The kubelet's own deletion ends what an eviction began. Anybody else's is no eviction.
            ("delete" | "deletecollection", "pods")
                if entry.user != KUBELET_USER && (entry.is_done() || entry.may_be_done()) =>
            {
                panic!("{entry:?} is past its budget")
            }
            _ => {}
        }
    }
    let residents: BTreeSet<_> = residents.iter().map(String::as_str).collect();
    let asked: BTreeSet<_> = evicted.keys().copied().chain(cut_off.iter().copied()).collect();
    println!(
        "{} pods evicted, {} of them moved for the second time, {} asked for again, {} with the answer lost",
        asked.len(),
        asked.difference(&residents).count(),
        evicted.values().filter(|count| **count > 1).count(),
        cut_off.len(),
    );
    let strangers: Vec<_> = asked.difference(&on_going).collect();
    assert!(
        strangers.is_empty(),
        "evicted from nodes that stay: {strangers:?}"
    );
    // None of them is on its node any more, as was seen above, and nobody deleted it.
    let missed: Vec<_> = residents.difference(&asked).collect();
    let about_them = entries
        .iter()
        .filter(|entry| missed.contains(&&entry.name.as_str()));
    assert!(
        missed.is_empty(),
        "nobody evicted {missed:?}; what was asked about them: {:#?}",
        about_them.collect::<Vec<_>>()
    );
}
