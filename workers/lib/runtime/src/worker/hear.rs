//! The incidents of actions that wait. What changed just before an action came is told by no watch, and it is read only
//! when the action starts: one that still waits after a moment has its incident read for it.

use std::{collections::VecDeque, time::Duration};

use hollowtrees_bus::Store;
use hollowtrees_schemas::proto;
use tokio::{task::JoinSet, time::Instant};

/// Most actions start at once, and their incidents are read then.
const AFTER: Duration = Duration::from_millis(250);
/// Reads under way at once.
const AT_ONCE: usize = 64;

/// Reads incidents, each once.
pub(crate) struct Hearing {
    store: Store<proto::Incident>,
    /// Action ids in the order they came, and when their incident is to be read.
    due: VecDeque<(Instant, String)>,
    reading: JoinSet<Option<(String, proto::Incident)>>,
}

impl Hearing {
    pub(crate) fn new(store: &Store<proto::Incident>) -> Self {
        Self {
            store: store.clone(),
            due: VecDeque::new(),
            reading: JoinSet::new(),
        }
    }

    /// An action that has come.
    pub(crate) fn came(&mut self, id: &str) {
        self.due.push_back((Instant::now() + AFTER, id.to_owned()));
    }

    /// Begins to read what is due; `key_of` is the incident's key of an action that waits, and `None` of any other.
    pub(crate) fn ask(&mut self, key_of: impl Fn(&str) -> Option<String>) {
        let now = Instant::now();
        while self.reading.len() < AT_ONCE
            && let Some((_, id)) = self.due.pop_front_if(|(at, _)| *at <= now)
        {
            let Some(key) = key_of(&id) else { continue };
            let store = self.store.clone();
            // Without an answer it is read when the action starts.
            self.reading
                .spawn(async move { Some((key.clone(), store.get(&key).await.ok()??.value)) });
        }
    }

    /// When the next one is due; none while as many as may be are read.
    pub(crate) fn due(&self) -> Option<Instant> {
        let (at, _) = self.due.front()?;
        (self.reading.len() < AT_ONCE).then_some(*at)
    }

    /// Whether something is being read.
    pub(crate) fn is_reading(&self) -> bool {
        !self.reading.is_empty()
    }

    /// What was read, by the incident's key; `None` if that said nothing.
    pub(crate) async fn heard(&mut self) -> Option<(String, proto::Incident)> {
        self.reading.join_next().await?.ok()?
    }
}
