//! What time brought about and nobody may have heard of: a process that stops between the record and its event
//! leaves no delivery behind that would come again.

use std::{collections::BTreeSet, sync::Arc};

use futures::StreamExt;
use hollowtrees_domain::{incident::Incident, words::IncidentState};
use hollowtrees_schemas::subject::IncidentEvent;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use crate::{core::Core, index::Item, trouble::Trouble};

/// What ended this lately is told again. Within the hour for which the stream knows a message by its id, so that
/// what was told is not stored twice.
const WITHIN: SignedDuration = SignedDuration::from_mins(50);
/// Most records told again; beyond it the latest.
const MOST: usize = 10_000;
/// Told at once.
const AT_ONCE: usize = 16;
/// Times one is tried.
const TRIES: u32 = 3;

/// Gathers what ended lately while a watch tells what is there, then tells it.
#[derive(Debug, Default)]
pub(crate) struct Retelling {
    ended: BTreeSet<(Timestamp, Item)>,
    /// Dropped with the watch, and ended then.
    task: JoinSet<()>,
    gathering: bool,
}

impl Retelling {
    /// The watch starts over.
    pub(crate) fn start(&mut self) {
        self.ended.clear();
        self.task.abort_all();
        self.gathering = true;
    }

    /// A record ended then.
    pub(crate) fn ended(&mut self, item: &Item, at: Timestamp, now: Timestamp) {
        if !self.gathering || !is_lately(at, now) {
            return;
        }
        self.ended.insert((at, item.clone()));
        if self.ended.len() > MOST {
            self.ended.pop_first();
        }
    }

    /// All that was there has been seen: tells in the background.
    pub(crate) fn finish(&mut self, core: &Arc<Core>) {
        self.gathering = false;
        let ended = std::mem::take(&mut self.ended);
        if ended.is_empty() {
            return;
        }
        let core = Arc::clone(core);
        self.task.spawn(async move {
            let count = ended.len();
            futures::stream::iter(ended)
                .for_each_concurrent(AT_ONCE, |(_, item)| {
                    let core = &core;
                    async move { tell(core, &item).await }
                })
                .await;
            tracing::debug!(count, "What ended lately was told again.");
        });
    }
}

/// Whether an event of that moment may be told again without being stored twice.
pub(crate) fn is_lately(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) <= WITHIN
}

async fn tell(core: &Core, item: &Item) {
    for _ in 0..TRIES {
        match tell_once(core, item).await {
            Ok(()) => return,
            Err(trouble) => {
                core.telemetry.not_acted(item, &trouble);
                tokio::time::sleep(trouble.delay()).await;
            }
        }
    }
}

/// Tells it as it is now: what began anew meanwhile did not end.
async fn tell_once(core: &Core, item: &Item) -> Result<(), Trouble> {
    match item {
        Item::Run(key) => match core.run(key).await? {
            Some(loaded) if loaded.run.is_finished() => core.run_finished(&loaded.run).await,
            Some(_) | None => Ok(()),
        },
        Item::Incident(key) => match core.incident_at(key).await? {
            Some(found) if was_closed(&found.value) => {
                core.incident_event(IncidentEvent::Closed, &found.value).await
            }
            Some(_) | None => Ok(()),
        },
    }
}

/// Closed after it was open: what was only ever recorded opened for nobody.
fn was_closed(incident: &Incident) -> bool {
    incident.state == IncidentState::Closed && incident.generation > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: usize) -> Item {
        Item::Run(format!("r-{number:05}"))
    }

    #[test]
    fn what_ended_lately_is_gathered_while_the_watch_begins() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let ago = |minutes| now - SignedDuration::from_mins(minutes);
        let mut retelling = Retelling::default();
        retelling.ended(&item(0), now, now);
        assert!(
            retelling.ended.is_empty(),
            "a change later on is told by who makes it"
        );
        retelling.start();
        for minutes in [0, 49, 51] {
            retelling.ended(&item(1), ago(minutes), now);
        }
        assert_eq!(retelling.ended.len(), 2);
        retelling.start();
        for number in 0..=MOST {
            let at = now - SignedDuration::from_millis(i64::try_from(number).unwrap());
            retelling.ended(&item(number), at, now);
        }
        assert_eq!(retelling.ended.len(), MOST);
        let first = retelling.ended.first().map(|(_, item)| item.clone());
        assert_eq!(first, Some(item(MOST - 1)), "the latest are kept");
    }
}
