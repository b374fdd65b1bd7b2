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
