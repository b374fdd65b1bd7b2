//! All drains of a process, their one queue and their one clock.

mod ask;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use hollowtrees_domain::drain::{Options, Unbudgeted, budget::Budget, order::Place};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::{
    Observer,
    blockade::Blocked,
    budgets::Budgets,
    drain::{Drain, Party, View},
    hurry::Hurry,
    pace::Pace,
    queue::Queue,
    record::{Ended, Summary},
    track::{Kept, Phase, Track},
};
use crate::{Counts, Settings, cache::Cache};

pub(super) use ask::Ask;

pub(super) struct State {
    cache: Cache,
    options: Options,
    volume_wait: SignedDuration,
    observer: Arc<dyn Observer>,
    drains: HashMap<Arc<str>, Drain>,
    queue: Queue,
    pace: Pace,
    timers: BTreeSet<(Timestamp, Arc<str>)>,
    /// Nodes to look at.
    touched: HashSet<Arc<str>>,
    budgets: Budgets,
    /// Pods that wait for one.
    kept: usize,
    hurry: Hurry,
    parties: u64,
}

impl State {
    pub(super) fn new(cache: Cache, settings: &Settings, observer: Arc<dyn Observer>) -> Self {
        Self {
            cache,
            options: settings.options.clone(),
            volume_wait: SignedDuration::try_from(settings.volume_wait).unwrap_or(SignedDuration::MAX),
            observer,
            drains: HashMap::new(),
            queue: Queue::default(),
            pace: Pace::new(settings.in_flight),
            timers: BTreeSet::new(),
            touched: HashSet::new(),
            budgets: Budgets::default(),
            kept: 0,
            hurry: Hurry::default(),
            parties: 0,
        }
    }

    /// A party joins the drain of a node, or begins it.
    pub(super) fn join(
        &mut self,
        node: &Arc<str>,
        uid: &str,
        mut party: Party,
        now: Timestamp,
    ) -> (u64, watch::Receiver<Option<Arc<Blocked>>>) {
        self.parties += 1;
        party.id = self.parties;
        if self.drains.get(node).is_some_and(|drain| drain.uid != uid) {
            self.end(node, Ended::NodeGone, now);
        }
        let drain = self
            .drains
            .entry(Arc::clone(node))
            .or_insert_with(|| Drain::new(Arc::clone(node), uid.to_owned(), now));
        drain.parties.push(party);
        self.touched.insert(Arc::clone(node));
        let mut blocked = drain.blockade.listen();
        // Who comes late is told what the others were.
        blocked.mark_changed();
        (self.parties, blocked)
    }

    /// What a party wants has changed.
    pub(super) fn change(&mut self, node: &Arc<str>, party: u64, change: impl FnOnce(&mut Party)) {
        if let Some(drain) = self.drains.get_mut(node)
            && let Some(party) = drain.parties.iter_mut().find(|known| known.id == party)
        {
            change(party);
            self.touched.insert(Arc::clone(node));
        }
    }

    /// A party goes; with the last one the drain stops.
    pub(super) fn leave(&mut self, node: &Arc<str>, party: u64, now: Timestamp) -> Option<Summary> {
        let drain = self.drains.get_mut(node)?;
        let place = drain.parties.iter().position(|known| known.id == party)?;
        drain.parties.swap_remove(place);
        let summary = drain.summary(Ended::Left);
        if drain.parties.is_empty() {
            self.end(node, Ended::Left, now);
        } else {
            self.touched.insert(Arc::clone(node));
        }
        Some(summary)
    }

    /// Something changed on a node.
    pub(super) fn touch(&mut self, node: &Arc<str>) -> bool {
        self.drains.contains_key(node) && self.touched.insert(Arc::clone(node))
    }

    /// A budget changed: as many pods as it allows are worth another look.
    pub(super) fn budget_changed(&mut self, budget: &Budget, before: Option<u32>, now: Timestamp) -> bool {
        self.budgets.seen(budget, before);
        self.wake(budget, false, now)
    }

    /// A budget is no more, and keeps nobody.
    pub(super) fn budget_gone(&mut self, budget: &Budget, now: Timestamp) -> bool {
        self.wake(budget, true, now)
    }

    fn wake(&mut self, budget: &Budget, is_gone: bool, now: Timestamp) -> bool {
        let drains = &self.drains;
        let awake = self.budgets.awake(budget, is_gone, |place| {
            let track = drains.get(place.node())?.tracks.get(place.uid())?;
            let keepers = track.kept.as_ref().map_or(0, |kept| kept.budgets.len());
            Some((&*track.pod, keepers))
        });
        for place in &awake {
            let Some(track) = track(&mut self.drains, place) else {
                continue;
            };
            if let Phase::Waiting(until, _) = &mut track.phase {
                *until = now;
            }
            let kept = track.kept.take();
            self.touched.insert(Arc::clone(place.node()));
            self.free(kept, now);
        }
        !awake.is_empty()
    }

    /// A pod waits for its budgets no longer.
    fn free(&mut self, kept: impl IntoIterator<Item = Kept>, now: Timestamp) {
        for kept in kept {
            self.budgets.go(&kept.budgets, &kept.place);
            self.kept = self.kept.saturating_sub(1);
            self.observer.was_kept(between(kept.since, now));
        }
    }

    /// A pod waits for these budgets.
    fn keep(&mut self, place: &Place, budgets: Vec<String>, now: Timestamp) {
        let Some(track) = track(&mut self.drains, place) else {
            return;
        };
        let kept = (!budgets.is_empty()).then(|| Kept {
            budgets,
            place: place.clone(),
            since: now,
        });
        // One that only waits for others to be answered is refused by nobody.
        if let Some(kept) = kept.as_ref().filter(|_| track.refused) {
            track.held_by(&kept.budgets, now);
        }
        let before = std::mem::replace(&mut track.kept, kept.clone());
        self.free(before, now);
        if let Some(kept) = kept {
            self.budgets.wait(&kept.budgets, place);
            self.kept += 1;
        }
    }

    /// Looks at what was touched and what is due. Says what to ask now, and when to look again.
    pub(super) fn advance(&mut self, now: Timestamp) -> (Vec<Ask>, Option<Timestamp>) {
        while let Some((at, node)) = self.timers.first().cloned()
            && at <= now
        {
            self.timers.pop_first();
            self.touched.insert(node);
        }
        if self.options.unbudgeted == Unbudgeted::Auto {
            let (before, slowed) = (self.hurry.is_on(), self.pace.is_slowed(now));
            if self.hurry.look(&self.queue, slowed, now) && !before {
                tracing::info!(
                    queued = self.queue.len(),
                    "Evictions are too slow for the deadlines: pods without a budget are deleted instead."
                );
            }
        }
        let mut asks = Vec::new();
        // A pod that turns out to have to wait has its node looked at once more.
        while !self.touched.is_empty() {
            for node in std::mem::take(&mut self.touched) {
                self.look(&node, now);
            }
            self.take(&mut asks, now);
        }
        self.take(&mut asks, now);
        let paused = Some(self.pace.paused_until()).filter(|until| !self.queue.is_empty() && *until > now);
        let timer = self.timers.first().map(|(at, _)| *at);
        let gives_way = self.pace.gives_way_until(now).filter(|_| !self.queue.is_empty());
        (asks, timer.into_iter().chain(paused).chain(gives_way).min())
    }

    fn look(&mut self, node: &Arc<str>, now: Timestamp) {
        let Some(drain) = self.drains.get_mut(node) else {
            return;
        };
        if let Some(due) = drain.due.take() {
            self.timers.remove(&(due, Arc::clone(node)));
        }
        let view = View {
            cache: &self.cache,
            volume_wait: self.volume_wait,
            node_is_there: self.cache.node(node).is_some_and(|seen| seen.uid == drain.uid),
            sees_nodes: self.cache.sees_nodes(),
            pods: self.cache.pods_on(node),
        };
        let ended = drain.look(&view, &self.options, &mut self.queue, now);
        if let Some(due) = drain.due {
            self.timers.insert((due, Arc::clone(node)));
        }
        let freed = std::mem::take(&mut drain.freed);
        for lag in drain.lags.drain(..) {
            self.observer.was_shown(lag);
        }
        self.free(freed, now);
        if let Some(ended) = ended {
            self.end(node, ended, now);
        }
    }

    fn end(&mut self, node: &Arc<str>, ended: Ended, now: Timestamp) {
        let Some(mut drain) = self.drains.remove(node) else {
            return;
        };
        if let Some(due) = drain.due.take() {
            self.timers.remove(&(due, Arc::clone(node)));
        }
        drain.withdraw(&mut self.queue);
        let kept: Vec<Kept> = drain
            .tracks
            .values_mut()
            .filter_map(|track| track.kept.take())
            .collect();
        self.free(kept, now);
        self.observer.drained(&drain.end(ended));
    }

    /// Nodes are being cordoned, or pods wait for their turn.
    pub(super) fn is_busy(&self, now: Timestamp) -> bool {
        !self.queue.is_empty() || self.pace.is_slowed(now)
    }

    /// A node is being cordoned.
    pub(super) fn cordon_began(&mut self) {
        self.pace.cordon_began();
    }

    /// It is, or could not be.
    pub(super) fn cordon_ended(&mut self, now: Timestamp) {
        self.pace.cordon_ended(now);
    }

    /// The clock was set.
    pub(super) fn clock_stepped(&mut self, now: Timestamp) {
        self.pace.clock_stepped(now);
        for (node, drain) in &mut self.drains {
            drain.clock_stepped(now);
            self.touched.insert(Arc::clone(node));
        }
    }

    /// Ends all drains.
    pub(super) fn stop(&mut self, now: Timestamp) {
        for node in self.drains.keys().cloned().collect::<Vec<_>>() {
            self.end(&node, Ended::Stopping, now);
        }
    }

    /// What it does, without what the cache holds.
    pub(super) fn counts(&self, now: Timestamp) -> Counts {
        let tracks = self.drains.values().flat_map(|drain| drain.tracks.values());
        let longest = tracks.filter_map(|track| track.queued_since).min();
        Counts {
            draining: self.drains.len(),
            queued: self.queue.len(),
            queued_for: longest.map_or(Duration::ZERO, |since| between(since, now)),
            kept: self.kept,
            in_flight: self.pace.in_flight(),
            ..Counts::default()
        }
    }
}

/// Zero where the clock was set back meanwhile.
pub(super) fn between(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

fn track<'a>(drains: &'a mut HashMap<Arc<str>, Drain>, place: &Place) -> Option<&'a mut Track> {
    drains.get_mut(place.node())?.tracks.get_mut(place.uid())
}
