//! How well the recommender chooses: histories of prices and interruptions are generated, and strategies run a fleet
//! through them.
//!
//! | module | what |
//! |---|---|
//! | [`market`] | the generator: what a region's pools cost and lose, hour by hour |
//! | [`capacity`] | how short of capacity each pool is |
//! | [`quote`] | what it costs |
//! | [`strategy`] | ours, the original's, and others |
//! | [`fleet`] | one strategy through one history |
//! | [`table`] | means and spreads |
//!
//! Everything follows from the seed.

pub mod capacity;
pub mod chance;
pub mod fleet;
pub mod market;
pub mod quote;
pub mod strategy;
pub mod table;

#[cfg(test)]
mod tests;
