//! The last resort of an agent that the bus does not hear: it keeps new pods off its own node.
//!
//! Only for a notice that says that the instance goes for certain, only after the time that was asked for, and only a
//! cordon: what follows from the notice is done when the bus has it. Off unless configured.

mod api;

use std::{collections::HashMap, time::Duration};

use hollowtrees_runtime::Failure;
use tokio::time::{sleep, timeout_at};

pub use api::Error;

use crate::{settings, spool::Spool, telemetry::Telemetry};

/// First and longest wait after a request that was in vain.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Waits, and cordons the node of this name when it has to; for ever.
///
/// # Errors
/// Never.
pub async fn run(
    settings: settings::Cordon,
    node: String,
    spool: Spool,
    telemetry: Telemetry,
) -> Result<(), Failure> {
    let mut cut_off = spool.cut_off_since();
    let mut retry = RETRY.0;
    loop {
        let Some(since) = cut_off else {
            cut_off = spool.cut_off_changed(None).await;
            continue;
        };
        let changed = spool.cut_off_changed(cut_off);
        if let Ok(now) = timeout_at(since + settings.when_cut_off, changed).await {
            cut_off = now;
            continue;
        }
        match api::cordon(&settings, &node).await {
            Ok(marked) => {
                telemetry.cordoned(&node, marked);
                retry = RETRY.0;
                // Once for all that waits now: whoever uncordons it meanwhile knows why.
                while cut_off.is_some() {
                    cut_off = spool.cut_off_changed(cut_off).await;
                }
            }
            Err(error) => {
                telemetry.not_cordoned(&node, &error);
                sleep(retry.mul_f64(rand::random_range(0.5..=1.0))).await;
                retry = (retry * 2).min(RETRY.1);
                cut_off = spool.cut_off_since();
            }
        }
    }
}

/// Adds where Kubernetes says that its API server is, unless the settings say it.
pub fn in_cluster(mut env: HashMap<String, String>) -> HashMap<String, String> {
    const SERVER: &str = "HT_CORDON__SERVER";
    let of = |name: &str| env.get(name).filter(|value| !value.is_empty()).cloned();
    let (host, port) = (of("KUBERNETES_SERVICE_HOST"), of("KUBERNETES_SERVICE_PORT"));
    if let (None, Some(host)) = (of(SERVER), host) {
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        let port = port.unwrap_or_else(|| "443".to_owned());
        env.insert(SERVER.to_owned(), format!("https://{host}:{port}"));
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_server_is_where_kubernetes_says() {
        for (given, expected) in [
            (&[][..], None),
            (
                &[("KUBERNETES_SERVICE_HOST", "10.96.0.1")],
                Some("https://10.96.0.1:443"),
            ),
            (
                &[
                    ("KUBERNETES_SERVICE_HOST", "fd00::1"),
                    ("KUBERNETES_SERVICE_PORT", "6443"),
                ],
                Some("https://[fd00::1]:6443"),
            ),
            (
                &[
                    ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
                    ("HT_CORDON__SERVER", "https://api"),
                ],
                Some("https://api"),
            ),
        ] {
            let env = given
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let found = in_cluster(env.collect());
            assert_eq!(found.get("HT_CORDON__SERVER").map(String::as_str), expected);
        }
    }
}
