//! One instance at a time: within a process its deliveries and timers do not fight over one record.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard};

/// More lanes than deliveries worked on at once, so that two instances rarely share one.
const LANES: usize = 1024;

/// A lane for every instance; several instances may share one.
#[derive(Debug)]
pub(crate) struct Lanes(Vec<Mutex<()>>);

impl Default for Lanes {
    fn default() -> Self {
        Self((0..LANES).map(|_| Mutex::new(())).collect())
    }
}

impl Lanes {
    /// Waits until nobody else of this process is in the lane of `key`. Hold one at a time.
    pub(crate) async fn enter(&self, key: &impl Hash) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0);
        match self.0.get(lane) {
            Some(lane) => Some(lane.lock().await),
            None => None,
        }
    }
}
