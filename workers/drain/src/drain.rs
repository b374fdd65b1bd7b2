//! The drain action.

use std::sync::Arc;

use hollowtrees_cluster::{
    Cluster, Node,
    cordon::{Cordoned, Extent},
    engine::{Ended, Summary, Word},
    events::Happened,
};
use hollowtrees_domain::{
    drain::{Assessed, Force, Want, Wish},
    words::Certainty,
};
use hollowtrees_runtime::worker::{Failure, Job, Report};
use hollowtrees_schemas::names::{reason, when_expired};
use jiff::{SignedDuration, Timestamp};

use crate::{
    params::Params,
    report::{self, TimeLeft},
    story,
    worker::{Drainer, Limits, not_found, stopping},
};

/// The drain speaks for itself shortly before the loop speaks for it.
const LAST_WORDS: SignedDuration = SignedDuration::from_secs(2);

/// Cordons the node and empties it, as far as the time allows.
pub(crate) async fn run(
    drainer: &Drainer,
    params: Params,
    mut job: Job,
    node: &Arc<Node>,
) -> Result<Report, Failure> {
    let started_at = job.now();
    let cluster = &drainer.cluster;
    match drainer.put_on(&job, node, Extent::Whole).await? {
        Cordoned::NodeGone => return Ok(not_found(job.action())),
        Cordoned::TooMany { cordoned, nodes } => return Ok(drainer.too_many(node, cordoned, nodes)),
        Cordoned::Now | Cordoned::Already => {}
    }
    let cordoned_at = job.now();
    let until = give_up_at(&job, &drainer.limits, started_at);
    // The engine is under way while the rest of the world is told.
    let asked = |job: &Job| want(job, params, &drainer.limits, started_at);
    let mut ticket = cluster.drain(node, asked(&job), Some(until));
    began(&job, node);
    let story = story::of(node, job.action());
    let hurried = hurried(cluster, node, asked(&job));
    let beginning = story::beginning(job.action(), job.deadline(), &hurried);
    cluster.tell(node, Happened::Draining, &story, &beginning);
    let message = format!("{} takes no new pods.", node.name);
    job.progress(reason::CORDONED, &message, None).await;

    let summary = loop {
        if job.is_stopping() {
            return Err(stopping());
        }
        if job.is_cancelled() {
            let (done, time) = (ticket.leave(), TimeLeft::of(&job));
            return Ok(report::cancelled(node, done.as_ref(), time).cordoned_at(cordoned_at));
        }
        tokio::select! {
            word = ticket.word() => match word {
                Some(Word::Blocked(blocked)) => {
                    let told = story::blocked(job.action(), job.deadline(), &blocked);
                    let story = story::of_blocked(&story, &blocked);
                    cluster.tell(node, Happened::Blocked, &story, &told);
                }
                Some(Word::Ended(summary)) => break Some(*summary),
                None => break None,
            },
            () = job.changed() => {
                cluster.clock().correct(job.now());
                ticket.change(asked(&job), Some(give_up_at(&job, &drainer.limits, started_at)));
            }
        }
    };
    match summary {
        None
        | Some(Summary {
            ended: Ended::Stopping,
            ..
        }) => Err(stopping()),
        Some(summary) => {
            let happened = if summary.ended == Ended::Empty {
                Happened::Drained
            } else {
                Happened::NotDrained
            };
            let time = TimeLeft::of(&job);
            cluster.tell(node, happened, &story, &story::ending(node, &summary, time));
            Ok(report::of(node, &summary, time).cordoned_at(cordoned_at))
        }
    }
}

/// The one line of a node's beginning; the loop has the one of its end.
fn began(job: &Job, node: &Node) {
    let action = job.action();
    let deadline = job.deadline().map(tracing::field::display);
    tracing::info!(
        action = action.id,
        node = %node.name,
        instance = action.instance,
        certainty = action.certainty,
        deadline,
        "A node is being drained."
    );
}

/// Pods with more grace than there is time, and their grace in seconds.
fn hurried(cluster: &Cluster, node: &Node, want: Want) -> Vec<(String, u32)> {
    let now = cluster.clock().now();
    cluster.rehearse(node, want, |assessment| {
        let is_late = |pod: &&Assessed<'_>| pod.latest_start.is_some_and(|latest| latest < now);
        let late = assessment.pods.iter().filter(is_late);
        late.map(|late| (late.pod.path(), late.pod.grace_seconds))
            .collect()
    })
}

/// What the action wants by now.
pub(crate) fn want(job: &Job, params: Params, limits: &Limits, started_at: Timestamp) -> Want {
    let action = job.action();
    // One that was asked to run late has no deadline any more.
    let run_late = action.when_expired == when_expired::RUN;
    let deadline = job
        .deadline()
        .filter(|deadline| !(run_late && *deadline <= started_at));
    // What cannot be read allows least.
    let certainty = action.certainty.parse().unwrap_or(Certainty::Advisory);
    let wish = Wish {
        deadline,
        force: Force::of(certainty, limits.near).at_most(params.force),
    };
    Want {
        wish,
        terms: params.terms,
    }
}

/// When an outcome has to be there, whatever the pods do.
pub(crate) fn give_up_at(job: &Job, limits: &Limits, started_at: Timestamp) -> Timestamp {
    let limit = started_at.checked_add(limits.time).unwrap_or(Timestamp::MAX);
    let end = job.ends_by().min(limit);
    end.checked_sub(LAST_WORDS).unwrap_or(end)
}
