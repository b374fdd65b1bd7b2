//! The newest delivery of an action, shared by who works on it and who keeps it alive.

use std::sync::{Mutex, PoisonError};

use hollowtrees_bus::{
    Delivery,
    delivery::{Keepalive, Slip},
};

/// Holds at most one delivery. When the server hands the same action out again (the bus was away for longer
/// than `ack_wait`), the newer delivery takes the older one's place and nothing is started.
#[derive(Debug)]
pub(crate) struct Parcel(Mutex<Option<Delivery>>);

impl Parcel {
    pub(crate) fn new(delivery: Delivery) -> Self {
        Self(Mutex::new(Some(delivery)))
    }

    /// Takes the delivery out, to settle it.
    pub(crate) fn take(&self) -> Option<Delivery> {
        self.lock().take()
    }

    /// Puts a newer delivery in the place of the one held; hands it back if that was settled meanwhile.
    pub(crate) fn adopt(&self, newer: Delivery) -> Option<Delivery> {
        let mut held = self.lock();
        match held.replace(newer) {
            Some(older) => {
                older.abandon();
                None
            }
            None => held.take(),
        }
    }

    /// What keeps the delivery ours, while there is one.
    pub(crate) fn keepalive(&self) -> Option<Keepalive> {
        self.lock().as_ref().and_then(Delivery::keepalive)
    }

    /// What the delivery is known by, while there is one.
    pub(crate) fn slip(&self) -> Option<Slip> {
        self.lock().as_ref().map(Delivery::slip)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Delivery>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
