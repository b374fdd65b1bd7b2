//! Who is at work on an action that has no outcome yet.

use std::collections::BTreeSet;

use hollowtrees_schemas::{names::ledger_state, proto};
use jiff::Timestamp;
use serde::Serialize;

use crate::when;

/// What the ledger and the living know of an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Who claimed it, as `kind/process`; none where nobody has.
    pub owner: Option<String>,
    /// Whether that process is alive.
    pub owner_alive: bool,
    /// When it was claimed.
    pub since: Option<Timestamp>,
    /// Starts so far.
    pub attempt: u32,
    /// It is done, and the outcome is on its way.
    pub done: bool,
    /// Whether any live process serves its kind.
    pub served: bool,
}

/// A [`Standing`] as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Json<'a> {
    action_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    owner_alive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    attempt: u32,
    done: bool,
    served: bool,
}

/// Who lives.
#[derive(Debug, Default)]
pub(super) struct Living {
    processes: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

impl Living {
    pub(super) fn of(records: impl IntoIterator<Item = proto::Liveness>) -> Self {
        let mut living = Self::default();
        for record in records {
            living.kinds.extend(record.serves);
            living
                .processes
                .extend(record.worker.map(|worker| worker.process));
        }
        living
    }
}

impl Standing {
    pub(super) fn of(kind: &str, entry: Option<&proto::LedgerEntry>, living: &Living) -> Self {
        let served = living.kinds.contains(kind);
        let Some(entry) = entry else {
            return Self {
                served,
                ..Self::default()
            };
        };
        let owner = entry.owner.as_ref();
        Self {
            owner: owner.map(|owner| format!("{}/{}", owner.kind, owner.process)),
            owner_alive: owner.is_some_and(|owner| living.processes.contains(&owner.process)),
            since: when::of(entry.started_at.as_ref()),
            attempt: entry.attempt,
            done: entry.state == ledger_state::DONE,
            served,
        }
    }

    /// For a person.
    pub(super) fn text(&self, kind: &str, zero: Timestamp) -> String {
        let Some(owner) = &self.owner else {
            return if self.served {
                "published, not taken yet".to_owned()
            } else {
                format!("published, not taken: no live worker serves {kind}")
            };
        };
        if self.done {
            return format!("done by {owner}, its outcome is on the way");
        }
        let since = self.since.map_or_else(String::new, |since| {
            format!(" since {}", when::after(since, zero))
        });
        let attempt = if self.attempt > 1 {
            format!(", attempt {}", self.attempt)
        } else {
            String::new()
        };
        let gone = if self.owner_alive {
            ""
        } else if self.served {
            ", which is gone; another will take over"
        } else {
            ", which is gone, and nobody else serves it"
        };
        format!("running{since} on {owner}{attempt}{gone}")
    }

    pub(super) fn json<'a>(&'a self, action_id: &'a str) -> Json<'a> {
        Json {
            action_id,
            owner: self.owner.as_deref(),
            owner_alive: self.owner_alive,
            since: self.since.map(proto::time::text),
            attempt: self.attempt,
            done: self.done,
            served: self.served,
        }
    }
}
