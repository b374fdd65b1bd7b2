//! Finds out which cloud this node runs in: the firmware first, which costs nothing and cannot be out of reach, then all
//! metadata services at once.

pub mod dmi;
pub mod probe;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use hollowtrees_runtime::health::Check;

use crate::{
    provider::{Choice, Provider},
    settings::Settings,
    telemetry::Telemetry,
};

/// Said again after so long.
const REMIND: Duration = Duration::from_secs(300);

/// The provider of this node, or `None` where the settings say that there is none. Waits, and says so, while nothing
/// tells.
pub async fn provider(settings: &Settings, telemetry: &Telemetry, check: &Check) -> Option<Provider> {
    let found = match settings.provider {
        Choice::None => {
            check.tell("`none` by its settings: nothing is read");
            telemetry.no_provider();
            return None;
        }
        Choice::Is(provider) => {
            telemetry.provider(provider, "provider (HT_PROVIDER)");
            provider
        }
        Choice::Auto => search(settings, telemetry, check).await,
    };
    check.pass();
    Some(found)
}

async fn search(settings: &Settings, telemetry: &Telemetry, check: &Check) -> Provider {
    let directory = PathBuf::from(&settings.detect.dmi);
    if let Some((provider, file)) = dmi::Firmware::read(&directory).provider() {
        telemetry.provider(provider, file);
        return provider;
    }
    let mut said: Option<Instant> = None;
    loop {
        if let Some(provider) = probe::provider(&settings.metadata).await {
            telemetry.provider(provider, "its metadata service");
            return provider;
        }
        check.fail(format!(
            "nothing in {} names a known cloud and no metadata service answers; looked for again every {:?}; set \
             HT_PROVIDER, to `none` where nothing is to be heard",
            settings.detect.dmi, settings.detect.retry
        ));
        let loud = said.is_none_or(|said| said.elapsed() >= REMIND);
        telemetry.provider_unknown(loud);
        if loud {
            said = Some(Instant::now());
        }
        tokio::time::sleep(settings.detect.retry.mul_f64(rand::random_range(0.9..=1.1))).await;
    }
}
