//! Three servers with every stream on all of them: one of them killed, and routers killed while reads are stale.

use std::{collections::BTreeMap, time::Duration};

use hollowtrees_bus::{
    Bus,
    read::{From, ReadError, Until},
    topology::Profile,
};
use hollowtrees_e2e::{
    checker::{Books, assert_once_in_effect},
    cluster::stream_leader,
    kills::Kills,
    pipeline::{Pipeline, interruption},
};
use hollowtrees_harness::{NatsCluster, eventually};
use hollowtrees_schemas::{envelope::Envelope, names::Stream, proto};

use crate::support::{BOUND, KINDS, PLAIN, PROGRAMS, instances, rules_file, rules_in};

async fn three() -> (NatsCluster, Pipeline) {
    let cluster = NatsCluster::start(3).await.unwrap();
    let profile = Profile {
        replicas: 3,
        ..Profile::LOCAL
    };
    let pipeline = Pipeline::prepare(PROGRAMS, &cluster.urls(), profile).await;
    (cluster, pipeline)
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_lose_the_leader_of_the_actions_in_mid_run() {
    let (cluster, pipeline) = three().await;
    let rules = rules_in(PLAIN);
    let router = pipeline.router("router", Some(&rules_file(&rules)));
    let worker = pipeline.worker("worker", Duration::from_millis(20));
    router.ready().await;
    worker.ready().await;
    let instances = instances(60);
    let mut lost = None;
    for (number, instance) in instances.iter().enumerate() {
        if number == 30 {
            let leader = stream_leader(&cluster, Stream::Actions, 0).await;
            cluster.kill(leader);
            lost = Some(leader);
        }
        pipeline
            .notify(interruption(instance, 120), "/aws/1/eu/imds")
            .await;
    }
    let books = Books::when_finished(&pipeline.bus, instances.len(), BOUND).await;
    books.assert_sound();
    assert_once_in_effect(&pipeline.world, &instances, &KINDS, &Kills::default());
    let other = (lost.unwrap() + 1) % 3;
    let leader = stream_leader(&cluster, Stream::Actions, other).await;
    assert_ne!(Some(leader), lost, "another one leads now");
}

#[tokio::test(flavor = "multi_thread")]
async fn routers_killed_on_three_servers_lose_and_repeat_nothing() {
    let (_cluster, pipeline) = three().await;
    let rules = rules_in(PLAIN);
    let file = rules_file(&rules);
    let routers = ["router-1", "router-2"].map(|name| pipeline.router(name, Some(&file)));
    let worker = pipeline.worker("worker", Duration::from_millis(5));
    for process in routers.iter().chain([&worker]) {
        process.ready().await;
    }
    let instances = instances(120);
    let mut kills = Kills::default();
    for (number, instance) in instances.iter().enumerate() {
        let notice = interruption(instance, 600);
        pipeline.notify(notice.clone(), "/aws/1/eu/imds").await;
        if number % 5 == 0 {
            pipeline.notify(notice, "/aws/1/eu/sqs").await;
        }
        // One, then the other, then both at once.
        let victims = match number % 30 {
            10 => &routers[..1],
            20 => &routers[1..],
            29 => &routers[..],
            _ => continue,
        };
        for victim in victims {
            kills.kill(victim);
        }
        for victim in victims {
            victim.worker.restart().unwrap();
        }
    }
    let books = Books::when_finished(&pipeline.bus, instances.len(), BOUND).await;
    books.assert_sound();
    assert_once_in_effect(&pipeline.world, &instances, &KINDS, &kills);
    assert_eq!(books.incidents.len(), instances.len());
    assert_eq!(books.outcomes.len(), 2 * instances.len());
    for event in ["started", "finished"] {
        eventually(format!("every run to be told {event} once"), BOUND, async || {
            let told = told(&pipeline.bus, event)
                .await
                .map_err(|error| error.to_string())?;
            let often: Vec<_> = told.iter().filter(|(_, count)| **count != 1).collect();
            if told.len() == instances.len() && often.is_empty() {
                Ok(())
            } else {
                Err(format!("{} runs, more than once: {often:?}", told.len()))
            }
        })
        .await;
    }
}

/// How often an event of the runs was told, by instance.
async fn told(bus: &Bus, event: &str) -> Result<BTreeMap<String, usize>, ReadError> {
    let filter = format!("ht.run.v1.*.{event}.*");
    let mut reading = bus
        .read(Stream::Incidents, &[filter], From::First, Until::Present)
        .await?;
    let mut told = BTreeMap::new();
    while let Some(message) = reading.next().await? {
        let run = Envelope::<proto::Run>::decode(&message.wire).unwrap().data;
        *told.entry(run.instance).or_default() += 1;
    }
    Ok(told)
}
