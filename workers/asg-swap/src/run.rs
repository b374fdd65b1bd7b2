//! The process: reaches AWS, serves swaps, ends.

use std::time::Duration;

use hollowtrees_aws::Aws;
use hollowtrees_cluster::{Limits, Nodes, Sight};
use hollowtrees_runtime::{Context, Failure, exit::Code, worker};
use hollowtrees_schemas::proto;

use crate::{
    cloud::{self, Cloud, Health},
    config::Settings,
    exporter::{self, Exporter},
    node, policy,
    sweep::Sweeper,
    telemetry::Telemetry,
    worker::Swapper,
};

/// What is kept of the grace for the last words.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs until it is told to drain.
///
/// # Errors
/// The bus cannot be reached or is not as declared, or the configuration of AWS or Kubernetes cannot be read.
pub async fn run(context: Context<Settings>) -> Result<(), Failure> {
    let settings = &context.config.own;
    if let Some(path) = &settings.swap.on_demand {
        policy::read(path)
            .map_err(|error| Failure::new(Code::Refused, format!("swap.on_demand: {error}")))?;
    }
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
    let sweeper = Sweeper::new(aws.clone(), settings, telemetry.clone(), health.clone());
    let bus = context.config.nats.options();
    let me = proto::Worker {
        kind: "asg-swap".to_owned(),
        process: context.identity.id.to_string(),
        version: context.identity.version.to_owned(),
    };
    let exporter = Exporter::new(&aws, settings, &context.metrics, bus.clone(), me.clone())?;
    let turn = exporter.as_ref().map(Exporter::turn);
    let swapper = Swapper::new(aws, &settings.swap, telemetry, health.clone()).seeing(sight.clone());
    let loop_settings = settings.loop_settings(context.shutdown.grace().saturating_sub(LAST_WORDS));
    let ended = tokio::select! {
        ended = worker::run(&context, loop_settings, swapper) => ended,
        never = cloud::probe(cloud, &health) => match never {},
        never = node::tell_trouble(sight, check) => match never {},
        never = sweeper.keep(bus, me) => match never {},
        never = exporter::keep(exporter) => match never {},
    };
    if let Some(turn) = turn {
        turn.give_back().await;
    }
    ended
}
