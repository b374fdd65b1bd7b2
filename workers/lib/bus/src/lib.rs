//! The bus protocol of Hollowtrees on NATS JetStream, and the only crate that names `async-nats`.
//!
//! | module | what it is |
//! |---|---|
//! | [`topology`] | every stream, bucket and consumer, declared in one table |
//! | [`apply`] | creates and updates them, or says what differs; never deletes |
//! | [`publish`] | one message, stored: PubAck, retried under the same `Nats-Msg-Id` |
//! | [`consume`] | pulls no more than the caller can hold; rebuilds itself |
//! | [`delivery`] | a message as a guard that owns its acker |
//! | [`store`], [`watch`] | typed records on key-value buckets, written by compare-and-set |
//! | [`lag`] | how full the streams are, and how far each consumer is |
//! | [`read`] | reading a stream without taking anything from it |
//! | [`peek`] | one record as it is stored |
//! | [`signal`] | what is said and not stored |
//! | [`dead`] | dead letters: kept whole, listed, redriven, discarded |
//! | [`liveness`] | which processes are alive, and by how much our clock is off |
//!
//! Rules that hold everywhere here (DESIGN section 4): a write whose reply was lost is read back before it
//! is called lost or won; a read may be stale, so nobody acts on absence; nothing is unbounded.

pub mod apply;
pub mod connection;
pub mod consume;
pub mod dead;
pub mod delivery;
pub mod lag;
pub mod liveness;
pub mod options;
pub mod peek;
pub mod publish;
pub mod read;
pub mod signal;
pub mod store;
pub mod topology;
pub mod watch;

mod forget;
mod headers;
mod link;
mod raw;
mod unreadable;

pub use connection::{Bus, ConnectError};
pub use consume::Deliveries;
pub use delivery::Delivery;
pub use options::{Auth, Options, Tls};
pub use publish::{PublishError, Published};
pub use store::{Record, Revision, Store, StoreError, Versioned, WriteError};
