//! The worker between a real bus and a simulated AWS: actions in, outcomes out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod accounts;
mod again;
mod choices;
mod crash;
mod credentials;
mod end;
mod exporter;
mod faults;
mod ground;
mod happy;
mod health;
mod kills;
mod kinds;
mod late;
mod left_alone;
mod leftovers;
mod mass;
mod matrix;
mod meanwhile;
mod node;
mod peers;
mod placement;
mod policies;
mod policy;
mod process;
mod processes;
mod rebalance;
mod rehearsal;
mod replicas;
mod rights;
mod scale_in;
mod seldom;
mod sources;
mod standby;
mod strategies;
mod sweep;
mod throttled;
mod together;
mod ways;
mod whole;
mod withdrawal;
mod world;
mod zones;
