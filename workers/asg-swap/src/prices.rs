//! What spot pools cost over days, read for a choice of pools.
//!
//! A launch is not held up for it: a read is bounded in pages and time, and what it gave serves the swaps of some minutes, so
//! that a burst of them makes one read for each set of pools. Who cannot have prices goes by the group's order.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hollowtrees_aws::Most;
use hollowtrees_domain::recommend::{Evidence, History, Point, Pool, Taste};
use jiff::{SignedDuration, Timestamp};

use crate::cloud::Cloud;

/// What one read may cost: 10,000 entries, some forty types in six zones that change their prices six times a day.
const MOST: Most = Most {
    pages: 10,
    time: Duration::from_secs(3),
};
/// A swap waits for prices this long at most, where another one reads them too.
const WITHIN: Duration = Duration::from_secs(4);
/// Prices read so long ago are read again. EC2 moves them some times a day.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// Sets of pools that are remembered.
const SETS: usize = 32;

/// An account, for each has its own names of zones; a region, types and zones.
type Set = (String, String, Vec<String>, Vec<String>);
/// Who holds it reads.
type Slot = Arc<tokio::sync::Mutex<Option<Evidence>>>;

/// Prices read lately. Nothing depends on them but an order.
#[derive(Default)]
pub(crate) struct Prices {
    slots: Mutex<HashMap<Set, Slot>>,
}

impl Prices {
    /// What is known of these pools; nothing where prices cannot be had in time.
    pub(crate) async fn evidence(
        &self,
        cloud: &Cloud,
        types: Vec<String>,
        zones: Vec<String>,
        now: Timestamp,
    ) -> Evidence {
        let (account, region) = (cloud.region.account().to_owned(), cloud.region.name().to_owned());
        let slot = self.slot((account, region, types.clone(), zones.clone()));
        let read = async {
            let mut known = slot.lock().await;
            let is_fresh = |known: &Evidence| now.duration_since(known.now) < FRESH;
            if let Some(known) = known.as_ref().filter(|known| is_fresh(known)) {
                // Its prices hold until now.
                return Some(Evidence {
                    now: now.max(known.now),
                    ..known.clone()
                });
            }
            let read = read(cloud, &types, &zones, now).await?;
            *known = Some(read.clone());
            Some(read)
        };
        let read = tokio::time::timeout(WITHIN, read).await;
        read.ok().flatten().unwrap_or_else(|| Evidence::none(now))
    }

    fn slot(&self, set: Set) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= SETS && !slots.contains_key(&set) {
            slots.clear();
        }
        Arc::clone(slots.entry(set).or_default())
    }
}

async fn read(cloud: &Cloud, types: &[String], zones: &[String], now: Timestamp) -> Option<Evidence> {
    let since = now
        .checked_sub(Taste::default().window())
        .unwrap_or(Timestamp::MIN);
    let answer = cloud.region.recent_prices(types, zones, since, MOST).await;
    match cloud.told("describe-spot-prices", answer) {
        Ok(points) => Some(Evidence {
            prices_read_at: Some(now),
            prices: histories(points),
            ..Evidence::none(now)
        }),
        Err(refusal) => {
            tracing::warn!(%refusal, "Spot prices cannot be read; the group's order counts.");
            None
        }
    }
}

fn histories(points: Vec<(Pool, Point)>) -> BTreeMap<Pool, History> {
    let mut by_pool: BTreeMap<Pool, Vec<Point>> = BTreeMap::new();
    for (pool, point) in points {
        by_pool.entry(pool).or_default().push(point);
    }
    let histories = by_pool.into_iter();
    histories
        .map(|(pool, points)| (pool, History::new(points)))
        .collect()
}
