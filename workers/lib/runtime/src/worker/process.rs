//! A whole worker process around a handler: what its `main` runs.

use std::time::Duration;

use hollowtrees_schemas::proto;
use tokio::sync::watch;

use super::{Handler, Settings, serve};
use crate::{Context, Failure, bus, health::Check};

/// Kept of the process's grace for handing over and saying goodbye.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Connects to the bus and serves actions with `handler` until the process is told to stop.
///
/// # Errors
/// The bus refuses this worker or is not as declared, or a part of the loop broke off.
pub async fn run<T, H: Handler>(context: &Context<T>, settings: Settings, handler: H) -> Result<(), Failure> {
    let grace = settings
        .grace
        .min(context.shutdown.grace().saturating_sub(LAST_WORDS));
    let settings = Settings { grace, ..settings };
    let serving = context.checks.register("worker loop");
    let connection = bus::connect(context).await?;
    context.checks.complete();
    let process = proto::Worker {
        kind: settings.worker.clone(),
        process: context.identity.id.to_string(),
        version: context.identity.version.to_owned(),
    };
    let stop = context.shutdown.token().clone();
    serve(
        connection,
        handler,
        settings,
        process,
        &context.metrics,
        stop,
        |trouble| {
            context.critical("readiness of the worker loop", tell_readiness(serving, trouble));
        },
    )
    .await
    .map_err(|error| Failure::unavailable(&error))
}

/// Ready is who takes actions.
async fn tell_readiness(serving: Check, mut trouble: watch::Receiver<Option<String>>) -> Result<(), Failure> {
    loop {
        match trouble.borrow_and_update().as_deref() {
            Some(trouble) => serving.fail(trouble),
            None => serving.pass(),
        }
        if trouble.changed().await.is_err() {
            // The loop has ended, and says itself how.
            serving.fail("no longer takes actions");
            return std::future::pending().await;
        }
    }
}
