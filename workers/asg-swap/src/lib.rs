//! The swap worker: `asg-swap` actions in, a replacement in the auto-scaling group, an outcome out.
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | its own configuration |
//! | `run` | the process: reaches AWS, serves, ends |
//! | [`worker`] | from an action to a saga: [`worker::Swapper`] |
//! | `params` | what an action says of it |
//! | `saga` | looks, asks what is next, does it, until the end |
//! | [`node`] | the wait for a replacement's node |
//! | `targets` | what load balancers say of a replacement |
//! | `look` | one look at AWS and the records |
//! | `reads` | what is asked of AWS, for many swaps in one call |
//! | `section` | steps that change sizes, under the group's lease |
//! | `desk` | where swaps of one group meet, for steps of all of them in one call |
//! | `step` | one step, done once |
//! | `answers` | what its answer makes of the swap |
//! | `launches` | whose launch is next while EC2 takes fewer than there are |
//! | `finish` | its last word |
//! | `times` | until when what may go on |
//! | `end` | what a swap leaves for a later step: the old instance is ended |
//! | `begin` | chooses pools and enters the swap into the group's record |
//! | `sources` | what the names in a group's source stand for |
//! | `prices` | what spot pools cost over days, for that choice |
//! | `policy` | what a swap may do |
//! | `waiting` | swaps that wait until fewer of their group are open |
//! | `group` | the group's record |
//! | `records` | what incidents, runs and the ledger say |
//! | `rehearsal` | the same in a dry run |
//! | `report` | what is told of a swap |
//! | `back` | what a swap asks before it brings an instance back to spot |
//! | `again` | of which instances is told that they may go back to spot |
//! | [`sweep`] | what swaps left behind is looked for, and told or ended |
//! | [`exporter`] | how groups are manned and what their spot instances cost, under the names of the original exporter |
//! | `leftovers` | what they left in groups is taken back |
//! | `cloud` | calls of AWS, counted |
//! | [`telemetry`] | what is counted |
//!
//! What is done, and when, is decided in `hollowtrees_domain::swap`; AWS is called in `hollowtrees-aws`.

pub mod config;
pub mod exporter;
pub mod node;
pub mod sweep;
pub mod telemetry;
pub mod worker;

mod again;
mod answers;
mod back;
mod begin;
mod calls;
mod cloud;
mod desk;
mod end;
mod finish;
mod group;
mod launches;
mod leftovers;
mod look;
mod params;
mod policy;
mod prices;
mod reads;
mod rebalancing;
mod records;
mod rehearsal;
mod report;
mod run;
mod saga;
mod section;
mod sources;
mod step;
mod targets;
mod times;
mod waiting;

pub use run::run;

/// The whole process, from the command line to the exit code.
pub fn main() -> std::process::ExitCode {
    hollowtrees_runtime::Frame::new("asg-swap", env!("CARGO_PKG_VERSION"))
        .about("replaces instances of auto-scaling groups")
        .defaults(config::DEFAULTS)
        .many_threaded()
        .run(run)
}
