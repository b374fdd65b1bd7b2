//! What the API server says at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

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

    // An eviction that is asked for again, after a crash, finds the pod on its way out: 201 again, without effect. Who
    // was evicted was on a node that goes, if only because it landed there before that node's own notice.
    let mut evicted: BTreeMap<String, usize> = BTreeMap::new();
    let mut on_going: BTreeSet<String> = residents.clone();
    for entry in rig.control_plane.audit().entries().unwrap() {
        if !(200..300).contains(&entry.code) {
            continue;
        }
        match (entry.verb.as_str(), entry.resource.as_str()) {
            ("create", "pods/binding") if going.contains(entry.bound_to.as_str()) => {
                on_going.insert(entry.name);
            }
            ("create", "pods/eviction") if entry.user == DRAIN_USER => {
                *evicted.entry(entry.name).or_default() += 1;
            }
            ("delete", "pods") if entry.user == DRAIN_USER => {
                panic!("{} was deleted past its budget", entry.name)
            }
            _ => {}
        }
    }
    let names: BTreeSet<_> = evicted.keys().cloned().collect();
    println!(
        "{} pods evicted, {} of them moved for the second time, {} asked for again",
        names.len(),
        names.difference(residents).count(),
        evicted.values().filter(|count| **count > 1).count()
    );
    let strangers: Vec<_> = names.difference(&on_going).collect();
    assert!(
        strangers.is_empty(),
        "evicted from nodes that stay: {strangers:?}"
    );
    let missed: Vec<_> = residents.difference(&names).collect();
    let about_them: Vec<_> = rig.control_plane.audit().entries().unwrap();
    let about_them = about_them.iter().filter(|entry| missed.contains(&&entry.name));
    assert!(
        missed.is_empty(),
        "nobody evicted {missed:?}; what was asked about them: {:#?}",
        about_them.collect::<Vec<_>>()
    );
}
