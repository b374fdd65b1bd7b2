//! The process: connects, takes what comes, ends.

use std::time::Duration;

use hollowtrees_bus::apply;
use hollowtrees_runtime::{Context, Failure, bus};
use hollowtrees_schemas::proto;

use crate::{config::Settings, ingest::Ingest, sqs, telemetry::Telemetry};

/// How long the last acknowledgements may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs until it is told to drain.
///
/// # Errors
/// The bus refuses this process or is not as declared, or a way in cannot be opened.
pub async fn run(context: Context<Settings>) -> Result<(), Failure> {
    let telemetry = Telemetry::register(&context.metrics)?;
    let connection = bus::connect(&context).await?;
    apply::verify(&connection)
        .await
        .map_err(|error| Failure::unavailable(&error))?;
    let worker = proto::Worker {
        kind: context.identity.kind.to_owned(),
        process: context.identity.id.to_string(),
        version: context.identity.version.to_owned(),
    };
    let settings = &context.config.own;
    let ingest = Ingest::new(connection.clone(), worker, &settings.ingest, telemetry);
    let queues = sqs::start(&context, &ingest).await?;
    context.checks.complete();
    context.shutdown.draining().await;
    queues.ended().await;
    connection.flush(LAST_WORDS).await;
    Ok(())
}
