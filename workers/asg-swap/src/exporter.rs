//! Families of the original `aws-autoscaling-exporter`, read in the background and not on a scrape; and what a group lacks.
//!
//! What differs from the original on purpose: members that wait in a hook count with those that are pending or terminating,
//! groups of launch templates are counted, and a read that fails leaves the figures as they were, for `scrape_error` to say.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    time::{Duration, Instant},
};

use hollowtrees_aws::{Aws, Crew, Refusal};
use hollowtrees_domain::swap::world::Standing;
use hollowtrees_runtime::metrics::{Counters, Definition, Error, Gauges, Metrics, count};
use prometheus::{Gauge, IntCounter};

use crate::config;

/// All members.
pub const INSTANCES: Definition = Definition::new(
    "aws_autoscaling_instances_total",
    "Instances of a group, as the original aws-autoscaling-exporter counted them.",
);
/// Those that join.
pub const PENDING: Definition = Definition::new(
    "aws_autoscaling_pending_instances_total",
    "Instances of a group that join it, those that wait in a hook included.",
);
/// Those in service.
pub const IN_SERVICE: Definition = Definition::new(
    "aws_autoscaling_inservice_instances_total",
    "Instances of a group that are in service.",
);
/// Those put aside.
pub const STANDBY: Definition = Definition::new(
    "aws_autoscaling_standby_instances_total",
    "Instances of a group that are in standby, or on the way there.",
);
/// Those that leave.
pub const TERMINATING: Definition = Definition::new(
    "aws_autoscaling_terminating_instances_total",
    "Instances of a group that leave it, those that wait in a hook included.",
);
/// Those of the spot market.
pub const SPOT: Definition = Definition::new(
    "aws_autoscaling_spot_instances_total",
    "Instances of a group that are spot instances.",
);
/// How long a read took.
pub const DURATION: Definition = Definition::new(
    "aws_autoscaling_scrape_duration_seconds",
    "How long the last read of all groups took; it is made in the background.",
);
/// Reads that failed.
pub const FAILED: Definition = Definition::new(
    "aws_autoscaling_scrape_error",
    "Regions that could not be read at the last read.",
);
/// Reads.
pub const SCRAPES: Definition = Definition::new("aws_autoscaling_scrapes_total", "Reads of all groups.");
/// What a group lacked.
pub const DIP: Definition = Definition::new(
    "hollowtrees_asg_swap_capacity_dip_seconds_total",
    "Instance-seconds (unit-seconds with weights) by which what is in service of a group was below what is desired, as far as reads show.",
);

const LABELS: [&str; 2] = ["asg_name", "region"];

/// Reads and shows.
pub(crate) struct Exporter {
    aws: Aws,
    regions: Vec<String>,
    every: Duration,
    shown: Shown,
}

struct Shown {
    instances: [Gauges<2>; 6],
    duration: Gauge,
    failed: Gauge,
    scrapes: IntCounter,
    dip: Counters<2>,
    dips: BTreeMap<(String, String), Dip>,
}

/// What is known of one group's lack.
#[derive(Debug)]
struct Dip {
    lacks: u32,
    since: Instant,
    /// Less than a whole second, not counted yet.
    rest: f64,
}

impl Exporter {
    /// None where it is switched off. `aws` without a region of its own needs `exporter.regions`.
    ///
    /// # Errors
    /// A name of a metric is taken.
    pub(crate) fn new(
        aws: &Aws,
        settings: &config::Exporter,
        metrics: &Metrics,
    ) -> Result<Option<Self>, Error> {
        if settings.every.is_zero() {
            return Ok(None);
        }
        let mut regions = settings.regions.clone();
        if regions.is_empty() {
            regions.extend(aws.default_region().map(str::to_owned));
        }
        let gauges = |definition| metrics.gauges(definition, LABELS);
        let shown = Shown {
            instances: [
                gauges(INSTANCES)?,
                gauges(PENDING)?,
                gauges(IN_SERVICE)?,
                gauges(STANDBY)?,
                gauges(TERMINATING)?,
                gauges(SPOT)?,
            ],
            duration: metrics.gauge(DURATION)?,
            failed: metrics.gauge(FAILED)?,
            scrapes: metrics.counter(SCRAPES)?,
            dip: metrics.counters(DIP, LABELS)?,
            dips: BTreeMap::new(),
        };
        Ok(Some(Self {
            aws: aws.clone(),
            regions,
            every: settings.every,
            shown,
        }))
    }

    /// Reads for ever.
    pub(crate) async fn keep(mut self) -> Infallible {
        if self.regions.is_empty() {
            tracing::error!(
                "No region is known whose groups could be shown; set exporter.regions (HT_EXPORTER__REGIONS)."
            );
        }
        loop {
            let start = Instant::now();
            let mut failed = 0;
            for region in &self.regions {
                match read(&self.aws, region).await {
                    Ok((crews, spot)) => self.shown.show(region, &crews, &spot, Instant::now()),
                    Err(refusal) => {
                        failed += 1;
                        tracing::warn!(region, %refusal, "The groups of a region cannot be read; what was read before is shown on.");
                    }
                }
            }
            self.shown.failed.set(count(failed));
            self.shown.duration.set(start.elapsed().as_secs_f64());
            self.shown.scrapes.inc();
            tokio::time::sleep(self.every.mul_f64(rand::random_range(0.9..=1.1))).await;
        }
    }
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

impl Shown {
    fn show(&mut self, region: &str, crews: &[Crew], spot: &BTreeSet<String>, now: Instant) {
        let gone: Vec<_> = self
            .dips
            .keys()
            .filter(|(of, group)| of == region && crews.iter().all(|crew| crew.group != *group))
            .cloned()
            .collect();
        for key in gone {
            let labels = [key.1.as_str(), key.0.as_str()];
            self.instances.iter().for_each(|gauges| gauges.remove(labels));
            self.dips.remove(&key);
        }
        for crew in crews {
            let labels = [crew.group.as_str(), region];
            let at = |standing| {
                crew.members
                    .iter()
                    .filter(|member| member.standing == standing)
                    .count()
            };
            let numbers = [
                crew.members.len(),
                at(Standing::Joining),
                at(Standing::InService),
                at(Standing::Standby),
                at(Standing::Leaving),
                crew.members
                    .iter()
                    .filter(|member| spot.contains(&member.instance))
                    .count(),
            ];
            for (gauges, number) in self.instances.iter().zip(numbers) {
                gauges.set(labels, count(number));
            }
            let key = (region.to_owned(), crew.group.clone());
            let dip = self.dips.entry(key).or_insert(Dip {
                lacks: 0,
                since: now,
                rest: 0.0,
            });
            self.dip.add(labels, dip.passed(lacks(crew), now));
        }
    }
}

impl Dip {
    /// Whole instance-seconds since the last look; from now on so many lack.
    fn passed(&mut self, lacks: u32, now: Instant) -> u64 {
        self.rest += f64::from(self.lacks) * now.duration_since(self.since).as_secs_f64();
        let whole = self.rest.floor();
        self.rest -= whole;
        (self.lacks, self.since) = (lacks, now);
        Duration::try_from_secs_f64(whole).map_or(0, |whole| whole.as_secs())
    }
}

/// By how much what is in service is below what is desired.
fn lacks(crew: &Crew) -> u32 {
    let in_service: u32 = crew
        .members
        .iter()
        .filter(|member| member.standing == Standing::InService)
        .map(|member| member.weight)
        .sum();
    crew.desired.saturating_sub(in_service)
}

#[cfg(test)]
mod tests {
    use hollowtrees_aws::CrewMember;

    use super::*;

    #[test]
    fn what_lacks_is_counted_in_units_of_weight() {
        let member = |standing, weight| CrewMember {
            instance: "i-1".to_owned(),
            standing,
            weight,
        };
        let crew = |desired, members| Crew {
            group: "g".to_owned(),
            desired,
            members,
        };
        assert_eq!(lacks(&crew(3, Vec::new())), 3);
        assert_eq!(lacks(&crew(3, vec![member(Standing::InService, 2)])), 1);
        assert_eq!(
            lacks(&crew(
                3,
                vec![member(Standing::InService, 4), member(Standing::Joining, 9)]
            )),
            0
        );
    }

    #[test]
    fn a_dip_is_what_lacked_for_how_long() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut dip = Dip {
            lacks: 0,
            since: start,
            rest: 0.0,
        };
        assert_eq!(dip.passed(2, at(5_000)), 0, "nothing lacked until now");
        assert_eq!(dip.passed(2, at(5_700)), 1);
        // 0.4 are left from before.
        assert_eq!(dip.passed(0, at(6_100)), 1);
        assert_eq!(dip.passed(0, at(60_000)), 0);
    }
}
