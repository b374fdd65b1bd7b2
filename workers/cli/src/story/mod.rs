//! Everything the bus knows of one instance, put in order.
//!
//! [`collect()`] reads it, [`Story::assemble`] sorts it into episodes (an incident's generation each), [`tell`]
//! and [`Json`] show it.

mod assemble;
mod collect;
mod generations;
mod json;
mod pods;
mod standing;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use hollowtrees_schemas::{id::IncidentKey, proto};
use jiff::Timestamp;

use crate::event::Event;

pub use collect::collect;
pub use json::Json;
pub use pods::Pods;
pub use standing::Standing;
pub use text::{Shown, tell};

/// Everything known of one instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Story {
    /// The instance.
    pub instance: String,
    /// Its episodes, oldest first.
    pub episodes: Vec<Episode>,
    /// Messages that belong to no episode: dead letters of notices, what cannot be read.
    pub loose: Vec<Event>,
    /// Records that cannot be read, each a sentence.
    pub troubles: Vec<String>,
}

/// One generation of one incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Cluster, instance, mode.
    pub key: IncidentKey,
    /// Its number; 0 where no router has opened an incident for its notices.
    pub generation: u64,
    /// The first notice; where the streams no longer have it, the first thing they or the records know.
    pub zero: Timestamp,
    /// Whether `zero` is the first notice itself.
    pub begins_with_notice: bool,
    /// The incident as last known.
    pub incident: Option<proto::Incident>,
    /// Its runs as last known.
    pub runs: Vec<proto::Run>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Who is at work on the actions that have no outcome yet, by action id.
    pub standings: BTreeMap<String, Standing>,
}

impl Story {
    /// Whether nothing at all is known.
    pub fn is_empty(&self) -> bool {
        self.episodes.is_empty() && self.loose.is_empty() && self.troubles.is_empty()
    }
}
