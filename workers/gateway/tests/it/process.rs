//! The binary itself.

use hollowtrees_harness::{Worker, http_get, ports::Port};

use crate::world::{BOUND, World};

pub(crate) struct Process {
    pub(crate) worker: Worker,
    pub(crate) health: Port,
}

impl Process {
    pub(crate) async fn start(world: &World, env: &[(&str, &str)]) -> Self {
        let process = Self::begin(world, env);
        process.ready().await;
        process
    }

    pub(crate) async fn ready(&self) {
        let ready = format!("http://{}/readyz", self.health.addr());
        self.worker.ready(&ready, BOUND).await.unwrap();
    }

    /// Started, whether it becomes ready or not.
    pub(crate) fn begin(world: &World, env: &[(&str, &str)]) -> Self {
        let health = Port::reserve().unwrap();
        let binary = env!("CARGO_BIN_EXE_hollowtrees-gateway");
        let mut builder = Worker::builder("gateway", binary)
            .env("HT_NATS__URL", world.nats.url())
            .env("HT_HEALTH__LISTEN", health.addr().to_string());
        for (key, value) in env {
            builder = builder.env(key, value);
        }
        let worker = builder.start().unwrap();
        Self { worker, health }
    }

    /// What `/readyz` says; empty while nobody answers.
    pub(crate) async fn readyz(&self) -> String {
        self.get("/readyz").await
    }

    /// What `/metrics` says.
    pub(crate) async fn scrape(&self) -> String {
        self.get("/metrics").await
    }

    async fn get(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.health.addr());
        let answer = http_get::get(&url).await;
        answer
            .map(|(_, body)| String::from_utf8_lossy(&body).into_owned())
            .unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_becomes_ready_and_ends_when_told() {
    let world = World::new().await;
    let process = Process::start(&world, &[]).await;
    let status = process.worker.terminate(BOUND).await.unwrap();
    assert!(status.success(), "{status}");
}
