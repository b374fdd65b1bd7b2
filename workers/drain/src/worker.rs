//! From an action to the cluster and back.

use std::sync::Arc;

use hollowtrees_cluster::{
    Cluster, Node, Refusal,
    cordon::{Cordoned, Released},
    events::Happened,
};
use hollowtrees_domain::{drain::cap::Cap, words::Certainty};
use hollowtrees_runtime::worker::{Failure, Handler, Job, Report};
use hollowtrees_schemas::{
    names::{kind, reason},
    proto::{self, time},
};
use jiff::{SignedDuration, Timestamp};

use crate::{config, drain, params::Params, rehearsal, story};

/// Reason of an outcome whose node was not cordoned because enough others are.
pub const TOO_MANY_CORDONED: &str = "too-many-cordoned";

/// Serves cordon, drain and uncordon with one engine for all nodes.
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
        let params = match job.action().kind.as_str() {
            kind::DRAIN => Params::of_drain(job.action())?,
            _ => Params::none(job.action()).map(|()| Params::default())?,
        };
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
        match (job.action().kind.as_str(), job.is_dry_run()) {
            (kind::CORDON, false) => self.cordon(&job, &node).await,
            (kind::UNCORDON, false) => self.uncordon(&job, &node).await,
            (kind::DRAIN, false) => drain::run(self, params, job, &node).await,
            (kind::CORDON, true) => Ok(rehearsal::cordon(&node)),
            (kind::UNCORDON, true) => Ok(rehearsal::uncordon(&node)),
            (kind::DRAIN, true) => Ok(rehearsal::drain(self, params, &job, &node)),
            (other, _) => Err(Failure::rejected(
                "unknown-kind",
                format!("this worker knows cordon, drain and uncordon, not `{other}`"),
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

    /// Puts the cordon on, within the cap where the end of the instance is only advised.
    pub(crate) async fn put_on(&self, job: &Job, node: &Node) -> Result<Cordoned, Failure> {
        let holder = holder(job.action());
        let certainty = job.action().certainty.parse().unwrap_or(Certainty::Advisory);
        let cordoned = match certainty {
            Certainty::Advisory => self.cluster.cordon_within(self.limits.cap, node, &holder).await,
            Certainty::Scheduled | Certainty::Certain => self.cluster.cordon(node, &holder).await,
        };
        cordoned.map_err(|refusal| failure(node, "cordon", &refusal))
    }

    pub(crate) fn too_many(&self, node: &Node, cordoned: usize, nodes: usize) -> Report {
        let (name, cap) = (&node.name, self.limits.cap);
        Report::skipped(
            TOO_MANY_CORDONED,
            format!(
                "{name} was left as it is: {cordoned} of {nodes} nodes take no pods already, and drain.advisory_cordons = {cap} \
                 lets an advisory notice cordon no other one."
            ),
        )
    }

    async fn cordon(&self, job: &Job, node: &Node) -> Result<Report, Failure> {
        let name = &node.name;
        Ok(match self.put_on(job, node).await? {
            Cordoned::NodeGone => return Ok(not_found(job.action())),
            Cordoned::TooMany { cordoned, nodes } => self.too_many(node, cordoned, nodes),
            Cordoned::Now => {
                let told = story::cordoned(job.action(), job.deadline());
                self.tell(job, node, Happened::Cordoned, &told);
                Report::succeeded(format!("{name} takes no new pods.")).cordoned_at(job.now())
            }
            Cordoned::Already => {
                Report::succeeded(format!("{name} took no new pods already.")).cordoned_at(job.now())
            }
        })
    }

    fn tell(&self, job: &Job, node: &Node, happened: Happened, told: &str) {
        let story = story::of(node, job.action());
        self.cluster.tell(node, happened, &story, told);
    }

    async fn uncordon(&self, job: &Job, node: &Node) -> Result<Report, Failure> {
        let released = self.cluster.uncordon(node, &holder(job.action())).await;
        let name = &node.name;
        Ok(
            match released.map_err(|refusal| failure(node, "uncordon", &refusal))? {
                Released::NodeGone => not_found(job.action()),
                Released::Last => {
                    self.tell(job, node, Happened::Uncordoned, &story::uncordoned(job.action()));
                    Report::succeeded(format!("{name} is as it was before its cordon."))
                }
                Released::Held(others) => Report::succeeded(format!(
                    "{name} was let go; {others} other incidents still hold it."
                )),
                Released::NotHeld => {
                    Report::skipped("not-held", format!("This incident does not hold {name}."))
                }
            },
        )
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
