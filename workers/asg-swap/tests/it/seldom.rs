//! Each call that only some swaps make goes wrong, in each way: those of other kinds of groups, under a role, when the old one
//! leaves first, on the way back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use hollowtrees_harness::{
    Aws,
    aws::{Delays, NewGroup, Service},
    proxy::Fault,
};
use hollowtrees_schemas::{
    names::result,
    proto::{self, time::to_proto},
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    matrix::{CALLS, TIMES, that_pass},
    rights::{self, listed},
    ways::Way,
    whole::{self, SIZES},
    world::{ACCOUNT, World, detail},
};

/// The SDK repeats no call that changes a group.
const ONCE: usize = 1;
/// It ends a member.
const END_MEMBER: &str = "TerminateInstanceInAutoScalingGroup";
/// Of groups of other kinds, and under a role.
const OF_KINDS: [&str; 5] = [
    "AssumeRole",
    "DescribeImages",
    "DescribeInstanceTypes",
    "DescribeLaunchConfigurations",
    "GetInstanceTypesFromInstanceRequirements",
];
/// An account without a role: its calls are made with our own credentials.
const OTHER: &str = "333344445555";

/// Every call that the page of rights lists for swaps goes wrong, here or in [`crate::matrix`].
#[test]
fn no_call_is_left_out() {
    let mut all: BTreeSet<String> = rights::OF_SWAPS.iter().flat_map(|head| listed(head)).collect();
    for asked_by_aws in rights::NO_CALLS.iter().chain(&["ssm:GetParameters"]) {
        assert!(all.remove(*asked_by_aws), "{asked_by_aws}");
    }
    all.insert("sts:AssumeRole".to_owned());
    let all: BTreeSet<&str> = all.iter().map(|right| right.split(':').nth(1).unwrap()).collect();
    let of_ways = [END_MEMBER, "SetDesiredCapacity"];
    let wrong = CALLS.iter().chain(&OF_KINDS).chain(&of_ways);
    assert_eq!(all, wrong.copied().collect());
}

fn of(call: &str) -> String {
    format!("Action={call}&")
}

/// What goes wrong on a way, of whoever signs with this key. Of ways of one key each is another call.
struct Trouble {
    way: Way,
    call: &'static str,
    fault: Fault,
}

impl Trouble {
    fn new(way: Way, call: &'static str, fault: Fault) -> Self {
        let fault = fault.containing(of(call));
        let fault = match (way, call) {
            (Way::Terminate, END_MEMBER) => fault.containing("ShouldDecrementDesiredCapacity=false"),
            (_, END_MEMBER) => fault.containing("ShouldDecrementDesiredCapacity=true"),
            _ => fault,
        };
        Self { way, call, fault }
    }

    fn service(call: &str) -> Service {
        match call {
            "TerminateInstances" => Service::Ec2,
            _ => Service::AutoScaling,
        }
    }
}

/// A swap that is over.
struct Ended {
    trouble: Trouble,
    name: String,
    old: String,
    outcome: proto::Outcome,
}

impl Ended {
    fn said(&self) -> String {
        let (way, call) = (self.trouble.way, self.trouble.call);
        let (result, message) = (&self.outcome.result, &self.outcome.message);
        format!("{} {way:?} {call}: {result}: {message}", self.name)
    }
}

/// Groups of a world, each with its trouble and the instance that goes.
async fn groups(aws: &Aws, key: &str, troubles: Vec<Trouble>) -> Vec<(Trouble, String, String)> {
    let mut made = Vec::new();
    for (number, trouble) in troubles.into_iter().enumerate() {
        let name = format!("{key}-{number}-g");
        let old = trouble.way.group(aws, &name).await;
        // On two ways desired may be lowered.
        let fault = match trouble.call {
            "SetDesiredCapacity" => trouble.fault.clone().containing(name.clone()),
            _ => trouble.fault.clone(),
        };
        aws.inject(fault.signed_with(key));
        made.push((trouble, name, old));
    }
    made
}

/// All of them side by side, by one worker.
async fn swap(aws: Arc<Aws>, key: &str, groups: Vec<(Trouble, String, String)>) -> (World, Vec<Ended>) {
    let mut world = World::beside(aws, key, &[]).await;
    let worker = world.worker().await;
    for (trouble, _, old) in &groups {
        world.undrained(old).await;
        world.send(&trouble.way.action(&world, old)).await;
    }
    let mut outcomes = BTreeMap::new();
    while outcomes.len() < groups.len() {
        let outcome = world.next().await;
        let (trouble, name, old) = groups
            .iter()
            .find(|(.., old)| *old == outcome.instance)
            .expect("an instance that goes");
        if result::is_final(&outcome.result) {
            outcomes.insert(old.clone(), outcome);
        } else if trouble.way.turns_at() == Some(outcome.reason.as_str()) {
            trouble.way.turns(&world, name, old).await;
        }
    }
    worker.stop().await;
    let ended = groups.into_iter().map(|(trouble, name, old)| Ended {
        outcome: outcomes.remove(&old).unwrap(),
        trouble,
        name,
        old,
    });
    let ended = ended.collect();
    (world, ended)
}

/// Each of these by a world of its own, on one AWS in which nothing that joins a group is in service before a test says so.
async fn swap_all(worlds: Vec<(String, Vec<Trouble>)>) -> Vec<(World, Vec<Ended>)> {
    let aws = Arc::new(Aws::start().await.unwrap());
    let mut made = Vec::new();
    for (key, troubles) in worlds {
        let groups = groups(&aws, &key, troubles).await;
        made.push((key, groups));
    }
    aws.set_delays(Delays {
        running: Duration::from_secs(1),
        in_service: Duration::from_secs(3600),
    });
    let swaps = made.into_iter().map(|(key, groups)| {
        let aws = Arc::clone(&aws);
        tokio::spawn(async move { swap(aws, &key, groups).await })
    });
    let swapped = join_all(swaps).await;
    swapped.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_passes_on_other_ways_ends_as_if_it_had_not_been() {
    // No two groups may launch a type that has no capacity for the one.
    let own = ["m4.large", "c5.large", "r5.large"];
    let times = |call: &str| if call == "TerminateInstances" { TIMES } else { ONCE };
    let mut worlds = Vec::new();
    for (at, instance_type) in own.into_iter().enumerate() {
        let trouble = |way, call| {
            let (word, fault) = &that_pass(Trouble::service(call))[at];
            (*word, Trouble::new(way, call, fault.clone().times(times(call))))
        };
        let troubles = [
            trouble(Way::Lowered(instance_type), "SetDesiredCapacity"),
            trouble(Way::Spared, END_MEMBER),
            trouble(Way::Terminate, END_MEMBER),
            trouble(Way::Unattached, "TerminateInstances"),
        ];
        let word = troubles[0].0;
        worlds.push((
            format!("{word}1"),
            troubles.into_iter().map(|(_, trouble)| trouble).collect(),
        ));
        let (_, back) = trouble(Way::Attached, END_MEMBER);
        worlds.push((format!("{word}2"), vec![back]));
    }
    for (world, ended) in swap_all(worlds).await {
        let all = world.aws.instances().await.unwrap();
        for swap in ended {
            let (said, way) = (swap.said(), swap.trouble.way);
            assert_eq!(swap.outcome.result, way.result(), "{said}");
            assert!(swap.trouble.fault.struck() > 0, "{said}: nothing went wrong");
            way.assert_end(&world, &all, &swap.name, &swap.old).await;
        }
    }
}

/// How a swap ends to which AWS refuses a call for good.
struct Refused {
    way: Way,
    call: &'static str,
    result: &'static str,
    /// What is said of it.
    says: &'static str,
}

const fn refused(way: Way, call: &'static str, result: &'static str, says: &'static str) -> Refused {
    Refused {
        way,
        call,
        result,
        says,
    }
}

/// Those of one half are of one world.
const REFUSED: [&[Refused]; 2] = [
    &[
        refused(Way::Spared, END_MEMBER, result::SUCCEEDED, "the old left first"),
        refused(Way::Terminate, END_MEMBER, result::FAILED, "AWS "),
        refused(
            Way::Unattached,
            "TerminateInstances",
            result::CANCELLED,
            "may still run",
        ),
        refused(Way::Detach, "DetachInstances", result::FAILED, "AWS "),
    ],
    &[
        refused(Way::Attached, END_MEMBER, result::CANCELLED, "may still run"),
        refused(Way::Detach, "TerminateInstances", result::SUCCEEDED, "still runs"),
    ],
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_on_other_ways_is_told() {
    let mut worlds = Vec::new();
    for (word, code, status, instance_type) in [
        ("denied", "AccessDenied", 403, "m4.large"),
        ("rejected", "ValidationError", 400, "c5.large"),
    ] {
        for (number, half) in REFUSED.iter().enumerate() {
            let trouble = |way, call| Trouble::new(way, call, Trouble::service(call).fault(code, status));
            let mut troubles: Vec<_> = half.iter().map(|of| trouble(of.way, of.call)).collect();
            if number == 0 {
                troubles.push(trouble(Way::Lowered(instance_type), "SetDesiredCapacity"));
            }
            worlds.push((format!("{word}{number}"), troubles));
        }
    }
    for (world, ended) in swap_all(worlds).await {
        for swap in ended {
            is_refused(&world, &swap).await;
        }
    }
}

async fn is_refused(world: &World, swap: &Ended) {
    let (said, way, call) = (swap.said(), swap.trouble.way, swap.trouble.call);
    let expected = REFUSED.iter().copied().flatten();
    let lowered = refused(way, call, result::SUCCEEDED, "Desired capacity was left");
    let expected = expected
        .into_iter()
        .find(|of| (of.way, of.call) == (way, call))
        .unwrap_or(&lowered);
    assert!(swap.trouble.fault.struck() > 0, "{said}: nothing went wrong");
    assert_eq!(swap.outcome.result, expected.result, "{said}");
    assert!(swap.outcome.message.contains(expected.says), "{said}");
    let (ended, left) = ("What was launched was ended.", "may still run");
    let contradicts = swap.outcome.message.contains(ended) && swap.outcome.message.contains(left);
    assert!(!contradicts, "{said}");
    let (name, old) = (swap.name.as_str(), swap.old.as_str());
    let told = detail(&swap.outcome);
    let members = world.members(name).await;
    assert_eq!(members.len(), 2, "{said} {members:?}");
    let sizes = world.sizes(name).await;
    let runs = world.instance(old).await.state == "running";
    let stays = members.iter().any(|member| member == old);
    match (way, call) {
        // Nothing was done.
        (Way::Terminate, _) | (Way::Detach, "DetachInstances") => {
            assert_eq!((stays, runs, sizes), (true, true, SIZES), "{said}");
            assert_eq!(whole::launched(world, old).await, 0, "{said}");
        }
        (Way::Detach, _) => {
            assert_eq!((stays, runs, sizes), (false, true, SIZES), "{said}");
            assert!(told["old_still_runs"].is_string(), "{said} {told}");
        }
        // What attaching added stays, and with it the room for it.
        (Way::Lowered(_), _) => {
            assert_eq!((stays, runs, sizes), (false, false, (2, 3, 3)), "{said}");
            world.swapped(name, old, sizes).await;
            assert_eq!(told["restored"], false, "{said} {told}");
        }
        // The group ends a member by its own choice.
        (Way::Spared, _) => {
            assert_eq!((stays, runs, sizes), (false, false, SIZES), "{said}");
            assert_eq!(whole::launched(world, old).await, 1, "{said}");
        }
        (Way::Attached, _) => {
            assert_eq!(sizes, SIZES, "{said}");
            assert_eq!(whole::launched(world, old).await, 1, "{said}");
        }
        (Way::Unattached, _) => {
            assert_eq!((stays, runs, sizes), (true, true, SIZES), "{said}");
            let left = world.replacements(old).await;
            assert_eq!(left.len(), 1, "{said}");
            assert!(told["left_running"][&left[0].id].is_string(), "{said} {told}");
        }
        (Way::Forward, _) => unreachable!("it is not of these"),
    }
    whole::assert_at_rest(world, name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_passes_at_a_call_for_some_kinds_of_groups_or_under_a_role_is_one_whole_swap() {
    let aws = Arc::new(Aws::start().await.unwrap());
    aws.name_image(IMAGE, "ami-12c6146b");
    let passes = (0..3).map(|at| tokio::spawn(passes(Arc::clone(&aws), at)));
    for passed in join_all(passes).await {
        passed.unwrap();
    }
}

/// The variable that names a role of the account, and the role.
fn role() -> (String, String) {
    (
        format!("HT_AWS__ROLES__{ACCOUNT}"),
        format!("arn:aws:iam::{ACCOUNT}:role/swap"),
    )
}

/// An image by its name.
const IMAGE: &str = "resolve:ssm:/nodes";

/// Swaps of all kinds in one world. Each call has the same trouble, more often than the SDK repeats it.
async fn passes(aws: Arc<Aws>, at: usize) {
    let word = that_pass(Service::Ec2)[at].0;
    let (variable, role) = role();
    let mut world = World::beside(aws, word, &[(&variable, &role)]).await;
    let calls = OF_KINDS.map(|call| (call, of(call))).into_iter();
    let resolves = ("DescribeLaunchTemplateVersions", "ResolveAlias=true".to_owned());
    let faults: Vec<_> = calls
        .chain([resolves])
        .map(|(call, text)| {
            let service = match call {
                "AssumeRole" => Service::Sts,
                "DescribeLaunchConfigurations" => Service::AutoScaling,
                _ => Service::Ec2,
            };
            let fault = that_pass(service)[at].1.clone();
            let fault = fault.containing(text).signed_with(word).times(TIMES);
            world.aws.inject(fault.clone());
            (call, fault)
        })
        .collect();
    let required = [
        ("VCpuCount.Min", "2"),
        ("VCpuCount.Max", "2"),
        ("MemoryMiB.Min", "8192"),
    ];
    let named = |kind: &str| format!("{word}-{kind}");
    let group = |kind: &str| NewGroup::new(&named(kind)).sizes(SIZES.0, SIZES.1, SIZES.2);
    let by_name = group("required").template("ImageId", IMAGE);
    let kinds = [
        ("configured", group("configured").from_configuration(), OTHER),
        ("required", by_name.by_requirements(&required), OTHER),
        ("under-role", group("under-role"), ACCOUNT),
    ];
    let worker = world.worker().await;
    let mut olds = BTreeMap::new();
    for (kind, group, account) in kinds {
        let old = world.aws.create(&group).await.unwrap().members.remove(0).0;
        let mut action = world.action(&old, "certain");
        account.clone_into(&mut action.target.as_mut().unwrap().account);
        world.send(&action).await;
        olds.insert(old, named(kind));
    }
    for _ in &olds {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{word}: {outcome:?}");
    }
    for (call, fault) in &faults {
        assert_eq!(fault.struck(), TIMES, "{word} {call}");
    }
    for (old, name) in &olds {
        assert_eq!(whole::launched(&world, old).await, 1, "{name}");
        world.swapped(name, old, SIZES).await;
        assert_eq!(world.members(name).await.len(), 2, "{name}");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_be_taken_on_touches_nothing() {
    let (variable, role) = role();
    let mut world = World::with(&[(&variable, &role)]).await;
    let old = world.group(&NewGroup::new("theirs")).await.remove(0);
    let denied = Service::Sts
        .fault("AccessDenied", 403)
        .containing(of("AssumeRole"));
    world.aws.inject(denied.clone());
    let worker = world.worker().await;
    let ends = Timestamp::now() + SignedDuration::from_secs(12);
    let action = proto::Action {
        deadline: Some(to_proto(ends)),
        close_at: Some(to_proto(ends)),
        ..world.action(&old, "certain")
    };
    world.send(&action).await;
    let outcome = world.end().await;
    let end = (outcome.result.as_str(), outcome.reason.as_str());
    assert_eq!(end, ("failed", "deadline"), "{outcome:?}");
    assert!(denied.struck() > 1, "it was tried until its time was over");
    assert_eq!(world.aws.calls(), [], "no call was made by credentials of ours");
    worker.stop().await;
}
