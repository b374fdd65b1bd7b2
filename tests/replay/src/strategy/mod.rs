//! Who chooses the pools, and how.

mod original;
mod ours;
mod simple;

use anyhow::Result;
use hollowtrees_domain::recommend::{Interruption, Taste};

use crate::market::{Course, Market};

/// What a strategy may look at: nothing after `hour`.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The history.
    pub market: &'a Market,
    /// Now.
    pub hour: usize,
    /// Instances of the fleet.
    pub size: u32,
    /// The fleet's own interruptions so far.
    pub interruptions: &'a [Interruption],
    /// How many of its instances ran: course, hour, count.
    pub ran: &'a [(usize, usize, u32)],
    /// What ours cares for.
    pub taste: Taste,
}

impl View<'_> {
    /// What a course costs now.
    fn dollars(&self, course: &Course) -> f64 {
        course.dollars.get(self.hour).copied().unwrap_or(f64::MAX)
    }
}

/// What is planned: courses by their places, the best first, and how many instances of the fleet in each.
pub type Planned = Vec<(usize, u32)>;

/// One way to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// `domain::recommend` with all that it can know.
    Ours,
    /// ... and how long the fleet's instances ran in each pool.
    OursWithHours,
    /// ... without the fleet's own interruptions.
    OursUnlearning,
    /// ... with prices and own interruptions only: what any account can read.
    OursUnpublished,
    /// spot-recommender 0.0.1 with the engine's split over zones and types.
    Original,
    /// Telescopes 0.5.3: types by their average price, as many as the size asks for.
    Telescopes,
    /// The pool that is cheapest now.
    Cheapest,
    /// Evenly over all pools.
    Everywhere,
    /// The three pools with most capacity, as EC2 would see it.
    Capacity,
    /// The three cheapest of the third with most capacity, as EC2 would see it.
    PriceCapacity,
}

impl Strategy {
    /// All, as the table lists them.
    pub const ALL: [Self; 10] = [
        Self::Ours,
        Self::OursWithHours,
        Self::OursUnlearning,
        Self::OursUnpublished,
        Self::Original,
        Self::Telescopes,
        Self::Cheapest,
        Self::Everywhere,
        Self::Capacity,
        Self::PriceCapacity,
    ];

    /// Its row.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursWithHours => "ours, instance-hours known",
            Self::OursUnlearning => "ours, without own interruptions",
            Self::OursUnpublished => "ours, prices and own interruptions only",
            Self::Original => "original (spot-recommender)",
            Self::Telescopes => "original (Telescopes)",
            Self::Cheapest => "cheapest first",
            Self::Everywhere => "evenly over all pools",
            Self::Capacity => "capacity-optimised (sees EC2's capacity)",
            Self::PriceCapacity => "price-capacity-optimised (sees EC2's capacity)",
        }
    }

    /// What it plans now.
    ///
    /// # Errors
    /// It has no plan.
    pub fn plan(self, view: &View<'_>) -> Result<Planned> {
        match self {
            Self::Ours | Self::OursWithHours | Self::OursUnlearning | Self::OursUnpublished => {
                ours::plan(self, view)
            }
            Self::Original => Ok(original::recommender(view)),
            Self::Telescopes => Ok(original::telescopes(view)),
            Self::Cheapest => Ok(simple::cheapest(view)),
            Self::Everywhere => Ok(simple::everywhere(view)),
            Self::Capacity => Ok(simple::capacity(view)),
            Self::PriceCapacity => Ok(simple::price_capacity(view)),
        }
    }
}
