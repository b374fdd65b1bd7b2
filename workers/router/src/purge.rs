//! Deletes what closed long ago: the ledger entries of its actions, its runs up to its generation, and last
//! the incident, so that a purge that was interrupted is found again.

use hollowtrees_bus::{Revision, WriteError};
use hollowtrees_domain::incident::Incident;
use hollowtrees_schemas::key;

use crate::{core::Core, trouble::Trouble};

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
