//! A server for agents, with TLS or without.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use hollowtrees_bus::{
    Bus, Options, Tls, apply,
    topology::{self, Profile},
};
use hollowtrees_harness::{Nats, Worker, ports::Port};

/// A fresh server with all streams, and a connection to it.
pub(super) struct Ground {
    nats: Nats,
    pub(super) bus: Bus,
    /// What proves the server, where it speaks TLS.
    ca: Option<PathBuf>,
}

/// A running agent; stopped when dropped.
pub(super) struct Agent {
    worker: Worker,
    _port: Port,
}

impl Ground {
    pub(super) async fn plain() -> Result<Self> {
        Self::on(Nats::start().await?).await
    }

    pub(super) async fn tls() -> Result<Self> {
        Self::on(Nats::builder().tls().start().await?).await
    }

    async fn on(nats: Nats) -> Result<Self> {
        let ca = nats.ca_file().map(Path::to_owned);
        let mut options = Options::new(nats.url());
        options.tls = Tls {
            ca: ca.clone(),
            ..Tls::default()
        };
        let bus = Bus::connect(&options).await?;
        apply::apply(&bus, Profile::LOCAL, &topology::consumers()).await?;
        Ok(Self { nats, bus, ca })
    }

    /// An agent on this provider, once it is ready.
    pub(super) async fn agent(
        &self,
        program: &Path,
        provider: &str,
        metadata: &str,
        env: &[(&str, &str)],
    ) -> Result<Agent> {
        let port = Port::reserve()?;
        let mut builder = Worker::builder("agent", program)
            .env("HT_PROVIDER", provider)
            .env("HT_METADATA__URL", metadata)
            .env("HT_NATS__URL", self.nats.url())
            .env("HT_HEALTH__LISTEN", port.addr().to_string());
        if let Some(ca) = &self.ca {
            builder = builder
                .env("HT_NATS__TLS__REQUIRED", "true")
                .env("HT_NATS__TLS__CA", ca);
        }
        for (name, value) in env {
            builder = builder.env(name, value);
        }
        let worker = builder.start()?;
        worker
            .ready(&format!("http://{}/readyz", port.addr()), Duration::from_secs(30))
            .await?;
        Ok(Agent { worker, _port: port })
    }

    /// The bare client, connected in the same way.
    pub(super) async fn bare(&self) -> Result<async_nats::jetstream::Context> {
        let options = async_nats::ConnectOptions::new();
        let options = match &self.ca {
            Some(ca) => options.require_tls(true).add_root_certificates(ca.clone()),
            None => options,
        };
        let client = options.connect(self.nats.url()).await;
        Ok(async_nats::jetstream::new(client.context("the bare client")?))
    }
}

impl Deref for Agent {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.worker
    }
}
