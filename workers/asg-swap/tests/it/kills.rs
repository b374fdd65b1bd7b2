//! The process itself, killed at every call that a swap makes: before the call takes effect, and after that and before its
//! answer is known. Another process goes on.

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, stream};
use hollowtrees_harness::{
    Aws,
    ports::Port,
    proxy::{Fault, Held},
};

use crate::{
    ways::{Way, set_paces},
    world::{BOUND, World},
};

/// Processes at once.
const AT_ONCE: usize = 16;

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
    format!("kill-{number}-g")
}

/// One death; the calls that changed something, in their order.
async fn dies(number: usize, way: Way, at: At, aws: Arc<Aws>, old: String) -> Vec<String> {
    let (name, key) = (group_of(number), format!("kill{number}"));
    let mut world = World::beside(aws, &key, &[]).await;
    let held = at.hold(&world.aws, &key);
    let port = Port::reserve().unwrap();
    let process = world.process(&port).start().unwrap();
    world.undrained(&old).await;
    world.send(&way.action(&world, &old)).await;
    if let Some(fact) = way.turns_at() {
        world.fact(fact).await;
        way.turns(&world, &name, &old).await;
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
    set_paces(&quick, &slow);
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
