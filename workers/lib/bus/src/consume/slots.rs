//! The places of a consumer: as many deliveries as it may hold.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// What a consumer holds and went through so far.
#[derive(Debug, Default)]
pub(super) struct Held {
    now: AtomicUsize,
    /// A place was given back.
    pub(super) freed: Notify,
    /// Times the pull was made anew.
    pub(super) rebuilds: AtomicU64,
}

impl Held {
    /// Deliveries held now.
    pub(super) fn now(&self) -> usize {
        self.now.load(Ordering::Acquire)
    }
}

/// One of the `accepted` places; given back when its delivery goes.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Held>);

impl Slot {
    pub(super) fn take(held: &Arc<Held>) -> Self {
        held.now.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(held))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
    }
}
