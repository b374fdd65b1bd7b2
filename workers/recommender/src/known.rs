//! What is known of a region, and how old that is.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use hollowtrees_aws::Described;
use hollowtrees_domain::recommend::{
    Catalogue, Evidence, History, Interruption, PlacementScore, Point, Pool, Reading, Taste, Wish,
    catalogue::BadCatalogue, eligible::eligible, plan::Market,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::files::Files;

/// Types and where they are offered, as EC2 says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// The types that are looked at.
    pub types: Vec<Described>,
    /// Types in zones.
    pub pools: Vec<Pool>,
}

/// Prices of all pools.
pub type Prices = BTreeMap<Pool, History>;

/// The last good answer of a source, and what was wrong with the reads since.
#[derive(Clone, Debug)]
pub struct Source<T> {
    reading: Reading<Arc<T>>,
    trouble: Option<String>,
}

impl<T> Default for Source<T> {
    fn default() -> Self {
        Self {
            reading: Reading::default(),
            trouble: None,
        }
    }
}

impl<T> Source<T> {
    /// After one more read.
    #[must_use]
    pub fn after(self, read: Result<T, String>, at: Timestamp) -> Self {
        let trouble = read.as_ref().err().cloned();
        Self {
            reading: self.reading.after(read.map(Arc::new), at),
            trouble,
        }
    }

    /// The last good answer.
    #[must_use]
    pub fn value(&self) -> Option<&Arc<T>> {
        self.reading.value()
    }

    /// When that was read.
    #[must_use]
    pub fn read_at(&self) -> Option<Timestamp> {
        self.reading.read_at()
    }

    /// Reads that failed since.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.reading.failures()
    }

    /// What the last of them said; none after a good one.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn shown(&self, now: Timestamp, stale_after: SignedDuration) -> Value {
        let age = self.read_at().map(|at| now.duration_since(at).as_secs().max(0));
        json!({
            "read_at": self.read_at().map(|at| at.to_string()),
            "age_seconds": age,
            "stale": self.reading.is_stale(now, stale_after),
            "failures": self.failures(),
            "error": self.trouble,
        })
    }
}

/// Types with their prices on demand, and what else is told of them.
#[derive(Clone, Debug)]
pub struct Types {
    /// What is judged.
    pub catalogue: Catalogue,
    /// `Up to 10 Gigabit` by type.
    pub networks: BTreeMap<String, String>,
}

/// What is known of one region. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Types and zones.
    pub offered: Source<Offered>,
    /// The same with prices on demand; made anew when either changes.
    pub types: Option<Arc<Types>>,
    /// Spot prices.
    pub prices: Source<Prices>,
    /// Placement scores by zone.
    pub placement: Source<BTreeMap<String, PlacementScore>>,
}

impl Known {
    /// Puts types and prices on demand together.
    ///
    /// # Errors
    /// They are of another region, or contradict each other.
    pub fn assemble(&mut self, region: &str, files: &Files) -> Result<(), BadCatalogue> {
        let Some(offered) = self.offered.value() else {
            return Ok(());
        };
        let prices = files.on_demand(region);
        let types = offered.types.iter().map(|one| {
            let mut of = one.instance_type.clone();
            of.on_demand = prices.and_then(|prices| prices.get(&of.name)).copied();
            of
        });
        let catalogue = Catalogue::new(region, types.collect(), offered.pools.iter().cloned())?;
        let networks = offered
            .types
            .iter()
            .map(|one| (one.instance_type.name.clone(), one.network.clone()));
        self.types = Some(Arc::new(Types {
            catalogue,
            networks: networks.collect(),
        }));
        Ok(())
    }

    /// All that is known of the pools that fit a wish.
    #[must_use]
    pub fn evidence(
        &self,
        wish: &Wish,
        types: &Types,
        files: &Files,
        interruptions: Vec<Interruption>,
        now: Timestamp,
    ) -> Evidence {
        let (fitting, _) = eligible(wish, Market::Spot, &types.catalogue);
        let prices = self.prices.value().map(|prices| {
            let known = fitting
                .iter()
                .filter_map(|(pool, _)| Some(((*pool).clone(), prices.get(*pool)?.clone())));
            known.collect()
        });
        let bands = files.bands(types.catalogue.region());
        Evidence {
            prices_read_at: self.prices.read_at(),
            prices: prices.unwrap_or_default(),
            placement: self
                .placement
                .value()
                .map(|scores| scores.as_ref().clone())
                .unwrap_or_default(),
            bands: bands.cloned().unwrap_or_default(),
            interruptions,
            ..Evidence::none(now)
        }
    }

    /// How old each source is, for an answer.
    #[must_use]
    pub fn shown(&self, now: Timestamp, taste: &Taste) -> Value {
        let shown_after = taste.stale_after();
        json!({
            "prices": self.prices.shown(now, shown_after),
            "types": self.offered.shown(now, SignedDuration::from_hours(48)),
            "placement": self.placement.shown(now, SignedDuration::from_hours(24)),
        })
    }
}

/// Adds newer points, and forgets those that say nothing about the time since `from`: all but the last before it.
#[must_use]
pub fn grown(known: &Prices, points: Vec<(Pool, Point)>, from: Timestamp) -> Prices {
    let mut all: BTreeMap<Pool, Vec<Point>> = known
        .iter()
        .map(|(pool, history)| (pool.clone(), history.points().to_vec()))
        .collect();
    for (pool, point) in points {
        all.entry(pool).or_default().push(point);
    }
    all.into_iter()
        .map(|(pool, points)| {
            let history = History::new(points);
            let before = history.points().iter().filter(|point| point.at <= from).count();
            let kept = history.points().iter().skip(before.saturating_sub(1));
            (pool, History::new(kept.copied().collect()))
        })
        .collect()
}

/// What is known of all regions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shelf {
    regions: Arc<BTreeMap<String, RwLock<Known>>>,
}

impl Shelf {
    /// For these regions; nothing is known yet.
    #[must_use]
    pub fn new(regions: &[String]) -> Self {
        let each = regions
            .iter()
            .map(|region| (region.clone(), RwLock::new(Known::default())));
        Self {
            regions: Arc::new(each.collect()),
        }
    }

    /// The regions.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.regions.keys().map(String::as_str)
    }

    /// What is known of a region now; none: it is not looked at.
    #[must_use]
    pub fn get(&self, region: &str) -> Option<Known> {
        let known = self.regions.get(region)?;
        Some(known.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// From now on this is known of it.
    pub fn put(&self, region: &str, known: Known) {
        if let Some(place) = self.regions.get(region) {
            *place.write().unwrap_or_else(PoisonError::into_inner) = known;
        }
    }
}

#[cfg(test)]
mod tests {
    use hollowtrees_domain::recommend::Price;

    use super::*;

    fn hour(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3_600).unwrap()
    }

    fn point(hours: i64, dollars: f64) -> Point {
        Point {
            at: hour(hours),
            price: Price::new(dollars).unwrap(),
        }
    }

    #[test]
    fn a_read_that_fails_takes_nothing_away() {
        let source = Source::default().after(Ok(7), hour(0));
        let source = source.after(Err("throttled".to_owned()), hour(9));
        assert_eq!(source.value().map(|value| **value), Some(7));
        assert_eq!((source.failures(), source.trouble()), (1, Some("throttled")));
        let shown = source.shown(hour(10), SignedDuration::from_hours(6));
        assert_eq!(
            shown,
            json!({"read_at": hour(0).to_string(), "age_seconds": 36_000, "stale": true, "failures": 1, "error": "throttled"})
        );
        let source = source.after(Ok(8), hour(10));
        assert_eq!((source.failures(), source.trouble()), (0, None));
    }

    #[test]
    fn prices_grow_and_are_forgotten() {
        let pool = Pool::new("m5.large", "eu-west-1a");
        let first = grown(
            &Prices::new(),
            vec![(pool.clone(), point(-200, 0.1)), (pool.clone(), point(-100, 0.2))],
            hour(-168),
        );
        assert_eq!(first[&pool].points(), [point(-200, 0.1), point(-100, 0.2)]);
        // The price in force is told again, and a new one; the oldest no longer says anything.
        let second = grown(
            &first,
            vec![(pool.clone(), point(-100, 0.2)), (pool.clone(), point(-1, 0.3))],
            hour(-90),
        );
        assert_eq!(second[&pool].points(), [point(-100, 0.2), point(-1, 0.3)]);
        // A pool of which nothing new is told keeps its price.
        let third = grown(&second, Vec::new(), hour(100));
        assert_eq!(third[&pool].points(), [point(-1, 0.3)]);
    }
}
