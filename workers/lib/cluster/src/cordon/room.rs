//! Counts the nodes that take no pods, those included that are being cordoned right now: a watch shows them later.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hollowtrees_domain::drain::cap::Cap;

use super::Cordoned;
use crate::cache::{Cache, Node};

/// A cordon that no watch shows after this long was undone, or never came about.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);

/// Room for cordons under a cap. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Room {
    cache: Cache,
    begun: Arc<Mutex<HashMap<Arc<str>, Instant>>>,
}

impl Room {
    pub(crate) fn new(cache: Cache) -> Self {
        Self {
            cache,
            begun: Arc::default(),
        }
    }

    /// Takes a place for this node, which is about to be cordoned; or says why there is none.
    pub(crate) fn take(&self, node: &Node, cap: Cap) -> Result<(), Cordoned> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|name, at| {
            let is_shown = self.cache.node(name).is_none_or(|node| node.is_unschedulable());
            !is_shown && at.elapsed() < SHOWN_WITHIN
        });
        let (cordoned, nodes) = self.cache.unschedulable();
        let cordoned = cordoned + begun.len();
        let is_counted = node.is_unschedulable() || begun.contains_key(&node.name);
        if !is_counted && !cap.allows_one_more(cordoned, nodes) {
            return Err(Cordoned::TooMany { cordoned, nodes });
        }
        if !is_counted {
            begun.insert(Arc::clone(&node.name), Instant::now());
        }
        Ok(())
    }

    /// The cordon did not come about.
    pub(crate) fn give_back(&self, node: &Node) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.remove(&node.name);
    }
}
