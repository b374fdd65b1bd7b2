//! Owns time: follows the records and acts when one of them is due.

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::watch::Change;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    core::{Core, jittered},
    due, glance,
    index::{Item, Kind},
    retell::Retelling,
    trouble::Trouble,
};

/// The clock looks at least this often, whatever it expects.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// Replicas are due at the same moment; the first one spares the others their work.
const SPREAD: Duration = Duration::from_millis(100);
/// What is due and cannot be done, or was not enough, is looked at again after this.
const AGAIN: Duration = Duration::from_secs(5);
/// Most taken from the index at once.
const BATCH: usize = 256;

/// Keeps the index of incidents true. Never ends.
pub(crate) async fn follow_incidents(core: Arc<Core>) {
    let mut watch = core.bus.incidents().watch_as::<glance::Incident>(&[">"]);
    let mut retelling = Retelling::default();
    loop {
        match watch.next().await {
            Change::Resync => {
                core.index.clear(Kind::Incidents);
                retelling.start();
            }
            Change::Synced => {
                core.index.complete(Kind::Incidents);
                retelling.finish(&core);
            }
            Change::Removed(key) => core.index.remove(&Item::Incident(key)),
            Change::Unreadable(error) => core.telemetry.unreadable(&Trouble::from(error)),
            Change::Put(key, found) => match found.value.times() {
                Some(times) => {
                    let due = times.closes_at().or_else(|| times.purge_at());
                    let item = Item::Incident(key);
                    if let Some(at) = times.closed_at {
                        retelling.ended(&item, at, core.now());
                    }
                    core.index.put(item, due);
                }
                None => core.telemetry.unreadable(&Trouble::Unusable(format!(
                    "the times of the incident {key} make no sense"
                ))),
            },
        }
    }
}

/// Keeps the index of runs true. Never ends.
pub(crate) async fn follow_runs(core: Arc<Core>) {
    let mut watch = core.bus.runs().watch_as::<glance::Run>(&[">"]);
    let mut retelling = Retelling::default();
    loop {
        match watch.next().await {
            Change::Resync => {
                core.index.clear(Kind::Runs);
                retelling.start();
            }
            Change::Synced => {
                core.index.complete(Kind::Runs);
                retelling.finish(&core);
            }
            Change::Removed(key) => core.index.remove(&Item::Run(key)),
            Change::Unreadable(error) => core.telemetry.unreadable(&Trouble::from(error)),
            Change::Put(key, found) => {
                let item = Item::Run(key);
                if let Some(at) = found.value.ended_at() {
                    retelling.ended(&item, at, core.now());
                }
                core.index.put(item, found.value.due_at());
            }
        }
    }
}

/// Acts on what is due, on at most `acting` records at once, until told to stop; ends what it began.
pub(crate) async fn keep(core: Arc<Core>, acting: usize, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(acting));
    while !stop.is_cancelled() {
        for item in core.index.take_due(core.now(), BATCH) {
            let slot = tokio::select! {
                () = stop.cancelled() => break,
                slot = Arc::clone(&slots).acquire_owned() => slot,
            };
            let core = Arc::clone(&core);
            tasks.spawn(async move {
                let _slot = slot;
                tokio::time::sleep(SPREAD.mul_f64(rand::random_range(0.0..1.0))).await;
                act(&core, item).await;
            });
        }
        let until_next = core.index.next_due().map_or(LONGEST_SLEEP, |at| {
            let left = at.duration_since(core.now());
            Duration::try_from(left)
                .unwrap_or(Duration::ZERO)
                .min(LONGEST_SLEEP)
        });
        tokio::select! {
            () = stop.cancelled() => {}
            () = core.index.changed() => {}
            () = tokio::time::sleep(until_next) => {}
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// Does what is due of one record, and sets the next time to look.
async fn act(core: &Core, item: Item) {
    let result = match &item {
        Item::Run(key) => due::run(core, key).await,
        Item::Incident(key) => due::incident(core, key).await,
    };
    let soonest = after(core.now(), jittered(AGAIN));
    let again = match result {
        Ok(next) => next.map(|next| next.max(soonest)),
        Err(trouble) => {
            core.telemetry.not_acted(&item, &trouble);
            Some(after(core.now(), jittered(trouble.delay().max(AGAIN))))
        }
    };
    if let Some(at) = again {
        core.index.look_again(&item, at);
    }
}

fn after(now: Timestamp, delay: Duration) -> Timestamp {
    now.saturating_add(delay).unwrap_or(now)
}
