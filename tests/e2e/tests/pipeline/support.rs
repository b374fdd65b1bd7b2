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

/// A server, routers and workers, ready.
pub(crate) struct Small {
    pub(crate) nats: Nats,
    pub(crate) pipeline: Pipeline,
    pub(crate) routers: Vec<Process>,
    pub(crate) workers: Vec<Process>,
    _rules: Option<tempfile::TempDir>,
}

impl Small {
    /// One router and one worker.
    pub(crate) async fn start(rules: Option<&str>, pause: Duration) -> Self {
        Self::replicated(1, rules, pause).await
    }

    /// So many of each.
    pub(crate) async fn replicated(replicas: usize, rules: Option<&str>, pause: Duration) -> Self {
        let nats = Nats::start().await.unwrap();
        let pipeline = Pipeline::prepare(PROGRAMS, &[nats.url()], Profile::LOCAL).await;
        let directory = rules.map(rules_in);
        let file: Option<PathBuf> = directory.as_ref().map(rules_file);
        let names = 1..=replicas;
        let routers = names
            .clone()
            .map(|number| pipeline.router(&format!("router-{number}"), file.as_deref()));
        let routers: Vec<_> = routers.collect();
        let workers = names.map(|number| pipeline.worker(&format!("worker-{number}"), pause));
        let workers: Vec<_> = workers.collect();
        for process in routers.iter().chain(&workers) {
            process.ready().await;
        }
        Self {
            nats,
            pipeline,
            routers,
            workers,
            _rules: directory,
        }
    }
}

/// A directory with these rules in it.
pub(crate) fn rules_in(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(rules_file(&directory), text).unwrap();
    directory
}

/// Where the rules of such a directory are.
pub(crate) fn rules_file(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("rules.yaml")
}

/// `count` names of instances.
pub(crate) fn instances(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("i-{number}")).collect()
}

pub(crate) const KINDS: [&str; 2] = ["drain", "asg-swap"];

/// Drain and swap together and nothing after them: runs end when the workers do.
pub(crate) const PLAIN: &str = "
version: 1
rules:
  - name: plain
    match: { exact: { data.kind: spot-interruption } }
    steps:
      - actions: [drain, asg-swap]
";
