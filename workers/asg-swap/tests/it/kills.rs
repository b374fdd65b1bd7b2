//! The process itself, killed at every call that a swap makes: before the call takes effect, and after that and before its
//! answer is known. Another process goes on.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use hollowtrees_harness::{
    Aws,
    aws::{Delays, Instance, Service},
    eventually,
    ports::Port,
    proxy::{Fault, Held},
};
use hollowtrees_schemas::proto;
use serde_json::json;

use crate::{
    whole::{self, SIZES, ZONES},
    world::{BOUND, World, params},
};

/// Processes at once.
const AT_ONCE: usize = 16;

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

/// When the process is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    /// This call, after so many of its kind, was made and has had no effect.
    Before(&'static str, usize),
    /// This call, after so many of its kind, has had its effect.
    After(&'static str, usize),
    /// This fact was told; the next is waited for.
    Told(&'static str),
}

/// Every call of every way; of those that only read, those that are waited by.
pub(crate) fn cases() -> Vec<(Way, At)> {
    let changes = [
        (Way::Forward, "RunInstances", 0),
        (Way::Forward, "UpdateAutoScalingGroup", 0),
        (Way::Forward, "SuspendProcesses", 0),
        (Way::Forward, "AttachInstances", 0),
        (Way::Forward, "SetInstanceProtection", 0),
        (Way::Forward, "DetachInstances", 0),
        (Way::Forward, "UpdateAutoScalingGroup", 1),
        (Way::Forward, "ResumeProcesses", 0),
        (Way::Forward, "TerminateInstances", 0),
        (Way::Unattached, "TerminateInstances", 0),
        (Way::Attached, "TerminateInstanceInAutoScalingGroup", 0),
        (Way::Attached, "UpdateAutoScalingGroup", 1),
        (Way::Attached, "ResumeProcesses", 0),
        (Way::Spared, "TerminateInstanceInAutoScalingGroup", 0),
        (Way::Terminate, "TerminateInstanceInAutoScalingGroup", 0),
        (Way::Detach, "DetachInstances", 0),
        (Way::Detach, "TerminateInstances", 0),
    ];
    let both = |(way, call, skip)| [(way, At::Before(call, skip)), (way, At::After(call, skip))];
    let mut cases: Vec<_> = changes.into_iter().flat_map(both).collect();
    cases.extend([
        (Way::Lowered("m4.large"), At::Before("SetDesiredCapacity", 0)),
        (Way::Lowered("c5.large"), At::After("SetDesiredCapacity", 0)),
        // It chooses.
        (Way::Forward, At::After("DescribeLaunchTemplateVersions", 0)),
        // It waits: to run, to be in service, to be healthy at load balancers.
        (Way::Forward, At::Told("launched")),
        (Way::Forward, At::Told("attached")),
        (Way::Forward, At::After("DescribeTargetHealth", 0)),
        (Way::Forward, At::After("DescribeInstanceHealth", 0)),
    ]);
    cases
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

    /// A group; the instance that goes.
    pub(crate) async fn group(self, aws: &Aws, name: &str) -> String {
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

    /// What is told before something happens meanwhile.
    pub(crate) const fn awaits(self) -> Option<&'static str> {
        match self {
            Self::Forward | Self::Terminate | Self::Detach => None,
            Self::Unattached => Some("running"),
            Self::Attached | Self::Lowered(_) | Self::Spared => Some("attached"),
        }
    }

    /// What happens then.
    pub(crate) async fn happens(self, world: &World, name: &str, old: &str) {
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

    /// How it ends.
    pub(crate) const fn result(self) -> &'static str {
        match self {
            Self::Unattached | Self::Attached => "cancelled",
            _ => "succeeded",
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

impl At {
    /// Holds the call, of who signs with this key.
    fn hold(self, aws: &Aws, key: &str) -> Option<Held> {
        let ((fault, held), call, skip) = match self {
            Self::Before(call, skip) => (Fault::held_before(), call, skip),
            Self::After(call, skip) => (Fault::held_after(), call, skip),
            Self::Told(_) => return None,
        };
        let fault = fault.containing(format!("Action={call}&")).signed_with(key);
        aws.inject(fault.skip(skip).times(1));
        Some(held)
    }

    async fn comes(self, world: &mut World, held: Option<&Held>) {
        match (self, held) {
            (Self::Told(fact), _) => world.fact(fact).await,
            (_, Some(held)) => reached(held).await,
            (_, None) => unreachable!("a call is held"),
        }
    }
}

pub(crate) async fn reached(held: &Held) {
    let reached = tokio::time::timeout(BOUND, held.reached()).await;
    reached.expect("the call is made");
}

fn group_of(number: usize) -> String {
    format!("kill-{number}")
}

/// One death; the calls that changed something, in their order.
async fn dies(number: usize, way: Way, at: At, aws: Arc<Aws>, old: String) -> Vec<String> {
    let (name, key) = (group_of(number), format!("kill{number}"));
    let mut world = World::beside(aws, &key, &[]).await;
    let held = at.hold(&world.aws, &key);
    if way == Way::Unattached {
        let throttled = Service::AutoScaling.fault("Throttling", 400);
        let throttled = throttled.containing("Action=AttachInstances&");
        world.aws.inject(throttled.signed_with(&key));
    }
    let port = Port::reserve().unwrap();
    let process = world.process(&port).start().unwrap();
    world.undrained(&old).await;
    world.send(&way.action(&world, &old)).await;
    if let Some(fact) = way.awaits() {
        world.fact(fact).await;
        way.happens(&world, &name, &old).await;
    }
    at.comes(&mut world, held.as_ref()).await;
    process.kill();
    drop(held);
    process.restart().unwrap();
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.attempt),
        (way.result(), 2),
        "{outcome:?}"
    );
    let all = world.aws.instances().await.unwrap();
    way.assert_end(&world, &all, &name, &old).await;
    let calls = world.aws.writes().into_iter().filter(|call| call.key == key);
    let changes = once(calls.map(|call| call.action));
    assert_eq!(changes, way.changes());
    changes
}

/// Without what was asked for again, and may be: by the same token, for what has ended, and for what goes on already.
pub(crate) fn once(calls: impl Iterator<Item = String>) -> Vec<String> {
    let again = ["RunInstances", "TerminateInstances", "ResumeProcesses"];
    let mut calls: Vec<String> = calls.collect();
    calls.dedup_by(|later, first| later == first && again.contains(&first.as_str()));
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_call_another_process_completes_what_it_began_once() {
    let (quick, slow) = tokio::join!(Aws::start(), Aws::start());
    let (quick, slow) = (Arc::new(quick.unwrap()), Arc::new(slow.unwrap()));
    let mut deaths = Vec::new();
    for (number, (way, at)) in cases().into_iter().enumerate() {
        let aws = if way.joins_slowly() { &slow } else { &quick };
        let old = way.group(aws, &group_of(number)).await;
        deaths.push((way, at, dies(number, way, at, Arc::clone(aws), old)));
    }
    for (aws, in_service) in [(&quick, 1), (&slow, 3600)] {
        aws.set_delays(Delays {
            running: Duration::from_secs(1),
            in_service: Duration::from_secs(in_service),
        });
    }
    let deaths = deaths
        .into_iter()
        .map(|(way, at, death)| async move { (way, at, tokio::spawn(death).await) });
    let mut deaths = stream::iter(deaths).buffer_unordered(AT_ONCE);
    let (mut changes, mut failed) = (BTreeSet::new(), Vec::new());
    while let Some((way, at, death)) = deaths.next().await {
        match death {
            Ok(calls) => changes.extend(calls),
            Err(_) => failed.push((way, at)),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    let cases = cases();
    for change in changes {
        let before = cases
            .iter()
            .any(|(_, at)| matches!(at, At::Before(call, _) if *call == change));
        let after = cases
            .iter()
            .any(|(_, at)| matches!(at, At::After(call, _) if *call == change));
        assert!(before && after, "nobody dies at {change}");
    }
}
