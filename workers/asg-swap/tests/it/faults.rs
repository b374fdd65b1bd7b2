//! AWS has none, wants to be left alone, or does not answer.

use hollowtrees_harness::{
    aws::{NewGroup, Service},
    proxy::Fault,
};
use hollowtrees_schemas::{
    id::IncidentKey,
    key,
    proto::{self},
};

use crate::world::{CLUSTER, World, detail};

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_without_capacity_is_followed_by_the_next_and_the_last_by_the_end() {
    let mut world = World::new().await;
    let zones = ["us-east-1a", "us-east-1b"];
    let group = |name: &str| {
        NewGroup::new(name)
            .zones(&zones)
            .types(&["m5.large", "m4.large"])
            .sizes(1, 1, 1)
    };
    let old = world.group(&group("some")).await.remove(0);
    for zone in zones {
        world.aws.set_capacity("m5.large", zone, false);
    }
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("some", &old, (1, 1, 1)).await;
    assert_eq!(new.instance_type, "m4.large");
    let told = detail(&outcome);
    assert_eq!(told["choices_tried"], 3.0, "{told}");
    let why = told["refused"][0]["why"].as_str().unwrap();
    assert!(why.contains("InsufficientInstanceCapacity"), "{why}");

    for zone in zones {
        world.aws.set_capacity("m5.large", zone, true);
    }
    let old = world.group(&group("none")).await.remove(0);
    for zone in zones {
        for instance_type in ["m5.large", "m4.large"] {
            world.aws.set_capacity(instance_type, zone, false);
        }
    }
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "no-capacity"),
        "{outcome:?}"
    );
    assert!(outcome.message.contains("None of 4 pools"), "{outcome:?}");
    world.unswapped("none", &old, (1, 1, 1)).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_whose_answer_is_lost_is_one_launch() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("lost").sizes(1, 1, 1)).await.remove(0);
    // More often than the SDK repeats by itself.
    for action in [
        "RunInstances",
        "AttachInstances",
        "DetachInstances",
        "UpdateAutoScalingGroup",
    ] {
        let times = if action == "RunInstances" { 4 } else { 1 };
        let fault = Fault::lost_reply()
            .containing(format!("Action={action}&"))
            .times(times);
        world.aws.inject(fault);
    }
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("lost", &old, (1, 1, 1)).await;
    let all = world.aws.instances().await.unwrap();
    assert_eq!(all.len(), 2, "{all:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_waited_out() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("slow").sizes(1, 1, 1)).await.remove(0);
    let throttle = |service: Service, code: &str, status: u16, action: &str, times: usize| {
        let fault = service.fault(code, status);
        world
            .aws
            .inject(fault.containing(format!("Action={action}&")).times(times));
    };
    throttle(Service::Ec2, "RequestLimitExceeded", 503, "RunInstances", 4);
    throttle(Service::Ec2, "RequestLimitExceeded", 503, "DescribeInstances", 4);
    throttle(
        Service::AutoScaling,
        "Throttling",
        400,
        "DescribeAutoScalingGroups",
        4,
    );
    throttle(Service::AutoScaling, "Throttling", 400, "AttachInstances", 2);
    throttle(
        Service::AutoScaling,
        "ScalingActivityInProgress",
        400,
        "DetachInstances",
        2,
    );
    throttle(
        Service::AutoScaling,
        "ResourceContention",
        500,
        "UpdateAutoScalingGroup",
        1,
    );
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("slow", &old, (1, 1, 1)).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_is_undone_and_said() {
    let mut world = World::new().await;
    let old = world
        .group(&NewGroup::new("denied").sizes(1, 1, 1))
        .await
        .remove(0);
    let fault = Service::AutoScaling
        .fault("AccessDenied", 403)
        .containing("Action=AttachInstances&");
    world.aws.inject(fault);
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "denied"),
        "{outcome:?}"
    );
    assert!(
        outcome.message.contains("What was launched was ended."),
        "{outcome:?}"
    );
    world.unswapped("denied", &old, (1, 1, 1)).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_to_be_interrupted_itself_is_never_attached() {
    let mut world = World::new().await;
    let group = NewGroup::new("doomed")
        .types(&["m5.large", "m4.large"])
        .sizes(1, 1, 2);
    let old = world.group(&group).await.remove(0);
    world.aws.set_delays(hollowtrees_harness::aws::Delays {
        running: std::time::Duration::from_secs(3),
        ..Default::default()
    });
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    world.fact("launched").await;
    let first = world.replacements(&old).await.remove(0);
    incident_of(&world, &first.id, Vec::new()).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("doomed", &old, (1, 1, 2)).await;
    assert_ne!(new.id, first.id);
    assert_eq!(world.instance(&first.id).await.state, "terminated");
    assert!(!world.aws.calls().iter().any(|call| {
        call.action == "AttachInstances" && call.list("InstanceIds").contains(&first.id.as_str())
    }));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_max_is_left_and_told() {
    let mut world = World::new().await;
    let old = world
        .group(&NewGroup::new("theirs").sizes(1, 1, 1))
        .await
        .remove(0);
    world.aws.set_delays(hollowtrees_harness::aws::Delays {
        in_service: std::time::Duration::from_secs(3),
        ..Default::default()
    });
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    world.fact("attached").await;
    let params = [("AutoScalingGroupName", "theirs"), ("MaxSize", "7")];
    world
        .aws
        .call(Service::AutoScaling, "UpdateAutoScalingGroup", &params)
        .await
        .unwrap();
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("theirs", &old, (1, 1, 7)).await;
    let told = detail(&outcome);
    assert_eq!(told["restored"], false);
    let why = told["max_left"].as_str().unwrap();
    assert!(why.contains("from 2 to 7"), "{why}");
    worker.stop().await;
}

/// An open incident of a replacement.
async fn incident_of(world: &World, instance: &str, facts: Vec<proto::Fact>) {
    let record = proto::Incident {
        schema: 1,
        cluster: CLUSTER.to_owned(),
        instance: instance.to_owned(),
        state: "open".to_owned(),
        generation: 1,
        facts,
        ..proto::Incident::default()
    };
    let key = key::incident(&IncidentKey::new(CLUSTER, instance, "live"));
    world.bus.incidents().put(&key, &record).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_of_which_only_its_coming_is_told_is_attached() {
    let mut world = World::new().await;
    let old = world
        .group(&NewGroup::new("comes").sizes(1, 1, 2))
        .await
        .remove(0);
    world.aws.set_delays(hollowtrees_harness::aws::Delays {
        running: std::time::Duration::from_secs(3),
        ..Default::default()
    });
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    world.fact("launched").await;
    let first = world.replacements(&old).await.remove(0);
    let comes = proto::Fact {
        kind: "asg-launching".to_owned(),
        state: "active".to_owned(),
        ..proto::Fact::default()
    };
    incident_of(&world, &first.id, vec![comes]).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(world.swapped("comes", &old, (1, 1, 2)).await.id, first.id);
    worker.stop().await;
}
