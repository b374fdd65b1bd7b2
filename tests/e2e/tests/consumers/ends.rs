//! Actions that end another way: too late, withdrawn, or with the process that was at them.

use std::time::Duration;

use hollowtrees_e2e::pipeline::interruption;
use hollowtrees_harness::eventually;
use jiff::Timestamp;

use crate::{
    language::Example,
    world::{BOUND, World, in_every_language, maintenance},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_expired_or_was_withdrawn_before_it_began_is_not_begun() {
    in_every_language(async |language| {
        let world = World::start(language).await;
        // Taken back while nobody serves: the router ends it.
        world.notify(maintenance("i-withdrawn", 600, "active")).await;
        world.action("i-withdrawn").await;
        world.notify(maintenance("i-withdrawn", 600, "cancelled")).await;
        world.finished("i-withdrawn", "cancelled").await;
        // Too late, and no router to say so: the example does.
        let notice = interruption("i-late", 2);
        let deadline = notice.deadline.unwrap().seconds + 1;
        world.notify(notice).await;
        world.action("i-late").await;
        world.router.worker.kill();
        eventually("the deadline to pass", BOUND, async || {
            Timestamp::now().as_second() >= deadline
        })
        .await;
        let _serve = world.example(Example::Serve).await;
        let outcome = world.ended("i-late").await;
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str()),
            ("expired", "deadline")
        );
        world.router.worker.restart().unwrap();
        world.router.ready().await;
        world.finished("i-late", "failed").await;
        // It comes after the others, so they were seen to.
        world.notify(interruption("i-live", 60)).await;
        world.finished("i-live", "succeeded").await;
        world.assert_sound().await;
        let paged = ["i-withdrawn", "i-late", "i-live"].map(|instance| world.pager.people(instance).len());
        assert_eq!(paged, [0, 0, 2]);
        assert_eq!(world.ended("i-withdrawn").await.result, "cancelled");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withdrawn_while_it_is_worked_on_stops_where_it_is_safe() {
    in_every_language(async |language| {
        let world = World::start(language).await;
        let _serve = world.example(Example::Serve).await;
        world.pager.hold();
        world.notify(maintenance("i-1", 600, "active")).await;
        world.pager.asked(1).await;
        // It has said so; a withdrawal that the router hears of before that ends what nobody is known to be at.
        eventually("the router to know that it is begun", BOUND, async || {
            world.is_begun("i-1").await
        })
        .await;
        world.notify(maintenance("i-1", 600, "cancelled")).await;
        eventually("the incident to be withdrawn", BOUND, async || {
            world
                .books()
                .await
                .incidents
                .values()
                .any(|incident| incident.state == "cancelled")
        })
        .await;
        // The page under way takes its time, more than twice that in which the example looks again.
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        world.pager.answer();
        let outcome = world.ended("i-1").await;
        assert_eq!(
            (outcome.result.as_str(), outcome.reason.as_str()),
            ("cancelled", "withdrawn")
        );
        world.finished("i-1", "cancelled").await;
        world.assert_sound().await;
        assert_eq!(world.pager.people("i-1"), ["ann"], "bob is not woken");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_in_mid_work_is_followed_by_one_who_does_it_again() {
    in_every_language(async |language| {
        let world = World::start(language).await;
        let serve = world.example(Example::Serve).await;
        world.pager.hold();
        world.notify(interruption("i-1", 120)).await;
        world.pager.asked(1).await;
        serve.worker.kill();
        world.pager.answer();
        serve.worker.restart().unwrap();
        let outcome = world.ended("i-1").await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        assert_eq!(outcome.attempt, 2);
        world.finished("i-1", "succeeded").await;
        world.assert_sound().await;
        assert_eq!(world.pager.people("i-1"), ["ann", "ann", "bob"]);
        let pages = world.pager.pages();
        assert_eq!(pages[0].key, pages[1].key, "under one key the pager pages once");
        assert_ne!(pages[0].process, pages[1].process);
    })
    .await;
}
