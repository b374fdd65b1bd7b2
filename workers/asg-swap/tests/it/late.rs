//! What AWS does shows late.

use std::time::Duration;

use hollowtrees_harness::{aws::NewGroup, proxy::Fault};

use crate::world::{World, detail};

/// How old what is read of groups is.
const LAG: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn an_attachment_that_shows_after_its_answer_was_lost_is_ours_to_take_back() {
    let mut world = World::new().await;
    let old = world.group(&NewGroup::new("late").sizes(1, 1, 2)).await.remove(0);
    world.aws.set_read_lag(LAG);
    let lost = Fault::lost_reply().containing("Action=AttachInstances&");
    world.aws.inject(lost.times(1));
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("late", &old, (1, 1, 2)).await;
    let told = detail(&outcome);
    assert_eq!(told["desired_left"], serde_json::Value::Null, "{told}");
    assert_eq!(world.aws.instances().await.unwrap().len(), 2);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_that_are_read_late_are_put_back_by_all_swaps_of_a_full_group() {
    let mut world = World::new().await;
    let olds = world.group(&NewGroup::new("lags").sizes(3, 3, 3)).await;
    world.aws.set_read_lag(LAG);
    let workers = [world.worker().await, world.worker().await];
    for old in &olds {
        world.send(&world.action(old, "certain")).await;
    }
    for _ in &olds {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        let told = detail(&outcome);
        assert_eq!(told["restored"], true, "{told}");
    }
    for old in &olds {
        world.swapped("lags", old, (3, 3, 3)).await;
    }
    assert_eq!(world.aws.instances().await.unwrap().len(), 6);
    for worker in workers {
        worker.stop().await;
    }
}
