//! From an action to a saga.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use hollowtrees_aws::Aws;
use hollowtrees_cluster::Sight;
use hollowtrees_runtime::worker::{Failure, Handler, Job, Report};
use hollowtrees_schemas::proto;

pub use crate::cloud::Health;
use crate::{
    cloud::Cloud, config, desk::Desks, params::Params, prices::Prices, reads::Reads, saga::Saga,
    telemetry::Telemetry, waiting::Waiting,
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
    pub(crate) desks: Desks,
    open: Arc<AtomicUsize>,
    /// By account and region.
    reads: Mutex<HashMap<(String, String), Arc<Reads>>>,
}

/// One swap in this process.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn count(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
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
            desks: Desks::default(),
            open: Arc::default(),
            reads: Mutex::default(),
        }
    }

    /// One that sees the nodes of a cluster besides.
    #[must_use]
    pub fn seeing(self, sight: Option<Sight>) -> Self {
        Self { sight, ..self }
    }

    /// What is asked of a region of an account, together with all other swaps there.
    fn reads(&self, account: &str, region: &str) -> Arc<Reads> {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let of = reads
            .entry((account.to_owned(), region.to_owned()))
            .or_insert_with(|| {
                let cloud = Cloud {
                    region: self.aws.account(account).region(region),
                    telemetry: self.telemetry.clone(),
                    health: self.health.clone(),
                };
                Arc::new(Reads::new(cloud, Arc::clone(&self.open)))
            });
        Arc::clone(of)
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
        let region = self.region_of(job.action())?;
        // What is throttled together is best asked for together.
        let account = job
            .action()
            .target
            .as_ref()
            .map_or("", |target| target.account.as_str());
        if let Some(elsewhere) = job.elsewhere(&[account, &region]) {
            return Err(elsewhere);
        }
        let reads = self.reads(account, &region);
        let _open = (self.telemetry.open(), Open::count(&self.open));
        let end = asked.end;
        let saga = Saga::new(self, job, reads, asked).await?;
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
