//! A hook is held open while work is under way, and answered when it has ended.

use std::time::Duration;

use hollowtrees_bus::read::{From, Until};
use hollowtrees_harness::{aws::Hook, eventually, proxy::Fault};
use hollowtrees_schemas::{
    envelope::Envelope,
    names::Stream,
    proto::{self, time::to_proto},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::world::{BOUND, World, detail, params, word};

const HEARTBEAT: Duration = Duration::from_secs(4);
const HALF: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_at_half_the_time_out_until_the_drain_has_ended() {
    let mut world = World::new().await;
    let instance = world.terminating(HEARTBEAT).await;
    world.drain(&instance, "published", "").await;
    let worker = world.worker().await;
    world.send(&world.action(&instance)).await;
    world.heartbeats(&instance, 3).await;
    assert!(world.answers().is_empty(), "the drain is under way");
    world.drain(&instance, "done", "succeeded").await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    assert_eq!(
        world.answers(),
        [(format!("token-of-{instance}"), "CONTINUE".to_owned())]
    );
    let wait = world.wait(&instance);
    assert_eq!(
        (wait.result.as_deref(), wait.timed_out),
        (Some("CONTINUE"), false)
    );
    // Not before half of it: earlier ones would be calls for nothing. Not after its end, or it would have timed out.
    let mut before = Duration::ZERO;
    for at in &wait.heartbeats {
        let since = at.saturating_sub(before);
        assert!(since > HALF - Duration::from_millis(300), "{:?}", wait.heartbeats);
        before = *at;
    }
    let told = detail(&outcome);
    assert_eq!(
        told["heartbeats"].as_f64().unwrap() as usize,
        wait.heartbeats.len(),
        "{told}"
    );
    assert_eq!(told["waited_for"][0]["result"], "succeeded", "{told}");
    assert!(outcome.message.contains("drain succeeded"), "{outcome:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_agent_saw_is_answered_by_the_instance() {
    let mut world = World::new().await;
    let instance = world.terminating(HEARTBEAT).await;
    world.incident(&instance, "open", None).await;
    world.drain(&instance, "done", "skipped").await;
    let worker = world.worker().await;
    world.send(&world.action(&instance)).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(world.answers(), [(instance.clone(), "CONTINUE".to_owned())]);
    assert_eq!(world.wait(&instance).heartbeats, [] as [Duration; 0]);
    worker.stop().await;
}

/// What becomes of the hook of an instance that never joined the cluster, under these parameters.
async fn without_node(asked: serde_json::Value, answered: &[&str], says: &str) {
    let mut world = World::new().await;
    let instance = world.terminating(Duration::from_secs(60)).await;
    world
        .drain_because(&instance, "done", "skipped", "node-not-found")
        .await;
    let worker = world.worker().await;
    let action = proto::Action {
        params: params(asked.clone()),
        ..world.action(&instance)
    };
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    assert!(outcome.message.contains(says), "{asked}: {outcome:?}");
    assert_eq!(
        outcome.message.contains("as `no_node` says"),
        asked.get("no_node").is_some(),
        "{outcome:?}"
    );
    assert_eq!(world.wait(&instance).result.as_deref(), answered.first().copied());
    assert_eq!(world.answers().len(), answered.len());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_joined_goes_as_the_rule_says() {
    without_node(json!({}), &["CONTINUE"], "answered CONTINUE").await;
    without_node(
        json!({"no_node": "continue", "result": "abandon"}),
        &["CONTINUE"],
        "answered CONTINUE",
    )
    .await;
    without_node(json!({"no_node": "abandon"}), &["ABANDON"], "answered ABANDON").await;
    without_node(json!({"no_node": "leave"}), &[], "left to time out").await;
}

/// What becomes of the hook when the drain failed, under these parameters.
async fn amiss(asked: serde_json::Value, answered: &[&str]) {
    let mut world = World::new().await;
    let instance = world.terminating(Duration::from_secs(60)).await;
    world.drain(&instance, "done", "failed").await;
    let worker = world.worker().await;
    let action = proto::Action {
        params: params(asked),
        ..world.action(&instance)
    };
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "work-failed"), "{outcome:?}");
    let answers: Vec<_> = world.answers().into_iter().map(|(_, answer)| answer).collect();
    assert_eq!(answers, answered, "{outcome:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_drain_abandons() {
    amiss(json!({}), &["ABANDON"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_drain_continues_where_the_rule_says_so() {
    amiss(json!({"on_failure": "continue"}), &["CONTINUE"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_drain_leaves_the_hook_where_the_rule_says_so() {
    amiss(json!({"on_failure": "leave"}), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_heartbeat_after_the_deadline_and_an_answer_before_the_time_out() {
    let mut world = World::new().await;
    let instance = world.terminating(HEARTBEAT).await;
    let deadline = Timestamp::now() + SignedDuration::try_from(HEARTBEAT).unwrap();
    world
        .incident_until(&instance, "open", Some(""), Some(deadline))
        .await;
    world.drain(&instance, "published", "").await;
    let worker = world.worker().await;
    world.send(&world.action(&instance)).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "work-unfinished"), "{outcome:?}");
    let wait = world.wait(&instance);
    // One at half of it; the next would be due at the deadline.
    assert_eq!(wait.heartbeats.len(), 1, "{wait:?}");
    assert_eq!((wait.result.as_deref(), wait.timed_out), (Some("ABANDON"), false));
    assert!(
        Timestamp::now() > deadline,
        "what is left of the heartbeat is used"
    );
    worker.stop().await;
}

/// The notices that this worker told, in their order: event id and deadline.
async fn told(world: &World, instance: &str) -> Vec<(String, Timestamp)> {
    let mut reading = world
        .bus
        .read(Stream::Notices, &[], From::First, Until::Present)
        .await
        .unwrap();
    let mut found = Vec::new();
    while let Some(message) = reading.next().await.unwrap() {
        let notice = Envelope::<proto::Notice>::decode(&message.wire).unwrap().data;
        assert_eq!(
            (notice.kind.as_str(), notice.instance.as_str()),
            ("asg-terminating", instance)
        );
        let deadline = proto::time::from_proto(&notice.deadline.unwrap()).unwrap();
        found.push((notice.event_id, deadline));
    }
    found
}

/// A terminating instance whose drain does not end, its deadline as the queue tells it; and an action with these parameters.
async fn endless(world: &World, asked: serde_json::Value) -> (String, Timestamp, proto::Action) {
    let instance = world.terminating(HEARTBEAT).await;
    let deadline = Timestamp::now() + SignedDuration::try_from(HEARTBEAT).unwrap();
    world
        .incident_until(&instance, "open", Some(""), Some(deadline))
        .await;
    world.drain(&instance, "published", "").await;
    let action = proto::Action {
        params: params(asked),
        deadline: Some(to_proto(deadline)),
        ..world.action(&instance)
    };
    (instance, deadline, action)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_heartbeats_win_is_told_as_far_as_the_rule_wants_it() {
    let mut world = World::new().await;
    let (instance, first, action) = endless(&world, json!({"extend": "5s"})).await;
    let worker = world.worker().await;
    world.send(&action).await;
    // What the router makes of each: the incident's deadline follows.
    eventually("the deadline to be as late as it may be", BOUND, async || {
        let told = told(&world, &instance).await;
        if let Some((_, last)) = told.last() {
            world
                .incident_until(&instance, "open", Some(""), Some(*last))
                .await;
        }
        match told.last() {
            Some((_, last)) if *last >= first + SignedDuration::from_secs(5) => Ok(()),
            _ => Err(format!("{told:?}, at first {first}")),
        }
    })
    .await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "work-unfinished"), "{outcome:?}");
    let told = told(&world, &instance).await;
    assert!(told.len() >= 2, "one for each heartbeat that counts: {told:?}");
    let token = format!("token-of-{instance}");
    let mut before = first;
    for (event, at) in &told {
        assert_eq!(*event, token, "the same wait: {told:?}");
        assert!(*at > before, "{told:?} after {first}");
        before = *at;
    }
    assert_eq!(before, first + SignedDuration::from_secs(5));
    assert_eq!(detail(&outcome)["extended_to"], before.to_string());
    let wait = world.wait(&instance);
    assert_eq!((wait.result.as_deref(), wait.timed_out), (Some("ABANDON"), false));
    assert!(wait.heartbeats.len() >= 3, "it was held for that long: {wait:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_time_is_won_for_what_does_not_ask_for_it_or_by_a_heartbeat_that_failed() {
    let mut world = World::new().await;
    let (instance, ..) = endless(&world, json!({})).await;
    let plain = world.action(&instance);
    let worker = world.worker().await;
    world.send(&plain).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "work-unfinished"), "{outcome:?}");
    assert_eq!(world.wait(&instance).heartbeats.len(), 1);
    assert_eq!(told(&world, &instance).await, []);
    worker.stop().await;

    let mut world = World::new().await;
    let (instance, _, action) = endless(&world, json!({"extend": "1h"})).await;
    world
        .aws
        .inject(Fault::status(503).containing("Action=RecordLifecycleActionHeartbeat&"));
    let worker = world.worker().await;
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "work-unfinished"), "{outcome:?}");
    assert_eq!(told(&world, &instance).await, []);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_held_no_longer_than_auto_scaling_allows_in_all() {
    let mut world = World::new().await;
    let hook = Hook::terminating(HEARTBEAT).global(Duration::from_secs(6));
    let instance = world.terminating_in(hook).await;
    world.drain(&instance, "published", "").await;
    let worker = world.worker().await;
    world.send(&world.action(&instance)).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "work-unfinished"), "{outcome:?}");
    let wait = world.wait(&instance);
    assert_eq!((wait.result.as_deref(), wait.timed_out), (Some("ABANDON"), false));
    assert_eq!(
        wait.heartbeats.len(),
        1,
        "the second would be for nothing: {wait:?}"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_incident_leaves_the_hook_to_its_time_out() {
    let mut world = World::new().await;
    let instance = world.terminating(HEARTBEAT).await;
    world.drain(&instance, "published", "").await;
    let worker = world.worker().await;
    world.send(&world.action(&instance)).await;
    world.heartbeats(&instance, 1).await;
    world.incident(&instance, "cancelled", Some("")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "cancelled", "{outcome:?}");
    assert!(world.answers().is_empty());
    eventually("the hook to time out", BOUND, async || {
        world.wait(&instance).timed_out
    })
    .await;
    worker.stop().await;
}
