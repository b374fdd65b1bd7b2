//! One node that is drained.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use hollowtrees_domain::drain::{self, Assessment, Options, Pod, Step, Tier, Want, order::Place};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::{
    blockade::Blockade,
    queue::Queue,
    record::{Ended, Summary},
    track::{Doing, Kept, Phase, Track, Wanted},
};
use crate::cache::Cache;

/// A pod that the scheduler bound before it saw the cordon shows up within this.
const LATE_BINDINGS: SignedDuration = SignedDuration::from_millis(500);
/// How long after the deadline it is waited for pods that were given all the time there was. Nothing is done any more.
const AFTERMATH: SignedDuration = SignedDuration::from_secs(3);
/// Whether nodes are seen again is looked at this often, where pods came meanwhile.
const UNSEEN_WAIT: SignedDuration = SignedDuration::from_millis(500);

/// Somebody who wants the node drained.
pub(super) struct Party {
    pub(super) id: u64,
    pub(super) want: Want,
    /// When it waits no longer, deadline or not.
    pub(super) until: Option<Timestamp>,
    pub(super) answer: oneshot::Sender<Summary>,
}

impl Party {
    fn ends_at(&self) -> Option<Timestamp> {
        let deadline = self
            .want
            .wish
            .deadline
            .map(|deadline| deadline.checked_add(AFTERMATH).unwrap_or(Timestamp::MAX));
        match (deadline, self.until) {
            (Some(deadline), Some(until)) => Some(deadline.min(until)),
            (deadline, until) => deadline.or(until),
        }
    }
}

pub(super) struct Drain {
    pub(super) node: Arc<str>,
    pub(super) uid: String,
    pub(super) parties: Vec<Party>,
    began_at: Timestamp,
    /// By pod uid.
    pub(super) tracks: HashMap<Arc<str>, Track>,
    /// Pods that stay, or have ended, or are left alone for now, as of the last look.
    at_rest: BTreeMap<Arc<str>, Step>,
    /// Pods of the last look.
    present: HashSet<Arc<str>>,
    pub(super) requests: u64,
    /// When its last pod was gone, while its volumes are waited for.
    emptied_at: Option<Timestamp>,
    /// Volumes that are attached to it then.
    attached: Vec<String>,
    /// Entry of this drain among the timers.
    pub(super) due: Option<Timestamp>,
    /// Pods that wait for their budgets no longer, as of the last look.
    pub(super) freed: Vec<Kept>,
    /// How long after they were granted the last look showed deletions.
    pub(super) lags: Vec<Duration>,
    /// What was told of budgets that keep the node.
    pub(super) blockade: Blockade,
}

/// What a look at the cluster shows.
pub(super) struct View<'a> {
    pub(super) cache: &'a Cache,
    /// How long is waited for volumes to be detached.
    pub(super) volume_wait: SignedDuration,
    /// The node is there and is this one.
    pub(super) node_is_there: bool,
    /// What is seen of nodes is what they are.
    pub(super) sees_nodes: bool,
    pub(super) pods: Vec<Arc<Pod>>,
}

impl Drain {
    pub(super) fn new(node: Arc<str>, uid: String, now: Timestamp) -> Self {
        Self {
            node,
            uid,
            parties: Vec::new(),
            began_at: now,
            tracks: HashMap::new(),
            at_rest: BTreeMap::new(),
            present: HashSet::new(),
            requests: 0,
            emptied_at: None,
            attached: Vec::new(),
            due: None,
            freed: Vec::new(),
            lags: Vec::new(),
            blockade: Blockade::default(),
        }
    }

    /// What all parties want.
    pub(super) fn wants(&self) -> Vec<Want> {
        self.parties.iter().map(|party| party.want).collect()
    }

    /// Looks at the node, puts into the queue what is to be asked, and says when to look again; or that it has ended.
    pub(super) fn look(
        &mut self,
        view: &View<'_>,
        options: &Options,
        queue: &mut Queue,
        now: Timestamp,
    ) -> Option<Ended> {
        if !view.node_is_there {
            return Some(Ended::NodeGone);
        }
        let assessment = drain::assess(
            view.pods.iter().map(Arc::as_ref),
            options,
            &self.wants(),
            |pod| {
                self.tracks
                    .get(pod.uid.as_str())
                    .is_some_and(|track| track.refused)
            },
            now,
        );
        let mut due = assessment.due;
        let empty = assessment.is_empty();
        self.reconcile(&assessment, view, queue, now, &mut due);
        let settled_at = self.settled_at(now);
        // A watch may be faster than the answer that tells whose doing it was.
        let is_asking = self
            .tracks
            .values()
            .any(|track| matches!(track.phase, Phase::InFlight(_)));
        let is_empty = empty && !is_asking && now >= settled_at;
        let detached_by = self.detached_by(view, is_empty, now);
        if is_empty && detached_by.is_none() {
            return Some(Ended::Empty);
        }
        let ended = if is_empty { Ended::Empty } else { Ended::Late };
        self.answer_the_late(ended, now);
        if self.parties.is_empty() {
            return Some(ended);
        }
        let blocked = self.tell_blocked(options, now);
        let ends = self.parties.iter().filter_map(Party::ends_at);
        let settled = Some(settled_at).filter(|at| empty && *at > now);
        self.due = due
            .into_iter()
            .chain(ends)
            .chain(settled)
            .chain(detached_by)
            .chain(blocked)
            .min();
        None
    }

    /// Until when the volumes of a node without pods are waited for; `None`: no longer, or none is attached.
    fn detached_by(&mut self, view: &View<'_>, is_empty: bool, now: Timestamp) -> Option<Timestamp> {
        if !is_empty || view.volume_wait.is_zero() {
            (self.emptied_at, self.attached) = (None, Vec::new());
            return None;
        }
        let staying = view.pods.iter().map(Arc::as_ref);
        self.attached = view.cache.attached(&self.node, staying);
        let emptied_at = *self.emptied_at.get_or_insert(now);
        let until = emptied_at.checked_add(view.volume_wait).unwrap_or(now);
        Some(until).filter(|until| *until > now && !self.attached.is_empty())
    }

    /// All that was bound before the cordon was seen has shown up.
    fn settled_at(&self, now: Timestamp) -> Timestamp {
        self.began_at.checked_add(LATE_BINDINGS).unwrap_or(now)
    }

    fn reconcile(
        &mut self,
        assessment: &Assessment<'_>,
        view: &View<'_>,
        queue: &mut Queue,
        now: Timestamp,
        due: &mut Option<Timestamp>,
    ) {
        self.at_rest.clear();
        self.present.clear();
        // The cordon has just met this very node.
        let takes_newcomers = view.sees_nodes || now < self.settled_at(now);
        for (assessed, pod) in assessment.pods.iter().zip(&view.pods) {
            // It may be of another node by this name, which is not seen yet.
            if !takes_newcomers && !self.tracks.contains_key(pod.uid.as_str()) {
                let again = now.checked_add(UNSEEN_WAIT).unwrap_or(Timestamp::MAX);
                *due = Some(due.map_or(again, |due| due.min(again)));
                continue;
            }
            let uid = self
                .tracks
                .get_key_value(pod.uid.as_str())
                .map_or_else(|| Arc::from(pod.uid.as_str()), |(uid, _)| Arc::clone(uid));
            self.present.insert(Arc::clone(&uid));
            if assessed.step.is_settled() || assessed.step == Step::Reserve {
                self.at_rest.insert(Arc::clone(&uid), assessed.step);
            }
            let track = self
                .tracks
                .entry(Arc::clone(&uid))
                .or_insert_with(|| Track::new(Arc::clone(pod)));
            track.pod = Arc::clone(pod);
            let wanted = Wanted::of(assessed.step);
            match (&track.phase, wanted) {
                (Phase::InFlight(_), _) | (Phase::Idle, None) => {}
                // A watch that lags behind shows it as if nothing had been asked.
                (Phase::Granted(until, before), Some(wanted))
                    if *until > now && (*before == wanted || wanted != Wanted::Shorten) =>
                {
                    *due = Some(due.map_or(*until, |due| due.min(*until)));
                }
                (Phase::Waiting(until, before), Some(wanted)) if *before == wanted && *until > now => {
                    *due = Some(due.map_or(*until, |due| due.min(*until)));
                }
                (Phase::Queued(place, _), None) => {
                    queue.remove(place);
                    (track.phase, track.queued_since) = (Phase::Idle, None);
                }
                // What it waited for is no longer asked.
                (Phase::Waiting(..) | Phase::Granted(..), None) => {
                    self.lags.extend(track.shown(now));
                    track.phase = Phase::Idle;
                }
                (phase, Some(wanted)) => {
                    let tier = assessed.tier.unwrap_or(Tier::Ordinary);
                    let place = Place::new(assessed.latest_start, Arc::clone(&self.node), tier, uid);
                    if let Phase::Queued(old, _) = phase
                        && *old != place
                    {
                        queue.remove(old);
                    }
                    queue.insert(place.clone());
                    track.queued_since.get_or_insert(now);
                    track.phase = Phase::Queued(place, wanted);
                }
            }
            if !matches!(track.phase, Phase::Waiting(..)) {
                self.freed.extend(track.kept.take());
            }
        }
        // Whoever is gone is asked nothing more.
        for (uid, track) in &mut self.tracks {
            if self.present.contains(uid) {
                continue;
            }
            if let Phase::Queued(place, _) = &track.phase {
                queue.remove(place);
                track.phase = Phase::Idle;
            }
            self.freed.extend(track.kept.take());
        }
    }

    /// Answers the parties whose time is over, though others wait on.
    fn answer_the_late(&mut self, ended: Ended, now: Timestamp) {
        let (late, waiting): (Vec<Party>, Vec<Party>) = std::mem::take(&mut self.parties)
            .into_iter()
            .partition(|party| party.ends_at().is_some_and(|end| end <= now) || party.answer.is_closed());
        self.parties = waiting;
        for party in late {
            // Nobody waits for the answer of a party that went without a word.
            drop(party.answer.send(self.summary(ended)));
        }
    }

    /// Tells of budgets that refuse pods of this node. Says when there may be more to tell.
    fn tell_blocked(&mut self, options: &Options, now: Timestamp) -> Option<Timestamp> {
        let wants = self.wants();
        let (present, at_rest) = (&self.present, &self.at_rest);
        let is_here = |uid: &Arc<str>| present.contains(uid) && !at_rest.contains_key(uid);
        let held: Vec<_> = self
            .tracks
            .iter()
            .filter_map(|(uid, track)| Some((uid, &*track.pod, track.held.as_ref()?)))
            .filter(|(uid, pod, _)| pod.deletion.is_none() && is_here(uid))
            .map(|(_, pod, held)| (pod, held))
            .collect();
        self.blockade.look(&held, options, &wants, now)
    }

    /// Answers everybody.
    pub(super) fn end(&mut self, ended: Ended) -> Summary {
        let summary = self.summary(ended);
        for party in self.parties.drain(..) {
            drop(party.answer.send(summary.clone()));
        }
        summary
    }

    /// The clock was set: no wait of before is longer than it may be by now.
    pub(super) fn clock_stepped(&mut self, now: Timestamp) {
        self.began_at = self.began_at.min(now);
        self.emptied_at = self.emptied_at.map(|at| at.min(now));
        for track in self.tracks.values_mut() {
            track.clock_stepped(now);
        }
    }

    /// Takes what it had in the queue out of it.
    pub(super) fn withdraw(&mut self, queue: &mut Queue) {
        for track in self.tracks.values_mut() {
            if let Phase::Queued(place, _) = &track.phase {
                queue.remove(place);
                track.phase = Phase::Idle;
            }
        }
    }

    pub(super) fn summary(&self, ended: Ended) -> Summary {
        let mut summary = Summary {
            ended,
            evicted: Vec::new(),
            deleted: Vec::new(),
            forced: BTreeMap::new(),
            shortened: Vec::new(),
            others: Vec::new(),
            skipped: BTreeMap::new(),
            finalizing: BTreeMap::new(),
            left: BTreeMap::new(),
            attached: self.attached.clone(),
            requests: self.requests,
        };
        for (uid, track) in &self.tracks {
            let path = track.pod.path();
            let at_rest = self.at_rest.get(uid);
            if let Some(Step::Skip(skip)) = at_rest {
                summary.skipped.insert(path, *skip);
                continue;
            }
            if at_rest == Some(&Step::Ended) && !track.pod.finalizers.is_empty() {
                summary
                    .finalizing
                    .insert(path.clone(), track.pod.finalizers.clone());
            }
            if track.shortened {
                summary.shortened.push(path.clone());
            }
            if at_rest.is_none_or(|step| !step.is_settled()) && self.present.contains(uid) {
                summary.left.insert(path.clone(), last_word(track, at_rest));
            }
            match &track.doing {
                Doing::Evicted => summary.evicted.push(path),
                Doing::Deleted => summary.deleted.push(path),
                Doing::Forced(overridden) => {
                    summary.forced.insert(path, overridden.clone());
                }
                Doing::Nobodys if !summary.left.contains_key(&path) => summary.others.push(path),
                Doing::Nobodys => {}
            }
        }
        summary.evicted.sort_unstable();
        summary.deleted.sort_unstable();
        summary.shortened.sort_unstable();
        summary.others.sort_unstable();
        summary
    }
}

fn last_word(track: &Track, at_rest: Option<&Step>) -> String {
    if at_rest == Some(&Step::Reserve) {
        "left alone until its last moment, as it asks".to_owned()
    } else if track.pod.deletion.is_some() {
        "still ending".to_owned()
    } else if track.last_word.is_empty() {
        "not asked yet".to_owned()
    } else {
        track.last_word.clone()
    }
}
