//! The connection: configured by the same keys as the workers', so that one environment serves both.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use hollowtrees_bus::{Bus, Options};
use hollowtrees_runtime::config::{Loader, Settings, environment};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::exit::Failure;

/// How the connection is named on the server unless the configuration says otherwise.
const NAME: &str = "hollowtrees-cli";
/// Pause between two tries.
pub(crate) const AGAIN: Duration = Duration::from_millis(500);

/// Where the bus is. Everything else (credentials, TLS, time limits) is `[nats]` of a configuration file, or
/// `HT_NATS__...` in the environment.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub struct Connection {
    /// NATS servers, nats://HOST:PORT or tls://HOST:PORT, several with commas [env: HT_NATS__URL]
    /// [default: nats://127.0.0.1:4222]
    #[arg(long, global = true, value_name = "URL", help_heading = "Everywhere")]
    pub url: Option<String>,
    /// TOML file with a `[nats]` section, a worker's will do; HT_NATS__* goes before it [env: HT_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<PathBuf>,
}

/// Keys of a worker whose file or environment this is: not ours, and no mistake.
#[derive(Debug, Deserialize, Serialize)]
struct Foreign {
    #[serde(flatten)]
    keys: BTreeMap<String, serde_json::Value>,
}

impl Settings for Foreign {}

impl Connection {
    /// What to connect with, from `variables` and the file.
    ///
    /// # Errors
    /// Every problem of the configuration, each with its key, source and remedy.
    pub fn options(&self, variables: HashMap<String, String>) -> Result<Options, Failure> {
        let mut variables: HashMap<_, _> = variables
            .into_iter()
            .filter(|(name, _)| name == "HT_CONFIG" || name.starts_with("HT_NATS__"))
            .collect();
        if let Some(url) = &self.url {
            variables.insert("HT_NATS__URL".to_owned(), url.clone());
        }
        let config = Loader::new("")
            .file(self.config.clone())
            .env(variables)
            .load::<Foreign>()
            .map_err(|refused| Failure::usage(refused.to_string()))?;
        let mut options = config.nats.options();
        if options.name.is_empty() {
            NAME.clone_into(&mut options.name);
        }
        Ok(options)
    }
}

/// Connects: once, or again and again for as long as `patience` while nobody answers.
///
/// # Errors
/// The configuration is refused, or the bus is not there or does not want us.
pub async fn connect(connection: &Connection, patience: Duration) -> Result<Bus, Failure> {
    let options = connection.options(environment())?;
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| Failure::unavailable("another TLS provider is linked; only aws-lc-rs may be"))?;
    let until = Instant::now() + patience;
    loop {
        match Bus::connect(&options).await {
            Err(error) if error.is_transient() && Instant::now() < until => tokio::time::sleep(AGAIN).await,
            answered => return Ok(answered?),
        }
    }
}
