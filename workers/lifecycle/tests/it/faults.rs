//! AWS that does not answer, or answers something else.

use std::time::Duration;

use hollowtrees_harness::{aws::Service, eventually, proxy::Fault};

use crate::world::{BOUND, GROUP, World, detail, word};

const HEARTBEAT: Duration = Duration::from_secs(10);

/// The hook of a drained instance, with this amiss.
async fn answered_in_spite_of(fault: Fault, calls: usize, confirmed: bool) {
    let mut world = World::new().await;
    let instance = world.terminating(Duration::from_secs(60)).await;
    world.drain(&instance, "done", "succeeded").await;
    world.aws.inject(fault);
    let worker = world.worker().await;
    world.send(&world.action(&instance)).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("succeeded", ""), "{outcome:?}");
    assert_eq!(detail(&outcome)["confirmed"], confirmed, "{outcome:?}");
    assert_eq!(world.wait(&instance).result.as_deref(), Some("CONTINUE"));
    assert_eq!(world.answers().len(), calls);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_answer_is_given_again() {
    let fault = Service::AutoScaling.fault("Throttling", 400);
    let fault = fault.containing("Action=CompleteLifecycleAction&").times(2);
    answered_in_spite_of(fault, 1, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_meets_an_error_of_aws_is_given_again() {
    let fault = Service::AutoScaling.fault("InternalFailure", 500);
    let fault = fault.containing("Action=CompleteLifecycleAction&").times(2);
    answered_in_spite_of(fault, 1, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_reply_was_lost_is_one_answer() {
    let fault = Fault::lost_reply()
        .containing("Action=CompleteLifecycleAction&")
        .times(1);
    answered_in_spite_of(fault, 2, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_the_hook_is_asked_again() {
    let fault = Service::AutoScaling.fault("Throttling", 400);
    let fault = fault.containing("Action=DescribeLifecycleHooks&").times(4);
    answered_in_spite_of(fault, 1, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_that_fail_are_sent_again_before_the_hook_times_out() {
    let mut world = World::new().await;
    let instance = world.terminating(HEARTBEAT).await;
    world.drain(&instance, "published", "").await;
    let fault = Service::AutoScaling.fault("InternalFailure", 500);
    world.aws.inject(
        fault
            .containing("Action=RecordLifecycleActionHeartbeat&")
            .times(3),
    );
    let worker = world.worker().await;
    world.send(&world.action(&instance)).await;
    world.heartbeats(&instance, 2).await;
    world.drain(&instance, "done", "succeeded").await;
    assert_eq!(word(&world.end().await), ("succeeded", ""));
    assert!(!world.wait(&instance).timed_out);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_cannot_be_prolonged_is_answered_before_it_times_out() {
    let mut world = World::new().await;
    let instance = world.terminating(Duration::from_secs(20)).await;
    world.drain(&instance, "published", "").await;
    let fault = Service::AutoScaling.fault("InternalFailure", 500);
    world
        .aws
        .inject(fault.containing("Action=RecordLifecycleActionHeartbeat&"));
    let worker = world.worker().await;
    world.send(&world.action(&instance)).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "work-unfinished"), "{outcome:?}");
    let wait = world.wait(&instance);
    assert_eq!((wait.result.as_deref(), wait.timed_out), (Some("ABANDON"), false));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_timed_out_while_nobody_was_there_is_over() {
    let mut world = World::new().await;
    let instance = world.terminating(Duration::from_secs(1)).await;
    world.drain(&instance, "published", "").await;
    world.send(&world.action(&instance)).await;
    eventually("the hook to time out", BOUND, async || {
        world.wait(&instance).timed_out
    })
    .await;
    let worker = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("skipped", "hook-over"), "{outcome:?}");
    assert!(world.answers().is_empty());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_timed_out_while_its_worker_was_gone_is_over() {
    let mut world = World::new().await;
    let instance = world.terminating(Duration::from_secs(6)).await;
    world.drain(&instance, "published", "").await;
    let first = world.worker().await;
    world.send(&world.action(&instance)).await;
    world.heartbeats(&instance, 1).await;
    first.crash().await;
    eventually("the hook to time out", BOUND, async || {
        world.wait(&instance).timed_out
    })
    .await;
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(
        (word(&outcome), outcome.attempt),
        (("skipped", "hook-over"), 2),
        "{outcome:?}"
    );
    assert!(world.answers().is_empty());
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_somebody_else_answered_is_over() {
    let mut world = World::new().await;
    let instance = world.terminating(HEARTBEAT).await;
    world.drain(&instance, "published", "").await;
    let worker = world.worker().await;
    world.send(&world.action(&instance)).await;
    world.heartbeats(&instance, 1).await;
    world.somebody_answers(&instance).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("skipped", "hook-over"), "{outcome:?}");
    assert_eq!(world.answers().len(), 1, "ours was not needed");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_deleted_ends_the_hold() {
    let mut world = World::new().await;
    let instance = world.terminating(HEARTBEAT).await;
    world.drain(&instance, "published", "").await;
    let worker = world.worker().await;
    world.send(&world.action(&instance)).await;
    world.heartbeats(&instance, 1).await;
    world.aws.delete_group(GROUP).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("skipped", "hook-over"), "{outcome:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_answer_says_so_and_goes_on_no_further() {
    let mut world = World::new().await;
    let instance = world.terminating(Duration::from_secs(60)).await;
    world.drain(&instance, "done", "succeeded").await;
    let fault = Service::AutoScaling.fault("AccessDenied", 403);
    world
        .aws
        .inject(fault.containing("Action=CompleteLifecycleAction&"));
    let worker = world.worker().await;
    world.send(&world.action(&instance)).await;
    let outcome = world.end().await;
    assert_eq!(word(&outcome), ("failed", "unanswered"), "{outcome:?}");
    assert!(outcome.message.contains("AccessDenied"), "{outcome:?}");
    worker.stop().await;
}
