//! The process: connects, counts, ends.

use std::time::Duration;

use hollowtrees_runtime::{Context, Failure, bus};
use hollowtrees_schemas::proto;

use crate::{config::Settings, part::Part};

/// How long the last acknowledgements may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs until it is told to drain.
///
/// # Errors
/// The bus refuses this process or is not as declared, or nothing more can be counted.
pub async fn run(context: Context<Settings>) -> Result<(), Failure> {
    let connection = bus::connect(&context).await?;
    let part = Part {
        bus: connection.clone(),
        settings: context.config.own.metrics.clone(),
        worker: proto::Worker {
            kind: context.identity.kind.to_owned(),
            process: context.identity.id.to_string(),
            version: context.identity.version.to_owned(),
        },
        metrics: context.metrics.clone(),
        checks: context.checks.clone(),
    };
    part.work(context.shutdown.token().clone()).await?;
    connection.flush(LAST_WORDS).await;
    Ok(())
}
