//! Deletes what closed long ago: the ledger entries of its actions, its runs up to its generation, and last
//! the incident, so that a purge that was interrupted is found again.

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::{Revision, StoreError, WriteError};
use hollowtrees_domain::incident::Incident;
use hollowtrees_schemas::key;
use jiff::SignedDuration;

use crate::{
    core::{Core, jittered},
    trouble::Trouble,
};

/// How often the markers of removed records are looked for, before jitter.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
/// How old they are then: whoever was in the middle of something with a record is done with it.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// Forgets the markers of what was deleted. Never ends; any replica may do it, and twice does no harm.
pub(crate) async fn forget(core: Arc<Core>) {
    loop {
        tokio::time::sleep(jittered(FORGET_EVERY)).await;
        match forget_now(&core).await {
            Ok(0) => {}
            Ok(markers) => tracing::info!(markers, "What is left of removed records was forgotten."),
            Err(error) => {
                tracing::warn!(%error, "What is left of removed records could not be forgotten; it is tried again.");
            }
        }
    }
}

async fn forget_now(core: &Core) -> Result<usize, StoreError> {
    let now = core.now();
    let older_than = now.saturating_sub(FORGET_AFTER).unwrap_or(now);
    let (incidents, runs, ledger) = (core.bus.incidents(), core.bus.runs(), core.bus.ledger());
    Ok(incidents.forget_removed(older_than).await?
        + runs.forget_removed(older_than).await?
        + ledger.forget_removed(older_than).await?)
}

/// Deletes an incident with all that belongs to it.
pub(crate) async fn incident(
    core: &Core,
    store_key: &str,
    incident: &Incident,
    revision: Revision,
) -> Result<(), Trouble> {
    if !core.index.is_complete() {
        return Err(Trouble::NotYet("the runs are not all read yet".to_owned()));
    }
    let _lane = core.lanes.enter(&incident.key).await;
    for run_key in core.index.all_runs_of(&incident.key) {
        let Some(loaded) = core.run(&run_key).await? else {
            continue;
        };
        // Runs of the other modes have an incident of their own, and those of a later generation belong to
        // what the instance went through since this incident was read.
        if loaded.run.key != incident.key || loaded.run.generation > incident.generation {
            continue;
        }
        for action in &loaded.run.actions {
            let ledger_key = key::ledger(incident.key.cluster(), &action.id);
            settled(core.bus.ledger().remove(&ledger_key, None).await)?;
        }
        settled(core.bus.runs().remove(&run_key, Some(loaded.revision)).await)?;
    }
    if settled(core.bus.incidents().remove(store_key, Some(revision)).await)? {
        core.telemetry.purged(incident);
    }
    Ok(())
}

/// Whether it was removed. Whoever changed a record meanwhile made it new: it stays.
fn settled(removed: Result<(), WriteError>) -> Result<bool, Trouble> {
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.is_conflict() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
