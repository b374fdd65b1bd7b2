//! An HTTP/1.1 server for whoever is not the platform: bounded in connections, times and memory, with TLS. Probes and
//! scrapes are for [`crate::http`].
//!
//! | part | what it does |
//! |---|---|
//! | [`mod@serve`] | connections: so many, no slow ones, TLS |
//! | [`tls`] | certificates, and the names in a client's |
//! | [`body`] | a request's body, bounded in size, time and memory |

pub mod body;
pub mod serve;
pub mod tls;

pub use body::{Bodies, BodyError};
pub use serve::{Limits, Peer, Service, serve};
pub use tls::{Acceptor, Tls, TlsError};
