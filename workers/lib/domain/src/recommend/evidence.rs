//! All that is known at one time of a region's pools.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Band, History, PlacementScore};

/// A type in a zone: what EC2 prices and reclaims as one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pool {
    /// `m5.large`
    pub instance_type: String,
    /// `eu-west-1a`
    pub zone: String,
}

impl Pool {
    /// Of a type and a zone.
    #[must_use]
    pub fn new(instance_type: &str, zone: &str) -> Self {
        Self {
            instance_type: instance_type.to_owned(),
            zone: zone.to_owned(),
        }
    }
}

/// One of our instances was interrupted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interruption {
    /// Where it ran.
    pub pool: Pool,
    /// When that was noticed.
    pub at: Timestamp,
}

/// Instance-hours: finite, not below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct InstanceHours(f64);

impl InstanceHours {
    /// None: not finite, or below zero.
    #[must_use]
    pub fn new(hours: f64) -> Option<Self> {
        (hours.is_finite() && hours >= 0.0).then_some(Self(hours))
    }

    /// The number.
    #[must_use]
    pub fn hours(self) -> f64 {
        self.0
    }
}

/// What is known at `now`. Everything but the time may be empty.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Now.
    pub now: Timestamp,
    /// When the prices were read last; none: never.
    pub prices_read_at: Option<Timestamp>,
    /// Price points of each pool.
    pub prices: BTreeMap<Pool, History>,
    /// Spot placement scores by zone.
    pub placement: BTreeMap<String, PlacementScore>,
    /// Interruption frequency by type.
    pub bands: BTreeMap<String, Band>,
    /// Our own interruptions.
    pub interruptions: Vec<Interruption>,
    /// How long our own instances ran in each pool, older hours weighted as older interruptions are
    /// ([`super::Taste::decay`]); none: not known of any.
    pub instance_hours: Option<BTreeMap<Pool, InstanceHours>>,
}

impl Evidence {
    /// At a time at which nothing is known.
    #[must_use]
    pub fn none(now: Timestamp) -> Self {
        Self {
            now,
            prices_read_at: None,
            prices: BTreeMap::new(),
            placement: BTreeMap::new(),
            bands: BTreeMap::new(),
            interruptions: Vec::new(),
            instance_hours: None,
        }
    }
}
