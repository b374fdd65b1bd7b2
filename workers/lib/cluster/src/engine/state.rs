//! All drains of a process, their one queue and their one clock.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use hollowtrees_domain::drain::{Bearing, Options, Pod, budget::Budget};
use jiff::Timestamp;

use super::{
    Observer,
    drain::{Drain, Party, View},
    pace::Pace,
    queue::Queue,
    record::{Ended, Override, Summary},
    track::{Phase, Wanted},
};
use crate::{cache::Cache, request::Refusal};

/// Node and uid.
type PodOfNode = (Arc<str>, Arc<str>);

/// One request to make.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) node: Arc<str>,
    pub(super) uid: Arc<str>,
    pub(super) pod: Arc<Pod>,
    pub(super) wanted: Wanted,
    /// Seconds; `None` for the pod's own.
    pub(super) grace: Option<u32>,
}

pub(super) struct State {
    cache: Cache,
    options: Options,
    observer: Arc<dyn Observer>,
    drains: HashMap<Arc<str>, Drain>,
    queue: Queue,
    pace: Pace,
    timers: BTreeSet<(Timestamp, Arc<str>)>,
    /// Nodes to look at.
    touched: HashSet<Arc<str>>,
    /// Pods that a budget keeps, by namespace.
    blocked: HashMap<String, BTreeSet<PodOfNode>>,
    parties: u64,
}

impl State {
    pub(super) fn new(cache: Cache, options: Options, observer: Arc<dyn Observer>, in_flight: usize) -> Self {
        Self {
            cache,
            options,
            observer,
            drains: HashMap::new(),
            queue: Queue::default(),
            pace: Pace::new(in_flight),
            timers: BTreeSet::new(),
            touched: HashSet::new(),
            blocked: HashMap::new(),
            parties: 0,
        }
    }

    /// A party joins the drain of a node, or begins it.
    pub(super) fn join(&mut self, node: &Arc<str>, uid: &str, mut party: Party, now: Timestamp) -> u64 {
        self.parties += 1;
        party.id = self.parties;
        if self.drains.get(node).is_some_and(|drain| drain.uid != uid) {
            self.end(node, Ended::NodeGone);
        }
        let drain = self
            .drains
            .entry(Arc::clone(node))
            .or_insert_with(|| Drain::new(Arc::clone(node), uid.to_owned(), now));
        drain.parties.push(party);
        self.touched.insert(Arc::clone(node));
        self.parties
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
    pub(super) fn leave(&mut self, node: &Arc<str>, party: u64) -> Option<Summary> {
        let drain = self.drains.get_mut(node)?;
        let place = drain.parties.iter().position(|known| known.id == party)?;
        drain.parties.swap_remove(place);
        let summary = drain.summary(Ended::Left);
        if drain.parties.is_empty() {
            self.end(node, Ended::Left);
        } else {
            self.touched.insert(Arc::clone(node));
        }
        Some(summary)
    }

    /// Something changed on a node.
    pub(super) fn touch(&mut self, node: &Arc<str>) -> bool {
        self.drains.contains_key(node) && self.touched.insert(Arc::clone(node))
    }

    /// A budget changed: as many pods as it allows are worth another try at once.
    pub(super) fn budget_changed(&mut self, budget: &Budget, now: Timestamp) -> bool {
        let Some(blocked) = self.blocked.get(&budget.namespace) else {
            return false;
        };
        let mut woken = Vec::new();
        for (node, uid) in blocked {
            if woken.len() >= usize::try_from(budget.allowed).unwrap_or(usize::MAX) {
                break;
            }
            let track = self
                .drains
                .get_mut(node)
                .and_then(|drain| drain.tracks.get_mut(uid));
            if let Some(track) = track.filter(|track| budget.covers(&track.pod)) {
                if let Phase::Waiting(until, _) = &mut track.phase {
                    *until = now;
                }
                woken.push((Arc::clone(node), Arc::clone(uid)));
            }
        }
        for (node, uid) in &woken {
            self.unblock(&budget.namespace, node, uid);
            self.touched.insert(Arc::clone(node));
        }
        !woken.is_empty()
    }

    /// Looks at what was touched and what is due. Says what to ask now, and when to look again.
    pub(super) fn advance(&mut self, now: Timestamp) -> (Vec<Ask>, Option<Timestamp>) {
        while let Some((at, node)) = self.timers.first().cloned()
            && at <= now
        {
            self.timers.pop_first();
            self.touched.insert(node);
        }
        for node in std::mem::take(&mut self.touched) {
            self.look(&node, now);
        }
        let mut asks = Vec::new();
        while !self.queue.is_empty() && self.pace.start(now) {
            match self
                .queue
                .pop()
                .and_then(|place| self.ask(place.node(), place.uid(), now))
            {
                Some(ask) => asks.push(ask),
                None => self.pace.end(),
            }
        }
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
            node_is_there: self.cache.node(node).is_some_and(|seen| seen.uid == drain.uid),
            pods: self.cache.pods_on(node),
        };
        if let Some(ended) = drain.look(&view, &self.options, &mut self.queue, now) {
            self.end(node, ended);
        } else if let Some(due) = drain.due {
            self.timers.insert((due, Arc::clone(node)));
        }
    }

    /// The request for the pod at the head of the queue, with the grace it can have by now.
    fn ask(&mut self, node: &Arc<str>, uid: &Arc<str>, now: Timestamp) -> Option<Ask> {
        let drain = self.drains.get_mut(node)?;
        let wants = drain.wants();
        let track = drain.tracks.get_mut(uid)?;
        let Phase::Queued(_, wanted) = track.phase else {
            return None;
        };
        let pod = &track.pod;
        let going = match Bearing::of(pod, &self.options, &wants) {
            Bearing::Goes(going) if going.wish.deadline.is_none_or(|deadline| deadline > now) => going,
            Bearing::Goes(_) | Bearing::Stays(_) => {
                track.phase = Phase::Idle;
                return None;
            }
        };
        let grace = match wanted {
            Wanted::Evict => going.eviction_grace(pod, now),
            Wanted::Delete => Some(going.wish.grace_left(going.grace_seconds, now)),
            Wanted::Shorten => {
                let granted = pod
                    .deletion
                    .map_or(pod.grace_seconds, |deletion| deletion.grace_seconds);
                Some(going.wish.grace_left(granted, now))
            }
        };
        track.phase = Phase::InFlight(wanted);
        drain.requests += 1;
        Some(Ask {
            node: Arc::clone(node),
            uid: Arc::clone(uid),
            pod: Arc::clone(&track.pod),
            wanted,
            grace,
        })
    }

    /// Takes in an answer.
    pub(super) fn answered(&mut self, ask: &Ask, answer: Result<(), Refusal>, now: Timestamp) {
        match &answer {
            Err(Refusal::Throttled { after }) => self.pace.throttled(now, *after),
            Ok(()) | Err(_) => self.pace.end(),
        }
        let overridden = Override {
            budgets: match ask.wanted {
                Wanted::Delete => {
                    let budgets = self.cache.budgets_of(&ask.pod);
                    budgets.iter().map(|budget| budget.name.clone()).collect()
                }
                Wanted::Evict | Wanted::Shorten => Vec::new(),
            },
            refusal: String::new(),
            grace_seconds: ask.grace.unwrap_or(ask.pod.grace_seconds),
        };
        let Some(track) = self
            .drains
            .get_mut(&ask.node)
            .and_then(|drain| drain.tracks.get_mut(&ask.uid))
        else {
            return;
        };
        let overridden = Override {
            refusal: track.last_word.clone(),
            ..overridden
        };
        let paused_until = self.pace.paused_until();
        let word = track.answered(ask.wanted, answer.map(|()| overridden), now, paused_until);
        let blocked = track.blocked;
        if blocked {
            let namespace = self.blocked.entry(ask.pod.namespace.clone()).or_default();
            namespace.insert((Arc::clone(&ask.node), Arc::clone(&ask.uid)));
        } else {
            self.unblock(&ask.pod.namespace, &ask.node, &ask.uid);
        }
        self.observer.answered(ask.wanted.as_str(), word);
        self.touched.insert(Arc::clone(&ask.node));
    }

    fn unblock(&mut self, namespace: &str, node: &Arc<str>, uid: &Arc<str>) {
        if let Some(pods) = self.blocked.get_mut(namespace) {
            pods.remove(&(Arc::clone(node), Arc::clone(uid)));
            if pods.is_empty() {
                self.blocked.remove(namespace);
            }
        }
    }

    fn end(&mut self, node: &Arc<str>, ended: Ended) {
        let Some(mut drain) = self.drains.remove(node) else {
            return;
        };
        if let Some(due) = drain.due.take() {
            self.timers.remove(&(due, Arc::clone(node)));
        }
        drain.withdraw(&mut self.queue);
        let blocked: Vec<_> = drain
            .tracks
            .iter()
            .filter(|(_, track)| track.blocked)
            .map(|(uid, track)| (track.pod.namespace.clone(), Arc::clone(uid)))
            .collect();
        for (namespace, uid) in blocked {
            self.unblock(&namespace, node, &uid);
        }
        drain.end(ended);
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
    pub(super) fn stop(&mut self) {
        for node in self.drains.keys().cloned().collect::<Vec<_>>() {
            self.end(&node, Ended::Stopping);
        }
    }

    /// Nodes drained, pods that wait for their turn, requests under way.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (self.drains.len(), self.queue.len(), self.pace.in_flight())
    }
}
