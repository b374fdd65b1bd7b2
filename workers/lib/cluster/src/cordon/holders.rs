//! The annotation that says who holds a cordon.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Value of [`super::HOLDERS_ANNOTATION`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Holders {
    /// Incidents: `<instance>/<generation>`.
    pub(crate) holders: BTreeSet<String>,
    /// The machine's boot id when each of them came.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) boots: BTreeMap<String, String>,
    /// What the node was like before the first of them; of a whole cordon, where the first were taints alone.
    pub(crate) before: Before,
    /// None of them asked for more than the taint.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) taint_only: bool,
}

/// What we leave as it is when we go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Before {
    /// Somebody else had cordoned it.
    pub(crate) unschedulable: bool,
    /// Somebody else had set [`super::EXCLUSION_LABEL`].
    pub(crate) excluded: bool,
}

impl Holders {
    /// What an annotation says; `None` where it says nothing one can read.
    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Nobody holds it, and yet it was written: by an agent that cordoned its own node (`workers/agent/src/cordon`). The last of
    /// our own holders takes the annotation away.
    pub(crate) fn is_of_nobody(&self) -> bool {
        self.holders.is_empty() && !self.taint_only
    }

    pub(crate) fn write(&self) -> String {
        // Sets and booleans can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}
