//! An instance is taken out of its load balancers, and its draining is waited for.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hollowtrees_harness::{
    aws::{Balancing, Policy, Service},
    eventually,
    proxy::Fault,
};
use hollowtrees_schemas::{
    id::{ActionId, IncidentKey},
    proto::{self, time::to_proto},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::world::{BOUND, CLUSTER, World, detail, params, word};

const DRAINING: Duration = Duration::from_secs(2);

/// Instances that run, and target groups that have them all.
async fn registered(world: &World, instances: usize, groups: &[&str]) -> (Vec<String>, Vec<String>) {
    world.aws.set_draining(DRAINING);
    let instances = world.aws.launch("us-east-1", instances, &[]).await.unwrap();
    let mut arns = Vec::new();
    for name in groups {
        let arn = world.aws.create_target_group(name, "instance").await.unwrap();
        world.aws.register(&arn, &instances).await.unwrap();
        arns.push(arn);
    }
    (instances, arns)
}

fn deregister(world: &World, instance: &str) -> proto::Action {
    let incident = IncidentKey::new(CLUSTER, instance, "live");
    proto::Action {
        id: ActionId::per_instance(&incident, 1, "deregister", "certain").to_string(),
        kind: "deregister".to_owned(),
        ..world.action(instance)
    }
}

fn due(action: proto::Action, within: SignedDuration) -> proto::Action {
    proto::Action {
        deadline: Some(to_proto(Timestamp::now() + within)),
        ..action
    }
}

/// Waits until a target group has none of it.
async fn out_of(world: &World, arn: &str) {
    eventually("the target to be taken out", BOUND, async || {
        world.aws.registered(arn).await.unwrap().is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_target_groups_and_classic_balancers_and_drained() {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 2, &["web", "api"]).await;
    let (gone, stays) = (&instances[0], &instances[1]);
    world.aws.create_classic_balancer("old").await.unwrap();
    world.aws.register_classic("old", &instances).await.unwrap();
    // Of no instance.
    let functions = world.aws.create_target_group("functions", "ip").await.unwrap();
    let worker = world.worker().await;
    let asked_at = Timestamp::now();
    world.send(&deregister(&world, gone)).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    assert!(
        Timestamp::now().duration_since(asked_at) >= SignedDuration::try_from(DRAINING).unwrap(),
        "the end of draining is waited for"
    );
    for arn in &arns {
        assert_eq!(
            world.aws.registered(arn).await.unwrap(),
            std::slice::from_ref(stays)
        );
    }
    assert_eq!(
        world.aws.registered_classic("old").await.unwrap(),
        std::slice::from_ref(stays)
    );
    assert!(world.aws.registered(&functions).await.unwrap().is_empty());
    let told = detail(&outcome);
    let places: BTreeMap<_, _> = told["balancers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| (place["name"].as_str().unwrap(), place["state"].as_str().unwrap()))
        .collect();
    assert_eq!(
        places,
        [("api", "gone"), ("old", "gone"), ("web", "gone")].into(),
        "{told}"
    );
    assert!(told["seconds"].as_f64().unwrap() >= 2.0, "{told}");
    assert!(outcome.message.contains("api, old, web"), "{outcome:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_by_its_address() {
    let mut world = World::new().await;
    let (instances, _) = registered(&world, 2, &[]).await;
    let mut addresses = Vec::new();
    for instance in &instances {
        addresses.push(world.aws.address(instance).await.unwrap());
    }
    let arn = world.aws.create_target_group("by-address", "ip").await.unwrap();
    world.aws.register(&arn, &addresses).await.unwrap();
    let worker = world.worker().await;
    world.send(&deregister(&world, &instances[0])).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    assert_eq!(world.aws.registered(&arn).await.unwrap(), [addresses[1].clone()]);
    assert_eq!(detail(&outcome)["balancers"][0]["target"], addresses[0].as_str());
    worker.stop().await;
}

/// A load balancer of this kind with the instances as its targets.
async fn behind(kind: Balancing, port: &str) {
    let mut world = World::new().await;
    let (instances, _) = registered(&world, 2, &[]).await;
    let (told, by_id) = world
        .aws
        .create_balanced(kind, "by-id", "instance")
        .await
        .unwrap();
    assert_eq!(told, format!("{kind:?}").to_lowercase());
    let (_, by_address) = world.aws.create_balanced(kind, "by-address", "ip").await.unwrap();
    let mut addresses = Vec::new();
    for instance in &instances {
        addresses.push(world.aws.address(instance).await.unwrap());
    }
    world.aws.register(&by_id, &instances).await.unwrap();
    world.aws.register(&by_address, &addresses).await.unwrap();
    world.incident(&instances[0], "open", None).await;
    world.incident(&instances[1], "open", None).await;
    let worker = world.worker().await;
    world.aws.forget_calls();
    let asked_at = Timestamp::now();
    world.send(&deregister(&world, &instances[0])).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    assert!(
        Timestamp::now().duration_since(asked_at) >= SignedDuration::try_from(DRAINING).unwrap(),
        "the end of draining is waited for"
    );
    let told = detail(&outcome);
    let places: BTreeMap<_, _> = told["balancers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| {
            (
                place["target"].as_str().unwrap(),
                place["state"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [(instances[0].as_str(), "gone"), (addresses[0].as_str(), "gone")];
    assert_eq!(places, expected.into(), "{told}");
    let ports: Vec<_> = world
        .aws
        .calls()
        .into_iter()
        .filter(|call| call.action == "DeregisterTargets")
        .map(|call| call.get("Targets.member.1.Port").unwrap_or_default().to_owned())
        .collect();
    assert_eq!(ports, [port, port]);
    // The other one is taken out, and put back when its incident is withdrawn.
    world.aws.set_draining(Duration::from_secs(300));
    world.send(&deregister(&world, &instances[1])).await;
    out_of(&world, &by_id).await;
    out_of(&world, &by_address).await;
    world.incident(&instances[1], "cancelled", None).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "cancelled", "{outcome:?}");
    assert_eq!(world.aws.registered(&by_id).await.unwrap(), instances[1..]);
    assert_eq!(world.aws.registered(&by_address).await.unwrap(), addresses[1..]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_an_application_load_balancer() {
    behind(Balancing::Application, "80").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_network_load_balancer() {
    behind(Balancing::Network, "80").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_gateway_load_balancer() {
    behind(Balancing::Gateway, "6081").await;
}

/// Fifty at once, served by so many workers; `dies`: the first of them does, in the middle of it.
async fn fifty_at_once(replicas: usize, dies: bool) {
    const INSTANCES: usize = 50;
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, INSTANCES, &["a", "b"]).await;
    world.aws.create_classic_balancer("old").await.unwrap();
    world.aws.register_classic("old", &instances).await.unwrap();
    // None of them holds all.
    world.settings.hook.accepted = INSTANCES.div_ceil(replicas);
    world.settings.hook.running = world.settings.hook.accepted;
    if dies {
        // The first is dead long before anything of its own has ended.
        world.aws.set_draining(Duration::from_secs(10));
    }
    let mut workers = Vec::new();
    for _ in 0..replicas {
        workers.push(world.worker().await);
    }
    world.aws.forget_calls();
    for instance in &instances {
        world.send(&deregister(&world, instance)).await;
    }
    if dies {
        eventually("some to be out", BOUND, async || {
            world.aws.count("DeregisterTargets") > 0
        })
        .await;
        workers.remove(0).crash().await;
    }
    let mut ended = BTreeSet::new();
    let mut by = BTreeSet::new();
    for _ in &instances {
        let outcome = world.end().await;
        assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
        by.insert(outcome.worker.unwrap_or_default().process);
        assert!(ended.insert(outcome.instance), "each has one outcome");
    }
    assert_eq!(ended, instances.iter().cloned().collect());
    assert_eq!(by.len(), workers.len(), "all that live take part");
    for arn in &arns {
        assert!(world.aws.registered(arn).await.unwrap().is_empty());
    }
    assert!(world.aws.registered_classic("old").await.unwrap().is_empty());
    // Nobody takes out what another one did, but for what the dead one had begun.
    let mut taken: BTreeMap<(String, String), usize> = BTreeMap::new();
    for call in world.aws.calls() {
        let (place, list) = match call.action.as_str() {
            "DeregisterTargets" => ("TargetGroupArn", "Targets.member"),
            "DeregisterInstancesFromLoadBalancer" => ("LoadBalancerName", "Instances.member"),
            _ => continue,
        };
        let place = call.get(place).unwrap().to_owned();
        for (key, target) in &call.params {
            if key.starts_with(list) && key.ends_with("Id") {
                *taken.entry((place.clone(), target.clone())).or_default() += 1;
            }
        }
    }
    assert_eq!(taken.len(), INSTANCES * 3);
    let again = taken.values().filter(|times| **times > 1).count();
    assert!(again == 0 || dies, "{again} of them were asked for twice");
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_of_two_workers() {
    fifty_at_once(2, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_of_three_workers() {
    fifty_at_once(3, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_of_three_workers_one_of_which_dies() {
    fifty_at_once(3, true).await;
}

/// So many calls, whatever the number of workers: one of them serves the region.
async fn few_calls(replicas: usize) {
    const INSTANCES: usize = 50;
    const GROUPS: usize = 4;
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, INSTANCES, &["a", "b", "c", "d"]).await;
    world.aws.create_classic_balancer("old").await.unwrap();
    world.aws.register_classic("old", &instances).await.unwrap();
    let mut workers = Vec::new();
    for _ in 0..replicas {
        workers.push(world.worker().await);
    }
    world.know_each_other(&workers).await;
    world.aws.forget_calls();
    let began = Timestamp::now();
    for instance in &instances {
        world.send(&deregister(&world, instance)).await;
    }
    let mut by: BTreeMap<String, usize> = BTreeMap::new();
    for _ in &instances {
        let outcome = world.end().await;
        assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
        *by.entry(outcome.worker.unwrap_or_default().process).or_default() += 1;
    }
    let seconds = Timestamp::now().duration_since(began).as_secs_f64();
    for arn in &arns {
        assert!(world.aws.registered(arn).await.unwrap().is_empty());
    }
    let mut calls = BTreeMap::new();
    for call in world.aws.calls() {
        *calls.entry(call.action).or_insert(0_usize) += 1;
    }
    println!(
        "{INSTANCES} instances, {GROUPS} target groups, a classic balancer: {seconds:.1} s, {calls:?}, {by:?}"
    );
    assert_eq!(by.len(), 1, "one serves them all: {by:?}");
    // A picture lasts five seconds, a look at what drains half a second here.
    let pictures = 1 + (seconds / 5.0).ceil() as usize;
    let looks = 2 + (seconds / 0.5).ceil() as usize;
    // Those who come while a call is under way go in the next.
    let batches = 4;
    let count = |action: &str| calls.get(action).copied().unwrap_or(0);
    assert!(count("DescribeTargetGroups") <= pictures, "{calls:?}");
    assert!(count("DescribeLoadBalancers") <= pictures, "{calls:?}");
    assert!(
        count("DescribeTargetHealth") <= GROUPS * (pictures + looks),
        "{calls:?}"
    );
    assert!(count("DescribeInstanceHealth") <= looks, "{calls:?}");
    assert!(count("DeregisterTargets") <= GROUPS * batches, "{calls:?}");
    assert!(
        count("DeregisterInstancesFromLoadBalancer") <= batches,
        "{calls:?}"
    );
    assert_eq!(count("DescribeInstances"), 0, "no group has addresses: {calls:?}");
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_cost_few_calls() {
    few_calls(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_cost_as_few_calls_of_three_workers() {
    few_calls(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_still_drains_at_the_deadline_is_said() {
    let check = async |asked: serde_json::Value, expected: (&str, &str)| {
        let mut world = World::new().await;
        let (instances, arns) = registered(&world, 1, &["web", "api"]).await;
        world.aws.set_draining(Duration::from_secs(300));
        let worker = world.worker().await;
        let action = due(
            deregister_with(&world, &instances[0], asked),
            SignedDuration::from_secs(4),
        );
        let deadline = proto::time::from_proto(action.deadline.as_ref().unwrap()).unwrap();
        world.send(&action).await;
        let outcome = world.end().await;
        assert_eq!(word(&outcome), expected, "{outcome:?}");
        assert!(
            Timestamp::now() >= deadline,
            "it is waited for as long as there is time"
        );
        assert!(outcome.message.contains("still being drained"), "{outcome:?}");
        assert_eq!(detail(&outcome)["balancers"][0]["state"], "draining");
        assert_eq!(detail(&outcome)["still_draining"], 2.0);
        for arn in &arns {
            assert!(world.aws.registered(arn).await.unwrap().is_empty());
        }
        worker.stop().await;
    };
    check(json!({}), ("succeeded", "")).await;
    check(json!({"wait": true}), ("failed", "deadline")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_at_the_deadline_is_no_success() {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 1, &["web", "api"]).await;
    world.aws.set_draining(Duration::from_secs(300));
    // The call for one of the two fails as long as there is time.
    let name = arns[1].rsplit(':').next().unwrap().replace('/', "%2F");
    let fault = Fault::status(503).containing("Action=DeregisterTargets&");
    world.aws.inject(fault.containing(name));
    let worker = world.worker().await;
    let action = due(deregister(&world, &instances[0]), SignedDuration::from_secs(6));
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "deadline"), "{outcome:?}");
    assert!(outcome.message.contains("from api in time"), "{outcome:?}");
    assert!(world.aws.registered(&arns[0]).await.unwrap().is_empty());
    assert_eq!(world.aws.registered(&arns[1]).await.unwrap(), instances);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_wait_is_done_when_it_is_out() {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 1, &["web", "other"]).await;
    world.aws.set_draining(Duration::from_secs(300));
    let worker = world.worker().await;
    let action = proto::Action {
        params: params(json!({"wait": false, "balancers": ["web"]})),
        ..deregister(&world, &instances[0])
    };
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    assert!(world.aws.registered(&arns[0]).await.unwrap().is_empty());
    // Not named.
    assert_eq!(world.aws.registered(&arns[1]).await.unwrap(), instances);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_configured_is_asked_and_touched() {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 1, &["web", "foreign"]).await;
    world.settings.deregister.balancers = vec!["web".to_owned()];
    let worker = world.worker().await;
    world.aws.forget_calls();
    world.send(&deregister(&world, &instances[0])).await;
    assert_eq!(word(&world.end().await), ("succeeded", ""));
    assert_eq!(world.aws.registered(&arns[1]).await.unwrap(), instances);
    let asked = world.aws.calls();
    let foreign = asked
        .iter()
        .filter(|call| call.get("TargetGroupArn") == Some(&arns[1]));
    assert_eq!(foreign.count(), 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_registered_nowhere_is_skipped() {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 2, &["web"]).await;
    let lonely = world.aws.launch("us-east-1", 1, &[]).await.unwrap().remove(0);
    let worker = world.worker().await;
    let rehearsed = proto::Action {
        mode: "dry-run".to_owned(),
        ..deregister(&world, &instances[0])
    };
    let elsewhere = proto::Action {
        target: Some(proto::Target {
            provider: "gcp".to_owned(),
            ..proto::Target::default()
        }),
        ..deregister(&world, &instances[1])
    };
    for action in [deregister(&world, &lonely), elsewhere] {
        world.send(&action).await;
        assert_eq!(word(&world.end().await), ("skipped", "not-registered"));
    }
    world.send(&rehearsed).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    assert!(
        outcome.message.contains("would be deregistered from web"),
        "{outcome:?}"
    );
    assert_eq!(world.aws.registered(&arns[0]).await.unwrap(), instances);
    assert!(world.aws.writes().is_empty());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_incident_puts_back_what_was_taken_out() {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 1, &["web", "gone"]).await;
    let instance = &instances[0];
    world.aws.set_draining(Duration::from_secs(300));
    world.aws.create_classic_balancer("old").await.unwrap();
    world.aws.register_classic("old", &instances).await.unwrap();
    world.incident(instance, "open", None).await;
    let worker = world.worker().await;
    world.send(&deregister(&world, instance)).await;
    out_of(&world, &arns[0]).await;
    out_of(&world, &arns[1]).await;
    world.aws.delete_target_group(&arns[1]).await.unwrap();
    world.incident(instance, "cancelled", None).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "cancelled", "{outcome:?}");
    assert!(
        outcome.message.contains("registered again with old, web"),
        "{outcome:?}"
    );
    assert_eq!(world.aws.registered(&arns[0]).await.unwrap(), instances);
    assert_eq!(world.aws.registered_classic("old").await.unwrap(), instances);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_replica_puts_back_what_a_dead_one_took_out() {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 1, &["web"]).await;
    let instance = &instances[0];
    world.aws.set_draining(Duration::from_secs(300));
    world.incident(instance, "open", None).await;
    let first = world.worker().await;
    world.send(&deregister(&world, instance)).await;
    out_of(&world, &arns[0]).await;
    first.crash().await;
    world.incident(instance, "cancelled", None).await;
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.attempt),
        ("cancelled", 2),
        "{outcome:?}"
    );
    assert_eq!(world.aws.registered(&arns[0]).await.unwrap(), instances);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_before_the_reply_of_the_deregistration() {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 1, &["web"]).await;
    let lost = Fault::lost_reply();
    world.aws.inject(lost.containing("Action=DeregisterTargets&"));
    let first = world.worker().await;
    world.send(&deregister(&world, &instances[0])).await;
    out_of(&world, &arns[0]).await;
    first.crash().await;
    world.aws.heal();
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(
        (word(&outcome), outcome.attempt),
        (("succeeded", ""), 2),
        "{outcome:?}"
    );
    assert_eq!(detail(&outcome)["balancers"][0]["by_us"], true, "{outcome:?}");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_after_the_deadline_says_what_is_so() {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 1, &["web"]).await;
    world.aws.set_draining(Duration::from_secs(300));
    let first = world.worker().await;
    let action = due(deregister(&world, &instances[0]), SignedDuration::from_secs(8));
    world.send(&action).await;
    out_of(&world, &arns[0]).await;
    first.crash().await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(
        (word(&outcome), outcome.attempt),
        (("succeeded", ""), 2),
        "{outcome:?}"
    );
    assert_eq!(
        detail(&outcome)["balancers"][0]["state"],
        "draining",
        "{outcome:?}"
    );
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_may_have_it_done_late() {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 1, &["web"]).await;
    let action = proto::Action {
        when_expired: "run".to_owned(),
        ..due(deregister(&world, &instances[0]), SignedDuration::from_secs(-5))
    };
    world.send(&action).await;
    let worker = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    assert!(world.aws.registered(&arns[0]).await.unwrap().is_empty());
    worker.stop().await;
}

/// A deregistration with this amiss, in spite of which it succeeds.
async fn succeeds_in_spite_of(fault: Fault) {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 2, &["web", "api"]).await;
    world.aws.inject(fault);
    let worker = world.worker().await;
    for instance in &instances {
        world.send(&deregister(&world, instance)).await;
    }
    for _ in &instances {
        let outcome = world.end().await;
        assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    }
    for arn in &arns {
        assert!(world.aws.registered(arn).await.unwrap().is_empty());
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_reads_are_made_again() {
    let fault = Service::Balancing.fault("Throttling", 400);
    succeeds_in_spite_of(fault.containing("Action=DescribeTarget").times(12)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_deregistration_is_made_again() {
    let fault = Service::Balancing.fault("Throttling", 400);
    succeeds_in_spite_of(fault.containing("Action=DeregisterTargets&").times(7)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_is_no_failure() {
    let fault = Fault::lost_reply().containing("Action=DeregisterTargets&");
    succeeds_in_spite_of(fault.times(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_aws_are_waited_out() {
    let fault = Service::Balancing.fault("InternalFailure", 500);
    succeeds_in_spite_of(fault.containing("Action=De").times(12)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_deregister_says_so() {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 1, &["web"]).await;
    let fault = Service::Balancing.fault("AccessDenied", 403);
    world.aws.inject(fault.containing("Action=DeregisterTargets&"));
    let worker = world.worker().await;
    world.send(&deregister(&world, &instances[0])).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "refused"), "{outcome:?}");
    assert!(
        outcome.message.contains("web: ") && outcome.message.contains("AccessDenied"),
        "{outcome:?}"
    );
    assert_eq!(world.aws.registered(&arns[0]).await.unwrap(), instances);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_took_out_is_waited_for_and_not_put_back() {
    let mut world = World::new().await;
    let (instances, arns) = registered(&world, 1, &["web"]).await;
    let instance = &instances[0];
    world.aws.set_draining(Duration::from_secs(300));
    let by = [
        ("TargetGroupArn", arns[0].as_str()),
        ("Targets.member.1.Id", instance.as_str()),
    ];
    world
        .aws
        .call(Service::Balancing, "DeregisterTargets", &by)
        .await
        .unwrap();
    world.aws.forget_calls();
    world.incident(instance, "open", None).await;
    let worker = world.worker().await;
    world.send(&deregister(&world, instance)).await;
    eventually("it to be waited for", BOUND, async || {
        world.aws.count("DescribeTargetHealth") >= 3
    })
    .await;
    world.incident(instance, "cancelled", None).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "cancelled", "{outcome:?}");
    assert!(world.aws.writes().is_empty(), "{:?}", world.aws.writes());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_parameter_touches_nothing() {
    let mut world = World::new().await;
    let (instances, _) = registered(&world, 1, &["web"]).await;
    let worker = world.worker().await;
    let action = proto::Action {
        params: params(json!({"groups": ["web"]})),
        ..deregister(&world, &instances[0])
    };
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "unknown-param"), "{outcome:?}");
    assert!(world.aws.writes().is_empty());
    worker.stop().await;
}

/// What the page says the worker may do, and what it does.
#[tokio::test(flavor = "multi_thread")]
async fn the_policy_in_the_docs_is_what_is_called() {
    let mut world = World::new().await;
    let (instances, groups) = registered(&world, 1, &["web"]).await;
    let instance = &instances[0];
    let by_address = world.aws.create_target_group("by-address", "ip").await.unwrap();
    let address = world.aws.address(instance).await.unwrap();
    world.aws.register(&by_address, &[address]).await.unwrap();
    world.aws.create_classic_balancer("old").await.unwrap();
    world.aws.register_classic("old", &instances).await.unwrap();
    world.aws.set_draining(Duration::from_secs(300));
    world.incident(instance, "open", None).await;
    let worker = world.worker().await;
    world.aws.forget_calls();
    world.send(&deregister(&world, instance)).await;
    eventually("all to be looked at", BOUND, async || {
        world.aws.count("DescribeInstanceHealth") > 0 && world.aws.count("DeregisterTargets") > 1
    })
    .await;
    world.incident(instance, "cancelled", None).await;
    assert_eq!(world.end().await.result, "cancelled");
    worker.stop().await;
    let mut called: Vec<_> = world
        .aws
        .calls()
        .into_iter()
        .map(|call| {
            let service = if call.action == "DescribeInstances" {
                "ec2"
            } else {
                "elasticloadbalancing"
            };
            format!("{service}:{}", call.action)
        })
        .collect();
    called.sort();
    called.dedup();
    let page = include_str!("../../../../docs/load-balancers.md");
    let text = page.split("```json").nth(1).unwrap().split("```").next().unwrap();
    let policy: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut allowed: Vec<_> = policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|statement| statement["Action"].as_array().unwrap())
        .map(|action| action.as_str().unwrap().to_owned())
        .collect();
    allowed.sort();
    assert_eq!(called, allowed);

    world.aws.judge(&Policy::parse(text).unwrap()).await.unwrap();
    // As the page says, the second may be of these alone, and not of others.
    let changes: Vec<_> = world.aws.writes();
    let of = |arns: &[&str]| {
        let mut narrow = policy.clone();
        narrow["Statement"][1]["Resource"] = json!(arns);
        Policy::parse(&narrow.to_string()).unwrap()
    };
    let classic = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/old";
    let ours = [groups[0].as_str(), &by_address, classic];
    world.aws.judge(&of(&ours)).await.unwrap();
    for missing in 0..ours.len() {
        let mut arns = ours.to_vec();
        arns.remove(missing);
        let narrow = of(&arns);
        let mut denied = 0;
        for call in &changes {
            denied += usize::from(narrow.denied(&world.aws.checks(call).await.unwrap()).is_some());
        }
        assert!(denied > 0 && denied < changes.len(), "{arns:?}");
    }
}

/// Addresses of the pods of an instance: a second one, one of a prefix, one of a longer prefix.
const PODS: [&str; 3] = ["10.9.0.5", "10.9.1.17", "2001:db8:9::7"];

/// An instance with pods, and a target group each for IPv4 and IPv6 that has them, and others.
async fn with_pods(world: &World) -> (String, Vec<String>, String) {
    let (instances, _) = registered(world, 1, &[]).await;
    let instance = instances[0].clone();
    world.aws.assign(&instance, PODS[0]).await.unwrap();
    for prefix in ["10.9.1.16/28", "2001:db8:9::/80"] {
        world.aws.delegate(&instance, prefix).await.unwrap();
    }
    // The first of its IPv6 addresses is its own.
    world.aws.assign(&instance, "2001:db8::1").await.unwrap();
    let own = world.aws.address(&instance).await.unwrap();
    let mut arns = Vec::new();
    for (name, targets) in [
        ("v4", vec![own.as_str(), PODS[0], PODS[1], "10.9.1.32"]),
        ("v6", vec!["2001:0DB8::0001", PODS[2], "2001:db8:a::7"]),
    ] {
        let arn = world.aws.create_target_group(name, "ip").await.unwrap();
        let targets: Vec<_> = targets.into_iter().map(str::to_owned).collect();
        world.aws.register(&arn, &targets).await.unwrap();
        arns.push(arn);
    }
    (instance, arns, own)
}

fn deregister_with(world: &World, instance: &str, asked: serde_json::Value) -> proto::Action {
    proto::Action {
        params: params(asked),
        ..deregister(world, instance)
    }
}

async fn in_groups(world: &World, arns: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for arn in arns {
        let mut targets = world.aws.registered(arn).await.unwrap();
        targets.sort();
        found.push(targets);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_pods_are_left_unless_the_rule_wants_them() {
    let mut world = World::new().await;
    let (instance, arns, _) = with_pods(&world).await;
    let worker = world.worker().await;
    world.send(&deregister(&world, &instance)).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    let left = in_groups(&world, &arns).await;
    assert_eq!(left[0], ["10.9.0.5", "10.9.1.17", "10.9.1.32"]);
    assert_eq!(
        left[1],
        [PODS[2], "2001:db8:a::7"],
        "its own goes, however it is written"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_pods_are_taken_out_where_the_rule_wants_them() {
    let mut world = World::new().await;
    let (instance, arns, _) = with_pods(&world).await;
    world.aws.forget_calls();
    let worker = world.worker().await;
    world
        .send(&deregister_with(&world, &instance, json!({"pods": true})))
        .await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    let left = in_groups(&world, &arns).await;
    assert_eq!(
        left,
        [["10.9.1.32"], ["2001:db8:a::7"]],
        "others are nobody's here"
    );
    assert_eq!(world.aws.count("DescribeInstances"), 1);
    let told = detail(&outcome);
    let of_pods = told["balancers"].as_array().unwrap().iter();
    let of_pods: Vec<_> = of_pods
        .filter(|place| place["of_pod"] == true)
        .map(|place| place["target"].as_str().unwrap())
        .collect();
    assert_eq!(of_pods, PODS, "{told}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_went_to_another_machine_is_not_put_back() {
    let mut world = World::new().await;
    let (instance, arns, own) = with_pods(&world).await;
    world.aws.set_draining(Duration::from_secs(300));
    world.incident(&instance, "open", None).await;
    let first = world.worker().await;
    world
        .send(&deregister_with(&world, &instance, json!({"pods": true})))
        .await;
    eventually("all to be taken out", BOUND, async || {
        let left = in_groups(&world, &arns).await;
        if left.iter().all(|group| group.len() == 1) {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
    first.crash().await;
    // As a network plugin does with what it does not need: somebody else may have it now.
    world.aws.unassign(&instance, PODS[0]).await.unwrap();
    world.incident(&instance, "cancelled", None).await;
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "cancelled", "{outcome:?}");
    let mut wanted = vec![own, PODS[1].to_owned(), "10.9.1.32".to_owned()];
    wanted.sort();
    let back = in_groups(&world, &arns).await;
    assert_eq!(back[0], wanted, "{outcome:?}");
    assert_eq!(back[1], ["2001:0DB8::0001", PODS[2], "2001:db8:a::7"]);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_went_to_another_machine_is_not_taken_out_again() {
    let mut world = World::new().await;
    let (instance, arns, _) = with_pods(&world).await;
    world.aws.set_draining(Duration::from_secs(300));
    let worker = world.worker().await;
    let action = deregister_with(&world, &instance, json!({"pods": true, "balancers": ["v4"]}));
    world.send(&due(action, SignedDuration::from_secs(40))).await;
    eventually("all to be taken out", BOUND, async || {
        world.aws.registered(&arns[0]).await.unwrap().len() == 1
    })
    .await;
    // One is another machine's now, and both are registered again.
    world.aws.unassign(&instance, PODS[0]).await.unwrap();
    let again = [PODS[0], PODS[1]].map(|address| ("Targets.member.1.Id", address));
    for one in again {
        let by = [("TargetGroupArn", arns[0].as_str()), one];
        world
            .aws
            .call(Service::Balancing, "RegisterTargets", &by)
            .await
            .unwrap();
    }
    eventually(
        "the one that is its own to be taken out again",
        BOUND,
        async || {
            let left = world.aws.registered(&arns[0]).await.unwrap();
            if left.contains(&PODS[1].to_owned()) {
                Err(format!("{left:?}"))
            } else {
                Ok(())
            }
        },
    )
    .await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    let left = in_groups(&world, &arns[..1]).await;
    assert_eq!(left[0], [PODS[0], "10.9.1.32"], "the other machine's is left");
    worker.stop().await;
}
