//! From an action to the cluster and back.

use std::sync::Arc;

use hollowtrees_cluster::{Cluster, Node, Refusal, cordon::Extent};
use hollowtrees_domain::drain::cap::Cap;
use hollowtrees_runtime::worker::{Failure, Handler, Job, Report};
use hollowtrees_schemas::{
    names::{kind, reason},
    proto::{self, time},
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    config, drain,
    params::{self, LetGo, Params, Removal},
    rehearsal, removal,
};

/// Reason of an outcome whose node was not cordoned because enough others are.
pub const TOO_MANY_CORDONED: &str = "too-many-cordoned";

/// Serves all actions about nodes, with one engine for all of them.
pub struct Drainer {
    pub(crate) cluster: Cluster,
    pub(crate) limits: Limits,
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) time: SignedDuration,
    pub(crate) node_wait: SignedDuration,
    /// How close to its time a scheduled end counts as certain.
    pub(crate) near: SignedDuration,
    /// Of nodes that take no pods, for advisory notices.
    pub(crate) cap: Cap,
}

impl Drainer {
    /// A handler for the nodes of this cluster.
    pub fn new(cluster: Cluster, settings: &config::Drain) -> Self {
        let span = |duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let limits = Limits {
            time: span(settings.time_limit),
            node_wait: span(settings.node_wait),
            near: span(settings.scheduled_force_within),
            cap: settings.advisory_cordons,
        };
        Self { cluster, limits }
    }
}

impl Handler for Drainer {
    async fn handle(&self, mut job: Job) -> Result<Report, Failure> {
        let wish = Wish::of(job.action())?;
        // The loop knows how far our clock is off the bus's.
        self.cluster.clock().correct(job.now());
        let node = match self.find(&mut job).await? {
            Found::Node(node) => node,
            Found::Nothing => return Ok(not_found(job.action())),
            Found::Withdrawn => {
                return Ok(Report::cancelled(
                    "The incident was withdrawn; nothing was touched.",
                ));
            }
        };
        match (wish, job.is_dry_run()) {
            (Wish::Cordon(extent), false) => self.cordon(&job, &node, extent).await,
            (Wish::Uncordon(when), false) => self.uncordon(job, &node, when).await,
            (Wish::Drain(params), false) => drain::run(self, params, job, &node).await,
            (Wish::Remove(wish), false) => removal::run(self, wish, job, &node).await,
            (Wish::Cordon(_), true) => Ok(rehearsal::cordon(&node)),
            (Wish::Uncordon(_), true) => Ok(rehearsal::uncordon(&node)),
            (Wish::Drain(params), true) => Ok(rehearsal::drain(self, params, &job, &node)),
            (Wish::Remove(wish), true) => Ok(rehearsal::removal(wish, &node)),
        }
    }
}

/// What an action asks for.
enum Wish {
    Cordon(Extent),
    Drain(Params),
    Uncordon(LetGo),
    Remove(Removal),
}

impl Wish {
    fn of(action: &proto::Action) -> Result<Self, Failure> {
        match action.kind.as_str() {
            kind::CORDON => params::of_cordon(action).map(Self::Cordon),
            kind::DRAIN => Params::of_drain(action).map(Self::Drain),
            kind::UNCORDON => params::of_uncordon(action).map(Self::Uncordon),
            kind::REMOVE_NODE => params::of_removal(action).map(Self::Remove),
            other => Err(Failure::rejected(
                "unknown-kind",
                format!("this worker knows cordon, drain, uncordon and remove-node, not `{other}`"),
            )),
        }
    }
}

enum Found {
    Node(Arc<Node>),
    Nothing,
    Withdrawn,
}

impl Drainer {
    /// The action's node. One that is not known yet is waited for, as long after the first notice as a machine takes to
    /// join; no longer where there is no time.
    async fn find(&self, job: &mut Job) -> Result<Found, Failure> {
        let action = job.action().clone();
        let noticed_at = action
            .noticed_at
            .as_ref()
            .and_then(|at| time::from_proto(at).ok());
        let until = noticed_at
            .unwrap_or_else(|| job.now())
            .checked_add(self.limits.node_wait)
            .unwrap_or(Timestamp::MAX);
        let alias = action.target.as_ref().map_or("", |target| target.node.as_str());
        loop {
            let until = job.deadline().map_or(until, |deadline| until.min(deadline));
            tokio::select! {
                found = self.cluster.find(&action.instance, alias, until) => {
                    return Ok(found.map_or(Found::Nothing, Found::Node));
                }
                () = job.changed() => {
                    self.cluster.clock().correct(job.now());
                    if job.is_stopping() {
                        return Err(stopping());
                    }
                    if job.is_cancelled() {
                        return Ok(Found::Withdrawn);
                    }
                }
            }
        }
    }
}

/// Who holds a cordon: an episode of an instance, whichever of its actions put it on.
pub(crate) fn holder(action: &proto::Action) -> String {
    format!("{}/{}", action.instance, action.generation)
}

pub(crate) fn not_found(action: &proto::Action) -> Report {
    let alias = action.target.as_ref().map_or("", |target| target.node.as_str());
    let named = if alias.is_empty() {
        String::new()
    } else {
        format!(" (node {alias})")
    };
    Report::skipped(
        reason::NODE_NOT_FOUND,
        format!("The cluster has no node of {}{named}.", action.instance),
    )
}

/// The process ends: whoever comes next finds in the cluster how far it is.
pub(crate) fn stopping() -> Failure {
    Failure::transient("the process ends; another one goes on")
}

/// Everything may go better later: even a missing permission can be granted. The deadline ends the tries.
pub(crate) fn failure(node: &Node, doing: &str, refusal: &Refusal) -> Failure {
    let after = match refusal {
        Refusal::Transient { after, .. } | Refusal::Throttled { after } | Refusal::Budget { after, .. } => {
            *after
        }
        Refusal::Denied { .. } => Some(std::time::Duration::from_secs(5)),
        Refusal::Missing | Refusal::Replaced | Refusal::Changed => None,
    };
    Failure::Transient {
        cause: format!("cannot {doing} {}: {refusal}", node.name),
        after,
    }
}
