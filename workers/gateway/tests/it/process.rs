//! The binary itself.

use hollowtrees_harness::{Worker, ports::Port};

use crate::world::{BOUND, World};

pub(crate) struct Process {
    pub(crate) worker: Worker,
    pub(crate) health: Port,
}

impl Process {
    pub(crate) async fn start(world: &World, env: &[(&str, &str)]) -> Self {
        let health = Port::reserve().unwrap();
        let binary = env!("CARGO_BIN_EXE_hollowtrees-gateway");
        let mut builder = Worker::builder("gateway", binary)
            .env("HT_NATS__URL", world.nats.url())
            .env("HT_HEALTH__LISTEN", health.addr().to_string());
        for (key, value) in env {
            builder = builder.env(key, value);
        }
        let worker = builder.start().unwrap();
        let process = Self { worker, health };
        let ready = format!("http://{}/readyz", process.health.addr());
        process.worker.ready(&ready, BOUND).await.unwrap();
        process
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_becomes_ready_and_ends_when_told() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let status = process.worker.terminate(BOUND).await.unwrap();
    assert!(status.success(), "{status}");
}
