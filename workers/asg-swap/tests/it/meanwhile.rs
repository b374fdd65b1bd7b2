//! What others do to the group, or to the replacement, while a swap is under way; and a launch that does not show at once.

use std::time::Duration;

use hollowtrees_harness::{
    aws::{Delays, NewGroup, Service},
    proxy::Fault,
};
use hollowtrees_schemas::proto;

use crate::{
    whole::{self, ZONES},
    world::{World, detail},
};

/// Long enough for what happens between a fact and the next step.
const SLOW: Duration = Duration::from_secs(4);

/// AWS takes its time to run what was launched, and to have in service what was attached.
async fn slow() -> World {
    let world = World::new().await;
    world.aws.set_delays(Delays {
        running: SLOW,
        in_service: SLOW,
    });
    world
}

/// A group that is in service, whatever the delays.
async fn group(world: &World, group: &NewGroup) -> Vec<String> {
    let members = world.group(group).await;
    for member in &members {
        world
            .aws
            .set_member_state(member, Some("InService"))
            .await
            .unwrap();
    }
    members
}

async fn edit(world: &World, group: &str, params: &[(&str, &str)]) {
    let params = [&[("AutoScalingGroupName", group)], params].concat();
    let edited = world
        .aws
        .call(Service::AutoScaling, "UpdateAutoScalingGroup", &params);
    edited.await.unwrap();
}

/// A swap of a member, up to this fact.
async fn swaps_to(world: &mut World, old: &str, fact: &str) {
    world.send(&world.action(old, "certain")).await;
    world.fact(fact).await;
}

fn assert_ends(outcome: &proto::Outcome, result: &str, reason: &str) {
    let end = (outcome.result.as_str(), outcome.reason.as_str());
    assert_eq!(end, (result, reason), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_deleted_leaves_nothing_of_ours() {
    let mut world = slow().await;
    let worker = world.worker().await;
    for (name, fact, with_members) in [
        ("early", "launched", false),
        ("early-forced", "launched", true),
        ("late", "attached", false),
        ("late-forced", "attached", true),
    ] {
        let old = group(&world, &NewGroup::new(name).sizes(1, 1, 1)).await.remove(0);
        swaps_to(&mut world, &old, fact).await;
        if with_members {
            let params = [("AutoScalingGroupName", name), ("ForceDelete", "true")];
            let deleted = world
                .aws
                .call(Service::AutoScaling, "DeleteAutoScalingGroup", &params);
            deleted.await.unwrap();
        } else {
            world.aws.delete_group(name).await;
        }
        assert_ends(&world.end().await, "failed", "group-gone");
        assert_eq!(whole::launched(&world, &old).await, 1, "{name}");
        assert!(world.replacements(&old).await.is_empty(), "{name}");
        let ended = world.instance(&old).await.state == "terminated";
        assert_eq!(ended, with_members, "{name}");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_ends_is_made_up_for() {
    let mut world = slow().await;
    let worker = world.worker().await;
    // Before it is attached: by another one of ours.
    let types = ["m5.large", "m4.large"];
    let full = NewGroup::new("early").types(&types).sizes(2, 2, 2);
    let old = group(&world, &full).await.remove(0);
    swaps_to(&mut world, &old, "launched").await;
    let first = world.replacements(&old).await.remove(0).id;
    world.aws.interrupt(&first).await.unwrap();
    assert_ends(&world.end().await, "succeeded", "");
    assert_ne!(world.swapped("early", &old, (2, 2, 2)).await.id, first);
    assert_eq!(whole::launched(&world, &old).await, 2);
    whole::assert_at_rest(&world, "early").await;

    // After that, by the group itself.
    let old = group(&world, &NewGroup::new("late").sizes(2, 2, 2))
        .await
        .remove(0);
    swaps_to(&mut world, &old, "attached").await;
    let first = world.replacements(&old).await.remove(0).id;
    world.aws.interrupt(&first).await.unwrap();
    let outcome = world.end().await;
    assert_ends(&outcome, "succeeded", "");
    assert!(outcome.message.contains("replaced it by itself"), "{outcome:?}");
    let members = world.members("late").await;
    assert!(members.len() == 2 && !members.contains(&old), "{members:?}");
    assert_eq!(world.sizes("late").await, (2, 2, 2));
    assert_eq!(whole::launched(&world, &old).await, 1);
    assert!(world.replacements(&old).await.is_empty());
    whole::assert_at_rest(&world, "late").await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_that_others_change_meanwhile_stay_as_they_made_them() {
    let mut world = slow().await;
    let worker = world.worker().await;
    for (name, edited, sizes, left) in [
        (
            "grown",
            &[("DesiredCapacity", "3"), ("MaxSize", "4")][..],
            (1, 3, 4),
            "someone changed desired to 3 meanwhile",
        ),
        (
            "held",
            &[("MinSize", "2")][..],
            (2, 2, 2),
            "desired is 2, the least allowed",
        ),
    ] {
        let old = group(&world, &NewGroup::new(name).sizes(1, 1, 2)).await.remove(0);
        swaps_to(&mut world, &old, "attached").await;
        edit(&world, name, edited).await;
        let outcome = world.end().await;
        assert_ends(&outcome, "succeeded", "");
        world.swapped(name, &old, sizes).await;
        assert_eq!(world.members(name).await.len(), sizes.1 as usize, "{name}");
        assert_eq!(whole::launched(&world, &old).await, 1, "{name}");
        let told = detail(&outcome);
        assert!(told["desired_left"].as_str().unwrap().contains(left), "{told}");
        whole::assert_at_rest(&world, name).await;
    }
    // Fewer are wanted: one of the two goes, whichever it is.
    let old = group(&world, &NewGroup::new("shrunk").sizes(1, 1, 2))
        .await
        .remove(0);
    swaps_to(&mut world, &old, "attached").await;
    edit(&world, "shrunk", &[("DesiredCapacity", "1")]).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(world.sizes("shrunk").await, (1, 1, 2));
    let members = world.members("shrunk").await;
    assert!(members.len() == 1 && !members.contains(&old), "{members:?}");
    whole::launched(&world, &old).await;
    whole::assert_at_rest(&world, "shrunk").await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_does_not_fit_the_group_any_more_is_ended_and_one_of_an_older_template_fits() {
    let mut world = slow().await;
    let worker = world.worker().await;
    let olds = group(&world, &whole::full("moved", &["m5.large"])).await;
    let old = &olds[0];
    swaps_to(&mut world, old, "launched").await;
    let (stays, new) = (world.instance(old).await, world.replacements(old).await.remove(0));
    assert_ne!(stays.zone, new.zone);
    edit(&world, "moved", &[("VPCZoneIdentifier", stays.subnet.as_str())]).await;
    let outcome = world.end().await;
    assert_ends(&outcome, "failed", "refused");
    assert!(
        outcome.message.contains("What was launched was ended."),
        "{outcome:?}"
    );
    world.unswapped("moved", old, whole::SIZES).await;
    assert_eq!(whole::launched(&world, old).await, 1);
    whole::assert_at_rest(&world, "moved").await;

    group(&world, &NewGroup::new("newer").zones(&ZONES)).await;
    let old = group(&world, &NewGroup::new("older")).await.remove(0);
    swaps_to(&mut world, &old, "launched").await;
    let newer = [
        ("LaunchTemplate.LaunchTemplateName", "newer"),
        ("LaunchTemplate.Version", "1"),
    ];
    edit(&world, "older", &newer).await;
    assert_ends(&world.end().await, "succeeded", "");
    world.swapped("older", &old, (1, 1, 2)).await;
    assert_eq!(whole::launched(&world, &old).await, 1);
    worker.stop().await;
}

/// EC2 does not know at first what it has launched.
#[tokio::test(flavor = "multi_thread")]
async fn a_launch_that_shows_late_is_one_launch() {
    let mut world = World::new().await;
    let olds = world.group(&NewGroup::new("late").sizes(3, 3, 3)).await;
    world.aws.set_instance_lag(SLOW);
    let worker = world.worker().await;
    world.send(&world.action(&olds[0], "certain")).await;
    assert_ends(&world.end().await, "succeeded", "");
    world.swapped("late", &olds[0], (3, 3, 3)).await;
    assert_eq!(whole::launched(&world, &olds[0]).await, 1);

    // Its answer is lost as well: its token knows it.
    let lost = Fault::lost_reply().containing("Action=RunInstances&").times(4);
    world.aws.inject(lost.clone());
    world.send(&world.action(&olds[1], "certain")).await;
    assert_ends(&world.end().await, "succeeded", "");
    assert_eq!(lost.struck(), 4);
    world.swapped("late", &olds[1], (3, 3, 3)).await;
    assert_eq!(whole::launched(&world, &olds[1]).await, 1);

    // It is withdrawn before it shows: it is ended when it does, also where that is not known everywhere at once.
    let unknown = Service::Ec2.fault("InvalidInstanceID.NotFound", 400);
    let unknown = unknown.containing("Action=TerminateInstances&").times(2);
    world.aws.inject(unknown.clone());
    world.incident(&olds[2], "open").await;
    world.send(&world.action(&olds[2], "advisory")).await;
    world.fact("launched").await;
    world.incident(&olds[2], "cancelled").await;
    assert_ends(&world.end().await, "cancelled", "withdrawn");
    assert_eq!(unknown.struck(), 2);
    world.unswapped("late", &olds[2], (3, 3, 3)).await;
    assert_eq!(whole::launched(&world, &olds[2]).await, 1);
    whole::assert_at_rest(&world, "late").await;
    worker.stop().await;
}
