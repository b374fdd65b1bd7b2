//! EC2, Auto Scaling, Elastic Load Balancing and SQS, as our workers see them. The only crate that names the AWS SDK.
//!
//! | module | what it does |
//! |---|---|
//! | [`connect`] | the way to AWS: regions, credentials, time limits, retries |
//! | [`mod@roles`] | roles by which other accounts are reached |
//! | [`refusal`] | what an error means: which code is which [`Refusal`] |
//! | `crews` | all groups of a region with the numbers of their members |
//! | [`groups`] | auto-scaling groups: seen, sized, joined, left |
//! | [`balancers`] | target groups and classic load balancers: what is registered, taken out, put back |
//! | [`hooks`] | lifecycle hooks: seen, prolonged, answered |
//! | `instances` | EC2 instances, templates |
//! | [`mod@configuration`] | launch configurations, and what a launch takes of them |
//! | `fitting` | types that meet requirements |
//! | `requirements` | requirements of types, from Auto Scaling's form to EC2's |
//! | `launch` | one instance from a template, or from a launch configuration |
//! | `placement` | placement groups and capacity reservations, from a group's form to a launch's |
//! | [`market`] | what a region offers, and what its spot pools cost over days |
//! | [`lookup`] | many instances at once: whose they are; how long a hook waits |
//! | [`queue`] | queues of SQS: take, delete, keep out of sight |
//! | `read` | the SDK's types as those of `hollowtrees_domain::swap::world` |
//!
//! Every call has a time limit, for each attempt and for all of them. The SDK repeats what may be repeated unseen:
//! what only reads, a launch (by its token), the end of an instance. Of attaching, detaching and sizes it makes one
//! attempt, for after a lost reply the group has to be looked at again before the next; of what is said to a hook.

pub mod balancers;
pub mod configuration;
pub mod connect;
mod crews;
mod fitting;
pub mod groups;
pub mod hooks;
pub mod instances;
mod launch;
pub mod lookup;
pub mod market;
mod placement;
pub mod queue;
mod read;
pub mod refusal;
mod requirements;
pub mod roles;

pub use balancers::{Classic, Standing, Target, TargetGroup, TargetKind};
pub use connect::{Aws, ConnectError, Keys, Options, Region, Role};
pub use crews::{Crew, CrewMember};
pub use groups::Membership;
pub use hooks::{Answer, Hook, Transition, Wait};
pub use lookup::Machine;
pub use market::{Described, Most, Scored};
pub use queue::{Depth, Left, Queue, Taken};
pub use refusal::Refusal;
pub use roles::{BadRole, roles};
