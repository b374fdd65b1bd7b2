//! What is to be done about the pods of a node that goes (DESIGN section 7), without doing it.
//!
//! | module | what it decides |
//! |---|---|
//! | [`instance`] | which instance a node is |
//! | [`select`] | which pods go, in which tier, and which stay and why |
//! | [`terms`] | what an action may say of it, and what several of them mean for one pod |
//! | [`force`] | when a budget may be overridden, and with how much grace |
//! | [`mod@assess`] | the next step of every pod of a node, and whether the node is empty |
//! | [`order`] | which pod of all nodes comes first |
//! | [`budget`] | which budgets stand before a pod |
//! | [`cap`] | how much of a cluster may be out of use for what is only advised |
//! | [`spending`] | how many evictions under a budget are worth asking for |
//!
//! Everything follows from what the cluster shows and the time: a process that takes a drain over decides as
//! the one before it would have.

pub mod assess;
pub mod budget;
pub mod cap;
pub mod force;
pub mod instance;
pub mod order;
pub mod pod;
pub mod select;
pub mod spending;
pub mod terms;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use assess::{Assessed, Assessment, Step, assess};
pub use budget::Hold;
pub use force::{Force, Wish};
pub use pod::{Deletion, Labels, Owner, Pod};
pub use select::{Options, Skip, Tier, Tolerating, Unbudgeted, Verdict};
pub use spending::Spending;
pub use terms::{Bearing, Going, Terms, Want};
