//! The work a hook is held open for: as the runs of its incident have it, or, with a launch, until the node is Ready.

use hollowtrees_cluster::{Nodes, Readiness};
use hollowtrees_domain::hook::{self, Awaited, Work};
use hollowtrees_runtime::worker::Job;
use hollowtrees_schemas::{
    id::IncidentKey,
    key,
    names::{kind, reason, result},
};

/// What is waited for with a launch, in outcomes.
const NODE_READY: &str = "node-ready";
/// The reason of a wait for a node that is not there.
const NO_NODE: &str = "no-node";

/// Whether that is about an instance whose node nobody knows.
pub(crate) fn is_without_node(awaited: &Awaited) -> bool {
    [(NODE_READY, NO_NODE), (kind::DRAIN, reason::NODE_NOT_FOUND)]
        .contains(&(awaited.kind.as_str(), awaited.reason.as_str()))
}

/// How the node of an instance stands that was launched. Where none is seen it is not there yet.
pub(crate) fn of_node(nodes: Option<&Nodes>, instance: &str) -> (Work, Vec<Awaited>) {
    let seen = nodes.map_or(Readiness::Absent, |nodes| nodes.readiness(instance));
    let (work, result, reason) = match seen {
        Readiness::Ready => (Work::Done, result::SUCCEEDED, ""),
        Readiness::NotReady => (Work::UnderWay, "", "not-ready"),
        Readiness::Absent => (Work::UnderWay, "", NO_NODE),
    };
    let awaited = Awaited {
        kind: NODE_READY.to_owned(),
        result: result.to_owned(),
        reason: reason.to_owned(),
    };
    (work, vec![awaited])
}

/// Waits until the node of an instance is something else than it was; for ever without nodes.
pub(crate) async fn changed(nodes: Option<&Nodes>, instance: &str) {
    match nodes {
        Some(nodes) => {
            nodes.changed(instance, nodes.readiness(instance)).await;
        }
        None => std::future::pending().await,
    }
}

/// How it stands. What cannot be read is under way: it may be in the middle of a drain.
pub(crate) async fn of(job: &Job) -> (Work, Vec<Awaited>) {
    match awaited(job).await {
        Some(awaited) => (hook::work(&awaited), awaited),
        None => (Work::UnderWay, Vec::new()),
    }
}

/// None: not known.
async fn awaited(job: &Job) -> Option<Vec<Awaited>> {
    let action = job.action();
    let incident = IncidentKey::from(action);
    let found = job
        .bus()
        .incidents()
        .get(&key::incident(&incident))
        .await
        .ok()??;
    // This action is of a run: an incident without one is not read whole.
    if found.value.generation != action.generation || found.value.runs.is_empty() {
        return None;
    }
    let (mut awaited, mut has_it) = (Vec::new(), false);
    for run in &found.value.runs {
        let key = key::run(&incident, action.generation, &run.rule, &run.certainty);
        let run = job.bus().runs().get(&key).await.ok()??.value;
        has_it |= run.actions.iter().any(|known| known.id == action.id);
        awaited.extend(hook::awaited(&run, &action.id));
    }
    has_it.then_some(awaited)
}
