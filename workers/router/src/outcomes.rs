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
    // Facts on the way, and what came after the first final one, move nothing.
    if outcome.result == result::PROGRESS || outcome.late {
        return Ok(());
    }
    let action: ActionId = outcome
        .action_id
        .parse()
        .map_err(|error| dead(Class::Invalid, format!("outcome field `action_id`: {error}")))?;
    let ended = Ended::of(&outcome, delivery.stored_at).ok_or_else(|| {
        let text = format!("outcome field `result`: `{}` is no final result", outcome.result);
        dead(Class::Invalid, text)
    })?;
    let key = IncidentKey::from(&outcome);
    let _lane = core.lanes.enter(&key).await;
    let runs = runs_of(core, &key, outcome.generation, delivery.stored_at).await?;
    let happened = [Happened::Ended(action.clone(), ended)];
    let recording = runs
        .iter()
        .map(|run| record(core, run, &action, &happened, delivery.delivered > 1));
    let asked = try_join_all(recording).await?;
    if asked.contains(&true) {
        return Ok(());
    }
    if is_young(core, delivery.stored_at) {
        let text = format!("no run that asked for {action} is visible yet");
        return Err(Trouble::NotYet(text).into());
    }
    core.telemetry.unclaimed(&outcome);
    Ok(())
}

/// Records it in one run; whether that run has the action at all.
async fn record(
    core: &Core,
    key: &str,
    action: &ActionId,
    happened: &[Happened],
    redelivered: bool,
) -> Result<bool, Trouble> {
    let Some(loaded) = core.run(key).await? else {
        // Listed and not yet created: its publication will find the outcome in the ledger.
        return Ok(false);
    };
    if !loaded.run.actions.iter().any(|state| state.id == *action) {
        return Ok(false);
    }
    let loaded = if loaded.run.waits_for(action) {
        core.tell(loaded, happened).await?
    } else {
        loaded
    };
    if redelivered {
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
