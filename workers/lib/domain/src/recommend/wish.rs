//! What is asked for, read at the edge into what cannot be wrong.

use std::collections::BTreeSet;

use super::{
    Architecture, Catalogue, InstanceType,
    pattern::{BadPattern, Pattern},
};

/// Instances that are asked for at once at most: more than any group has.
const MOST_INSTANCES: u32 = 10_000;
/// A type is like another up to this multiple of its vCPUs and memory: the next size.
const NEXT_SIZE: u32 = 2;

/// What someone asks for, as they wrote it. Empty lists and absent numbers ask for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `eu-west-1`
    pub region: String,
    /// A type to be alike: it sets what is not given of vCPUs, memory, GPUs, architecture, burstable and generation.
    pub like: Option<String>,
    /// vCPUs at least.
    pub vcpus: Option<u32>,
    /// vCPUs at most.
    pub most_vcpus: Option<u32>,
    /// Memory in MiB at least.
    pub memory_mib: Option<u64>,
    /// Memory in MiB at most.
    pub most_memory_mib: Option<u64>,
    /// GPUs at least; none or 0: types without.
    pub gpus: Option<u32>,
    /// `x86_64`, `arm64`; empty: any.
    pub architectures: Vec<String>,
    /// `eu-west-1a`; empty: all of the region.
    pub zones: Vec<String>,
    /// Instances.
    pub count: u32,
    /// Share of them on demand, in percent, rounded up.
    pub on_demand_percent: u32,
    /// How many of them on demand. The higher of the two counts.
    pub on_demand_count: u32,
    /// Only these types (`c5*.*`); empty: all.
    pub allowed: Vec<String>,
    /// None of these types.
    pub denied: Vec<String>,
    /// Burstable types too.
    pub burstable: Option<bool>,
    /// Types of older generations too.
    pub older_generations: Option<bool>,
}

/// Why a wish cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWish {
    /// Another region than the catalogue's.
    #[error("region {asked} is asked for, the instance types known are those of {known}; ask for {known}")]
    Region {
        /// Asked for.
        asked: String,
        /// The catalogue's.
        known: String,
    },
    /// The type to be like is not there.
    #[error("instance type {name} is not offered in {region}; name one that is, or say vCPUs and memory")]
    Like {
        /// The type.
        name: String,
        /// The region.
        region: String,
    },
    /// Neither sizes nor a type.
    #[error("nothing says how large an instance is to be; give vCPUs, memory or GPUs, or a type to be like")]
    Size,
    /// At least more than at most.
    #[error("at least {least} and at most {most} {what} are asked for; raise the latter")]
    Bounds {
        /// `vCPUs`, `MiB`.
        what: &'static str,
        /// At least.
        least: u64,
        /// At most.
        most: u64,
    },
    /// No such architecture.
    #[error("architecture {0} is not known; use x86_64 or arm64")]
    Architecture(String),
    /// A zone of another region, or none at all.
    #[error("nothing is offered in zone {zone} of {region}; leave it out, or name another")]
    Zone {
        /// The zone.
        zone: String,
        /// The region.
        region: String,
    },
    /// No number of instances.
    #[error("{0} instances are asked for; ask for 1 to 10000")]
    Count(u32),
    /// More than all.
    #[error("{0} % on demand are asked for; ask for 0 to 100")]
    Percent(u32),
    /// A pattern of allowed or denied types.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
}

/// At least and at most; none: no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) least: u64,
    pub(super) most: Option<u64>,
}

impl Bounds {
    fn new(what: &'static str, least: u64, most: Option<u64>) -> Result<Self, BadWish> {
        match most {
            Some(most) if most < least => Err(BadWish::Bounds { what, least, most }),
            _ => Ok(Self { least, most }),
        }
    }

    pub(super) fn hold(self, found: u64) -> bool {
        found >= self.least && self.most.is_none_or(|most| found <= most)
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub(super) region: String,
    pub(super) vcpus: Bounds,
    pub(super) memory_mib: Bounds,
    pub(super) gpus: u32,
    pub(super) architectures: BTreeSet<Architecture>,
    pub(super) zones: BTreeSet<String>,
    pub(super) allowed: Vec<Pattern>,
    pub(super) denied: Vec<Pattern>,
    pub(super) burstable: bool,
    pub(super) older_generations: bool,
    on_demand: u32,
    spot: u32,
}

impl Wish {
    /// Reads what was asked, against what the region has.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn read(asked: &Asked, catalogue: &Catalogue) -> Result<Self, BadWish> {
        let region = catalogue.region();
        if asked.region != region {
            return Err(BadWish::Region {
                asked: asked.region.clone(),
                known: region.to_owned(),
            });
        }
        if !(1..=MOST_INSTANCES).contains(&asked.count) {
            return Err(BadWish::Count(asked.count));
        }
        if asked.on_demand_percent > 100 {
            return Err(BadWish::Percent(asked.on_demand_percent));
        }
        let like = asked.like.as_ref().map(|name| {
            catalogue.named(name).ok_or_else(|| BadWish::Like {
                name: name.clone(),
                region: region.to_owned(),
            })
        });
        let like: Option<&InstanceType> = like.transpose()?;
        if like.is_none() && asked.vcpus.is_none() && asked.memory_mib.is_none() && asked.gpus.is_none() {
            return Err(BadWish::Size);
        }
        let vcpus = asked.vcpus.or_else(|| like.map(|one| one.vcpus)).unwrap_or(0);
        let most_vcpus = asked
            .most_vcpus
            .or_else(|| like.map(|_| vcpus.saturating_mul(NEXT_SIZE)));
        let memory = asked
            .memory_mib
            .or_else(|| like.map(|one| one.memory_mib))
            .unwrap_or(0);
        let most_memory = asked
            .most_memory_mib
            .or_else(|| like.map(|_| memory.saturating_mul(NEXT_SIZE.into())));
        let share = (asked.count * asked.on_demand_percent).div_ceil(100);
        let on_demand = share.max(asked.on_demand_count).min(asked.count);
        Ok(Self {
            region: region.to_owned(),
            vcpus: Bounds::new("vCPUs", vcpus.into(), most_vcpus.map(u64::from))?,
            memory_mib: Bounds::new("MiB", memory, most_memory)?,
            gpus: asked.gpus.or_else(|| like.map(|one| one.gpus)).unwrap_or(0),
            architectures: architectures(asked, like)?,
            zones: zones(asked, catalogue)?,
            allowed: patterns(&asked.allowed)?,
            denied: patterns(&asked.denied)?,
            burstable: asked
                .burstable
                .unwrap_or_else(|| like.is_some_and(|one| one.burstable)),
            older_generations: asked
                .older_generations
                .unwrap_or_else(|| like.is_some_and(|one| !one.current_generation)),
            on_demand,
            spot: asked.count - on_demand,
        })
    }

    /// Instances on demand.
    #[must_use]
    pub fn on_demand(&self) -> u32 {
        self.on_demand
    }

    /// Spot instances.
    #[must_use]
    pub fn spot(&self) -> u32 {
        self.spot
    }
}

fn architectures(asked: &Asked, like: Option<&InstanceType>) -> Result<BTreeSet<Architecture>, BadWish> {
    if asked.architectures.is_empty() {
        return Ok(like.map(|one| one.architecture).into_iter().collect());
    }
    let read = |text: &String| Architecture::parse(text).ok_or_else(|| BadWish::Architecture(text.clone()));
    asked.architectures.iter().map(read).collect()
}

fn zones(asked: &Asked, catalogue: &Catalogue) -> Result<BTreeSet<String>, BadWish> {
    let known: BTreeSet<&str> = catalogue.pools().map(|(pool, _)| pool.zone.as_str()).collect();
    match asked.zones.iter().find(|zone| !known.contains(zone.as_str())) {
        Some(zone) => Err(BadWish::Zone {
            zone: zone.clone(),
            region: catalogue.region().to_owned(),
        }),
        None => Ok(asked.zones.iter().cloned().collect()),
    }
}

fn patterns(texts: &[String]) -> Result<Vec<Pattern>, BadPattern> {
    texts.iter().map(|text| text.parse()).collect()
}
