//! The node agent: reads what the provider's metadata service says about this instance and publishes it as notices.
//!
//! | module | what it does |
//! |---|---|
//! | [`imds`] | reads documents: session tokens, statuses, time limits |
//! | [`document`] | parses them |
//! | [`decide`] | what is to be said: pure, no clock, no IO |
//! | [`notice`] | how it is said: from a fact to a message for the bus |
//! | [`spool`], [`publish`] | keeps it until the bus has stored it |
//! | [`poll`] | the loop over all that |
//! | [`trigger`] | `POST /terminate`, a notice by hand |
//! | [`telemetry`] | logs and metrics, the original exporters' gauges among them |
//!
//! It runs on every node, so it is small: one thread, one connection to the metadata service, one to the bus; no
//! Kubernetes client, no AWS SDK.

pub mod decide;
pub mod document;
pub mod imds;
pub mod notice;
pub mod poll;
pub mod publish;
pub mod settings;
pub mod spool;
pub mod telemetry;
pub mod trigger;

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::Bus;
use hollowtrees_runtime::{Context, Failure, exit::Code};

use poll::Poller;
use settings::Settings;
use spool::Spool;
use telemetry::Telemetry;
use trigger::Trigger;

/// The agent's own keys with their defaults, documented.
pub const DEFAULTS: &str = include_str!("../agent.toml");

/// Where it serves `/metrics` by default: the port of the original exporter.
pub const LISTEN: &str = "0.0.0.0:9189";

/// Kept of the grace for what comes after the last notice.
const RESERVE: Duration = Duration::from_millis(500);

/// Runs the agent until it is told to drain, then publishes what is left while the grace lasts.
///
/// # Errors
/// Settings that cannot be used (a credentials file that cannot be read, a taken port). A bus or a metadata service
/// that is away is no error: both are tried until they answer.
pub async fn run(context: Context<Settings>) -> Result<(), Failure> {
    let settings = &context.config.own;
    let telemetry = Telemetry::register(&context.metrics)?;
    let bus = Bus::connect_in_background(&context.config.nats.options())
        .await
        .map_err(|error| Failure::unavailable(&error))?;
    let spool = Spool::new(settings.spool.notices);
    let teller = Arc::new(notice::Teller::new(settings));

    context.critical(
        "publisher",
        publish::run(bus.clone(), spool.clone(), telemetry.clone()),
    );
    if let Some(address) = settings.trigger.listen {
        let trigger = Trigger::new(Arc::clone(&teller), spool.clone(), telemetry.clone());
        let listener = trigger::bind(address)
            .await
            .map_err(|error| Failure::unavailable(&error))?;
        context.critical(
            "trigger",
            trigger.serve(listener, context.shutdown.token().clone()),
        );
    }

    let client = imds::Client::new(&settings.metadata).map_err(|error| Failure::new(Code::Refused, error))?;
    let checks = poll::Checks::register(&context.checks);
    context.checks.complete();
    let poller = Poller::new(
        client,
        teller,
        spool.clone(),
        telemetry.clone(),
        checks,
        bus.clone(),
    );
    tokio::select! {
        () = context.shutdown.draining() => {}
        () = poller.run(settings.poll.interval) => {}
    }
    let left = context.shutdown.left().saturating_sub(RESERVE);
    if tokio::time::timeout(left, spool.emptied()).await.is_err() {
        telemetry.left_behind(spool.len());
    }
    bus.flush(context.shutdown.left().min(RESERVE)).await;
    Ok(())
}

/// The whole process, from the command line to the exit code.
pub fn main() -> std::process::ExitCode {
    hollowtrees_runtime::Frame::new("agent", env!("CARGO_PKG_VERSION"))
        .about("turns what the provider says about this node's instance into notices on the bus")
        .defaults(DEFAULTS)
        .listen(LISTEN)
        .run(run)
}
