//! Replacing an instance of an auto-scaling group (DESIGN section 8), without doing it.
//!
//! A swap is a saga that looks before every step: [`decide()`] takes the [`Checkpoint`] and what the cloud shows
//! ([`Seen`]) and says one thing to do ([`Next`]). It is asked again after each, with what is shown then. So a start
//! after a crash is nothing special: what was done shows, and what does not show is done again.
//!
//! | module | what it says |
//! |---|---|
//! | [`world`] | what the cloud shows |
//! | [`strategy`] | which way is asked for, by whom |
//! | [`skip`] | why nothing is to be done |
//! | [`source`] | what a group launches from, and which types come of it |
//! | [`choice`] | which pools to try |
//! | [`placement`] | where in EC2 a group has its instances: a placement group, capacity reservations |
//! | `protection` | which are too dear for a group's own price protection |
//! | `scale_in` | the old one's protection from scale-in, for its replacement |
//! | [`order`] | in which order, and why |
//! | [`checkpoint`] | what a swap remembers, and what answers do to it |
//! | [`node`] | the wait for the replacement's node |
//! | [`health`] | the wait for its health at load balancers |
//! | [`seen`] | one look at everything a decision needs |
//! | [`next`] | one thing to do |
//! | [`decide`](mod@decide) | which one it is |
//! | [`processes`] | what somebody has suspended of a group, and how it wants instances replaced |
//! | [`rebalance`] | what is left to a group that replaces spot instances itself |
//! | [`policy`] | which of them a rule and a group allow |
//! | [`share`] | how many members are on demand once open swaps have ended |
//! | [`orphan`] | what a swap left behind |
//! | [`leftover`] | what it left in its group |
//! | [`again`] | whether it is tried again to have on spot what fell back to on demand |
//! | [`turn`] | whose turn it is to look for it |
//! | [`forecast`](mod@forecast) | which calls a swap would make, for a dry run |
//! | [`joint`] | steps of several swaps of a group as one call |
//! | [`book`] | the record of a group: lease, sizes, open swaps |
//! | [`balance`] | whether the group may even out its zones meanwhile |
//! | [`note`] | what is noted there of a write |
//! | [`fresh`] | whether what is read of a group is as we left it |

pub mod again;
pub mod balance;
pub mod book;
pub mod checkpoint;
pub mod choice;
pub mod decide;
pub mod forecast;
pub mod fresh;
pub mod health;
pub mod joint;
pub mod leftover;
pub mod next;
pub mod node;
pub mod note;
pub mod order;
pub mod orphan;
pub mod placement;
pub mod policy;
pub mod processes;
pub mod rebalance;
pub mod seen;
pub mod share;
pub mod skip;
pub mod source;
pub mod strategy;
pub mod turn;
pub mod world;

mod forward;
mod protection;
mod scale_in;
mod undo;

#[cfg(test)]
mod tests;

pub use checkpoint::{Answer, Checkpoint};
pub use choice::Choice;
pub use decide::{Decision, decide};
pub use forecast::forecast;
pub use next::{End, Next, Wait};
pub use node::Node;
pub use policy::Policy;
pub use seen::{Books, Drain, Orders, Seen};
pub use strategy::Strategy;

/// Tag of a group that may be touched: `true`.
pub const TAG_MANAGED: &str = "hollowtrees.io/managed";
/// Tag of a group: its strategy.
pub const TAG_STRATEGY: &str = "hollowtrees.io/strategy";
/// Tag of a group: the only types a replacement may be of, as patterns apart by commas.
pub const TAG_ALLOWED_TYPES: &str = "hollowtrees.io/allowed-types";
/// Tag of a group: types no replacement may be of.
pub const TAG_DENIED_TYPES: &str = "hollowtrees.io/denied-types";
/// Tag of a group: up to which percentage of the on-demand price a spot pool is used.
pub const TAG_PRICE_CEILING: &str = "hollowtrees.io/price-ceiling";
/// Tag of a group: how many of its swaps may be open at once.
pub const TAG_MAX_OPEN: &str = "hollowtrees.io/max-open";
/// Tag of a group: how long after a swap of it the next one begins.
pub const TAG_COOLDOWN: &str = "hollowtrees.io/cooldown";
/// Tag of a group: how many of its members are on demand, at least.
pub const TAG_ON_DEMAND: &str = "hollowtrees.io/on-demand";
/// Tag of a group: what is tried where no spot pool gives an instance.
pub const TAG_FALLBACK: &str = "hollowtrees.io/fallback";
/// Tag of what we launched: the id of the action.
pub const TAG_ACTION: &str = "hollowtrees.io/action";
/// Tag of what we launched: the instance it replaces.
pub const TAG_REPLACES: &str = "hollowtrees.io/replaces";
/// Tag of an instance: its cluster's name on the bus. What we launched has its action's, unless its group says another.
pub const TAG_CLUSTER: &str = "hollowtrees.io/cluster";
/// Tag of what we launched: number of the choice, from 0.
pub const TAG_CHOICE: &str = "hollowtrees.io/choice";
/// Tag of what we launched: `true` where it is on demand for want of spot, and not for the group's share.
pub const TAG_FELL_BACK: &str = "hollowtrees.io/fell-back";
/// Tag of a group of EKS, which replaces its instances itself (EKS user guide, "managed node groups").
pub const TAG_NODE_GROUP: &str = "eks:nodegroup-name";
