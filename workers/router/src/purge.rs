//! Deletes what closed long ago: the ledger entries of its actions, its runs of every generation, and last
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
    for run_key in core.index.all_runs_of(&incident.key) {
        let Some(loaded) = core.run(&run_key).await? else {
            continue;
        };
        // Runs of the other modes have an incident of their own.
        if loaded.run.key != incident.key {
            continue;
        }
        for action in &loaded.run.actions {
            let ledger_key = key::ledger(incident.key.cluster(), &action.id);
            settled(core.bus.ledger().remove(&ledger_key, None).await)?;
        }
        settled(core.bus.runs().remove(&run_key, Some(loaded.revision)).await)?;
    }
    settled(core.bus.incidents().remove(store_key, Some(revision)).await)?;
    core.telemetry.purged(incident);
    Ok(())
}

/// Whoever changed a record meanwhile made it new: it stays.
fn settled(removed: Result<(), WriteError>) -> Result<(), Trouble> {
    match removed {
        Err(error) if !error.is_conflict() => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
