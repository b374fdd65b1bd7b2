//! The simulated AWS keeps AWS's rules.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use hollowtrees_harness::Aws;
use hollowtrees_harness::aws::rules::{self, Candidate, Member, Sizes};
use hollowtrees_harness::aws::{Delays, LifecycleAction, NewGroup, Service};
use hollowtrees_harness::eventually;
use hollowtrees_harness::proxy::Fault;
use std::time::Duration;

const GROUP: Sizes = Sizes {
    min: 1,
    desired: 2,
    max: 3,
};

#[test]
fn the_table_of_rules() {
    let zones = ["us-east-1a".to_owned(), "us-east-1b".to_owned()];
    let fit = Candidate {
        id: "i-1",
        state: Some("running"),
        zone: "us-east-1a",
        group: None,
        weight: 1,
    };
    let member = |state| Member {
        id: "i-1",
        state,
        weight: 1,
    };
    let aside = |state, decrement| {
        let tight = Sizes {
            min: GROUP.desired,
            ..GROUP
        };
        [GROUP, tight]
            .map(|sizes| rules::enter_standby("g", sizes, &[member(state)], &["i-1"], decrement).ok())
    };
    assert_eq!(aside("InService", false), [Some(0), Some(0)]);
    assert_eq!(aside("InService", true), [Some(1), None]);
    assert_eq!(aside("Pending", false), [None, None]);
    let attach: &[(&str, Sizes, Candidate<'_>, Option<&str>)] = &[
        ("fits", GROUP, fit, None),
        (
            "room by desired, not by count",
            Sizes { desired: 3, ..GROUP },
            fit,
            Some("max-size=3"),
        ),
        (
            "room by weight",
            GROUP,
            Candidate { weight: 2, ..fit },
            Some("max-size=3"),
        ),
        (
            "no such instance",
            GROUP,
            Candidate { state: None, ..fit },
            Some("Invalid Instance ID"),
        ),
        (
            "pending",
            GROUP,
            Candidate {
                state: Some("pending"),
                ..fit
            },
            Some("not in correct state"),
        ),
        (
            "stopped",
            GROUP,
            Candidate {
                state: Some("stopped"),
                ..fit
            },
            Some("not in correct state"),
        ),
        (
            "another zone",
            GROUP,
            Candidate {
                zone: "us-east-1c",
                ..fit
            },
            Some("no availability zone of g"),
        ),
        (
            "another group",
            GROUP,
            Candidate {
                group: Some("h"),
                ..fit
            },
            Some("already part of AutoScalingGroup:h"),
        ),
        (
            "this group",
            GROUP,
            Candidate {
                group: Some("g"),
                ..fit
            },
            Some("already part of AutoScalingGroup:g"),
        ),
    ];
    for (case, sizes, candidate, refusal) in attach {
        check(case, rules::attach("g", *sizes, &zones, &[*candidate]), *refusal);
    }
    check(
        "two, room for one",
        rules::attach("g", GROUP, &zones, &[fit, fit]),
        Some("To attach 2"),
    );

    let members = [
        ("i-1", "InService"),
        ("i-2", "Pending"),
        ("i-3", "Terminating:Wait"),
        ("i-4", "Standby"),
    ]
    .map(|(id, state)| Member { id, state, weight: 1 });
    for (case, min, id, decrement, refusal) in [
        ("in service", 1, "i-1", true, None),
        ("standby", 1, "i-4", true, None),
        ("pending", 1, "i-2", true, Some("Pending")),
        ("terminating", 1, "i-3", false, Some("Terminating:Wait")),
        ("no member", 1, "i-9", true, Some("not part of")),
        ("below the minimum", 2, "i-1", true, Some("violate")),
        ("replaced, so the minimum stays", 2, "i-1", false, None),
    ] {
        check(
            case,
            rules::detach("g", Sizes { min, ..GROUP }, &members, &[id], decrement),
            refusal,
        );
    }
    let heavy = [Member {
        weight: 2,
        ..members[0]
    }];
    check(
        "below the minimum by weight",
        rules::detach("g", GROUP, &heavy, &["i-1"], true),
        Some("violate"),
    );
    for (case, min, member, decrement, refusal) in [
        ("a member", 1, Some(members[0]), true, None),
        ("whatever its state", 1, Some(members[1]), false, None),
        ("no member", 1, None, false, Some("No managed instance")),
        (
            "below the minimum",
            2,
            Some(members[0]),
            true,
            Some("desiredSize equals minSize"),
        ),
        ("replaced, so the minimum stays", 2, Some(members[0]), false, None),
    ] {
        check(
            case,
            rules::terminate(Sizes { min, ..GROUP }, member, "i-1", decrement),
            refusal,
        );
    }
    for (case, of_instance, interfaces, refusal) in [
        ("a subnet", true, false, None),
        ("interfaces", false, true, None),
        ("both", true, true, Some("may not be specified")),
    ] {
        check(case, rules::one_subnet(of_instance, interfaces), refusal);
    }
    for (min, desired, max, expected) in [
        (None, None, Some(1), (1, 1, 1)),
        (Some(3), None, None, (3, 3, 3)),
        (None, None, Some(9), (1, 2, 9)),
        (None, Some(3), None, (1, 3, 3)),
    ] {
        let sizes = rules::resized(GROUP, min, desired, max);
        assert_eq!((sizes.min, sizes.desired, sizes.max), expected);
    }
    for (case, min, desired, max, refusal) in [
        ("raise max", None, None, Some(4), None),
        ("desired within", None, Some(3), None, None),
        ("desired above", None, Some(4), None, Some("Desired capacity:4")),
        ("desired with max", None, Some(4), Some(4), None),
        ("desired below", None, Some(0), None, Some("Desired capacity:0")),
        ("min above max", Some(4), None, None, Some("Max bound")),
    ] {
        check(case, rules::resize(GROUP, min, desired, max), refusal);
    }
    check("64", rules::client_token(&"x".repeat(64)), None);
    check("65", rules::client_token(&"x".repeat(65)), Some("64"));
}

fn check(case: &str, result: Result<(), rules::Refusal>, refusal: Option<&str>) {
    match (result, refusal) {
        (Ok(()), None) => {}
        (Err(error), Some(text)) if error.message.contains(text) => {}
        (result, _) => panic!("{case}: {result:?}, expected {refusal:?}"),
    }
}

async fn run(aws: &Aws, token: &str, zone: &str) -> Result<String, String> {
    let params = [
        ("ImageId", "ami-12c6146b"),
        ("InstanceType", "m5.large"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("Placement.AvailabilityZone", zone),
        ("ClientToken", token),
    ];
    let xml = aws
        .call(Service::Ec2, "RunInstances", &params)
        .await
        .map_err(|error| error.to_string())?;
    Ok(xml
        .split("<instanceId>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned())
}

async fn asg(aws: &Aws, action: &str, id: &str, more: &[(&str, &str)]) -> Result<String, String> {
    let params = [
        &[("AutoScalingGroupName", "group"), ("InstanceIds.member.1", id)],
        more,
    ]
    .concat();
    aws.call(Service::AutoScaling, action, &params)
        .await
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn the_server_keeps_them() {
    let aws = Aws::start().await.unwrap();
    let group = aws
        .create_group("group", &["us-east-1a", "us-east-1b"], 1, 2, 3)
        .await
        .unwrap();
    assert_eq!(
        (group.sizes, group.members.len(), group.zones.len()),
        (GROUP, 2, 2),
        "{group:?}"
    );

    // Launches are idempotent by token.
    let first = run(&aws, "t-1", "us-east-1a").await.unwrap();
    assert_eq!(run(&aws, "t-1", "us-east-1a").await.unwrap(), first);
    let mismatch = run(&aws, "t-1", "us-east-1b").await.unwrap_err();
    assert!(mismatch.contains("IdempotentParameterMismatch"), "{mismatch}");
    let second = run(&aws, "t-2", "us-east-1b").await.unwrap();
    assert_ne!(second, first);
    let elsewhere = run(&aws, "t-3", "us-east-1c").await.unwrap();

    // A reply lost after the launch succeeded: the same call again finds the same instance.
    aws.inject(Fault::lost_reply().containing("Action=RunInstances&").times(1));
    assert!(run(&aws, "t-4", "us-east-1a").await.is_err());
    run(&aws, "t-4", "us-east-1a").await.unwrap();
    let all = aws.call(Service::Ec2, "DescribeInstances", &[]).await.unwrap();
    assert_eq!(all.matches("<instanceId>").count(), 2 + 4);

    // A pool without capacity; the token is not used up by that.
    aws.set_capacity("m5.large", "us-east-1a", false);
    let refused = run(&aws, "t-5", "us-east-1a").await.unwrap_err();
    assert!(refused.contains("InsufficientInstanceCapacity"), "{refused}");
    run(&aws, "t-6", "us-east-1b").await.unwrap();
    aws.set_capacity("m5.large", "us-east-1a", true);
    run(&aws, "t-5", "us-east-1a").await.unwrap();

    // Attaching raises desired, up to the maximum.
    let refused = asg(&aws, "AttachInstances", &elsewhere, &[]).await.unwrap_err();
    assert!(refused.contains("no availability zone"), "{refused}");
    asg(&aws, "AttachInstances", &first, &[]).await.unwrap();
    assert_eq!(aws.group("group").await.unwrap().sizes.desired, 3);
    let refused = asg(&aws, "AttachInstances", &first, &[]).await.unwrap_err();
    assert!(refused.contains("already part"), "{refused}");
    let refused = asg(&aws, "AttachInstances", &second, &[]).await.unwrap_err();
    assert!(refused.contains("max-size=3"), "{refused}");

    // Detaching needs a member.
    let decrement = [("ShouldDecrementDesiredCapacity", "true")];
    let refused = asg(&aws, "DetachInstances", &second, &decrement)
        .await
        .unwrap_err();
    assert!(refused.contains("not part of"), "{refused}");
    let old = &group.members[0].0;
    asg(&aws, "DetachInstances", old, &decrement).await.unwrap();
    let now = aws.group("group").await.unwrap();
    assert_eq!(now.sizes.desired, 2);
    assert!(
        now.members.iter().any(|(id, _)| *id == first) && now.members.iter().all(|(id, _)| id != old),
        "{now:?}"
    );
    let refused = asg(&aws, "SetDesiredCapacity", "", &[("DesiredCapacity", "9")])
        .await
        .unwrap_err();
    assert!(refused.contains("Desired capacity:9"), "{refused}");

    // Lifecycle actions, which moto does not have.
    aws.open_lifecycle_action(LifecycleAction::new("group", "hook", old, "token-1"));
    let by_token = [
        ("AutoScalingGroupName", "group"),
        ("LifecycleHookName", "hook"),
        ("LifecycleActionToken", "token-1"),
    ];
    aws.call(Service::AutoScaling, "RecordLifecycleActionHeartbeat", &by_token)
        .await
        .unwrap();
    let complete = [&by_token[..], &[("LifecycleActionResult", "CONTINUE")]].concat();
    aws.call(Service::AutoScaling, "CompleteLifecycleAction", &complete)
        .await
        .unwrap();
    let again = aws
        .call(Service::AutoScaling, "CompleteLifecycleAction", &complete)
        .await
        .unwrap_err()
        .to_string();
    assert!(again.contains("No active Lifecycle Action"), "{again}");
    let action = &aws.lifecycle_actions()[0];
    assert_eq!(
        (action.heartbeats.len(), action.result.as_deref()),
        (1, Some("CONTINUE"))
    );

    // Throttling, and the record of calls.
    aws.inject(
        Service::AutoScaling
            .fault("Throttling", 400)
            .containing("Action=DescribeAutoScalingGroups")
            .times(1),
    );
    let throttled = asg(&aws, "DescribeAutoScalingGroups", "", &[]).await.unwrap_err();
    assert!(throttled.contains("<Code>Throttling</Code>"), "{throttled}");
    assert_eq!(aws.count("AttachInstances"), 4);
    aws.reset().await.unwrap();
    assert!(aws.group("group").await.is_err());
    assert_eq!(aws.calls().len(), 0);
}

/// What a swap depends on beside the rules.
#[tokio::test]
async fn it_does_what_aws_does_by_itself() {
    let aws = Aws::start().await.unwrap();
    let zones = ["us-east-1a", "us-east-1b"];
    let group = NewGroup::new("mixed")
        .zones(&zones)
        .sizes(2, 4, 6)
        .weighted("m5.large", 2)
        .weighted("c5.large", 2)
        .spot()
        .max_price("0.07")
        .tag("team", "blue", true)
        .tag("hidden", "yes", false);
    let group = aws.create(&group).await.unwrap();
    assert_eq!(group.members.len(), 2, "4 units of weight 2: {group:?}");
    let members: Vec<_> = aws.instances().await.unwrap();
    for member in &members {
        assert_eq!(
            (member.spot, member.instance_type.as_str()),
            (true, "m5.large"),
            "{member:?}"
        );
        assert_eq!(member.group.as_deref(), Some("mixed"));
        assert_eq!(member.tags["team"], "blue");
        assert!(!member.tags.contains_key("hidden"));
        assert_eq!(member.tags["aws:autoscaling:groupName"], "mixed");
    }
    assert_ne!(members[0].zone, members[1].zone, "balanced over the zones");
    assert!(aws.calls().is_empty(), "what a group does by itself is no call");

    // A change of sizes leaves the policy as it is.
    let name = ("AutoScalingGroupName", "mixed");
    let asked = |action: &'static str, params: Vec<(&'static str, &'static str)>| {
        let aws = &aws;
        async move {
            let params = [&[name][..], &params].concat();
            aws.call(Service::AutoScaling, action, &params)
                .await
                .map_err(|error| error.to_string())
        }
    };
    asked("UpdateAutoScalingGroup", vec![("MaxSize", "8")])
        .await
        .unwrap();
    let seen = asked("DescribeAutoScalingGroups", Vec::new()).await.unwrap();
    assert!(seen.contains("<SpotMaxPrice>0.07</SpotMaxPrice>"), "{seen}");
    assert_eq!(aws.writes().len(), 1, "{:?}", aws.writes());

    // An interrupted member is made up for at once, or when that is no longer held back.
    let old = &group.members[0].0;
    aws.interrupt(old).await.unwrap();
    let now = aws.group("mixed").await.unwrap();
    assert_eq!((now.sizes.desired, now.members.len()), (4, 2));
    aws.hold_replacements(true).await.unwrap();
    aws.interrupt(&now.members[0].0).await.unwrap();
    assert_eq!(aws.group("mixed").await.unwrap().members.len(), 1);
    aws.hold_replacements(false).await.unwrap();
    let now = aws.group("mixed").await.unwrap();
    assert_eq!(now.members.len(), 2);
    let ended = aws.instances().await.unwrap();
    assert_eq!(
        ended.iter().find(|instance| instance.id == *old).unwrap().state,
        "terminated"
    );

    // One that counts two takes two with it, or has two launched for it.
    let (first, second) = (now.members[0].0.clone(), now.members[1].0.clone());
    let terminate = |id: String, decrement: &'static str| {
        let aws = &aws;
        async move {
            let params = [
                ("InstanceId", id.as_str()),
                ("ShouldDecrementDesiredCapacity", decrement),
            ];
            aws.call(
                Service::AutoScaling,
                "TerminateInstanceInAutoScalingGroup",
                &params,
            )
            .await
            .map_err(|error| error.to_string())
        }
    };
    terminate(first, "true").await.unwrap();
    let now = aws.group("mixed").await.unwrap();
    assert_eq!((now.sizes.desired, now.members.len()), (2, 1));
    let refused = terminate(second.clone(), "true").await.unwrap_err();
    assert!(refused.contains("desiredSize equals minSize"), "{refused}");
    terminate(second, "false").await.unwrap();
    let now = aws.group("mixed").await.unwrap();
    assert_eq!((now.sizes.desired, now.members.len()), (2, 1));

    // No capacity in one zone: the group takes the other; a suspended process does nothing.
    aws.set_capacity("m5.large", "us-east-1a", false);
    asked("SetDesiredCapacity", vec![("DesiredCapacity", "6")])
        .await
        .unwrap();
    assert_eq!(aws.group("mixed").await.unwrap().members.len(), 3);
    asked(
        "SuspendProcesses",
        vec![("ScalingProcesses.member.1", "Terminate")],
    )
    .await
    .unwrap();
    asked("SetDesiredCapacity", vec![("DesiredCapacity", "2")])
        .await
        .unwrap();
    assert_eq!(aws.group("mixed").await.unwrap().members.len(), 3);
    asked(
        "ResumeProcesses",
        vec![("ScalingProcesses.member.1", "Terminate")],
    )
    .await
    .unwrap();
    assert_eq!(aws.group("mixed").await.unwrap().members.len(), 1);

    // Instances are pending at first, then members are, and only a running one joins.
    aws.set_delays(Delays {
        running: Duration::from_millis(400),
        in_service: Duration::from_millis(400),
    });
    let id = run(&aws, "t-1", "us-east-1b").await.unwrap();
    let attach = |id: String| {
        let aws = &aws;
        async move {
            let params = [name, ("InstanceIds.member.1", id.as_str())];
            aws.call(Service::AutoScaling, "AttachInstances", &params)
                .await
                .map_err(|error| error.to_string())
        }
    };
    let described = aws
        .call(Service::Ec2, "DescribeInstances", &[("InstanceId.1", &id)])
        .await
        .unwrap();
    assert!(described.contains("<name>pending</name>"), "{described}");
    let refused = attach(id.clone()).await.unwrap_err();
    assert!(refused.contains("pending, it must be running"), "{refused}");
    eventually("the instance to run", Duration::from_secs(10), async || {
        aws.instances()
            .await
            .unwrap()
            .iter()
            .any(|found| found.id == id && found.state == "running")
    })
    .await;
    attach(id.clone()).await.unwrap();
    let now = aws.group("mixed").await.unwrap();
    assert!(
        now.members.contains(&(id.clone(), "Pending".to_owned())),
        "{now:?}"
    );
    assert_eq!(now.sizes.desired, 4, "m5.large counts two here");
    eventually(
        "the member to be in service",
        Duration::from_secs(10),
        async || {
            let now = aws.group("mixed").await.unwrap();
            now.members.contains(&(id.clone(), "InService".to_owned()))
        },
    )
    .await;
    aws.set_member_state(&id, Some("Terminating:Wait")).await.unwrap();
    let now = aws.group("mixed").await.unwrap();
    assert!(
        now.members.contains(&(id.clone(), "Terminating:Wait".to_owned())),
        "{now:?}"
    );

    // A token of an instance that ended is used up.
    aws.interrupt(&id).await.unwrap();
    let used = run(&aws, "t-1", "us-east-1b").await.unwrap_err();
    assert!(used.contains("IdempotentInstanceTerminated"), "{used}");
}

#[tokio::test]
async fn a_group_is_edited_as_it_was_made() {
    let aws = Aws::start().await.unwrap();
    let group = NewGroup::new("group").zones(&["us-east-1a", "us-east-1b"]);
    aws.create(&group).await.unwrap();
    let other = aws.create(&NewGroup::new("other").zones(&["us-east-1b"])).await;
    let id = run(&aws, "t", "us-east-1a").await.unwrap();
    let other = other.unwrap().members.remove(0).0;
    let all = aws.instances().await.unwrap();
    let subnet = &all.iter().find(|found| found.id == other).unwrap().subnet;
    let edit = [
        ("VPCZoneIdentifier", subnet.as_str()),
        ("LaunchTemplate.LaunchTemplateName", "other"),
        ("LaunchTemplate.Version", "1"),
    ];
    asg(&aws, "UpdateAutoScalingGroup", "", &edit).await.unwrap();
    assert_eq!(aws.group("group").await.unwrap().zones, ["us-east-1b"]);
    let shown = aws
        .call(Service::AutoScaling, "DescribeAutoScalingGroups", &[])
        .await
        .unwrap();
    assert_eq!(shown.matches("<LaunchTemplateName>other<").count(), 2, "{shown}");
    let refused = asg(&aws, "AttachInstances", &id, &[]).await.unwrap_err();
    assert!(refused.contains("no availability zone of group"), "{refused}");
}

/// A client that is killed in the middle of a launch has launched, or not; told again, it is the same instance.
#[tokio::test]
async fn a_launch_whose_client_goes_away_is_one_launch() {
    let aws = Aws::start().await.unwrap();
    let tokens: Vec<_> = (0..20).map(|number| format!("left-{number}")).collect();
    for (number, token) in (0..).zip(&tokens) {
        let patience = Duration::from_millis(2 * number);
        let _left_or_answered = tokio::time::timeout(patience, run(&aws, token, "us-east-1a")).await;
    }
    for token in &tokens {
        run(&aws, token, "us-east-1a").await.unwrap();
    }
    assert_eq!(aws.instances().await.unwrap().len(), tokens.len());
}

#[tokio::test]
async fn reads_of_groups_lag_when_they_are_told_to() {
    let aws = Aws::start().await.unwrap();
    aws.create_group("group", &["us-east-1a"], 1, 1, 1).await.unwrap();
    aws.set_read_lag(Duration::from_secs(1));
    let larger = [("MaxSize", "2")];
    asg(&aws, "UpdateAutoScalingGroup", "", &larger).await.unwrap();
    let reads = async |max: &str| {
        let read = aws.call(Service::AutoScaling, "DescribeAutoScalingGroups", &[]);
        read.await.unwrap().contains(&format!("<MaxSize>{max}</MaxSize>"))
    };
    assert!(reads("1").await);
    // What counts is what is there.
    assert_eq!(aws.group("group").await.unwrap().sizes.max, 2);
    let wanted = [("DesiredCapacity", "2")];
    asg(&aws, "SetDesiredCapacity", "", &wanted).await.unwrap();
    eventually("the change to show", Duration::from_secs(10), async || {
        reads("2").await
    })
    .await;
}

#[tokio::test]
async fn what_is_launched_shows_later_when_it_is_told_to() {
    let aws = Aws::start().await.unwrap();
    let first = run(&aws, "before", "us-east-1a").await.unwrap();
    aws.set_instance_lag(Duration::from_secs(2));
    let second = run(&aws, "after", "us-east-1a").await.unwrap();
    let list = async || aws.call(Service::Ec2, "DescribeInstances", &[]).await.unwrap();
    let shown = list().await;
    assert!(shown.contains(&first) && !shown.contains(&second), "{shown}");
    let named = [("InstanceId.1", second.as_str())];
    for call in ["DescribeInstances", "TerminateInstances"] {
        let refused = aws.call(Service::Ec2, call, &named).await.unwrap_err();
        assert!(
            refused.to_string().contains("InvalidInstanceID.NotFound"),
            "{refused}"
        );
    }
    // Its token knows it.
    assert_eq!(run(&aws, "after", "us-east-1a").await.unwrap(), second);
    eventually("it to show", Duration::from_secs(10), async || {
        list().await.contains(&second)
    })
    .await;
}

#[tokio::test]
async fn what_is_protected_from_scale_in_is_not_ended_by_it() {
    let aws = Aws::start().await.unwrap();
    let made = aws.create(&NewGroup::new("group").sizes(0, 3, 9)).await.unwrap();
    let ids: Vec<String> = made.members.iter().map(|(id, _)| id.clone()).collect();
    let protect = async |id: &str, protected: &str| {
        asg(
            &aws,
            "SetInstanceProtection",
            id,
            &[("ProtectedFromScaleIn", protected)],
        )
        .await
    };
    let desired = async |desired: &str| {
        asg(&aws, "SetDesiredCapacity", "", &[("DesiredCapacity", desired)])
            .await
            .unwrap();
        let now = aws.group("group").await.unwrap();
        now.members.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    protect(&ids[0], "true").await.unwrap();
    protect(&ids[0], "true").await.unwrap();
    assert_eq!(aws.group("group").await.unwrap().protected, [ids[0].clone()]);
    assert_eq!(
        desired("2").await,
        [ids[0].clone(), ids[2].clone()],
        "of the others the oldest"
    );
    assert_eq!(desired("0").await, [ids[0].clone()], "it is more than is desired");

    // Only a member in service, or in standby.
    assert_eq!(desired("1").await, [ids[0].clone()]);
    let refused = protect(&ids[1], "true").await.unwrap_err();
    assert!(refused.contains("not part of"), "{refused}");
    aws.set_member_state(&ids[0], Some("Pending:Wait")).await.unwrap();
    let refused = protect(&ids[0], "false").await.unwrap_err();
    assert!(
        refused.contains("not in InService or EnteringStandby"),
        "{refused}"
    );
    aws.set_member_state(&ids[0], Some("Standby")).await.unwrap();
    protect(&ids[0], "false").await.unwrap();
    assert!(aws.group("group").await.unwrap().protected.is_empty());
    aws.set_member_state(&ids[0], None).await.unwrap();

    // What is detached loses it; what is attached has what its group says of all.
    protect(&ids[0], "true").await.unwrap();
    let decrement = [("ShouldDecrementDesiredCapacity", "true")];
    asg(&aws, "DetachInstances", &ids[0], &decrement).await.unwrap();
    asg(&aws, "AttachInstances", &ids[0], &[]).await.unwrap();
    let now = aws.group("group").await.unwrap();
    assert_eq!((now.members.len(), now.protected.len()), (1, 0), "{now:?}");
    let made = aws
        .create(&NewGroup::new("all").sizes(0, 1, 1).protects_new())
        .await
        .unwrap();
    assert_eq!(made.protected, [made.members[0].0.clone()]);
}
