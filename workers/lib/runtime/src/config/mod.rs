//! Configuration: documented defaults -> file -> environment -> validated, typed values.
//!
//! A worker embeds the defaults of its own keys as commented TOML and describes them as a type; the sections every
//! worker has ([`Log`], [`Health`], [`Shutdown`], [`Nats`]) come with the frame. The type derives `Deserialize` and
//! `Serialize` and names every key it knows: any other key, in a file or in the environment, is refused by name.
//!
//! ```
//! # use serde::{Deserialize, Serialize};
//! use hollowtrees_runtime::config::{Loader, Problem, Settings};
//!
//! #[derive(Deserialize, Serialize)]
//! #[serde(deny_unknown_fields)]
//! struct Router { rules_file: String, parallel: u32 }
//!
//! impl Settings for Router {
//!     fn validate(&self, problems: &mut Vec<Problem>) {
//!         if self.parallel == 0 {
//!             problems.push(Problem::new("parallel", "is zero; give at least 1"));
//!         }
//!     }
//! }
//!
//! let env = [("HT_PARALLEL".to_owned(), "8".to_owned())].into();
//! let config = Loader::new("rules_file = ''\nparallel = 4").env(env).load::<Router>()?;
//! assert_eq!(config.own.parallel, 8);
//! # Ok::<(), hollowtrees_runtime::config::Refused>(())
//! ```
//!
//! From the environment: a list is comma-separated, an empty variable counts as unset, and free maps cannot be set
//! (the environment has no case). Keys are lower-case words with underscores, so that each has a variable.

mod dump;
pub mod duration;
#[cfg(feature = "bus")]
mod format;
mod load;
mod origin;
mod problem;
mod read;
mod secret;
mod sections;

#[cfg(feature = "bus")]
pub use format::Format;
pub use load::{Config, DEFAULT_LISTEN, Loader, Settings, environment};
pub use origin::{Origin, variable};
pub use problem::{Problem, Refused};
pub use secret::{REDACTED, Secret};
pub use sections::{Health, Log, LogFormat, Nats, Shutdown, Tls};
