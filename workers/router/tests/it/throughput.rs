use std::{sync::Arc, time::Instant};

use hollowtrees_bus::{
    apply,
    topology::{Consumer, Profile},
};
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    names::Stream,
    outgoing, proto,
    subject::{IncidentEvent, RunEvent},
};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::support::{BOUND, World, spot};

const COUNT: usize = 3_000;

/// Prints what the router does in a second beside a bare loop that makes the same writes. Run with
/// `cargo test --release -p hollowtrees-router --test it throughput -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn throughput() {
    let mut world = World::start().await;
    for number in 0..COUNT {
        world.send(spot(&format!("i-{number}"))).await;
    }
    let began = Instant::now();
    let router = world.router("").await;
    let mut actions = 0;
    let deadline = began + BOUND * 4;
    let mut last = began;
    while actions < COUNT * 2 && Instant::now() < deadline {
        let more = world.rest(std::time::Duration::from_millis(20)).await.len();
        actions += more;
        last = Instant::now();
    }
    let ours = COUNT as f64 / last.duration_since(began).as_secs_f64();
    router.worker.kill();

    // The same writes by nothing but the client, as many at once.
    let world = World::start().await;
    for number in 0..COUNT {
        world.send(spot(&format!("i-{number}"))).await;
    }
    let slots = Arc::new(Semaphore::new(256));
    let consumer = Consumer {
        name: "bare".to_owned(),
        stream: Stream::Notices,
        filters: vec!["ht.notice.v1.>".to_owned()],
        description: "bare".to_owned(),
    };
    apply::apply_consumer(&world.bus, &consumer, Profile::LOCAL)
        .await
        .unwrap();
    let mut deliveries = world.bus.consume(&consumer, 256).await.unwrap();
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..COUNT {
        let delivery = deliveries.next().await;
        let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
        let bus = world.bus.clone();
        tasks.spawn(async move {
            let _slot = slot;
            let instance = format!("i-{number}");
            let incident = proto::Incident {
                schema: 1,
                cluster: "c1".into(),
                instance: instance.clone(),
                generation: 1,
                ..Default::default()
            };
            let run = proto::Run {
                schema: 1,
                cluster: "c1".into(),
                instance: instance.clone(),
                ..Default::default()
            };
            bus.incidents()
                .create(&format!("c1.{instance}"), &incident)
                .await
                .unwrap();
            let key = format!("c1.{instance}.1.r.certain");
            let revision = bus.runs().create(&key, &run).await.unwrap();
            let action = |kind: &str| {
                let action = proto::Action {
                    id: format!("{kind}{instance}"),
                    cluster: "c1".into(),
                    kind: kind.into(),
                    instance: instance.clone(),
                    ..Default::default()
                };
                outgoing::action(&envelope::action(action, "/bare"), DataFormat::Json).unwrap()
            };
            let (drain, swap) = (action("drain"), action("asg-swap"));
            let (a, b) = tokio::join!(bus.publish(&drain, None), bus.publish(&swap, None));
            a.unwrap();
            b.unwrap();
            let opened = outgoing::incident(
                IncidentEvent::Opened,
                &envelope::incident(IncidentEvent::Opened, incident, "/bare"),
                DataFormat::Json,
            )
            .unwrap();
            let started = outgoing::run(
                RunEvent::Started,
                &envelope::run(RunEvent::Started, run.clone(), "/bare"),
                DataFormat::Json,
            )
            .unwrap();
            let (a, b, c) = tokio::join!(
                bus.publish(&opened, None),
                bus.publish(&started, None),
                bus.runs().update(&key, &run, revision)
            );
            a.unwrap();
            b.unwrap();
            c.unwrap();
            delivery.ack().await;
        });
    }
    while tasks.join_next().await.is_some() {}
    let bare = COUNT as f64 / began.elapsed().as_secs_f64();
    println!(
        "router {ours:.0} notices/s, bare loop {bare:.0} notices/s, {:.0} %",
        100.0 * ours / bare
    );
    assert_eq!(actions, COUNT * 2);
}
