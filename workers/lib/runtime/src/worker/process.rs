//! A whole worker process around a handler: what its `main` runs.

use std::time::Duration;

use hollowtrees_schemas::proto;

use super::{Handler, Settings, serve};
use crate::{Context, Failure, bus};

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
        move || serving.pass(),
    )
    .await
    .map_err(|error| Failure::unavailable(&error))
}
