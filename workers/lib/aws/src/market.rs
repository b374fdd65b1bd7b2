//! What a region offers, and what its spot pools cost over days.

use std::time::{Duration, SystemTime};

use aws_sdk_ec2::{
    operation::describe_spot_price_history::paginator::DescribeSpotPriceHistoryPaginator,
    types::{Filter, InstanceType as Name, InstanceTypeInfo, LocationType, SpotPrice, UsageClassType},
};
use hollowtrees_domain::recommend::{Architecture, InstanceType, PlacementScore, Point, Pool, Price};
use jiff::Timestamp;

use crate::{Refusal, Region};

/// Types asked for at once where prices are read: the call is a form, and each type a field of it.
const TYPES_AT_ONCE: usize = 100;
/// Entries of a page, the most that EC2 gives.
const PRICES_A_PAGE: i32 = 1_000;
const OFFERINGS_A_PAGE: i32 = 1_000;
const TYPES_A_PAGE: i32 = 100;

/// A type as EC2 describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// What is judged. Its price on demand is not EC2's to say.
    pub instance_type: InstanceType,
    /// `Up to 10 Gigabit`; empty where EC2 says nothing.
    pub network: String,
}

/// A zone's score, by the zone's id (`use1-az1`): names of zones differ from account to account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    /// The zone's id.
    pub zone_id: String,
    /// Its score.
    pub score: PlacementScore,
}

/// What a read may cost at most.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Pages of 1,000 entries, a call each.
    pub pages: usize,
    /// All of them together.
    pub time: Duration,
}

impl Region {
    /// All types of the region that run Linux on x86_64 or arm64. What EC2 describes without vCPUs or memory is left out.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn instance_types(&self) -> Result<Vec<Described>, Refusal> {
        let found = self
            .ec2()
            .describe_instance_types()
            .max_results(TYPES_A_PAGE)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(found.iter().filter_map(described).collect())
    }

    /// Which types are offered in which zones.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn offerings(&self) -> Result<Vec<Pool>, Refusal> {
        let found = self
            .ec2()
            .describe_instance_type_offerings()
            .location_type(LocationType::AvailabilityZone)
            .max_results(OFFERINGS_A_PAGE)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(found
            .iter()
            .filter_map(|one| Some(Pool::new(one.instance_type()?.as_str(), one.location()?)))
            .collect())
    }

    /// Spot prices of these types for Linux since a time, in no order: what changed since then, and of each pool the price
    /// that was in force then (EC2 API reference, `DescribeSpotPriceHistory`). EC2 keeps 90 days. `zones` empty: all.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn price_history(
        &self,
        types: &[String],
        zones: &[String],
        since: Timestamp,
    ) -> Result<Vec<(Pool, Point)>, Refusal> {
        let mut points = Vec::new();
        // Without types none is asked for: EC2 would tell all.
        for some in types.chunks(TYPES_AT_ONCE) {
            let pages = self.prices(some, zones, since).items().send();
            let found = pages.collect::<Result<Vec<_>, _>>().await?;
            points.extend(found.iter().filter_map(point));
        }
        Ok(points)
    }

    /// The same, but no more than can be had within `most`: EC2 tells the newest first, so that what is left out is the oldest.
    /// For some 100 types at most.
    ///
    /// # Errors
    /// AWS did not say; `Unclear` where not even a page came in time.
    pub async fn recent_prices(
        &self,
        types: &[String],
        zones: &[String],
        since: Timestamp,
        most: Most,
    ) -> Result<Vec<(Pool, Point)>, Refusal> {
        let mut points = Vec::new();
        if types.is_empty() {
            return Ok(points);
        }
        let until = tokio::time::Instant::now() + most.time;
        let mut pages = self.prices(types, zones, since).send();
        for number in 0..most.pages {
            match tokio::time::timeout_at(until, pages.next()).await {
                Ok(Some(Ok(page))) => points.extend(page.spot_price_history().iter().filter_map(point)),
                Ok(None) => break,
                // What was told before is of use.
                Ok(Some(Err(_))) | Err(_) if number > 0 => break,
                Ok(Some(Err(error))) => return Err(error.into()),
                Err(_) => {
                    let message = format!("no spot prices were told within {:?}", most.time);
                    return Err(Refusal::unclear(message));
                }
            }
        }
        Ok(points)
    }

    fn prices(
        &self,
        types: &[String],
        zones: &[String],
        since: Timestamp,
    ) -> DescribeSpotPriceHistoryPaginator {
        let names = types.iter().map(|name| Name::from(name.as_str())).collect();
        let zones = (!zones.is_empty()).then(|| {
            let filter = Filter::builder().name("availability-zone");
            vec![filter.set_values(Some(zones.to_vec())).build()]
        });
        self.ec2()
            .describe_spot_price_history()
            .set_instance_types(Some(names))
            .set_filters(zones)
            .product_descriptions("Linux/UNIX")
            .start_time(SystemTime::from(since).into())
            .max_results(PRICES_A_PAGE)
            .into_paginator()
    }

    /// How likely a launch of so many instances of these types is to succeed, zone by zone. EC2 answers a few different
    /// questions a day only, and scores fewer than three types low (EC2 user guide, "Spot placement score").
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn placement_scores(&self, types: &[String], capacity: u32) -> Result<Vec<Scored>, Refusal> {
        let found = self
            .ec2()
            .get_spot_placement_scores()
            .set_instance_types(Some(types.to_vec()))
            .target_capacity(i32::try_from(capacity).unwrap_or(i32::MAX))
            .single_availability_zone(true)
            .region_names(self.name())
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await?;
        Ok(found
            .iter()
            .filter_map(|one| {
                Some(Scored {
                    zone_id: one.availability_zone_id()?.to_owned(),
                    score: PlacementScore::new(u8::try_from(one.score()?).ok()?)?,
                })
            })
            .collect())
    }

    /// Ids and names of the region's zones: `use1-az1`, `us-east-1a`.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn zone_names(&self) -> Result<Vec<(String, String)>, Refusal> {
        let answer = self.ec2().describe_availability_zones().send().await?;
        Ok(answer
            .availability_zones()
            .iter()
            .filter_map(|zone| Some((zone.zone_id()?.to_owned(), zone.zone_name()?.to_owned())))
            .collect())
    }
}

fn point(entry: &SpotPrice) -> Option<(Pool, Point)> {
    let pool = Pool::new(entry.instance_type()?.as_str(), entry.availability_zone()?);
    let at = entry.timestamp()?;
    let at = Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()?;
    let price = Price::parse(entry.spot_price()?).ok()?;
    Some((pool, Point { at, price }))
}

fn described(from: &InstanceTypeInfo) -> Option<Described> {
    let architectures = from.processor_info()?.supported_architectures();
    let positive = |number: i32| u32::try_from(number).ok().filter(|number| *number > 0);
    let gpus = from.gpu_info().map_or(0, |gpus| {
        let counts = gpus.gpus().iter().filter_map(|gpu| positive(gpu.count()?));
        counts.fold(0, u32::saturating_add)
    });
    let instance_type = InstanceType {
        name: from.instance_type()?.as_str().to_owned(),
        vcpus: positive(from.v_cpu_info()?.default_v_cpus()?)?,
        memory_mib: u64::try_from(from.memory_info()?.size_in_mib()?)
            .ok()
            .filter(|size| *size > 0)?,
        gpus,
        // A type with both runs 32 bits too, `i386` before `x86_64`.
        architecture: architectures
            .iter()
            .find_map(|one| Architecture::parse(one.as_str()))?,
        burstable: from.burstable_performance_supported().unwrap_or_default(),
        current_generation: from.current_generation().unwrap_or_default(),
        spot: from.supported_usage_classes().contains(&UsageClassType::Spot),
        on_demand: None,
    };
    let network = from
        .network_info()
        .and_then(|network| network.network_performance());
    Some(Described {
        instance_type,
        network: network.unwrap_or_default().to_owned(),
    })
}
