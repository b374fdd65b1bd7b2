//! The process: sees the cluster, serves its actions, ends.

use std::{sync::Arc, time::Duration};

use hollowtrees_cluster::Cluster;
use hollowtrees_runtime::{Context, Failure, exit::Code, health::Check, worker};
use tokio_util::sync::CancellationToken;

use crate::{config::Settings, telemetry::Telemetry, worker::Drainer};

/// What is kept of the grace for the last words.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs until it is told to drain. Actions are taken before the cluster was seen: they wait for it.
///
/// # Errors
/// The bus or the cluster cannot be reached, or the bus is not as declared.
pub async fn run(context: Context<Settings>) -> Result<(), Failure> {
    let settings = &context.config.own;
    let telemetry = Telemetry::register(&context.metrics)?;
    // Before anything else: nobody is ready who has not seen the cluster.
    let check = context.checks.register("cluster");
    let stop = CancellationToken::new();
    let observer = Arc::new(telemetry.clone());
    let cluster = Cluster::connect(&settings.access(), settings.engine(), observer, stop.clone())
        .await
        .map_err(|error| Failure::new(Code::Unavailable, error))?;
    telemetry.follow(&context.metrics, &cluster);
    let telling = tokio::spawn(tell_readiness(cluster.clone(), check));

    let drainer = Drainer::new(cluster, &settings.drain);
    let loop_settings = settings.loop_settings(context.shutdown.grace().saturating_sub(LAST_WORDS));
    let served = worker::run(&context, loop_settings, drainer).await;
    stop.cancel();
    telling.abort();
    served
}

/// Ready is who has seen the cluster and sees it still.
async fn tell_readiness(cluster: Cluster, check: Check) {
    let mut health = cluster.health();
    loop {
        match health.borrow_and_update().trouble() {
            Some(trouble) => check.fail(trouble),
            None => check.pass(),
        }
        if health.changed().await.is_err() {
            return;
        }
    }
}
