//! One pipeline for a test.

use std::{path::PathBuf, time::Duration};

use hollowtrees_bus::topology::Profile;
use hollowtrees_e2e::pipeline::{Pipeline, Process, Programs};
use hollowtrees_harness::Nats;

pub(crate) const BOUND: Duration = Duration::from_secs(120);
pub(crate) const PROGRAMS: Programs = Programs {
    router: env!("CARGO_BIN_EXE_router"),
    worker: env!("CARGO_BIN_EXE_counting-worker"),
};

/// A server, one router and one worker, ready.
pub(crate) struct Small {
    pub(crate) nats: Nats,
    pub(crate) pipeline: Pipeline,
    pub(crate) router: Process,
    pub(crate) worker: Process,
    _rules: Option<tempfile::TempDir>,
}

impl Small {
    pub(crate) async fn start(rules: Option<&str>, pause: Duration) -> Self {
        let nats = Nats::start().await.unwrap();
        let pipeline = Pipeline::prepare(PROGRAMS, &[nats.url()], Profile::LOCAL).await;
        let directory = rules.map(|text| {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("rules.yaml"), text).unwrap();
            directory
        });
        let file: Option<PathBuf> = directory
            .as_ref()
            .map(|directory| directory.path().join("rules.yaml"));
        let router = pipeline.router("router", file.as_deref());
        let worker = pipeline.worker("worker", pause);
        router.ready().await;
        worker.ready().await;
        Self {
            nats,
            pipeline,
            router,
            worker,
            _rules: directory,
        }
    }
}

/// Drain and swap together and nothing after them: runs end when the workers do.
pub(crate) const PLAIN: &str = "
version: 1
rules:
  - name: plain
    match: { exact: { data.kind: spot-interruption } }
    steps:
      - actions: [drain, asg-swap]
";
