//! Whose turn it is to read and show: one process of all, for as long as it lives.
//!
//! It holds a lease on the bus, in a record of no group, and renews it. Where the bus is away nobody can take it over, and whoever
//! had it goes on: two that show the same are better than none. Who finds that another one has it, shows nothing.

use std::{collections::BTreeSet, convert::Infallible, sync::OnceLock, time::Duration};

use hollowtrees_bus::{Bus, Options};
use hollowtrees_domain::swap::book;
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::proto;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::group::{Changed, Place, connected};

/// It is renewed this often, well within [`book::LEASE`].
const RENEWED: Duration = Duration::from_secs(10);
/// Who waits looks this often, at least: it may be given back before it ends.
const LOOKED: Duration = Duration::from_secs(5);
/// A bus that cannot be reached is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);
/// It is given back within this, or it ends by itself.
const GIVEN_BACK: Duration = Duration::from_secs(2);

/// The turn of all processes that read the same regions.
pub(crate) struct Turn {
    place: Place,
    options: Options,
    me: proto::Worker,
    bus: OnceLock<Bus>,
    is_ours: watch::Sender<bool>,
}

impl Turn {
    /// Whoever reads other regions has a turn of its own.
    pub(super) fn new(regions: &[String], options: Options, me: proto::Worker) -> Self {
        let regions: BTreeSet<&str> = regions.iter().map(String::as_str).collect();
        let regions: Vec<&str> = regions.into_iter().collect();
        Self {
            place: Place::new("", &regions.join("+"), ""),
            options,
            me,
            bus: OnceLock::new(),
            is_ours: watch::Sender::new(false),
        }
    }

    /// Whether it is this process's.
    pub(super) fn is_ours(&self) -> watch::Receiver<bool> {
        self.is_ours.subscribe()
    }

    /// Takes it once it is free, and keeps it.
    pub(super) async fn keep(&self) -> Infallible {
        let bus = connected(&self.options, "the exporter", AGAIN).await;
        let bus = self.bus.get_or_init(|| bus);
        loop {
            let wait = match self.take(bus).await {
                Ok(None) => {
                    self.tell(true);
                    RENEWED
                }
                Ok(Some(until)) => {
                    self.tell(false);
                    let left = Duration::try_from(until.duration_since(Timestamp::now()));
                    left.unwrap_or_default().min(LOOKED)
                }
                Err(error) => {
                    tracing::debug!(%error, "Whose turn it is to show groups could not be asked.");
                    AGAIN
                }
            };
            let apart = Duration::from_secs(1).mul_f64(rand::random_range(0.0..=1.0));
            tokio::time::sleep(wait + apart).await;
        }
    }

    /// A time: until then it is another one's.
    async fn take(&self, bus: &Bus) -> Result<Option<Timestamp>, Failure> {
        let now = Timestamp::now();
        self.place
            .change(bus, |record| {
                match book::lease(record, &self.me, &self.me.process, now) {
                    Ok(()) => Changed::Write(None),
                    Err(until) => Changed::Leave(Some(until)),
                }
            })
            .await
    }

    fn tell(&self, is_ours: bool) {
        let changed = self
            .is_ours
            .send_if_modified(|was| std::mem::replace(was, is_ours) != is_ours);
        if changed && is_ours {
            tracing::info!("This process reads groups and shows them.");
        } else if changed {
            tracing::info!("Another process reads groups and shows them.");
        }
    }

    /// Lets another process have it, the next that looks.
    pub(crate) async fn give_back(&self) {
        let Some(bus) = self.bus.get().filter(|_| *self.is_ours.borrow()) else {
            return;
        };
        let given = self.place.change(bus, |record| {
            if book::holds(record, &self.me, &self.me.process) {
                record.lease = None;
                Changed::Write(())
            } else {
                Changed::Leave(())
            }
        });
        if !matches!(tokio::time::timeout(GIVEN_BACK, given).await, Ok(Ok(()))) {
            tracing::debug!("The turn to show groups could not be given back; it ends by itself.");
        }
    }
}
