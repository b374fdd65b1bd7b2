//! Lifecycle hooks: seen, prolonged, answered once.

use std::time::{Duration, Instant};

use hollowtrees_aws::{Answer, Hook, Transition, Wait};
use hollowtrees_harness::{
    aws::{self, LifecycleAction, NewGroup, Service},
    eventually,
    proxy::Fault,
};

use crate::Stage;

const LONG: Duration = Duration::from_secs(60);

/// A group `g` whose only instance waits in its hook `h`.
async fn waiting(hook: aws::Hook) -> (Stage, String) {
    let stage = Stage::new().await;
    let made = stage
        .cloud
        .create(&NewGroup::new("g").sizes(1, 1, 1))
        .await
        .unwrap();
    let instance = made.members[0].0.clone();
    stage.cloud.put_hook_as("g", "h", hook);
    let wait = LifecycleAction::new("g", "h", &instance, "token");
    stage.cloud.wait_in_hook(wait, "Terminating:Wait").await.unwrap();
    (stage, instance)
}

fn wait<'a>(instance: &'a str, token: Option<&'a str>) -> Wait<'a> {
    Wait {
        group: "g",
        hook: "h",
        instance,
        token,
    }
}

#[tokio::test]
async fn hooks_are_seen_with_their_limits() {
    let (stage, instance) = waiting(aws::Hook::terminating(LONG)).await;
    stage
        .cloud
        .put_hook_as("g", "joins", aws::Hook::launching(Duration::from_secs(7_200)));
    let hook = |name: &str, transition, heartbeat, global| Hook {
        name: name.to_owned(),
        transition: Some(transition),
        heartbeat: Duration::from_secs(heartbeat),
        global: Duration::from_secs(global),
    };
    assert_eq!(
        stage.region.hooks("g").await.unwrap(),
        [
            hook("h", Transition::Terminating, 60, 6_000),
            hook("joins", Transition::Launching, 7_200, 172_800)
        ]
    );
    let member = stage.region.membership(&instance).await.unwrap().unwrap();
    assert_eq!(member.state, "Terminating:Wait");
}

#[tokio::test]
async fn a_wait_is_prolonged_and_answered_once() {
    for token in [None, Some("token")] {
        let (stage, instance) = waiting(aws::Hook::terminating(LONG)).await;
        let of = wait(&instance, token);
        assert_eq!(stage.region.prolong(of).await, Ok(true));
        assert_eq!(stage.region.answer(of, Answer::Abandon).await, Ok(true));
        // Whatever comes after it finds nobody waiting.
        assert_eq!(stage.region.answer(of, Answer::Continue).await, Ok(false));
        assert_eq!(stage.region.prolong(of).await, Ok(false));
        let wait = stage.cloud.lifecycle_actions().remove(0);
        assert_eq!(
            (wait.result.as_deref(), wait.heartbeats.len()),
            (Some("ABANDON"), 1),
            "{token:?}"
        );
        let member = stage.region.membership(&instance).await.unwrap().unwrap();
        assert_eq!(member.state, "Terminating:Proceed");
    }
}

#[tokio::test]
async fn another_wait_is_not_meant() {
    let (stage, instance) = waiting(aws::Hook::terminating(LONG)).await;
    let right = wait(&instance, None);
    for wrong in [
        wait(&instance, Some("of-another")),
        wait("i-00000000000000001", None),
        Wait { hook: "x", ..right },
        Wait { group: "x", ..right },
    ] {
        assert_eq!(stage.region.prolong(wrong).await, Ok(false), "{wrong:?}");
        assert_eq!(
            stage.region.answer(wrong, Answer::Continue).await,
            Ok(false),
            "{wrong:?}"
        );
    }
    assert_eq!(stage.region.answer(right, Answer::Continue).await, Ok(true));
}

#[tokio::test]
async fn a_heartbeat_prolongs_the_wait_and_its_end_is_the_default_result() {
    let hook = aws::Hook::terminating(Duration::from_secs(6));
    let (stage, instance) = waiting(hook).await;
    let began = Instant::now();
    let of = wait(&instance, None);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.region.prolong(of).await, Ok(true));
    eventually("the hook to time out", LONG, async || {
        stage.cloud.lifecycle_actions().remove(0).timed_out
    })
    .await;
    // Without the heartbeat it would have been at 6 s.
    assert!(
        began.elapsed() > Duration::from_millis(7_500),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(stage.region.answer(of, Answer::Continue).await, Ok(false));
    let wait = stage.cloud.lifecycle_actions().remove(0);
    assert_eq!(wait.result.as_deref(), Some("ABANDON"));
}

#[tokio::test]
async fn a_lost_reply_is_unclear_and_nothing_is_repeated_unseen() {
    let (stage, instance) = waiting(aws::Hook::terminating(LONG)).await;
    let of = wait(&instance, None);
    stage
        .cloud
        .inject(Fault::lost_reply().containing("Action=CompleteLifecycleAction&"));
    let refusal = stage.region.answer(of, Answer::Continue).await.unwrap_err();
    assert!(refusal.may_have_happened(), "{refusal}");
    assert_eq!(stage.cloud.count("CompleteLifecycleAction"), 1);
    stage.cloud.heal();
    assert_eq!(stage.region.answer(of, Answer::Continue).await, Ok(false));
    // A refusal for another reason is no end of the wait.
    let denied = Service::AutoScaling.fault("AccessDenied", 403);
    stage
        .cloud
        .inject(denied.containing("Action=RecordLifecycleActionHeartbeat&"));
    assert!(stage.region.prolong(of).await.unwrap_err().is_definite());
}
