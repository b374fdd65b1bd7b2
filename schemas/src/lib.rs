//! What Hollowtrees says on the bus, and how: messages, subjects, names, ids, and CloudEvents over NATS.
//!
//! Everything here is a pure function of its arguments: no async, no IO, no clock, no client of any
//! server. A consumer in another language finds the same facts in `asyncapi.yaml` and `proto/`.
//!
//! | module | has |
//! |---|---|
//! | [`proto`] | the messages, and times between them and `jiff` |
//! | [`token`], [`subject`], [`filter`], [`key`] | where a message or record lives |
//! | [`names`] | streams, buckets, headers, and the words used in messages |
//! | [`id`] | ids made from content |
//! | [`codec`] | CloudEvents <-> header pairs and bytes |
//! | [`envelope`], [`outgoing`] | one of our messages as a CloudEvent, ready to be published |

pub mod codec;
pub mod envelope;
pub mod filter;
mod hex;
pub mod id;
pub mod key;
pub mod names;
pub mod outgoing;
pub mod proto;
pub mod subject;
pub mod token;
