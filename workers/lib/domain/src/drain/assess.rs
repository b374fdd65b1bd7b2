//! The next step of every pod of a node.

use jiff::{SignedDuration, Timestamp};

use super::{Bearing, Going, Options, Pod, Skip, Tier, Want, Wish};

/// A tier opens this long before its pods would have to be forced, whatever the tiers before it do: they
/// shall have been asked the polite way at least.
pub const HEAD_START: SignedDuration = SignedDuration::from_secs(10);
/// A pod that has outlived its grace by this holds up the tiers after its own no longer.
pub const STUCK_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// What to do about one pod now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it stays.
    Skip(Skip),
    /// Nothing: its containers have ended, only finalizers keep the object.
    Ended,
    /// Nothing: it ends in time by itself, or would not end sooner.
    Await,
    /// Nothing yet: pods of an earlier tier come first.
    Gate,
    /// Nothing yet: it asks to be left alone as long as there is time.
    Reserve,
    /// Nothing any more: the deadline has passed.
    Late,
    /// Ask for its eviction; with less grace than its own where the time is short.
    Evict {
        /// Seconds; `None` for the pod's own.
        grace: Option<u32>,
    },
    /// Delete it past its budget.
    Delete {
        /// Seconds.
        grace: u32,
    },
    /// It is ending, but past the deadline: delete it again with less grace.
    Shorten {
        /// Seconds.
        grace: u32,
    },
}

impl Step {
    /// Whether something is to be asked of the API server.
    #[must_use]
    pub const fn is_effect(self) -> bool {
        matches!(
            self,
            Self::Evict { .. } | Self::Delete { .. } | Self::Shorten { .. }
        )
    }

    /// Whether the node can count as empty with this pod on it.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Skip(_) | Self::Ended)
    }
}

/// One pod and its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assessed<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// Its tier; `None` where it stays.
    pub tier: Option<Tier>,
    /// What to do now.
    pub step: Step,
    /// When it has to begin to end.
    pub latest_start: Option<Timestamp>,
}

/// A node and its pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment<'a> {
    /// Every pod.
    pub pods: Vec<Assessed<'a>>,
    /// When to look again, should nothing change before.
    pub due: Option<Timestamp>,
}

impl Assessment<'_> {
    /// Whether only those are left that stay or have ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pods.iter().all(|assessed| assessed.step.is_settled())
    }
}

/// Assesses the pods of one node by what all parties want of it. `refused` tells whether a pod's eviction was refused before: at its last
/// moment a pod is asked for politely once, and deleted after that.
#[must_use]
pub fn assess<'a>(
    pods: impl IntoIterator<Item = &'a Pod>,
    options: &Options,
    wants: &[Want],
    refused: impl Fn(&Pod) -> bool,
    now: Timestamp,
) -> Assessment<'a> {
    let judged: Vec<(&Pod, Bearing)> = pods
        .into_iter()
        .map(|pod| (pod, Bearing::of(pod, options, wants)))
        .collect();
    let open = judged
        .iter()
        .filter_map(|(pod, bearing)| match bearing {
            Bearing::Goes(going) if holds_up(pod, now) && !going.is_reserved(now) => Some(going.tier),
            Bearing::Goes(_) | Bearing::Stays(_) => None,
        })
        .min();
    let mut due = Due { now, at: None };
    let pods = judged
        .into_iter()
        .map(|(pod, bearing)| match bearing {
            Bearing::Stays(skip) => Assessed {
                pod,
                tier: None,
                step: Step::Skip(skip),
                latest_start: None,
            },
            Bearing::Goes(going) => {
                let gated = open.is_some_and(|open| open < going.tier);
                Assessed {
                    pod,
                    tier: Some(going.tier),
                    step: step(pod, gated, &going, refused(pod), &mut due),
                    latest_start: going.wish.latest_start(going.grace_seconds),
                }
            }
        })
        .collect();
    Assessment { pods, due: due.at }
}

fn step(pod: &Pod, gated: bool, going: &Going, refused: bool, due: &mut Due) -> Step {
    let (now, wish, grace) = (due.now, &going.wish, going.grace_seconds);
    if let Some(deletion) = pod.deletion {
        if pod.containers_ended {
            return Step::Ended;
        }
        due.by(plus(deletion.ends_at, STUCK_AFTER));
        return shorten(pod, deletion.ends_at, deletion.grace_seconds, wish, due);
    }
    if let Some(deadline) = wish.deadline {
        if deadline <= now {
            return Step::Late;
        }
        due.by(deadline);
    }
    let force_at = wish.force_at(grace);
    if let Some(force_at) = force_at {
        due.by(force_at);
        if force_at <= now && refused {
            return Step::Delete {
                grace: wish.grace_left(grace, now),
            };
        }
    }
    if going.is_reserved(now) {
        if let Some(until) = going.reserved_until.filter(|until| *until < Timestamp::MAX) {
            due.by(until);
        }
        return Step::Reserve;
    }
    if gated {
        let opens = wish
            .latest_start(grace)
            .map(|latest| latest.checked_sub(HEAD_START).unwrap_or(Timestamp::MIN));
        if opens.is_none_or(|opens| opens > now) {
            if let Some(opens) = opens {
                due.by(opens);
            }
            return Step::Gate;
        }
    }
    Step::Evict {
        grace: going.eviction_grace(pod, now),
    }
}

/// A pod that ends past the deadline is given what is left, once force is allowed.
fn shorten(pod: &Pod, ends_at: Timestamp, grace: u32, wish: &Wish, due: &mut Due) -> Step {
    let Some(deadline) = wish.deadline else {
        return Step::Await;
    };
    // The API server counts in whole seconds.
    if ends_at <= plus(deadline, SignedDuration::from_secs(1)) || deadline <= due.now {
        return Step::Await;
    }
    let Some(from) = wish.force.allowed_from(deadline) else {
        return Step::Await;
    };
    if from > due.now {
        due.by(from);
        return Step::Await;
    }
    let left = wish.grace_left(pod.grace_seconds.max(grace), due.now);
    // The server takes only what is shorter than it has.
    if left < grace {
        Step::Shorten { grace: left }
    } else {
        Step::Await
    }
}

/// Whether the tiers after this pod's have to wait for it.
fn holds_up(pod: &Pod, now: Timestamp) -> bool {
    match pod.deletion {
        None => true,
        Some(deletion) => !pod.containers_ended && plus(deletion.ends_at, STUCK_AFTER) > now,
    }
}

struct Due {
    now: Timestamp,
    at: Option<Timestamp>,
}

impl Due {
    /// Past moments need no alarm.
    fn by(&mut self, at: Timestamp) {
        if at > self.now {
            self.at = Some(self.at.map_or(at, |due| due.min(at)));
        }
    }
}

fn plus(at: Timestamp, more: SignedDuration) -> Timestamp {
    at.checked_add(more).unwrap_or(Timestamp::MAX)
}
