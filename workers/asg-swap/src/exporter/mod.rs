//! Families of the original `aws-autoscaling-exporter`, read in the background and not on a scrape, by one process of all; and what
//! groups lack and save.
//!
//! | module | what it shows |
//! |---|---|
//! | [`groups`] | how groups are manned |
//! | [`durations`] | how long swaps took, by group; shown by every process, and always |
//! | [`instances`] | prices and scores of spot instances, what a group saves |
//! | `prices` | what is known of prices, and when it is read |
//! | `turn` | whose turn it is to read and show |
//!
//! What differs from the original on purpose: members that wait in a hook count with those that are pending or terminating,
//! groups of launch templates are counted, a read that fails leaves the figures as they were, for `scrape_error` to say,
//! and what is not known has no figure instead of 0.

pub mod durations;
pub mod groups;
pub mod instances;
mod prices;
mod turn;

pub(crate) use turn::Turn;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use hollowtrees_aws::{Aws, Crew, Refusal};
use hollowtrees_bus::Options;
use hollowtrees_runtime::metrics::{Definition, Error, Metrics, count};
use hollowtrees_schemas::proto;
use prometheus::{Gauge, IntCounter};

use self::{groups::Groups, instances::Instances, prices::Prices};
use crate::config::Settings;

/// How long a read took.
pub const DURATION: Definition = Definition::new(
    "aws_autoscaling_scrape_duration_seconds",
    "How long the last read of all groups took; it is made in the background.",
);
/// Reads that failed.
pub const FAILED: Definition = Definition::new(
    "aws_autoscaling_scrape_error",
    "Regions of which groups, or prices where they are read, could not be read the last time.",
);
/// Reads.
pub const SCRAPES: Definition = Definition::new("aws_autoscaling_scrapes_total", "Reads of all groups.");

/// The original's names for what tells groups apart.
const LABELS: [&str; 2] = ["asg_name", "region"];

/// Reads and shows.
pub(crate) struct Exporter {
    aws: Aws,
    turn: Arc<Turn>,
    regions: Vec<String>,
    every: Duration,
    groups: Groups,
    priced: Option<(Prices, Instances)>,
    duration: Gauge,
    failed: Gauge,
    scrapes: IntCounter,
}

impl Exporter {
    /// None where it is switched off. `aws` without a region of its own needs `exporter.regions`. Whose turn it is, is on the bus.
    ///
    /// # Errors
    /// A name of a metric is taken.
    pub(crate) fn new(
        aws: &Aws,
        settings: &Settings,
        metrics: &Metrics,
        bus: Options,
        me: proto::Worker,
    ) -> Result<Option<Self>, Error> {
        let own = &settings.exporter;
        if own.every.is_zero() {
            return Ok(None);
        }
        let mut regions = own.regions.clone();
        if regions.is_empty() {
            regions.extend(aws.default_region().map(str::to_owned));
        }
        Ok(Some(Self {
            aws: aws.clone(),
            turn: Arc::new(Turn::new(&regions, bus, me)),
            regions,
            every: own.every,
            groups: Groups::register(metrics)?,
            priced: priced(own.prices_every, settings.swap.on_demand.clone(), metrics)?,
            duration: metrics.gauge(DURATION)?,
            failed: metrics.gauge(FAILED)?,
            scrapes: metrics.counter(SCRAPES)?,
        }))
    }

    /// Whose turn it is.
    pub(crate) fn turn(&self) -> Arc<Turn> {
        Arc::clone(&self.turn)
    }

    /// Reads and shows for ever, whenever it is this process's turn.
    pub(crate) async fn keep(self) -> Infallible {
        if self.regions.is_empty() {
            tracing::error!(
                "No region is known whose groups could be shown; set exporter.regions (HT_EXPORTER__REGIONS)."
            );
            return std::future::pending().await;
        }
        let turn = self.turn();
        tokio::select! {
            never = turn.keep() => never,
            never = self.show() => never,
        }
    }

    async fn show(mut self) -> Infallible {
        let mut is_ours = self.turn.is_ours();
        loop {
            if !*is_ours.borrow_and_update() {
                self.hide();
                // It cannot go: this holds its other end.
                drop(is_ours.changed().await);
                continue;
            }
            let start = Instant::now();
            let mut failed = 0;
            for region in self.regions.clone() {
                failed += usize::from(!self.read(&region).await);
            }
            self.failed.set(count(failed));
            self.duration.set(start.elapsed().as_secs_f64());
            self.scrapes.inc();
            let wait = self.every.mul_f64(rand::random_range(0.9..=1.1));
            // As soon as it is another one's, that one shows them.
            drop(tokio::time::timeout(wait, is_ours.changed()).await);
        }
    }

    /// Shows nothing that another process shows. Counters stay, as counters do.
    fn hide(&mut self) {
        self.groups.hide();
        if let Some((_, instances)) = &mut self.priced {
            instances.hide();
        }
        self.failed.set(0.0);
        self.duration.set(0.0);
    }

    /// Whether all could be read.
    async fn read(&mut self, region: &str) -> bool {
        let (crews, spot) = match read(&self.aws, region).await {
            Ok(read) => read,
            Err(refusal) => {
                tracing::warn!(region, %refusal, "The groups of a region cannot be read; what was read before is shown on.");
                return false;
            }
        };
        self.groups.show(region, &crews, &spot, Instant::now());
        let Some((prices, instances)) = &mut self.priced else {
            return true;
        };
        let known = prices.known(&self.aws.region(region), &crews, &spot).await;
        instances.show(region, &crews, &spot, known);
        known.is_read()
    }
}

fn priced(
    every: Duration,
    on_demand: Option<PathBuf>,
    metrics: &Metrics,
) -> Result<Option<(Prices, Instances)>, Error> {
    if every.is_zero() {
        return Ok(None);
    }
    let prices = Prices::new(every, on_demand);
    Ok(Some((prices, Instances::register(metrics)?)))
}

/// For who has no exporter.
pub(crate) async fn keep(exporter: Option<Exporter>) -> Infallible {
    match exporter {
        Some(exporter) => exporter.keep().await,
        None => std::future::pending().await,
    }
}

async fn read(aws: &Aws, region: &str) -> Result<(Vec<Crew>, BTreeSet<String>), Refusal> {
    let region = aws.region(region);
    tokio::try_join!(region.crews(), region.spot_members())
}
