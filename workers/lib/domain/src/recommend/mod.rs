//! Which spot pools an instance should come from: cheap ones that last, and not all eggs in one of them.
//!
//! | module | what it decides |
//! |---|---|
//! | [`wish`] | what is asked for, read at the edge |
//! | [`catalogue`] | which instance types a region offers, in which zones |
//! | [`pattern`] | instance types allowed or denied by name |
//! | [`price`] | what a price history says: time-weighted mean, percentile, volatility |
//! | [`on_demand`] | prices on demand, read from a text |
//! | [`cost_score`] | the original's score of costs, and of which types |
//! | [`evidence`] | all that is known at one time of a region's pools |
//! | [`hazard`] | how often a pool is likely to be interrupted |
//! | [`taste`] | what an interruption is worth, how far to spread |
//! | [`eligible`] | which types fit the wish, and why the others do not |
//! | [`plan`] | pools in order, how many instances from each, and why |
//! | [`spread`] | that count |
//! | [`nodes`] | how many nodes of which types make up a sum of vCPUs and memory |
//! | [`reason`] | the reasons, in words and numbers |
//! | [`reading`] | what was read last, kept when the next read fails |
//!
//! [`recommend`], and [`rank`] of pools that somebody else has chosen, are functions of their arguments alone; the order in
//! which these are listed changes nothing. Formulae and how well they do: `docs/recommender.md`.

pub mod catalogue;
pub mod cost_score;
pub mod eligible;
pub mod evidence;
pub mod hazard;
pub mod nodes;
pub mod on_demand;
pub mod pattern;
pub mod plan;
pub mod price;
pub mod reading;
pub mod reason;
pub mod spread;
pub mod taste;
pub mod wish;

#[cfg(test)]
mod original;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use catalogue::{Architecture, Catalogue, InstanceType};
pub use evidence::{Evidence, Interruption, Pool};
pub use hazard::{Band, PlacementScore};
pub use plan::{Market, NoPlan, Plan, Ranked, rank, recommend};
pub use price::{History, Point, Price, Statistics};
pub use reading::Reading;
pub use reason::Reason;
pub use taste::Taste;
pub use wish::{Asked, Wish};
