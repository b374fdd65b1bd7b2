//! AWS has none, wants to be left alone, or does not answer.

use hollowtrees_harness::aws::{NewGroup, Service};
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
async fn whichever_word_ec2_has_for_it_a_pool_without_capacity_is_passed_over() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    for (name, code, status) in [
        ("insufficient", "InsufficientInstanceCapacity", 500),
        ("unfulfillable", "UnfulfillableCapacity", 400),
        ("host", "InsufficientCapacityOnHost", 500),
    ] {
        let group = NewGroup::new(name)
            .types(&["m5.large", "m4.large"])
            .sizes(1, 1, 1);
        let old = world.group(&group).await.remove(0);
        let none = Service::Ec2
            .fault(code, status)
            .containing("Action=RunInstances&");
        let none = none.containing("InstanceType=m5.large&");
        world.aws.inject(none.clone());
        world.send(&world.action(&old, "certain")).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        let new = world.swapped(name, &old, (1, 1, 1)).await;
        assert_eq!((new.instance_type.as_str(), none.struck()), ("m4.large", 1));
        let why = detail(&outcome)["refused"][0]["why"].to_string();
        assert!(why.contains(code), "{why}");
        world.aws.heal();
    }
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
