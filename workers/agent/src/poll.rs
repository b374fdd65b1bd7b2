//! Reads the documents again and again, and hands on what is to be said.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hollowtrees_bus::Bus;
use hollowtrees_runtime::health::{self, Check};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use crate::{
    decide::{Observation, Reading, Said},
    document::{self, Garbage, Identity, InstanceAction, Rebalance},
    imds::{self, Client},
    notice::Teller,
    spool::Spool,
    telemetry::Telemetry,
};

/// What `/readyz` looks at.
#[derive(Debug)]
pub struct Checks {
    metadata: Check,
    bus: Check,
}

impl Checks {
    /// Registers them.
    pub fn register(checks: &health::Checks) -> Self {
        Self {
            metadata: checks.register("metadata"),
            bus: checks.register("bus"),
        }
    }
}

/// Why a document could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It could not be read.
    #[error(transparent)]
    Metadata(#[from] imds::Error),
    /// It could not be understood.
    #[error(transparent)]
    Garbage(#[from] Garbage),
    /// Nothing says who this instance is.
    #[error(
        "the metadata service knows neither {} nor {}; without the instance's id no notice can be given",
        document::IDENTITY,
        document::INSTANCE_ID
    )]
    Nameless,
}

impl Trouble {
    /// Type of the error, for `hollowtrees_errors_total`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Metadata(error) => error.kind(),
            Self::Garbage(_) => "metadata_garbage",
            Self::Nameless => "metadata_no_identity",
        }
    }
}

/// The loop and what it remembers.
pub struct Poller {
    client: Client,
    teller: Arc<Teller>,
    spool: Spool,
    telemetry: Telemetry,
    checks: Checks,
    bus: Bus,
    said: Said,
}

impl Poller {
    /// Has not read anything yet.
    pub fn new(
        client: Client,
        teller: Arc<Teller>,
        spool: Spool,
        telemetry: Telemetry,
        checks: Checks,
        bus: Bus,
    ) -> Self {
        Self {
            client,
            teller,
            spool,
            telemetry,
            checks,
            bus,
            said: Said::default(),
        }
    }

    /// Reads every `interval`, a tenth more or less at random so that a fleet does not ask in one moment.
    pub async fn run(mut self, interval: Duration) {
        loop {
            let next = Instant::now() + interval.mul_f64(rand::random_range(0.9..=1.1));
            self.round().await;
            sleep_until(next).await;
        }
    }

    /// One reading of everything.
    async fn round(&mut self) {
        if self.bus.is_connected() {
            self.checks.bus.pass();
        } else {
            self.checks
                .bus
                .fail("no connection to NATS; notices are kept until there is one");
        }
        let identity = match self.identity().await {
            Ok(identity) => identity,
            Err(trouble) => return self.trouble(&trouble),
        };
        let mut trouble = None;
        let interruption = self
            .read(document::INSTANCE_ACTION, InstanceAction::parse, &mut trouble)
            .await;
        self.telemetry.service(&identity, trouble.as_ref());
        // Whoever does not answer the first question is not asked a second one.
        let rebalance = match &trouble {
            Some(Trouble::Metadata(error)) if !error.answered() => Reading::Unknown,
            _ => {
                self.read(document::REBALANCE, Rebalance::parse, &mut trouble)
                    .await
            }
        };
        match &trouble {
            Some(trouble) => self.trouble(trouble),
            None => {
                self.checks.metadata.pass();
                self.telemetry.metadata_is_well();
            }
        }
        let seen = Observation {
            at: Timestamp::now(),
            interruption,
            rebalance,
        };
        self.telemetry.observed(&identity, &seen);
        let (said, facts) = self.said.decide(&seen);
        for fact in facts {
            match self.teller.tell(&identity, fact) {
                Ok(message) => {
                    let kept = self.spool.offer(message.clone());
                    self.telemetry
                        .noticed(&message, &identity, &kept, self.spool.len());
                }
                Err(error) => self.telemetry.unsayable(&error),
            }
        }
        self.said = said;
    }

    async fn read<T>(
        &mut self,
        path: &'static str,
        parse: fn(&[u8]) -> Result<T, Garbage>,
        trouble: &mut Option<Trouble>,
    ) -> Reading<T> {
        let body = match self.client.document(path).await {
            Ok(Some(body)) => body,
            Ok(None) => return Reading::Absent,
            Err(error) => {
                *trouble = Some(error.into());
                return Reading::Unknown;
            }
        };
        match parse(&body) {
            Ok(document) => Reading::Present(document),
            Err(garbage) => {
                *trouble = Some(garbage.into());
                Reading::Unknown
            }
        }
    }

    async fn identity(&mut self) -> Result<Arc<Identity>, Trouble> {
        if let Some(identity) = self.teller.identity() {
            return Ok(Arc::clone(identity));
        }
        let identity = match self.client.document(document::IDENTITY).await? {
            Some(body) => Identity::parse(&body)?,
            None => {
                let id: Option<Bytes> = self.client.document(document::INSTANCE_ID).await?;
                Identity::from_id(&id.ok_or(Trouble::Nameless)?)?
            }
        };
        self.telemetry.identified(&identity);
        Ok(Arc::clone(self.teller.learn(identity)))
    }

    fn trouble(&self, trouble: &Trouble) {
        self.checks.metadata.fail(trouble.to_string());
        self.telemetry.trouble(trouble);
    }
}
