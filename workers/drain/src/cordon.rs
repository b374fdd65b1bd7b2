//! The actions that put a cordon on and let it go.

use hollowtrees_cluster::{
    Node,
    cordon::{Cordoned, Extent, Released},
    events::Happened,
};
use hollowtrees_domain::words::Certainty;
use hollowtrees_runtime::worker::{Failure, Job, Report};

use crate::{
    drain::give_up_at,
    params::LetGo,
    story,
    wait::{Over, wait},
    worker::{Drainer, TOO_MANY_CORDONED, failure, holder, not_found},
};

/// Reason of an outcome whose machine was not started anew in time.
pub(crate) const NOT_REBOOTED: &str = "not-rebooted";

impl Drainer {
    /// Puts the cordon on, within the cap where the end of the instance is only advised.
    pub(crate) async fn put_on(&self, job: &Job, node: &Node, extent: Extent) -> Result<Cordoned, Failure> {
        let holder = holder(job.action());
        let certainty = job.action().certainty.parse().unwrap_or(Certainty::Advisory);
        let cap = (certainty == Certainty::Advisory).then_some(self.limits.cap);
        let cordoned = self.cluster.cordon_as(extent, cap, node, &holder).await;
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

    pub(crate) async fn cordon(&self, job: &Job, node: &Node, extent: Extent) -> Result<Report, Failure> {
        let name = &node.name;
        let but = match extent {
            Extent::Whole => "",
            Extent::Taint => " but such as tolerate its taint",
        };
        Ok(match self.put_on(job, node, extent).await? {
            Cordoned::NodeGone => return Ok(not_found(job.action())),
            Cordoned::TooMany { cordoned, nodes } => self.too_many(node, cordoned, nodes),
            Cordoned::Now => {
                let told = story::cordoned(job.action(), job.deadline(), extent);
                self.tell(job, node, Happened::Cordoned, &told);
                Report::succeeded(format!("{name} takes no new pods{but}.")).cordoned_at(job.now())
            }
            Cordoned::Already => {
                Report::succeeded(format!("{name} took no new pods{but} already.")).cordoned_at(job.now())
            }
        })
    }

    /// Lets go of the node, once it is time.
    pub(crate) async fn uncordon(&self, mut job: Job, node: &Node, when: LetGo) -> Result<Report, Failure> {
        let (name, holder) = (&node.name, holder(job.action()));
        if when == LetGo::AfterReboot {
            let until = give_up_at(&job, &self.limits, job.now());
            match wait(self, &mut job, until, self.cluster.rebooted(node, &holder)).await? {
                Over::Came(Some(_)) => {}
                Over::Came(None) => return Ok(not_found(job.action())),
                Over::Late => {
                    let told =
                        format!("{name} is still cordoned: it was not seen to be started anew and ready.");
                    return Ok(Report::failed(NOT_REBOOTED, told));
                }
                Over::Withdrawn => {
                    return Ok(Report::cancelled(
                        "The incident was withdrawn before the machine was started anew.",
                    ));
                }
            }
        }
        let released = self.cluster.uncordon(node, &holder).await;
        Ok(
            match released.map_err(|refusal| failure(node, "uncordon", &refusal))? {
                Released::NodeGone => not_found(job.action()),
                Released::Last => {
                    let told = story::uncordoned(job.action(), when);
                    self.tell(&job, node, Happened::Uncordoned, &told);
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

    pub(crate) fn tell(&self, job: &Job, node: &Node, happened: Happened, told: &str) {
        let story = story::of(node, job.action());
        self.cluster.tell(node, happened, &story, told);
    }
}
