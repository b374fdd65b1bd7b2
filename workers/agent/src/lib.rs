//! The node agent: reads what the provider's metadata service says about this instance and publishes it as notices.
//!
//! | module | what it does |
//! |---|---|
//! | [`provider`], [`detect`] | which cloud this is |
//! | [`connection`] | HTTP, with TLS and without |
//! | [`metadata`] | reads documents: session tokens, headers, statuses, time limits |
//! | [`document`] | parses them into words |
//! | [`source`] | when which document is read |
//! | [`listen`] | takes in what was read |
//! | [`decide`] | what is to be said: pure, no clock, no IO |
//! | [`notice`] | how it is said: from a fact to a message for the bus |
//! | [`spool`], [`publish`] | keeps it until the bus has stored it |
//! | [`cordon`] | where the bus does not store it: cordons this node |
//! | [`approve`] | where all that follows is done: tells Azure so |
//! | [`trigger`] | `POST /terminate`, a notice by hand |
//! | [`telemetry`] | logs and metrics, the original exporters' gauges among them |
//! | [`inherited`] | settings of the original termination handler |
//!
//! It runs on every node, so it is small: one thread, one connection to the metadata service (two to Google's), one to
//! the bus, and none to the API server unless it is cut off; no Kubernetes client, no AWS SDK.

pub mod approve;
pub mod connection;
pub mod cordon;
pub mod decide;
pub mod detect;
pub mod document;
pub mod inherited;
pub mod listen;
pub mod metadata;
pub mod notice;
pub mod provider;
pub mod publish;
pub mod settings;
pub mod source;
pub mod spool;
pub mod telemetry;
pub mod trigger;

use std::{path::Path, sync::Arc, time::Duration};

use hollowtrees_bus::Bus;
use hollowtrees_runtime::{Context, Failure, exit::Code};

use inherited::Inherited;
use listen::{Checks, Ear};
use settings::Settings;
use spool::{Spool, Store};
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
pub async fn run(context: Context<Settings>, inherited: Inherited) -> Result<(), Failure> {
    let settings = &context.config.own;
    let telemetry = Telemetry::register(&context.metrics, &settings.exporters)?;
    telemetry.inherited(&inherited.understood, &inherited.without);
    let bus = Bus::connect_in_background(&context.config.nats.options())
        .await
        .map_err(|error| Failure::unavailable(&error))?;
    let spool = open_spool(&settings.spool, &telemetry)?;
    let teller = Arc::new(notice::Teller::new(settings));

    context.critical(
        "publisher",
        publish::run(bus.clone(), spool.clone(), telemetry.clone()),
    );
    if !settings.cordon.when_cut_off.is_zero() {
        let (cordon, node) = (settings.cordon.clone(), settings.node.clone());
        let last_resort = cordon::run(cordon, node, spool.clone(), telemetry.clone());
        context.critical("cordon", last_resort);
    }
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

    let checks = Arc::new(Checks::register(&context.checks));
    context.checks.complete();
    let ear = Ear::new(teller, spool.clone(), telemetry.clone(), Arc::clone(&checks));
    tokio::select! {
        () = context.shutdown.draining() => {}
        () = checks.watch(&bus, settings.poll.interval) => {}
        result = hear(settings, &ear, &bus, &telemetry, &checks) => {
            result.map_err(|error| Failure::new(Code::Refused, error))?;
        }
    }
    let left = context.shutdown.left().saturating_sub(RESERVE);
    if tokio::time::timeout(left, spool.emptied()).await.is_err() {
        telemetry.left_behind(spool.len());
    }
    bus.flush(context.shutdown.left().min(RESERVE)).await;
    Ok(())
}

fn open_spool(settings: &settings::Spool, telemetry: &Telemetry) -> Result<Spool, Failure> {
    if settings.directory.is_empty() {
        return Ok(Spool::new(settings.notices));
    }
    let directory = &settings.directory;
    let on_disk = Store::open(Path::new(directory))
        .and_then(|store| Spool::on_disk(settings.notices, store, telemetry));
    on_disk.map_err(|error| {
        let why = format!("cannot keep notices in {directory} ({error}); set HT_SPOOL__DIRECTORY");
        Failure::new(Code::Unavailable, why)
    })
}

/// Finds out where this is, and reads what can be read there, for ever.
async fn hear(
    settings: &Settings,
    ear: &Ear,
    bus: &Bus,
    telemetry: &Telemetry,
    checks: &Checks,
) -> Result<(), String> {
    match detect::provider(settings, telemetry, &checks.provider).await {
        Some(provider) => {
            if let Some(why) = provider.silent() {
                telemetry.silent(provider, why);
                checks.silent(why);
            }
            source::run(provider, settings, ear, bus, telemetry).await
        }
        None => {
            checks.silent("nothing is read by the settings");
            std::future::pending().await
        }
    }
}

/// The whole process, from the command line to the exit code.
pub fn main() -> std::process::ExitCode {
    let env = cordon::in_cluster(hollowtrees_runtime::config::environment());
    let (env, inherited) = inherited::translate(env);
    hollowtrees_runtime::Frame::new("agent", env!("CARGO_PKG_VERSION"))
        .about("turns what the provider says about this node's instance into notices on the bus")
        .defaults(DEFAULTS)
        .listen(LISTEN)
        .run_with(std::env::args_os().skip(1), env, |context| {
            run(context, inherited)
        })
        .into()
}
