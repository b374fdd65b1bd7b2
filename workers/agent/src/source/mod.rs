//! How each provider's documents are read: polled, or waited for.

mod newest;
mod poll;
mod watch;

use std::time::Duration;

use hollowtrees_bus::Bus;
use hollowtrees_schemas::names::mode;
use tokio::sync::watch::channel;

use crate::{
    approve::Approver, listen::Ear, metadata::Client, provider::Provider, settings::Settings,
    telemetry::Telemetry,
};

/// Reads the provider's documents into `ear`, for ever.
///
/// # Errors
/// A metadata URL that cannot be used; validated settings have none.
pub async fn run(
    provider: Provider,
    settings: &Settings,
    ear: &Ear,
    bus: &Bus,
    telemetry: &Telemetry,
) -> Result<(), String> {
    let client = || Client::new(provider, &settings.metadata);
    match provider {
        Provider::Gcp => watch::run([client()?, client()?], settings, ear).await,
        // A dry run changes nothing at the provider either.
        Provider::Azure if settings.azure.approve && settings.mode == mode::LIVE => {
            let (pending, waiting) = channel(Vec::new());
            let approver = Approver {
                client: client()?,
                bus: bus.clone(),
                cluster: settings.cluster.clone(),
                every: settings.poll.interval,
                telemetry: telemetry.clone(),
            };
            let approvals = approver.run(|| ear.identity(), waiting);
            // Boxed: only who asked for approvals has room for them.
            tokio::join!(
                poll::run(client()?, provider, settings, ear, Some(pending)),
                Box::pin(approvals)
            );
        }
        Provider::Aws | Provider::Azure | Provider::Alibaba => {
            poll::run(client()?, provider, settings, ear, None).await;
        }
        Provider::Oracle | Provider::DigitalOcean => std::future::pending().await,
    }
    Ok(())
}

/// A tenth more or less at random, so that a fleet does not ask in one moment.
pub(crate) fn jittered(period: Duration) -> Duration {
    period.mul_f64(rand::random_range(0.9..=1.1))
}
