//! Which instance types a region offers, in which zones.

use std::collections::{BTreeMap, BTreeSet};

use super::{Pool, Price};

/// The instruction set of a type (EC2 API reference, `ProcessorInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// `x86_64`
    X86_64,
    /// `arm64`
    Arm64,
}

impl Architecture {
    /// As EC2 writes it; none: one that is not offered for Linux nodes here (`i386`, `x86_64_mac`, ...).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "x86_64" => Some(Self::X86_64),
            "arm64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// As EC2 writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// One instance type of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceType {
    /// `m5.large`
    pub name: String,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// GPUs.
    pub gpus: u32,
    /// Instruction set.
    pub architecture: Architecture,
    /// Its processor time is a budget (`t3`).
    pub burstable: bool,
    /// EC2 calls it of the current generation.
    pub current_generation: bool,
    /// It can be had as a spot instance.
    pub spot: bool,
    /// What it costs on demand, where that is known.
    pub on_demand: Option<Price>,
}

/// The types of one region and the zones each is offered in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    region: String,
    types: BTreeMap<String, InstanceType>,
    pools: BTreeSet<Pool>,
}

/// A list that is no catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCatalogue {
    /// A zone of another region.
    #[error(
        "zone {zone} of {instance_type} is not in {region}; read offerings and types of one region together"
    )]
    Zone {
        /// The zone.
        zone: String,
        /// What was said to be offered there.
        instance_type: String,
        /// The catalogue's region.
        region: String,
    },
    /// Two descriptions of one type.
    #[error("{0} is described twice, differently; read the instance types again")]
    Twice(String),
    /// A type without processors or memory: nothing could be compared with it.
    #[error("{0} has no vCPUs or no memory; read the instance types again")]
    Empty(String),
}

impl Catalogue {
    /// Of a region's types and offerings, in any order. An offering of a type that is not described is left out.
    ///
    /// # Errors
    /// They do not fit together, and where.
    pub fn new(
        region: &str,
        types: Vec<InstanceType>,
        offerings: impl IntoIterator<Item = Pool>,
    ) -> Result<Self, BadCatalogue> {
        let mut found: BTreeMap<String, InstanceType> = BTreeMap::new();
        for one in types {
            if one.vcpus == 0 || one.memory_mib == 0 {
                return Err(BadCatalogue::Empty(one.name));
            }
            if found.get(&one.name).is_some_and(|other| *other != one) {
                return Err(BadCatalogue::Twice(one.name));
            }
            found.insert(one.name.clone(), one);
        }
        let mut pools = BTreeSet::new();
        for pool in offerings {
            // Zones are named after their region, local zones too (`us-west-2a`, `us-west-2-lax-1a`).
            if !pool.zone.starts_with(region) {
                return Err(BadCatalogue::Zone {
                    zone: pool.zone,
                    instance_type: pool.instance_type,
                    region: region.to_owned(),
                });
            }
            if found.contains_key(&pool.instance_type) {
                pools.insert(pool);
            }
        }
        Ok(Self {
            region: region.to_owned(),
            types: found,
            pools,
        })
    }

    /// `eu-west-1`
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// One type by its name.
    #[must_use]
    pub fn named(&self, instance_type: &str) -> Option<&InstanceType> {
        self.types.get(instance_type)
    }

    /// All types, by name.
    pub fn types(&self) -> impl Iterator<Item = &InstanceType> {
        self.types.values()
    }

    /// What is offered, by type and zone.
    pub fn pools(&self) -> impl Iterator<Item = (&Pool, &InstanceType)> {
        self.pools
            .iter()
            .filter_map(|pool| Some((pool, self.types.get(&pool.instance_type)?)))
    }
}
