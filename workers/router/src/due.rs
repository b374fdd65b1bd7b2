//! What is done when a record's time has come.

use futures::future::try_join_all;
use hollowtrees_domain::{
    incident::{Incident, RunRef},
    run::Run,
};
use hollowtrees_schemas::{id::IncidentKey, proto, subject::IncidentEvent};
use jiff::Timestamp;

use crate::{core::Core, drive::Happened, purge, trouble::Trouble};

/// Begins, publishes again, expires or closes what is due of a run; answers when to look again.
///
/// A record that is not seen may be there all the same: the read was older than the watch that told of it. One
/// that was removed is not looked at again, whatever is answered.
pub(crate) async fn run(core: &Core, key: &str) -> Result<Option<Timestamp>, Trouble> {
    let Some(loaded) = core.run(key).await? else {
        return Ok(Some(core.now()));
    };
    let _lane = core.lanes.enter(&loaded.run.key).await;
    // Whoever was in the lane before may have done it.
    let Some(loaded) = core.run(key).await? else {
        return Ok(Some(core.now()));
    };
    if !is_due(loaded.run.due_at(), core.now()) {
        return Ok(loaded.run.due_at());
    }
    let loaded = core.tell(loaded, &[Happened::Due]).await?;
    Ok(loaded.run.due_at())
}

/// Closes an incident whose runs have ended, or deletes what closed long ago; answers when to look again.
pub(crate) async fn incident(core: &Core, key: &str) -> Result<Option<Timestamp>, Trouble> {
    let now = core.now();
    let Some(found) = core.incident_at(key).await? else {
        return Ok(Some(now));
    };
    let known = found.value;
    let Some(closes_at) = known.closes_at() else {
        let purge_at = known.purge_at();
        if is_due(purge_at, now) {
            purge::incident(core, key, &known, found.revision).await?;
            return Ok(Some(now));
        }
        return Ok(purge_at);
    };
    let Some(closed) = known.close(now) else {
        return Ok(Some(closes_at));
    };
    let keys = Core::run_keys(&known);
    let read = try_join_all(keys.iter().map(|key| core.run(key))).await?;
    let missing: Vec<&RunRef> = known
        .runs
        .iter()
        .zip(&read)
        .filter_map(|(reference, run)| run.is_none().then_some(reference))
        .collect();
    if !missing.is_empty() {
        // Listed and not there: the delivery of its notice creates it. A rule taken out of the file
        // meanwhile leaves one that nobody can; long after the end it counts as failed.
        core.telemetry.runs_missing(key, missing.len());
        let opened = known.opened_at.saturating_add(MISSING_FOR).unwrap_or(now);
        // One that was listed a moment ago in an old incident is on its way.
        let written = found.stored_at.saturating_add(ON_ITS_WAY_FOR).unwrap_or(now);
        if now < opened.max(written) {
            return Ok(Some(now));
        }
        for reference in missing {
            never_planned(core, reference, &known).await?;
        }
        return Ok(Some(now));
    }
    let runs: Vec<Run> = read.into_iter().flatten().map(|loaded| loaded.run).collect();
    if let Some(waiting) = runs.iter().find(|run| !run.is_finished()) {
        if known.withdrawn() {
            learn(core, &runs, &known).await?;
        }
        return Ok(waiting.due_at().or(Some(now)));
    }
    match core
        .bus
        .incidents()
        .update(key, &proto::Incident::from(&closed), found.revision)
        .await
    {
        Ok(_) => {
            core.incident_event(IncidentEvent::Closed, &closed).await?;
            core.telemetry.closed(&closed);
            Ok(closed.purge_at())
        }
        Err(error) if error.is_conflict() => Ok(Some(now)),
        Err(error) => Err(error.into()),
    }
}

/// How long a run that is listed may be absent.
const MISSING_FOR: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
/// The same from the last write of the incident that lists it, by the server's clock: its notice is handed out again
/// once in this.
const ON_ITS_WAY_FOR: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);

/// Records the end of a run that nobody planned; whoever made it meanwhile made it right.
async fn never_planned(core: &Core, reference: &RunRef, incident: &Incident) -> Result<(), Trouble> {
    let run = Run::never_planned(reference, incident, core.now());
    let record = proto::Run::from(&run);
    match core.bus.runs().create(&run.store_key(), &record).await {
        Ok(_) => core.run_finished(&run).await,
        Err(error) if error.is_conflict() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A run that has not learnt of the withdrawal, because its router stopped in between.
async fn learn(core: &Core, runs: &[Run], incident: &Incident) -> Result<(), Trouble> {
    let key: &IncidentKey = &incident.key;
    let _lane = core.lanes.enter(key).await;
    for run in runs {
        if let Some(loaded) = core.run(&run.store_key()).await? {
            core.tell(loaded, &[Happened::Incident(Box::new(incident.clone()))])
                .await?;
        }
    }
    Ok(())
}

fn is_due(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| at <= now)
}
