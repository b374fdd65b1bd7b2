//! The ways that a swap may go, to its end or back.

use std::time::Duration;

use hollowtrees_harness::{
    Aws,
    aws::{Delays, Instance, Service},
    eventually,
};
use hollowtrees_schemas::{names::result, proto};
use serde_json::json;

use crate::{
    whole::{self, SIZES, ZONES},
    world::{BOUND, World, params},
};

/// How a swap goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To its end, with all that there is to do.
    Forward,
    /// It is withdrawn before its replacement is attached.
    Unattached,
    /// It is withdrawn before its replacement is in service.
    Attached,
    /// The old one leaves first, and its group can launch nothing of this type in its place.
    Lowered(&'static str),
    /// The old one leaves first, and its group launches one in its place.
    Spared,
    /// By strategy `terminate`.
    Terminate,
    /// By strategy `detach`.
    Detach,
}

/// What joins a group is soon in service in the one, and in the other ([`Way::joins_slowly`]) when a test says so.
pub(crate) fn set_paces(quick: &Aws, slow: &Aws) {
    for (aws, in_service) in [(quick, 1), (slow, 3600)] {
        aws.set_delays(Delays {
            running: Duration::from_secs(1),
            in_service: Duration::from_secs(in_service),
        });
    }
}

impl Way {
    /// Whether what joins a group is not in service before a test says so.
    pub(crate) const fn joins_slowly(self) -> bool {
        !matches!(self, Self::Forward | Self::Terminate | Self::Detach)
    }

    /// What it changes, from its beginning to its end.
    pub(crate) fn changes(self) -> Vec<&'static str> {
        let joined = &whole::CHANGES[..4];
        const BACK: [&str; 2] = ["UpdateAutoScalingGroup", "ResumeProcesses"];
        let between: &[&str] = match self {
            Self::Forward => return whole::CHANGES.to_vec(),
            Self::Unattached => return [&joined[..3], &["TerminateInstances"], &BACK].concat(),
            Self::Attached | Self::Spared => &["TerminateInstanceInAutoScalingGroup"],
            Self::Lowered(_) => &["SetDesiredCapacity"],
            Self::Terminate => return vec!["TerminateInstanceInAutoScalingGroup"],
            Self::Detach => return vec!["DetachInstances", "TerminateInstances"],
        };
        [joined, between, &BACK].concat()
    }

    /// The result of its outcome.
    pub(crate) const fn result(self) -> &'static str {
        match self {
            Self::Unattached | Self::Attached => result::CANCELLED,
            _ => result::SUCCEEDED,
        }
    }

    /// A group, of a name that is the beginning of no other's; the instance that goes. Before anybody swaps it.
    pub(crate) async fn group(self, aws: &Aws, name: &str) -> String {
        if self == Self::Unattached {
            // Nothing else keeps it from being attached.
            let throttled = Service::AutoScaling.fault("Throttling", 400);
            let throttled = throttled.containing("Action=AttachInstances&");
            aws.inject(throttled.containing(format!("AutoScalingGroupName={name}")));
        }
        let types = match self {
            Self::Forward => return whole::group(aws, name).await,
            Self::Lowered(instance_type) => [instance_type],
            _ => ["m5.large"],
        };
        aws.create(&whole::full(name, &types))
            .await
            .unwrap()
            .members
            .remove(0)
            .0
    }

    pub(crate) fn action(self, world: &World, old: &str) -> proto::Action {
        let said = match self {
            Self::Forward => return whole::action(world, old),
            Self::Terminate => json!({"strategy": "terminate"}),
            Self::Detach => json!({"strategy": "detach"}),
            _ => json!({}),
        };
        proto::Action {
            params: params(said),
            ..world.action(old, "advisory")
        }
    }

    /// The fact after which something happens; none: nothing does.
    pub(crate) const fn turns_at(self) -> Option<&'static str> {
        match self {
            Self::Forward | Self::Terminate | Self::Detach => None,
            Self::Unattached => Some("running"),
            Self::Attached | Self::Lowered(_) | Self::Spared => Some("attached"),
        }
    }

    /// That happens.
    pub(crate) async fn turns(self, world: &World, name: &str, old: &str) {
        match self {
            Self::Forward | Self::Terminate | Self::Detach => {}
            Self::Unattached => {
                eventually("all but its attachment", BOUND, async || {
                    let record = world.record(name).await;
                    record.rebalance_suspended && record.pending.is_none()
                })
                .await;
                world.incident(old, "cancelled").await;
            }
            Self::Attached => world.incident(old, "cancelled").await,
            Self::Lowered(instance_type) => {
                for zone in ZONES {
                    world.aws.set_capacity(instance_type, zone, false);
                }
                world.aws.interrupt(old).await.unwrap();
            }
            Self::Spared => {
                let new = world.replacements(old).await.remove(0).id;
                world.aws.interrupt(old).await.unwrap();
                world.aws.set_member_state(&new, Some("InService")).await.unwrap();
            }
        }
    }

    /// Each thing was done once, and all is as if nobody had died; all instances are these.
    pub(crate) async fn assert_end(self, world: &World, all: &[Instance], name: &str, old: &str) {
        let launched = whole::launched_of(all, old);
        let launches = self.changes().contains(&"RunInstances");
        assert_eq!(launched.len(), usize::from(launches), "{launched:?}");
        let members = world.members(name).await;
        let is_member = |id: &str| members.iter().any(|member| member == id);
        let serves = launched.iter().any(|new| is_member(&new.id));
        let stays = matches!(self, Self::Unattached | Self::Attached);
        assert_eq!(
            (serves, is_member(old)),
            (launches && !stays, stays),
            "{members:?}"
        );
        let count = if matches!(self, Self::Lowered(_)) {
            2
        } else {
            SIZES.1 as usize
        };
        assert_eq!(members.len(), count);
        assert_eq!(world.sizes(name).await, SIZES);
        let state = if stays { "running" } else { "terminated" };
        let old = all.iter().find(|found| found.id == old).expect("the old one");
        assert_eq!(old.state, state, "the old one");
        whole::assert_at_rest(world, name).await;
    }
}
