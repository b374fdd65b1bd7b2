//! Faults to put between a client and a server.

mod fault;
mod http;
mod tcp;

pub(crate) use fault::Faults;
pub use fault::{Fault, Held, Seen};
pub use http::Http;
pub use tcp::Tcp;
