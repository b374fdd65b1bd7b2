//! The process: reaches AWS, serves, ends.

use std::{convert::Infallible, time::Duration};

use hollowtrees_aws::Aws;
use hollowtrees_cluster::{Limits, Nodes, Sight};
use hollowtrees_runtime::{Context, Failure, exit::Code, health::Check, worker};

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
    let sight = match settings.api_server() {
        Some(access) => {
            let nodes = Nodes::connect(&access, Limits::default()).await;
            let nodes = nodes.map_err(|error| Failure::new(Code::Unavailable, error))?;
            Some(Sight::of(&settings.cluster.name, nodes))
        }
        None => None,
    };
    let check = sight.is_some().then(|| context.checks.register("nodes"));
    let lifecycle = Lifecycle::new(aws, settings, telemetry, health.clone()).seeing(sight.clone());
    let loop_settings = settings.loop_settings(context.shutdown.grace().saturating_sub(LAST_WORDS));
    tokio::select! {
        ended = worker::run(&context, loop_settings, lifecycle) => ended,
        never = cloud::probe(cloud, &health) => match never {},
        never = tell_trouble(sight, check) => match never {},
    }
}

/// Tells what is wrong with the watch of nodes. The worker is ready without: hooks of terminations need none.
async fn tell_trouble(sight: Option<Sight>, check: Option<Check>) -> Infallible {
    if let (Some(sight), Some(check)) = (sight, check) {
        let mut health = sight.health();
        loop {
            match health.borrow_and_update().trouble() {
                Some(trouble) => {
                    check.tell(format!("{trouble}; hooks of launches are held until their limit"));
                }
                None => check.pass(),
            }
            if health.changed().await.is_err() {
                break;
            }
        }
    }
    std::future::pending().await
}
