//! What would be done, in a dry run.

use hollowtrees_cluster::Node;
use hollowtrees_domain::drain::{Assessed, Step};
use hollowtrees_runtime::worker::{Job, Report};
use serde_json::json;

use crate::{
    drain::want,
    params::{Params, Removal},
    report::{capped, detail},
    worker::Drainer,
};

pub(crate) fn cordon(node: &Node) -> Report {
    let state = if node.is_unschedulable() {
        "unschedulable"
    } else {
        "schedulable"
    };
    Report::succeeded(format!(
        "Dry run: {}, which is {state}, would be cordoned.",
        node.name
    ))
}

pub(crate) fn uncordon(node: &Node) -> Report {
    Report::succeeded(format!("Dry run: the cordon of {} would be let go.", node.name))
}

pub(crate) fn removal(wish: Removal, node: &Node) -> Report {
    let speaks = if node.silent { "is silent" } else { "speaks" };
    let what = match wish {
        Removal { delete: false, .. } => "marked out of service",
        Removal {
            out_of_service: false,
            ..
        } => "deleted",
        Removal { .. } => "marked out of service and deleted",
    };
    Report::succeeded(format!(
        "Dry run: {}, whose kubelet {speaks}, would be {what} once it is silent.",
        node.name
    ))
}

pub(crate) fn drain(drainer: &Drainer, params: Params, job: &Job, node: &Node) -> Report {
    let want = want(job, params, &drainer.limits, job.now());
    drainer.cluster.rehearse(node, want, |assessment| {
        let path = |assessed: &Assessed<'_>| assessed.pod.path();
        let goes: Vec<String> = assessment
            .pods
            .iter()
            .filter(|pod| pod.tier.is_some())
            .map(path)
            .collect();
        let skipped: Vec<_> = assessment
            .pods
            .iter()
            .filter_map(|assessed| match assessed.step {
                Step::Skip(skip) => Some(json!({"pod": path(assessed), "reason": skip.as_str()})),
                _ => None,
            })
            .collect();
        let message = format!(
            "Dry run: {} would be cordoned, {} pods evicted, {} left alone.",
            node.name,
            goes.len(),
            skipped.len()
        );
        let told = json!({
            "node": &*node.name,
            "counts": {"would_evict": goes.len(), "skipped": skipped.len()},
            "would_evict": capped(goes),
            "skipped": capped(skipped),
        });
        detail(Report::succeeded(message), told)
    })
}
