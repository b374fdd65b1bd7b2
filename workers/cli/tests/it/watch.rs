use hollowtrees_domain::words::Outcome;

use crate::{
    support::Stage,
    world::{Case, interruption, tell},
};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_seen_as_it_happens() {
    let (stage, bus) = Stage::set().await;
    let mut case = Case::opened(&bus, &interruption("prod", "i-1", 120)).await;
    let mut all = stage.start("watch --since 1h");
    all.until(&[
        "notice      prod/i-1  spot-interruption active",
        "incident    prod/i-1  opened, certain",
        "run         prod/i-1  spot-interruption (certain) started",
        "action      prod/i-1  drain, deadline +1",
        "action      prod/i-1  asg-swap, deadline +1",
    ]);
    case.ends("drain", Outcome::Succeeded, "").await;
    all.until(&["outcome     prod/i-1  drain succeeded"]);

    let mut filtered = stage.start("watch --since 1h --only outcome,run --cluster prod --output json");
    let seen = filtered.until(&["\"event\":\"outcome\"", "\"event\":\"run\""]);
    assert_eq!(seen.lines().count(), 2, "{seen}");
    let mut other = stage.start("watch --since 1h --instance i-2");
    tell(&bus, &interruption("prod", "i-2", 120), "/aws").await;
    let seen = other.until(&["notice      prod/i-2  "]);
    assert_eq!(seen.lines().count(), 1, "{seen}");

    stage
        .run("watch --only nonsense")
        .ended(2)
        .complains("[possible values: notice, action");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_is_no_failure() {
    let (stage, bus) = Stage::set().await;
    let mut all = stage.start("watch --since 1h");
    tell(&bus, &interruption("prod", "i-1", 120), "/aws").await;
    all.until(&["prod/i-1"]);
    let writer = {
        let bus = bus.clone();
        tokio::spawn(async move {
            for number in 2.. {
                tell(&bus, &interruption("prod", &format!("i-{number}"), 120), "/aws").await;
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
    };
    let said = tokio::task::block_in_place(|| all.unread()).ended(0);
    writer.abort();
    assert_eq!(said.err, "", "neither panic nor complaint");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_outlives_the_server() {
    let (stage, bus) = Stage::set().await;
    let mut all = stage.start("watch --only notice --since 1h");
    tell(&bus, &interruption("prod", "i-1", 120), "/aws").await;
    all.until(&["prod/i-1"]);
    stage.nats.restart().await.unwrap();
    tell(&bus, &interruption("prod", "i-2", 120), "/aws").await;
    let seen = tokio::task::block_in_place(|| all.until(&["prod/i-2"]));
    assert!(!seen.contains("prod/i-1"), "nothing is told twice: {seen}");
}
