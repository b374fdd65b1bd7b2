//! Each call that a swap makes goes wrong, in each way.

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, stream};
use hollowtrees_harness::{Aws, aws::Service, proxy::Fault};
use hollowtrees_schemas::proto;

use crate::{
    whole::{self, SIZES},
    world::{World, detail},
};

/// Swaps at once, each with a bus of its own.
const AT_ONCE: usize = 12;
/// More often than the SDK repeats by itself; and than a swap asks for what it goes on without.
pub(crate) const TIMES: usize = 4;
const OPTIONAL_TIMES: usize = 2;
const OPTIONAL: [&str; 3] = [
    "DescribeSpotPriceHistory",
    "SuspendProcesses",
    "SetInstanceProtection",
];

/// All that a swap calls which has all there is to do.
pub(crate) const CALLS: [&str; 16] = [
    "AttachInstances",
    "DescribeAutoScalingGroups",
    "DescribeAutoScalingInstances",
    "DescribeInstanceHealth",
    "DescribeInstances",
    "DescribeLaunchTemplateVersions",
    "DescribeSpotPriceHistory",
    "DescribeSubnets",
    "DescribeTargetHealth",
    "DetachInstances",
    "ResumeProcesses",
    "RunInstances",
    "SetInstanceProtection",
    "SuspendProcesses",
    "TerminateInstances",
    "UpdateAutoScalingGroup",
];

/// A call of a swap.
type Asked = (Service, String);

/// One swap; its outcome, and the calls that AWS answered.
async fn swap(
    aws: Arc<Aws>,
    name: String,
    fault: Option<Fault>,
) -> (World, String, proto::Outcome, Vec<(Service, String)>) {
    let old = whole::group(&aws, &name).await;
    let mut world = World::beside(aws, &name, &[]).await;
    if let Some(fault) = fault {
        world.aws.inject(fault.signed_with(&name));
    }
    world.undrained(&old).await;
    let worker = world.worker().await;
    world.send(&whole::action(&world, &old)).await;
    let outcome = world.end().await;
    worker.stop().await;
    let calls = world.aws.calls().into_iter().filter(|call| call.key == name);
    let calls = calls.map(|call| (call.service().unwrap(), call.action)).collect();
    (world, old, outcome, calls)
}

/// All calls of a swap with which nothing goes wrong, each once.
async fn calls_of_a_swap(aws: &Arc<Aws>) -> Vec<Asked> {
    let (world, old, outcome, calls) = swap(Arc::clone(aws), "calm".to_owned(), None).await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("calm", &old, SIZES).await;
    let changes = calls
        .iter()
        .filter(|(_, call)| whole::CHANGES.contains(&call.as_str()));
    let changes: Vec<_> = changes.map(|(_, call)| call.as_str()).collect();
    assert_eq!(changes, whole::CHANGES);
    let mut seen = BTreeSet::new();
    let calls: Vec<_> = calls
        .into_iter()
        .filter(|(_, call)| seen.insert(call.clone()))
        .collect();
    assert!(seen.iter().eq(CALLS.iter()), "{seen:?}");
    calls
}

/// What passes: too many calls, an error of AWS's own, an answer that never came though it was done.
pub(crate) fn that_pass(service: Service) -> [(&'static str, Fault); 3] {
    let throttled = match service {
        Service::Ec2 => service.fault("RequestLimitExceeded", 503),
        _ => service.fault("Throttling", 400),
    };
    [
        ("throttled", throttled),
        ("broken", service.fault("InternalFailure", 500)),
        ("lost", Fault::lost_reply()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_passes_at_whichever_call_is_one_whole_swap() {
    let aws = Arc::new(Aws::start().await.unwrap());
    let calls = calls_of_a_swap(&aws).await;
    println!("{calls:?}");
    let mut cases = Vec::new();
    for (number, (service, call)) in calls.into_iter().enumerate() {
        for (trouble, fault) in that_pass(service) {
            let times = if OPTIONAL.contains(&call.as_str()) {
                OPTIONAL_TIMES
            } else {
                TIMES
            };
            let fault = fault.containing(format!("Action={call}&")).times(times);
            cases.push((format!("{trouble}-{number}"), call.clone(), fault));
        }
    }
    let swaps = cases.into_iter().map(|(name, call, fault)| {
        let aws = Arc::clone(&aws);
        async move {
            let said = format!("{name} {call}");
            let swapped = tokio::spawn(passes(aws, name, call, fault)).await;
            swapped.err().map(|_| said)
        }
    });
    assert_all_pass(swaps).await;
}

/// Some at once; each gives its name if it failed.
async fn assert_all_pass(swaps: impl IntoIterator<Item = impl Future<Output = Option<String>>>) {
    let failed: Vec<_> = stream::iter(swaps)
        .buffer_unordered(AT_ONCE)
        .filter_map(async |failed| failed)
        .collect()
        .await;
    assert!(failed.is_empty(), "{failed:#?}");
}

async fn passes(aws: Arc<Aws>, name: String, call: String, fault: Fault) {
    let (world, old, outcome, calls) = swap(aws, name.clone(), Some(fault.clone())).await;
    let said = format!("{name} {call}: {outcome:?}");
    assert_eq!(outcome.result, "succeeded", "{said}");
    assert!(fault.struck() > 0, "{said}: nothing went wrong");
    assert!(calls.iter().any(|(_, made)| *made == call), "{said}");
    assert_eq!(whole::launched(&world, &old).await, 1, "{said}");
    let new = world.swapped(&name, &old, SIZES).await;
    assert_eq!(
        world.aws.group(&name).await.unwrap().protected,
        [new.id],
        "{said}"
    );
    assert_eq!(world.members(&name).await.len(), 2, "{said}");
    assert_eq!(world.instance(&old).await.state, "terminated", "{said}");
    whole::assert_at_rest(&world, &name).await;
}

/// How a swap ends to which AWS refuses a call for good.
struct Refused {
    call: &'static str,
    /// So many of the kind are not refused.
    skip: usize,
    swapped: bool,
    /// MaxSize at the end.
    max: u32,
    /// What is said of it.
    says: &'static str,
}

const fn refused(call: &'static str, skip: usize, swapped: bool, says: &'static str) -> Refused {
    Refused {
        call,
        skip,
        swapped,
        max: SIZES.2,
        says,
    }
}

/// One for each call that changes something.
const REFUSED: [Refused; 9] = [
    refused("RunInstances", 0, false, "AWS "),
    refused("UpdateAutoScalingGroup", 0, false, "What was launched was ended."),
    refused("SuspendProcesses", 0, true, " in place of "),
    refused("AttachInstances", 0, false, "What was launched was ended."),
    refused("SetInstanceProtection", 0, true, "not protected from scale-in"),
    refused("DetachInstances", 0, false, "What was launched was ended."),
    Refused {
        max: 3,
        ..refused("UpdateAutoScalingGroup", 1, true, "MaxSize was left")
    },
    refused("ResumeProcesses", 0, true, "AZRebalance was left"),
    refused("TerminateInstances", 0, true, "still runs"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_is_undone_or_told_and_leaves_nothing_else() {
    let named: BTreeSet<_> = REFUSED
        .iter()
        .map(|refused| (refused.call, refused.skip))
        .collect();
    let updates = named.iter().filter(|(call, _)| *call == "UpdateAutoScalingGroup");
    assert_eq!((named.len(), updates.count()), (whole::CHANGES.len(), 2));
    assert!(whole::CHANGES.iter().all(|change| named.contains(&(*change, 0))));
    let aws = Arc::new(Aws::start().await.unwrap());
    let codes = [
        ("denied", "AccessDenied", 403),
        ("rejected", "ValidationError", 400),
    ];
    let cases = REFUSED.iter().enumerate().flat_map(|(number, refused)| {
        codes.map(|(word, code, status)| (format!("{word}-{number}"), code, status, refused))
    });
    let swaps = cases.map(|(name, code, status, refused)| {
        let aws = Arc::clone(&aws);
        async move {
            let said = format!("{name} {}", refused.call);
            let ended = tokio::spawn(is_refused(aws, name, code, status, refused)).await;
            ended.err().map(|_| said)
        }
    });
    assert_all_pass(swaps).await;
}

async fn is_refused(aws: Arc<Aws>, name: String, code: &str, status: u16, refused: &Refused) {
    let service = match refused.call {
        "RunInstances" | "TerminateInstances" => Service::Ec2,
        _ => Service::AutoScaling,
    };
    let fault = service
        .fault(code, status)
        .containing(format!("Action={}&", refused.call))
        .skip(refused.skip);
    let (world, old, outcome, _) = swap(aws, name.clone(), Some(fault.clone())).await;
    let said = format!("{name} {}: {outcome:?}", refused.call);
    assert!(fault.struck() > 0, "{said}: nothing went wrong");
    let result = if refused.swapped { "succeeded" } else { "failed" };
    assert_eq!(outcome.result, result, "{said}");
    assert!(outcome.message.contains(refused.says), "{said}");
    let launched = whole::launched(&world, &old).await;
    assert_eq!(launched, usize::from(refused.call != "RunInstances"), "{said}");
    let sizes = (SIZES.0, SIZES.1, refused.max);
    if refused.swapped {
        world.swapped(&name, &old, sizes).await;
        let told = detail(&outcome);
        assert_eq!(told["restored"], !refused.says.ends_with(" was left"), "{told}");
    } else {
        world.unswapped(&name, &old, sizes).await;
    }
    assert_eq!(world.members(&name).await.len(), 2, "{said}");
    let stays = !refused.swapped || refused.call == "TerminateInstances";
    let state = if stays { "running" } else { "terminated" };
    assert_eq!(world.instance(&old).await.state, state, "{said}");
    let suspended = refused.call == "ResumeProcesses";
    assert_eq!(whole::is_suspended(&world, &name).await, suspended, "{said}");
}
