//! Tables of single decisions; the whole saga is in [`model`].

mod balance;
mod book;
mod choices;
mod health;
mod model;
mod node;
mod placement;
mod processes;
mod rebalance;
mod scale_in;
mod share;
mod sources;
mod steps;
