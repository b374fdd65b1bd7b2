//! What spot instances cost and would cost, as far as it is known; read now and then, whatever is shown in between.
//!
//! A read asks for the types of the spot instances that are there, and for those that the original would have compared with
//! them, in their zones: prices of now alone, which are one entry a pool.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::{Duration, Instant},
};

use hollowtrees_aws::{Crew, Refusal, Region};
use hollowtrees_domain::recommend::{InstanceType, Point, Pool, Price, cost_score};
use jiff::Timestamp;

use crate::policy;

/// Types are described again after this. AWS announces new ones some times a year.
const TYPES_EVERY: Duration = Duration::from_secs(86_400);
/// Prices that could not be read again so many times are no longer those of now.
const MISSED: u32 = 3;

/// What is known of each region.
pub(super) struct Prices {
    every: Duration,
    on_demand: Option<PathBuf>,
    regions: BTreeMap<String, Known>,
}

/// What is known of a region.
#[derive(Default)]
pub(super) struct Known {
    types: Vec<InstanceType>,
    current: BTreeMap<Pool, Price>,
    on_demand: BTreeMap<String, Price>,
    /// What is paid at most, by instance.
    most: BTreeMap<String, Price>,
    types_read: Option<Instant>,
    current_read: Option<Instant>,
    most_read: Option<Instant>,
    tried: Option<Instant>,
    failed: bool,
}

/// What is known of a spot instance, in dollars an hour; its score has no unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) current: Option<f64>,
    pub(super) on_demand: Option<f64>,
    pub(super) most: Option<f64>,
    pub(super) cost_score: Option<f64>,
}

impl Prices {
    pub(super) fn new(every: Duration, on_demand: Option<PathBuf>) -> Self {
        Self {
            every,
            on_demand,
            regions: BTreeMap::new(),
        }
    }

    /// What is known of a region, read again if it is time.
    pub(super) async fn known(&mut self, region: &Region, crews: &[Crew], spot: &BTreeSet<String>) -> &Known {
        let known = self.regions.entry(region.name().to_owned()).or_default();
        let now = Instant::now();
        if is_due(known.tried, self.every, now) {
            known.tried = Some(now);
            known
                .read(region, &pools(crews, spot), self.on_demand.clone())
                .await;
        }
        known.forget(self.every.saturating_mul(MISSED), Instant::now());
        known
    }
}

impl Known {
    /// Whether the last read had all that it asked for.
    pub(super) fn is_read(&self) -> bool {
        !self.failed
    }

    /// Each part for itself: what one may not read, or cannot, takes nothing from the others.
    async fn read(&mut self, region: &Region, pools: &BTreeSet<Pool>, file: Option<PathBuf>) {
        self.failed = false;
        if !pools.is_empty() {
            if is_due(self.types_read, TYPES_EVERY, Instant::now()) {
                let types = region.instance_types().await;
                if let Some(types) = self.had("instance types", region, types) {
                    self.types = types.into_iter().map(|one| one.instance_type).collect();
                    self.types_read = Some(Instant::now());
                }
            }
            let (types, zones) = self.asked(pools);
            let (current, most) = tokio::join!(
                region.price_history(&types, &zones, Timestamp::now()),
                region.most_paid()
            );
            if let Some(points) = self.had("spot prices", region, current) {
                self.current = latest(points);
                self.current_read = Some(Instant::now());
            }
            if let Some(most) = self.had("spot requests", region, most) {
                self.most = most;
                self.most_read = Some(Instant::now());
            }
        }
        match policy::on_demand_of(region.name(), file).await {
            Ok(prices) => self.on_demand = prices,
            Err(error) => {
                self.failed = true;
                tracing::warn!(
                    error,
                    "Prices on demand cannot be read; those read before are shown on."
                );
            }
        }
    }

    fn had<T>(&mut self, what: &str, region: &Region, read: Result<T, Refusal>) -> Option<T> {
        read.inspect_err(|refusal| {
            self.failed = true;
            tracing::warn!(region = region.name(), what, %refusal, "A part of the prices cannot be read.");
        })
        .ok()
    }

    /// Types and zones whose prices are of interest.
    fn asked(&self, pools: &BTreeSet<Pool>) -> (Vec<String>, Vec<String>) {
        let own: BTreeSet<&str> = pools.iter().map(|pool| pool.instance_type.as_str()).collect();
        let zones: BTreeSet<&String> = pools.iter().map(|pool| &pool.zone).collect();
        let like = self
            .types
            .iter()
            .filter(|one| own.contains(one.name.as_str()))
            .flat_map(|base| cost_score::alike(base, &self.types))
            .map(|one| one.name.as_str());
        let types: BTreeSet<&str> = own.iter().copied().chain(like).collect();
        (
            types.into_iter().map(str::to_owned).collect(),
            zones.into_iter().cloned().collect(),
        )
    }

    /// What was read that long ago is not known any more.
    fn forget(&mut self, after: Duration, now: Instant) {
        if is_due(self.current_read, after, now) {
            self.current.clear();
        }
        if is_due(self.most_read, after, now) {
            self.most.clear();
        }
    }

    /// What is known of one spot instance.
    pub(super) fn figures(&self, instance: &str, pool: &Pool) -> Figures {
        let dollars = |price: Option<&Price>| price.map(|price| price.dollars());
        Figures {
            current: dollars(self.current.get(pool)),
            on_demand: dollars(self.on_demand.get(&pool.instance_type)),
            most: dollars(self.most.get(instance)),
            cost_score: cost_score::of(pool, &self.types, &self.current),
        }
    }
}

fn is_due(last: Option<Instant>, every: Duration, now: Instant) -> bool {
    last.is_none_or(|last| now.duration_since(last) >= every)
}

/// Types and zones of the spot instances.
fn pools(crews: &[Crew], spot: &BTreeSet<String>) -> BTreeSet<Pool> {
    crews
        .iter()
        .flat_map(|crew| &crew.members)
        .filter(|member| spot.contains(&member.instance))
        .filter_map(|member| member.pool.clone())
        .collect()
}

/// The price of now of each pool.
fn latest(points: Vec<(Pool, Point)>) -> BTreeMap<Pool, Price> {
    let mut latest: BTreeMap<Pool, Point> = BTreeMap::new();
    for (pool, point) in points {
        let known = latest.entry(pool).or_insert(point);
        *known = (*known).max(point);
    }
    latest
        .into_iter()
        .map(|(pool, point)| (pool, point.price))
        .collect()
}

#[cfg(test)]
mod tests {
    use hollowtrees_domain::recommend::Architecture;

    use super::*;

    fn price(dollars: f64) -> Price {
        Price::new(dollars).unwrap()
    }

    fn instance_type(name: &str, vcpus: u32) -> InstanceType {
        InstanceType {
            name: name.to_owned(),
            vcpus,
            memory_mib: 8_192,
            gpus: 0,
            architecture: Architecture::X86_64,
            burstable: false,
            current_generation: true,
            spot: true,
            on_demand: None,
        }
    }

    #[test]
    fn what_is_not_known_has_no_figure() {
        let pool = Pool::new("m5.large", "z1");
        let mut known = Known::default();
        assert_eq!(known.figures("i-1", &pool), Figures::default());
        known.current = [(pool.clone(), price(0.04))].into();
        let figures = known.figures("i-1", &pool);
        assert_eq!((figures.current, figures.cost_score), (Some(0.04), None));
        known.types = vec![instance_type("m5.large", 2)];
        known.on_demand = [("m5.large".to_owned(), price(0.1))].into();
        known.most = [("i-1".to_owned(), price(0.07))].into();
        let all = Figures {
            current: Some(0.04),
            on_demand: Some(0.1),
            most: Some(0.07),
            cost_score: Some(1.0),
        };
        assert_eq!(known.figures("i-1", &pool), all);
        assert_eq!(known.figures("i-2", &pool), Figures { most: None, ..all });

        // Prices that could not be read again are not told as those of now for ever.
        let now = Instant::now();
        (known.current_read, known.most_read) = (Some(now), Some(now));
        known.forget(Duration::from_secs(30), now + Duration::from_secs(29));
        assert_eq!(known.figures("i-1", &pool), all);
        known.forget(Duration::from_secs(30), now + Duration::from_secs(30));
        let left = Figures {
            on_demand: Some(0.1),
            ..Figures::default()
        };
        assert_eq!(known.figures("i-1", &pool), left);
    }

    #[test]
    fn prices_of_types_alike_are_asked_for_too() {
        let mut known = Known::default();
        let pools = [("m5.large", "z2"), ("m5.large", "z1"), ("x9.mega", "z1")];
        let pools = pools.map(|(of, zone)| Pool::new(of, zone)).into();
        let (types, zones) = known.asked(&pools);
        assert_eq!(
            (types, zones.as_slice()),
            (
                vec!["m5.large".to_owned(), "x9.mega".to_owned()],
                ["z1".to_owned(), "z2".to_owned()].as_slice()
            )
        );
        known.types = [
            ("m5.large", 2),
            ("m4.large", 2),
            ("m5.8xlarge", 32),
            ("c5.xlarge", 4),
        ]
        .map(|(name, vcpus)| instance_type(name, vcpus))
        .into();
        assert_eq!(
            known.asked(&pools).0,
            ["c5.xlarge", "m4.large", "m5.large", "x9.mega"]
        );
    }

    #[test]
    fn of_several_points_the_latest_counts() {
        let at = |seconds, dollars| Point {
            at: Timestamp::from_second(seconds).unwrap(),
            price: price(dollars),
        };
        let pool = Pool::new("m5.large", "z1");
        let points = vec![
            (pool.clone(), at(2, 0.05)),
            (pool.clone(), at(3, 0.02)),
            (pool.clone(), at(1, 0.09)),
        ];
        assert_eq!(latest(points), [(pool, price(0.02))].into());
    }
}
