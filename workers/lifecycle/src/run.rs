//! The process: reaches AWS, serves, ends.

use std::time::Duration;

use hollowtrees_aws::Aws;
use hollowtrees_runtime::{Context, Failure, exit::Code, worker};

use crate::{
    cloud::{self, Cloud, Health},
    config::Settings,
    telemetry::Telemetry,
    worker::Lifecycle,
};

/// What is kept of the grace for the last words.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs until it is told to drain.
///
/// # Errors
/// The bus cannot be reached or is not as declared, or the configuration of AWS cannot be read.
pub async fn run(context: Context<Settings>) -> Result<(), Failure> {
    let settings = &context.config.own;
    let telemetry = Telemetry::register(&context.metrics)?;
    let aws = Box::pin(Aws::connect(&settings.access()))
        .await
        .map_err(|error| Failure::new(Code::Unavailable, error))?;
    let health = Health::new(Some(context.checks.register("aws")));
    let cloud = aws.default_region().map(|region| Cloud {
        region: aws.region(region),
        telemetry: telemetry.clone(),
        health: health.clone(),
    });
    let lifecycle = Lifecycle::new(aws, settings, telemetry, health.clone());
    let loop_settings = settings.loop_settings(context.shutdown.grace().saturating_sub(LAST_WORDS));
    tokio::select! {
        ended = worker::run(&context, loop_settings, lifecycle) => ended,
        never = cloud::probe(cloud, &health) => match never {},
    }
}
