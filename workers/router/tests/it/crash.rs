use std::{collections::HashMap, time::Duration};

use hollowtrees_domain::words::RunResult;
use hollowtrees_schemas::{names::Stream, proto};

use crate::support::{World, assert_distinct, spot};

/// Two routers, one or both of them killed again and again while notices and outcomes come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_routers_lose_and_repeat_nothing() {
    const COUNT: usize = 150;
    let (mut world, first) = World::with_router("").await;
    let second = world.router("").await;
    second.ready().await;
    let mut ended: HashMap<String, usize> = HashMap::new();
    for number in 0..COUNT {
        world.send(spot(&format!("i-{number}"))).await;
        if number % 5 == 0 {
            world
                .send_from(spot(&format!("i-{number}")), "/aws/1/eu/events")
                .await;
        }
        if number % 20 == 10 {
            let victim = if number % 40 == 10 { &first } else { &second };
            victim.worker.kill();
            victim.worker.restart().unwrap();
        }
        if number % 50 == 49 {
            first.worker.kill();
            second.worker.kill();
            first.worker.restart().unwrap();
            second.worker.restart().unwrap();
        }
        for action in world.rest(Duration::from_millis(20)).await {
            *ended.entry(action.id.clone()).or_default() +=
                usize::from(world.end(&action, "succeeded").await);
        }
    }
    while ended.len() < COUNT * 3 {
        let more = world.rest(Duration::from_secs(5)).await;
        assert!(!more.is_empty(), "{} of {} actions came", ended.len(), COUNT * 3);
        for action in more {
            *ended.entry(action.id.clone()).or_default() +=
                usize::from(world.end(&action, "succeeded").await);
        }
    }
    assert_eq!(ended.len(), COUNT * 3, "three actions a notice, whoever asked");
    assert!(ended.values().all(|count| *count == 1));
    for number in 0..COUNT {
        let run = world
            .finished(&format!("i-{number}"), 1, "spot-interruption", "certain")
            .await;
        assert_eq!(run.result, Some(RunResult::Succeeded));
    }
    let published = world
        .told::<proto::Action>(Stream::Actions, "ht.action.v1.>")
        .await;
    assert_distinct(published.iter().map(|(_, action)| &action.id));
    let outcomes = world
        .told::<proto::Outcome>(Stream::Outcomes, "ht.outcome.v1.>")
        .await;
    assert_distinct(outcomes.iter().map(|(_, outcome)| &outcome.action_id));
    let finished = world
        .told::<proto::Run>(Stream::Incidents, "ht.run.v1.*.finished.*")
        .await;
    let mut ids: Vec<&String> = finished.iter().map(|(_, run)| &run.instance).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), COUNT);
    assert_eq!(finished.len(), COUNT, "each told once");
}
