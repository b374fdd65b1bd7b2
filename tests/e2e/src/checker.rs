//! Reads the servers, not the workers' books, and says what is lost, repeated or left without an end.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use hollowtrees_bus::{
    Bus,
    read::{From, Until},
    watch::Change,
};
use hollowtrees_harness::eventually;
use hollowtrees_schemas::{
    envelope::Envelope,
    names::{Stream, phase, result},
    proto,
};

use crate::{effects::Effects, kills::Kills};

/// Everything the servers say of a finished run of the pipeline.
#[derive(Debug, Default)]
pub struct Books {
    /// Runs by their key.
    pub runs: BTreeMap<String, proto::Run>,
    /// Incidents by their key.
    pub incidents: BTreeMap<String, proto::Incident>,
    /// Final outcomes that won, by action id.
    pub outcomes: BTreeMap<String, Vec<proto::Outcome>>,
    /// Progress facts and late outcomes.
    pub asides: Vec<proto::Outcome>,
}

impl Books {
    /// Waits until `instances` incidents have runs that are all finished, then reads everything.
    pub async fn when_finished(bus: &Bus, instances: usize, bound: Duration) -> Self {
        eventually(
            format!("{instances} incidents with every run finished"),
            bound,
            async || {
                let runs = present(bus.runs()).await;
                let with_runs: HashSet<_> = runs.values().map(|run| &run.instance).collect();
                let unfinished = runs.values().filter(|run| run.phase != phase::FINISHED).count();
                if with_runs.len() >= instances && unfinished == 0 {
                    Ok(())
                } else {
                    Err(format!(
                        "{} instances with runs, {unfinished} runs unfinished",
                        with_runs.len()
                    ))
                }
            },
        )
        .await;
        Self::read(bus).await
    }

    /// The same for one instance, whatever the others do.
    pub async fn when_finished_of(bus: &Bus, instance: &str, bound: Duration) {
        eventually(
            format!("the runs of {instance} to be finished"),
            bound,
            async || {
                let runs = present(bus.runs()).await;
                let mut of_it = runs.values().filter(|run| run.instance == instance).peekable();
                of_it.peek().is_some() && of_it.all(|run| run.phase == phase::FINISHED)
            },
        )
        .await;
    }

    /// Reads everything as it is now.
    pub async fn read(bus: &Bus) -> Self {
        let mut books = Self {
            runs: present(bus.runs()).await,
            incidents: present(bus.incidents()).await,
            ..Self::default()
        };
        for outcome in outcomes(bus).await {
            if outcome.late || outcome.result == result::PROGRESS {
                books.asides.push(outcome);
            } else {
                books
                    .outcomes
                    .entry(outcome.action_id.clone())
                    .or_default()
                    .push(outcome);
            }
        }
        books
    }

    /// Everything that must hold of a pipeline at rest, whatever happened to it on the way.
    pub fn assert_sound(&self) {
        for (key, run) in &self.runs {
            assert_eq!(run.phase, phase::FINISHED, "{key} is left in mid-way");
            for action in &run.actions {
                assert_eq!(action.state, "done", "{key}: {} has no end", action.kind);
                assert!(
                    result::is_final(&action.result),
                    "{key}: {} ended {:?}",
                    action.kind,
                    action.result
                );
                let told = self.outcomes.get(&action.id).map_or(&[][..], Vec::as_slice);
                if told.is_empty() && action.published_at.is_none() {
                    // Never put on a stream: the run alone knows its end, and why it had no beginning.
                    assert!(
                        matches!(action.result.as_str(), result::CANCELLED | result::SKIPPED),
                        "{key}: {action:?}"
                    );
                    continue;
                }
                assert!(
                    told.iter().any(|outcome| outcome.result == action.result),
                    "{key}: the run says {} of {}, the stream says {told:?}",
                    action.result,
                    action.kind
                );
            }
        }
        for (action, told) in &self.outcomes {
            assert_eq!(told.len(), 1, "{action} has more than one outcome: {told:?}");
        }
    }

    /// How often each result was had, by kind of action.
    pub fn results(&self) -> BTreeMap<(String, String), usize> {
        let mut results = BTreeMap::new();
        for outcome in self.outcomes.values().flatten() {
            *results
                .entry((outcome.kind.clone(), outcome.result.clone()))
                .or_default() += 1;
        }
        results
    }
}

/// Every handler was begun once, by one process; `begun` in all.
pub fn assert_begun_once(world: &Effects, begun: usize) {
    for (action, deeds) in world.deeds() {
        assert!(
            deeds.begun.len() <= 1,
            "{action} ({}) was begun more than once: {:?}",
            deeds.about,
            deeds.begun
        );
    }
    assert_eq!(world.begun(), begun, "handlers begun");
}

/// Every one of `instances` had each of `kinds` once in effect: the world says so.
///
/// An effect may have been asked for again only after everyone who had asked for it was killed.
pub fn assert_once_in_effect(world: &Effects, instances: &[String], kinds: &[&str], kills: &Kills) {
    let deeds = world.deeds();
    let mut had: BTreeMap<&str, usize> = BTreeMap::new();
    for (action, deeds) in &deeds {
        if !deeds.effects.is_empty() {
            *had.entry(deeds.about.as_str()).or_default() += 1;
        }
        for (index, (process, at)) in deeds.effects.iter().enumerate().skip(1) {
            let mut before = deeds.effects.iter().take(index);
            assert!(
                before.all(|(earlier, _)| kills.before(earlier, *at)),
                "{action} ({}): {process} had the effect again while another was alive: {:?}, {kills:?}",
                deeds.about,
                deeds.effects
            );
        }
    }
    for instance in instances {
        for kind in kinds {
            let about = format!("{kind}.{instance}.certain");
            assert_eq!(had.get(about.as_str()), Some(&1), "{about}");
        }
    }
}

/// All present values of a bucket.
async fn present<T: hollowtrees_bus::Record>(store: &hollowtrees_bus::Store<T>) -> BTreeMap<String, T> {
    let mut watch = store.watch(&[">"]);
    let mut all = BTreeMap::new();
    loop {
        match watch.next().await {
            Change::Resync => all.clear(),
            Change::Put(key, entry) => {
                all.insert(key, entry.value);
            }
            Change::Removed(key) => {
                all.remove(&key);
            }
            Change::Unreadable(error) => panic!("{error}"),
            Change::Synced => return all,
        }
    }
}

async fn outcomes(bus: &Bus) -> Vec<proto::Outcome> {
    let mut reading = bus
        .read(Stream::Outcomes, &[], From::First, Until::Present)
        .await
        .unwrap();
    let mut all = Vec::new();
    while let Some(message) = reading.next().await.unwrap() {
        // Garbage that a test put there on purpose is the router's to see to.
        if let Ok(envelope) = Envelope::<proto::Outcome>::decode(&message.wire) {
            all.push(envelope.data);
        }
    }
    all
}
