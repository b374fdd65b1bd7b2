//! How each provider's documents are read: polled, or waited for.

mod poll;
mod watch;

use std::time::Duration;

use crate::{listen::Ear, metadata::Client, provider::Provider, settings::Settings};

/// Reads the provider's documents into `ear`, for ever.
///
/// # Errors
/// A metadata URL that cannot be used; validated settings have none.
pub async fn run(provider: Provider, settings: &Settings, ear: &Ear) -> Result<(), String> {
    let client = || Client::new(provider, &settings.metadata);
    match provider {
        Provider::Gcp => watch::run([client()?, client()?], settings, ear).await,
        Provider::Aws | Provider::Azure | Provider::Alibaba => {
            poll::run(client()?, provider, settings, ear).await;
        }
        Provider::Oracle | Provider::DigitalOcean => std::future::pending().await,
    }
    Ok(())
}

/// A tenth more or less at random, so that a fleet does not ask in one moment.
fn jittered(period: Duration) -> Duration {
    period.mul_f64(rand::random_range(0.9..=1.1))
}
