//! A worker whose effects the test counts: it begins, waits, has its effect behind the fence, waits, and ends.

use std::{process::ExitCode, time::Duration};

use hollowtrees_e2e::effects;
use hollowtrees_runtime::{
    Context, Failure as Fatal, Frame, config,
    worker::{self, Failure, Handler, Job, Kind, Report},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Deserialize, Serialize)]
struct Settings {
    /// Durable name it shares with its replicas.
    worker: String,
    /// Kinds of action it serves.
    kinds: Vec<String>,
    /// Where the test counts.
    world: String,
    /// Before and after the effect.
    #[serde(with = "config::duration")]
    pause: Duration,
    running: usize,
}

impl config::Settings for Settings {
    fn validate(&self, _: &mut Vec<config::Problem>) {}
}

const DEFAULTS: &str =
    "worker = 'count'\nkinds = ['drain', 'asg-swap']\nworld = ''\npause = '5ms'\nrunning = 64\n";

struct Counting {
    settings: Settings,
    process: String,
}

impl Handler for Counting {
    async fn handle(&self, job: Job) -> Result<Report, Failure> {
        let action = job.action().clone();
        let about = format!("{}.{}.{}", action.kind, action.instance, action.certainty);
        let tell =
            async |what| effects::tell(&self.settings.world, what, &action.id, &self.process, &about).await;
        tell("begin").await;
        tokio::time::sleep(self.settings.pause).await;
        if job.is_cancelled() {
            tell("end").await;
            return Ok(Report::cancelled("Stopped before the effect."));
        }
        job.fence().await?;
        tell("effect").await;
        tokio::time::sleep(self.settings.pause).await;
        tell("end").await;
        Ok(Report::succeeded("Counted."))
    }
}

async fn run(context: Context<Settings>) -> Result<(), Fatal> {
    let settings = context.config.own.clone();
    let kinds = settings
        .kinds
        .iter()
        .map(|kind| Kind::new(kind.as_str()))
        .collect();
    let limits = worker::Settings {
        running: settings.running,
        grace: context.shutdown.grace(),
        ..worker::Settings::new(settings.worker.clone(), kinds)
    };
    // By this the test knows whom it killed.
    let process = std::process::id().to_string();
    worker::run(&context, limits, Counting { settings, process }).await
}

fn main() -> ExitCode {
    Frame::new("count", env!("CARGO_PKG_VERSION"))
        .defaults(DEFAULTS)
        .many_threaded()
        .run(run)
}
