//! The action for a node whose instance is gone.

use std::time::Duration;

use hollowtrees_cluster::{Node, events::Happened, removal};
use hollowtrees_runtime::worker::{Failure, Job, Report};
use serde_json::json;

use crate::{
    drain::give_up_at,
    params::Removal,
    report::{capped, detail},
    story,
    wait::{Over, wait},
    worker::{Drainer, failure, not_found},
};

/// Reason of an outcome whose node was left alone because its kubelet speaks.
const STILL_SPEAKS: &str = "node-still-speaks";
/// Reason of an outcome whose node was not deleted because pods or volumes were still on it.
const NOT_EMPTY: &str = "node-not-empty";
/// The server knows of a sign of life that the watch has not shown.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What was done so far.
#[derive(Clone, Copy, Default)]
struct Done {
    out_of_service: bool,
    deleted: bool,
}

/// Waits until the node's kubelet is silent, marks it out of service, and deletes it once nothing is left on it.
pub(crate) async fn run(
    drainer: &Drainer,
    wish: Removal,
    mut job: Job,
    node: &Node,
) -> Result<Report, Failure> {
    let (cluster, name) = (&drainer.cluster, &node.name);
    let until = give_up_at(&job, &drainer.limits, job.now());
    let mut done = Done::default();
    let withdrawn = |done| {
        told(
            drainer,
            node,
            done,
            Report::cancelled(format!("The incident was withdrawn; {name} is left.")),
        )
    };
    loop {
        match wait(drainer, &mut job, until, cluster.silent(node)).await? {
            Over::Came(Some(_)) => {}
            Over::Came(None) => return Ok(gone(&job, node, done)),
            Over::Late => {
                let report = Report::failed(
                    STILL_SPEAKS,
                    format!("{name} is left as it is: its kubelet still speaks."),
                );
                return Ok(told(drainer, node, done, report));
            }
            Over::Withdrawn => return Ok(withdrawn(done)),
        }
        if wish.out_of_service && !done.out_of_service {
            let marked = cluster.mark_out_of_service(node).await;
            match marked.map_err(|refusal| failure(node, "mark out of service", &refusal))? {
                removal::Removal::Now => {
                    let told = story::out_of_service(job.action());
                    drainer.tell(&job, node, Happened::OutOfService, &told);
                }
                removal::Removal::Already => {}
                removal::Removal::NodeGone => return Ok(gone(&job, node, done)),
                removal::Removal::Speaks => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    continue;
                }
            }
            done.out_of_service = true;
        }
        if !wish.delete {
            let report = Report::succeeded(format!("{name} is out of service."));
            return Ok(told(drainer, node, done, report));
        }
        // Who is not to be given up by the taint goes with the object.
        if wish.out_of_service {
            match wait(drainer, &mut job, until, cluster.emptied(node)).await? {
                Over::Came(()) => {}
                Over::Late => {
                    let report = Report::failed(
                        NOT_EMPTY,
                        format!("{name} is out of service; pods or volumes are still on it."),
                    );
                    return Ok(told(drainer, node, done, report));
                }
                Over::Withdrawn => return Ok(withdrawn(done)),
            }
        }
        let deleted = cluster.delete_node(node).await;
        match deleted.map_err(|refusal| failure(node, "delete", &refusal))? {
            removal::Removal::Now | removal::Removal::Already => {
                done.deleted = true;
                let report = Report::succeeded(format!("{name} is deleted."));
                return Ok(told(drainer, node, done, report));
            }
            removal::Removal::NodeGone => return Ok(gone(&job, node, done)),
            removal::Removal::Speaks => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

/// Somebody else deleted it; what was ours to do is done, or was nothing.
fn gone(job: &Job, node: &Node, done: Done) -> Report {
    if done.out_of_service {
        Report::succeeded(format!(
            "{} was out of service, and somebody else deleted it.",
            node.name
        ))
    } else {
        not_found(job.action())
    }
}

fn told(drainer: &Drainer, node: &Node, done: Done, report: Report) -> Report {
    let left = drainer.cluster.left(node);
    let told = json!({
        "node": &*node.name,
        "out_of_service": done.out_of_service,
        "deleted": done.deleted,
        "left": capped(left.pods),
        "attached": capped(left.volumes),
    });
    detail(report, told)
}
