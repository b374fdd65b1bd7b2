//! How the control plane of the harness bears a big cluster: `cargo run --release --example scale -- 1000 10`.
//!
//! Makes so many nodes with so many pods each, waits until all run, evicts all pods, waits until all are gone, and
//! prints how long each took and what memory the parts hold.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement to look at"
)]

use futures::StreamExt;
use hollowtrees_harness::control_plane::{Client, ControlPlane, Part, fixtures};
use hollowtrees_harness::eventually;
use std::time::{Duration, Instant};

const BOUND: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>().unwrap());
    let (nodes, pods) = (args.next().unwrap_or(100), args.next().unwrap_or(10));
    let clock = Instant::now();
    let plane = ControlPlane::start().await.unwrap();
    println!("control plane ready    {:>7.1?}", clock.elapsed());
    let client = plane.client().unwrap();
    client.namespace("scale").await.unwrap();

    let clock = Instant::now();
    client
        .post_all("/api/v1/nodes", fixtures::nodes("scale", nodes))
        .await
        .unwrap();
    println!("{nodes} nodes created   {:>7.1?}", clock.elapsed());
    let path = "/api/v1/namespaces/scale/pods";
    let all =
        (0..nodes * pods).map(|i| fixtures::pod(&format!("p-{i}"), "x", &format!("scale-{}", i % nodes)));
    let clock = Instant::now();
    client.post_all(path, all).await.unwrap();
    println!("{} pods created  {:>7.1?}", nodes * pods, clock.elapsed());
    eventually("all pods to run", BOUND, async || {
        match count(
            &client,
            &format!("{path}?fieldSelector=status.phase!=Running&limit=1"),
        )
        .await
        {
            0 => Ok(()),
            left => Err(format!("{left} do not")),
        }
    })
    .await;
    println!("all run, after         {:>7.1?}", clock.elapsed());

    let clock = Instant::now();
    let evict = |i| {
        let client = client.clone();
        async move {
            let answer = client.evict("scale", &format!("p-{i}")).await.unwrap();
            assert!(answer.status.is_success(), "{answer}");
        }
    };
    futures::stream::iter(0..nodes * pods)
        .map(evict)
        .buffer_unordered(64)
        .collect::<Vec<()>>()
        .await;
    println!("all evicted            {:>7.1?}", clock.elapsed());
    eventually("all pods to be gone", BOUND, async || {
        count(&client, &format!("{path}?limit=1")).await == 0
    })
    .await;
    println!("all gone, after        {:>7.1?}", clock.elapsed());
    let counts = plane.audit().count_by("testbed:kubelet").unwrap();
    println!("requests of the simulated kubelet: {counts:?}");
    for part in [
        Part::Etcd,
        Part::ApiServer,
        Part::ControllerManager,
        Part::Scheduler,
        Part::Kubelet,
    ] {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", plane.part(part).pid().unwrap())).unwrap();
        let resident = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap_or_default();
        println!("{:<24} {resident}", part.name());
    }
}

async fn count(client: &Client, path: &str) -> usize {
    client.list(path).await.unwrap().len()
}
