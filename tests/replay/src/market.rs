//! The generator: what a region's pools cost and lose, hour by hour, and what of it can be seen.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use hollowtrees_domain::recommend::{
    Architecture, Asked, Band, Catalogue, InstanceType, PlacementScore, Point, Pool, Price,
};
use jiff::Timestamp;

use crate::{
    capacity::{self, Common},
    chance::Chance,
    quote::{Coupling, quotes},
};

/// Hours that are known before the fleet starts: as long as the published frequency looks back.
pub const BEFORE: usize = 30 * 24;
/// Hours the fleet runs.
pub const HOURS: usize = 30 * 24;
/// What EC2 itself knows of a pool's capacity is off by this much (deviation): the strategies that are its own choose by it.
const NOISE_OF_EC2: f64 = 0.5;

/// Regions, with what they cost in comparison to the first.
pub const REGIONS: [(&str, f64); 3] = [("us-east-1", 1.0), ("eu-west-1", 1.115), ("ap-southeast-2", 1.25)];
/// Types with 4 to 8 vCPUs and 16 to 32 GiB, and what they cost on demand in the first region, in US dollars an hour.
const TYPES: [(&str, u32, u64, f64); 13] = [
    ("m5.xlarge", 4, 16, 0.192),
    ("m5a.xlarge", 4, 16, 0.172),
    ("m5d.xlarge", 4, 16, 0.226),
    ("m5n.xlarge", 4, 16, 0.238),
    ("m6a.xlarge", 4, 16, 0.1728),
    ("m6i.xlarge", 4, 16, 0.192),
    ("m7i.xlarge", 4, 16, 0.2016),
    ("r5.xlarge", 4, 32, 0.252),
    ("r5a.xlarge", 4, 32, 0.226),
    ("r6i.xlarge", 4, 32, 0.252),
    ("c5.2xlarge", 8, 16, 0.34),
    ("m5.2xlarge", 8, 32, 0.384),
    ("m6i.2xlarge", 8, 32, 0.384),
];
/// The type that the fleet's instances are to be like.
const LIKE: &str = "m5.xlarge";

/// One pool's history.
#[derive(Clone, Debug)]
pub struct Course {
    /// The pool.
    pub pool: Pool,
    /// Price points, oldest first.
    pub points: Vec<Point>,
    /// US dollars in each hour.
    pub dollars: Vec<f64>,
    /// How short it is in each hour.
    pub shortage: Vec<f64>,
    /// What share of its instances is taken in each hour.
    pub taken: Vec<f64>,
    /// What EC2 itself would think it is short of in each hour.
    pub signal: Vec<f64>,
}

/// One region's history.
#[derive(Clone, Debug)]
pub struct Market {
    /// What is offered.
    pub catalogue: Catalogue,
    /// By pool.
    pub courses: Vec<Course>,
    /// Published frequency by type, of the month before the fleet starts.
    pub bands: BTreeMap<String, Band>,
    /// Placement scores by zone, in each hour.
    pub placement: Vec<BTreeMap<String, PlacementScore>>,
    /// What the cheapest type that fits costs on demand, in US dollars an hour.
    pub on_demand: f64,
    /// The start of each hour.
    pub times: Vec<Timestamp>,
    seed: u64,
}

impl Market {
    /// The history of a region under a seed.
    ///
    /// # Errors
    /// The generator made what is none: a mistake in it.
    pub fn new(seed: u64, region: usize, coupling: Coupling) -> Result<Self> {
        let hours = BEFORE + HOURS;
        let (region, dearer) = *REGIONS.get(region).context("no such region")?;
        let seed = Chance::new(seed, region, 0).bits();
        let times = (0_i64..)
            .take(hours)
            .map(|hour| Timestamp::from_second(1_900_000_800 + hour * 3_600))
            .collect::<Result<Vec<_>, _>>()?;
        let types = TYPES
            .iter()
            .map(|(name, vcpus, gib, dollars)| {
                Ok(InstanceType {
                    name: (*name).to_owned(),
                    vcpus: *vcpus,
                    memory_mib: gib * 1_024,
                    gpus: 0,
                    architecture: Architecture::X86_64,
                    burstable: false,
                    current_generation: true,
                    spot: true,
                    on_demand: Some(Price::new(dollars * dearer)?),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let pools: Vec<Pool> = TYPES
            .iter()
            .flat_map(|(name, ..)| ["a", "b", "c"].map(|zone| Pool::new(name, &format!("{region}{zone}"))))
            .collect();
        let common = Common::new(seed, &pools, hours);
        let mut courses = Vec::new();
        for (place, pool) in (0_u64..).zip(&pools) {
            let full = TYPES
                .iter()
                .find(|(name, ..)| *name == pool.instance_type)
                .map_or(0.0, |(.., dollars)| dollars * dearer);
            let of = Drawn {
                seed,
                place,
                coupling,
            };
            courses.push(of.course(pool, full, &common, &times)?);
        }
        let cheapest = TYPES
            .iter()
            .map(|(.., dollars)| *dollars)
            .fold(f64::MAX, f64::min);
        Ok(Self {
            catalogue: Catalogue::new(region, types, pools)?,
            bands: bands(&courses),
            placement: placement(seed, &courses, hours),
            courses,
            on_demand: cheapest * dearer,
            times,
            seed,
        })
    }

    /// Chance of a fleet's own in one pool and hour, the same for each strategy.
    #[must_use]
    pub fn chance(&self, purpose: &str, course: usize, hour: usize) -> Chance {
        Chance::new(self.seed, purpose, (course * (BEFORE + HOURS) + hour) as u64)
    }

    /// What the fleet asks for.
    #[must_use]
    pub fn asked(&self, count: u32) -> Asked {
        Asked {
            region: self.catalogue.region().to_owned(),
            like: Some(LIKE.to_owned()),
            count,
            ..Asked::default()
        }
    }
}

/// One pool's place among the seeds.
struct Drawn {
    seed: u64,
    place: u64,
    coupling: Coupling,
}

impl Drawn {
    fn course(&self, pool: &Pool, full: f64, common: &Common, times: &[Timestamp]) -> Result<Course> {
        let Self {
            seed,
            place,
            coupling,
        } = *self;
        let shortage = capacity::shortage(seed, place, pool, common, times.len());
        // The level of a type in a region, and a little of its own for each zone.
        let base = Chance::new(seed, &pool.instance_type, 0).within(0.28, 0.5)
            * Chance::new(seed, "base", place).within(0.85, 1.15);
        let written = quotes(seed, place, base, &shortage, coupling);
        let mut points = Vec::new();
        let mut dollars = Vec::with_capacity(times.len());
        for (hour, share) in &written {
            let at = *times.get(*hour).context("a price after the end")?;
            // To the hundredth of a cent, as EC2 does.
            let price = Price::new((share * full * 1e4).round() / 1e4)?;
            dollars.resize(*hour, dollars.last().copied().unwrap_or_default());
            dollars.push(price.dollars());
            points.push(Point { at, price });
        }
        dollars.resize(times.len(), dollars.last().copied().unwrap_or_default());
        let rng = &mut Chance::new(seed, "signal", place);
        let signal = shortage
            .iter()
            .map(|short| short + NOISE_OF_EC2 * rng.normal())
            .collect();
        Ok(Course {
            pool: pool.clone(),
            points,
            dollars,
            taken: capacity::taken(seed, place, &shortage),
            shortage,
            signal,
        })
    }
}

/// As the advisor publishes: of a type in a region, over the month before.
fn bands(courses: &[Course]) -> BTreeMap<String, Band> {
    let mut months: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for course in courses {
        let risk: f64 = course
            .shortage
            .iter()
            .take(BEFORE)
            .map(|short| capacity::interruptions(*short))
            .sum();
        months
            .entry(&course.pool.instance_type)
            .or_default()
            .push(1.0 - (-risk).exp());
    }
    let band = |months: &Vec<f64>| {
        let share = months.iter().sum::<f64>() / months.len() as f64;
        let number = [0.05, 0.10, 0.15, 0.20]
            .iter()
            .filter(|bound| share >= **bound)
            .count();
        Band::of_number(number).unwrap_or(Band::Above20)
    };
    months
        .iter()
        .map(|(name, months)| ((*name).to_owned(), band(months)))
        .collect()
}

/// A zone's score tells how short its pools are on average, about.
fn placement(seed: u64, courses: &[Course], hours: usize) -> Vec<BTreeMap<String, PlacementScore>> {
    let rng = &mut Chance::new(seed, "placement", 0);
    (0..hours)
        .map(|hour| {
            let mut zones: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
            for course in courses {
                let short = course.shortage.get(hour).copied().unwrap_or_default();
                zones.entry(&course.pool.zone).or_default().push(short);
            }
            let mut score = |short: &Vec<f64>| {
                let mean = short.iter().sum::<f64>() / short.len() as f64;
                let score = (6.5 - 2.0 * mean + rng.normal()).round().clamp(1.0, 10.0);
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 10")]
                PlacementScore::new(score as u8)
            };
            zones
                .iter()
                .filter_map(|(zone, short)| Some(((*zone).to_owned(), score(short)?)))
                .collect()
        })
        .collect()
}
