//! From an action to a saga.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use hollowtrees_aws::Aws;
use hollowtrees_cluster::Sight;
use hollowtrees_runtime::worker::{Failure, Handler, Job, Report};
use hollowtrees_schemas::proto;

pub use crate::cloud::Health;
use crate::{
    cloud::Cloud, config, params::Params, prices::Prices, saga::Saga, telemetry::Telemetry, waiting::Waiting,
};

/// The provider whose groups these are.
const PROVIDER: &str = "aws";

/// Serves `asg-swap`.
pub struct Swapper {
    aws: Aws,
    pub(crate) settings: config::Swap,
    pub(crate) telemetry: Telemetry,
    health: Health,
    pub(crate) sight: Option<Sight>,
    pub(crate) prices: Prices,
    pub(crate) waiting: Waiting,
    groups: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

impl Swapper {
    /// A handler for the groups this AWS shows.
    pub fn new(aws: Aws, settings: &config::Swap, telemetry: Telemetry, health: Health) -> Self {
        Self {
            aws,
            settings: settings.clone(),
            telemetry,
            health,
            sight: None,
            prices: Prices::default(),
            waiting: Waiting::default(),
            groups: Mutex::default(),
        }
    }

    /// One that sees the nodes of a cluster besides.
    #[must_use]
    pub fn seeing(self, sight: Option<Sight>) -> Self {
        Self { sight, ..self }
    }

    /// This process's own lock on a group: its swaps queue here before they ask for the lease.
    pub(crate) fn lock_of(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = groups.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        groups.insert(key.to_owned(), Arc::downgrade(&lock));
        lock
    }

    fn account_of(&self, action: &proto::Action) -> Aws {
        let target = action.target.as_ref();
        self.aws
            .account(target.map_or("", |target| target.account.as_str()))
    }

    fn region_of(&self, action: &proto::Action) -> Result<String, Failure> {
        let named = action.target.as_ref().map_or("", |target| target.region.as_str());
        if !named.is_empty() {
            return Ok(named.to_owned());
        }
        self.aws.default_region().map(str::to_owned).ok_or_else(|| {
            Failure::rejected(
                "no-region",
                "the action names no region; have its origin name one, or set aws.region (HT_AWS__REGION), and redrive it",
            )
        })
    }
}

impl Handler for Swapper {
    async fn handle(&self, job: Job) -> Result<Report, Failure> {
        let asked = Params::of(job.action())?;
        let provider = job
            .action()
            .target
            .as_ref()
            .map_or("", |target| target.provider.as_str());
        if !provider.is_empty() && provider != PROVIDER {
            return Ok(Report::skipped(
                "not-in-group",
                format!(
                    "{} is of {provider}, which has no auto-scaling groups.",
                    job.action().instance
                ),
            ));
        }
        let cloud = Cloud {
            region: self
                .account_of(job.action())
                .region(&self.region_of(job.action())?),
            telemetry: self.telemetry.clone(),
            health: self.health.clone(),
        };
        let _open = self.telemetry.open();
        let end = asked.end;
        let saga = Saga::new(self, job, cloud, asked).await?;
        if end {
            return Box::pin(saga.end_old()).await;
        }
        Box::pin(saga.run()).await
    }
}

/// The process ends: whoever comes next finds in the checkpoint and in AWS how far it is.
pub(crate) fn stopping() -> Failure {
    Failure::transient("the process ends; another one goes on")
}
