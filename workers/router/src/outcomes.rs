//! Records an outcome in every run that waits for it.

use futures::future::try_join_all;
use hollowtrees_bus::{Delivery, dead::Class};
use hollowtrees_domain::run::Ended;
use hollowtrees_schemas::{
    envelope::Envelope,
    id::{ActionId, IncidentKey},
    names::result,
    proto,
    subject::Subject,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    core::Core,
    drive::Happened,
    trouble::{Refusal, Trouble},
};

/// What an outcome says, to the runs that may wait for it.
struct Told<'a> {
    key: IncidentKey,
    generation: u64,
    stored_at: Timestamp,
    action: &'a ActionId,
    happened: Happened,
    /// It may have been told before, and its consequences not be drawn.
    again: bool,
}

/// An outcome whose run cannot be seen is tried for this long: a read may be older than the run.
const VISIBLE_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// Handles one delivery: done, it may be acknowledged.
pub(crate) async fn handle(core: &Core, delivery: &Delivery) -> Result<(), Refusal> {
    let subject = delivery.subject.parse::<Subject>();
    let cluster = match &subject {
        Ok(Subject::Outcome { cluster, .. }) => cluster.clone(),
        _ => String::new(),
    };
    let dead = |class, text: String| Refusal::Dead {
        class,
        text,
        cluster: cluster.clone(),
    };
    let envelope = Envelope::<proto::Outcome>::decode(&delivery.wire)
        .map_err(|error| dead(Class::Undecodable, error.to_string()))?;
    let outcome = envelope.data;
    let named = Subject::Outcome {
        cluster: outcome.cluster.clone(),
        action: outcome.kind.clone(),
        result: outcome.result.clone(),
        instance: outcome.instance.clone(),
    };
    if subject.as_ref() != Ok(&named) {
        let text = format!("the outcome belongs on {named}, it came on {}", delivery.subject);
        return Err(dead(Class::Invalid, text));
    }
    // What came after the first final one moves nothing.
    if outcome.late {
        return Ok(());
    }
    let action: ActionId = outcome
        .action_id
        .parse()
        .map_err(|error| dead(Class::Invalid, format!("outcome field `action_id`: {error}")))?;
    // A fact on the way says that somebody is at it, which for who keeps no ledger nothing else does.
    let progress = outcome.result == result::PROGRESS;
    let happened = if progress {
        Happened::Started(action.clone())
    } else {
        let ended = Ended::of(&outcome, delivery.stored_at).ok_or_else(|| {
            let text = format!("outcome field `result`: `{}` is no final result", outcome.result);
            dead(Class::Invalid, text)
        })?;
        Happened::Ended(action.clone(), ended)
    };
    let told = Told {
        key: IncidentKey::from(&outcome),
        generation: outcome.generation,
        stored_at: delivery.stored_at,
        action: &action,
        happened,
        again: !progress && core.may_be_begun(delivery),
    };
    let _lane = core.lanes.enter(&told.key).await;
    if tell_runs(core, &told).await? {
        if !progress && core.keep(&action, &outcome).await? {
            // A run that was made meanwhile was not among those told, nor could it find this in the ledger.
            tell_runs(core, &told).await?;
        }
        return Ok(());
    }
    if is_young(core, delivery.stored_at) {
        let text = format!("no run that asked for {action} is visible yet");
        return Err(Trouble::NotYet(text).into());
    }
    core.telemetry.unclaimed(&outcome);
    Ok(())
}

/// Tells every run of the generation; whether any of them has the action at all.
async fn tell_runs(core: &Core, told: &Told<'_>) -> Result<bool, Trouble> {
    let runs = runs_of(core, &told.key, told.generation, told.stored_at).await?;
    let asked = try_join_all(runs.iter().map(|run| record(core, run, told))).await?;
    Ok(asked.contains(&true))
}

/// Records it in one run; whether that run has the action at all.
async fn record(core: &Core, run: &str, told: &Told<'_>) -> Result<bool, Trouble> {
    let Some(loaded) = core.run(run).await? else {
        // Listed and not yet created: its publication will find the outcome in the ledger.
        return Ok(false);
    };
    if !loaded.run.actions.iter().any(|state| state.id == *told.action) {
        return Ok(false);
    }
    if loaded.run.waits_for(told.action) {
        core.tell(loaded, std::slice::from_ref(&told.happened)).await?;
    } else if told.again {
        // Recorded before, by whoever may have stopped before the next step was published.
        core.resume(loaded).await?;
    }
    Ok(true)
}

/// Keys of the runs of one generation: from the incident, which lists its present ones, or from the index,
/// which knows those of the ones before.
async fn runs_of(
    core: &Core,
    key: &IncidentKey,
    generation: u64,
    stored_at: Timestamp,
) -> Result<Vec<String>, Trouble> {
    let known = core.incident(key).await?;
    let present = known.as_ref().map_or(0, |known| known.value.generation);
    if let Some(known) = known.filter(|_| present == generation) {
        return Ok(Core::run_keys(&known.value));
    }
    if present < generation && is_young(core, stored_at) {
        return Err(Trouble::NotYet(format!(
            "generation {generation} of {key} is not visible yet"
        )));
    }
    if !core.index.is_complete() {
        return Err(Trouble::NotYet("the runs are not all read yet".to_owned()));
    }
    Ok(core.index.runs_of(key, generation))
}

fn is_young(core: &Core, stored_at: Timestamp) -> bool {
    core.now().duration_since(stored_at) < VISIBLE_WITHIN
}
