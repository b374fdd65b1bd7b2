//! The connection of a worker to the bus: made at its start however long that takes, and part of its readiness.

use std::time::Duration;

use hollowtrees_bus::Bus;

use crate::{Context, Failure, health::Check};

/// First and longest wait between two tries at the start.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// How often the bus is asked whether it answers, and how long it may take.
const PING_EVERY: Duration = Duration::from_secs(2);
const PING_LIMIT: Duration = Duration::from_secs(2);

/// Connects as `[nats]` says, trying again while nobody answers; wrong credentials or TLS end it at once. From
/// then on the readiness check `bus` tells whether JetStream answers.
///
/// # Errors
/// The bus refuses this worker, or the process drains before it answered.
pub async fn connect<T>(context: &Context<T>) -> Result<Bus, Failure> {
    let check = context.checks.register("bus");
    check.fail("not connected yet");
    let options = context.config.nats.options();
    let mut wait = RETRY.0;
    let bus = loop {
        match Bus::connect(&options).await {
            Ok(bus) => break bus,
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "The bus cannot be reached yet.");
                check.fail(error.to_string());
            }
            Err(error) => return Err(Failure::unavailable(&error)),
        }
        tokio::select! {
            () = context.shutdown.draining() => {
                return Err(Failure::new(crate::exit::Code::Unavailable, "told to stop before the bus could be reached"));
            }
            () = tokio::time::sleep(wait.mul_f64(rand::random_range(0.5..=1.0))) => {}
        }
        wait = wait.saturating_mul(2).min(RETRY.1);
    };
    context.critical("bus check", ask(bus.clone(), check));
    Ok(bus)
}

async fn ask(bus: Bus, check: Check) -> Result<(), Failure> {
    let mut ticks = tokio::time::interval(PING_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match bus.ping(PING_LIMIT).await {
            Some(_) => check.pass(),
            None => check.fail("JetStream does not answer; is NATS up, and is JetStream switched on?"),
        }
    }
}
