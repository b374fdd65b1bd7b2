//! Which pool, and what it takes to know.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_harness::{
    aws::{NewGroup, Service},
    proxy::Fault,
};
use hollowtrees_schemas::names::mode;
use jiff::{SignedDuration, Timestamp};

use crate::world::{APART, World, detail};

const PRICES: &str = "DescribeSpotPriceHistory";

fn group(name: &str) -> NewGroup {
    NewGroup::new(name)
        .zones(&["us-east-1a"])
        .types(&["m5.large", "m4.large", "c5.large"])
        .sizes(2, 2, 4)
        .spot()
}

/// m4.large is the cheapest now and was dear for days; c5.large costs a little more than it does now.
fn history(world: &World) {
    let ago = |hours: i64| Timestamp::now() - SignedDuration::from_hours(hours);
    for (instance_type, dollars, hours) in [
        ("m5.large", 0.030, 100),
        ("m4.large", 0.090, 100),
        ("m4.large", 0.031, 2),
        ("c5.large", 0.033, 100),
    ] {
        world
            .aws
            .set_spot_price_since(instance_type, "us-east-1a", dollars, ago(hours));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_that_is_cheap_for_days_is_taken_and_the_outcome_says_why() {
    let mut world = World::new().await;
    let old = world.group(&group("days")).await.remove(0);
    history(&world);
    let worker = world.worker().await;
    let rehearsed = hollowtrees_schemas::proto::Action {
        mode: mode::DRY_RUN.to_owned(),
        ..world.action(&old, "advisory")
    };
    world.send(&rehearsed).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let told = detail(&outcome);
    let order = [0, 1, 2].map(|at| told["choices"][at]["type"].as_str().unwrap().to_owned());
    assert_eq!(order, ["c5.large", "m4.large", "m5.large"], "{told}");
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("days", &old, (2, 2, 4)).await;
    assert_eq!(new.instance_type, "c5.large");
    let why = detail(&outcome)["why"].as_str().unwrap().to_owned();
    assert!(
        why.starts_with("number 2 of 3 by cost: $0.03") && why.contains("$0.0330 now"),
        "{why}"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_of_a_group_read_its_prices_once() {
    let mut world = World::new().await;
    let members = world.group(&group("burst")).await;
    history(&world);
    let worker = world.worker().await;
    for old in &members {
        world.send(&world.action(old, "certain")).await;
    }
    let mut processes = BTreeSet::new();
    for _ in &members {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        processes.insert(outcome.worker.unwrap().process);
    }
    for old in &members {
        let new = world.replacements(old).await.remove(0);
        assert_eq!(new.instance_type, "c5.large");
    }
    // Each process reads for itself.
    let readers = if std::env::var_os(APART).is_some() {
        processes.len()
    } else {
        1
    };
    assert_eq!(
        world.aws.count(PRICES),
        2 * readers,
        "one read of two pages, of three entries each"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_prices_the_groups_order_counts_and_nothing_waits_long() {
    let mut world = World::new().await;
    let of_prices = || format!("Action={PRICES}&");
    for (name, fault) in [
        ("denied", Service::Ec2.fault("UnauthorizedOperation", 403)),
        ("throttled", Service::Ec2.fault("RequestLimitExceeded", 503)),
        ("lost", Fault::lost_reply()),
        ("slow", Fault::slow(Duration::from_secs(60))),
    ] {
        let old = world.group(&group(name)).await.remove(0);
        history(&world);
        world.aws.inject(fault.containing(of_prices()));
        // What another group read is not remembered.
        let worker = world.worker().await;
        world.send(&world.action(&old, "certain")).await;
        let sent = Timestamp::now();
        world.fact("launched").await;
        let took = Timestamp::now().duration_since(sent);
        assert!(took < SignedDuration::from_secs(20), "{name}: {took:?}");
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{name}: {outcome:?}");
        let new = world.swapped(name, &old, (2, 2, 4)).await;
        assert_eq!(new.instance_type, "m4.large", "{name}: m5.large was interrupted");
        let told = detail(&outcome);
        let why = told["why"].as_str().unwrap();
        assert!(why.starts_with("in the group's order"), "{name}: {why}");
        world.aws.heal();
        worker.stop().await;
    }
}
