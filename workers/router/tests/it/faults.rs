use std::{collections::HashMap, time::Duration};

use hollowtrees_harness::proxy;
use hollowtrees_schemas::{names::Stream, proto};

use crate::support::{BOUND, World, assert_distinct, spot};

/// Ends what comes until `count` actions have ended, each once.
async fn end_all(world: &mut World, count: usize) {
    let mut ended: HashMap<String, usize> = HashMap::new();
    while ended.len() < count {
        let more = world.rest(Duration::from_millis(200)).await;
        if more.is_empty() {
            let later = tokio::time::timeout(BOUND, async {
                loop {
                    let more = world.rest(Duration::from_millis(500)).await;
                    if !more.is_empty() {
                        return more;
                    }
                }
            });
            let Ok(more) = later.await else {
                panic!("{} of {count} actions came", ended.len())
            };
            end(world, more, &mut ended).await;
        } else {
            end(world, more, &mut ended).await;
        }
    }
    assert!(ended.values().all(|count| *count == 1), "{ended:?}");
}

async fn end(world: &World, actions: Vec<proto::Action>, ended: &mut HashMap<String, usize>) {
    for action in actions {
        *ended.entry(action.id.clone()).or_default() += usize::from(world.end(&action, "succeeded").await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_goes_away_and_comes_back() {
    const COUNT: usize = 40;
    let (mut world, router) = World::with_router("").await;
    for number in 0..COUNT {
        if number == COUNT / 2 {
            world.nats.kill();
            tokio::time::sleep(Duration::from_secs(2)).await;
            world.nats.restart().await.unwrap();
        }
        world.send(spot(&format!("i-{number}"))).await;
    }
    end_all(&mut world, COUNT * 3).await;
    for number in 0..COUNT {
        world
            .finished(&format!("i-{number}"), 1, "spot-interruption", "certain")
            .await;
    }
    router.ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_router_that_was_stopped_and_goes_on_repeats_nothing() {
    const COUNT: usize = 40;
    let (mut world, first) = World::with_router("").await;
    let second = world.router("").await;
    second.ready().await;
    for number in 0..COUNT {
        if number == COUNT / 2 {
            first.worker.pause().unwrap();
        }
        world.send(spot(&format!("i-{number}"))).await;
    }
    // Longer than ack_wait: what it held went to the other one.
    tokio::time::sleep(Duration::from_secs(6)).await;
    first.worker.resume().unwrap();
    end_all(&mut world, COUNT * 3).await;
    for number in 0..COUNT {
        world
            .finished(&format!("i-{number}"), 1, "spot-interruption", "certain")
            .await;
    }
    let published = world
        .told::<proto::Action>(Stream::Actions, "ht.action.v1.>")
        .await;
    assert_distinct(published.iter().map(|(_, action)| &action.id));
    let started = world
        .told::<proto::Run>(Stream::Incidents, "ht.run.v1.*.started.*")
        .await;
    assert_eq!(started.len(), COUNT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_whose_replies_are_lost_are_done_once() {
    const ROUNDS: usize = 4;
    let mut world = World::start().await;
    let lossy = proxy::Tcp::start(world.nats.addr()).await.unwrap();
    let router = world.router_at(&format!("nats://{}", lossy.addr()), "").await;
    router.ready().await;
    for round in 0..ROUNDS {
        for number in 0..5 {
            world.send(spot(&format!("i-{round}-{number}"))).await;
        }
        if round % 2 == 0 {
            lossy.lose_replies();
        } else {
            lossy.lose_requests();
        }
        for number in 5..10 {
            world.send(spot(&format!("i-{round}-{number}"))).await;
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        lossy.heal();
    }
    assert!(lossy.bytes_swallowed() > 0);
    end_all(&mut world, ROUNDS * 30).await;
    for round in 0..ROUNDS {
        for number in 0..10 {
            world
                .finished(&format!("i-{round}-{number}"), 1, "spot-interruption", "certain")
                .await;
        }
    }
    let published = world
        .told::<proto::Action>(Stream::Actions, "ht.action.v1.>")
        .await;
    assert_distinct(published.iter().map(|(_, action)| &action.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_router_that_starts_before_the_bus_waits_for_it() {
    let mut world = World::start().await;
    world.nats.kill();
    let router = world.router("").await;
    router
        .worker
        .logged("The bus cannot be reached yet.", BOUND)
        .await
        .unwrap();
    world.nats.restart().await.unwrap();
    router.ready().await;
    world.send(spot("i-1")).await;
    world.action("drain", "i-1").await;
}
