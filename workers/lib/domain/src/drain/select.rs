//! Which pods go, and in which tier.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Owner, Pod, Terms};
use crate::duration;

/// What an operator may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Evict pods that no controller starts again elsewhere.
    pub bare: bool,
    /// Evict pods with an `emptyDir`, whose content is lost.
    pub empty_dir: bool,
    /// Evict the pods of `DaemonSets` as well.
    pub daemons: bool,
    /// Annotations (key, value) of pods that nobody may touch.
    pub opt_out: Vec<(String, String)>,
    /// Annotations (key, value) of pods that are left alone until they would have to be forced. Where the value is
    /// `true`, a duration in its place counts from the pod's start (Karpenter, "Well-Known Annotations").
    pub reserve: Vec<(String, String)>,
    /// What is done with pods that tolerate the taint of a node that is drained.
    pub tolerating: Tolerating,
    /// How pods go that no budget covers.
    pub unbudgeted: Unbudgeted,
    /// Labels (key, value) of pods that go after all others: those the drain itself depends on.
    pub last: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bare: true,
            empty_dir: true,
            daemons: false,
            opt_out: vec![("hollowtrees.io/do-not-evict".to_owned(), "true".to_owned())],
            reserve: vec![
                ("karpenter.sh/do-not-disrupt".to_owned(), "true".to_owned()),
                (
                    "cluster-autoscaler.kubernetes.io/safe-to-evict".to_owned(),
                    "false".to_owned(),
                ),
            ],
            tolerating: Tolerating::Evict,
            unbudgeted: Unbudgeted::Auto,
            last: vec![
                ("app.kubernetes.io/part-of".to_owned(), "hollowtrees".to_owned()),
                ("app.kubernetes.io/name".to_owned(), "nats".to_owned()),
            ],
        }
    }
}

/// What is done with pods that tolerate the taint of a node that is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tolerating {
    /// They go like all others: the taint only keeps new pods away.
    Evict,
    /// They go when they would have to be forced.
    LastMoment,
    /// They stay.
    Skip,
}

/// How pods go that no budget covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unbudgeted {
    /// By eviction.
    Evict,
    /// By deletion where evictions would be too slow for the deadlines. The API server looks for budgets at each
    /// eviction; for a pod that has none this is all the difference.
    Auto,
    /// By deletion.
    Delete,
}

/// Pods of a node go tier by tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Ordinary pods.
    Ordinary,
    /// Ordinary pods of `DaemonSets`.
    Daemon,
    /// Pods of a critical priority.
    Critical,
    /// Pods of `DaemonSets` with a critical priority.
    CriticalDaemon,
    /// What the drain itself depends on.
    Last,
}

/// Why a pod stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// Its `DaemonSet` would put it back at once.
    Daemon,
    /// The kubelet's own: deleting its picture ends nothing.
    Mirror,
    /// It has ended by itself.
    Finished,
    /// Its annotation says so.
    OptedOut,
    /// It tolerates the taint, and the options spare those.
    Tolerates,
    /// No controller starts it again, and the options spare those.
    Bare,
    /// Its `emptyDir` would be lost, and the options spare those.
    EmptyDir,
}

impl Skip {
    /// The word in an outcome.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daemon => "daemon-set",
            Self::Mirror => "mirror",
            Self::Finished => "finished",
            Self::OptedOut => "opted-out",
            Self::Tolerates => "tolerates",
            Self::Bare => "bare",
            Self::EmptyDir => "empty-dir",
        }
    }
}

/// Whether a pod goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes, in this tier.
    Goes(Tier),
    /// It goes in this tier, but is left alone until then, or until it would have to be forced.
    Reserved(Tier, Timestamp, Skip),
    /// It stays.
    Stays(Skip),
}

impl Options {
    /// Judges a pod. The filters and their order are kubectl's (`pkg/drain/filters.go`), but a pod that is
    /// spared is left out and said so, where kubectl would refuse to drain anything; and what has finished
    /// is left alone.
    #[must_use]
    pub fn judge(&self, pod: &Pod) -> Verdict {
        self.judge_on(&Terms::default(), pod)
    }

    /// Judges a pod for an action with terms of its own.
    #[must_use]
    pub fn judge_on(&self, terms: &Terms, pod: &Pod) -> Verdict {
        let daemon = pod.owner == Owner::DaemonSet;
        if pod.mirror {
            return Verdict::Stays(Skip::Mirror);
        }
        // One that is being deleted as well is on its way out, and its finalizers are worth telling.
        if pod.finished && pod.deletion.is_none() {
            return Verdict::Stays(Skip::Finished);
        }
        if daemon && !terms.daemons.unwrap_or(self.daemons) {
            return Verdict::Stays(Skip::Daemon);
        }
        let opted_out = |(key, value): &(String, String)| pod.annotations.get(key) == Some(value);
        if self.opt_out.iter().any(opted_out) {
            return Verdict::Stays(Skip::OptedOut);
        }
        if pod.empty_dir && !terms.empty_dir.unwrap_or(self.empty_dir) {
            return Verdict::Stays(Skip::EmptyDir);
        }
        if pod.owner == Owner::None && !terms.bare.unwrap_or(self.bare) {
            return Verdict::Stays(Skip::Bare);
        }
        if pod.tolerates && self.tolerating == Tolerating::Skip {
            return Verdict::Stays(Skip::Tolerates);
        }
        let last = |(key, value): &(String, String)| pod.labels.get(key) == Some(value);
        let tier = match (self.last.iter().any(last), pod.critical, daemon) {
            (true, ..) => Tier::Last,
            (false, true, true) => Tier::CriticalDaemon,
            (false, true, false) => Tier::Critical,
            (false, false, true) => Tier::Daemon,
            (false, false, false) => Tier::Ordinary,
        };
        if pod.tolerates && self.tolerating == Tolerating::LastMoment {
            return Verdict::Reserved(tier, Timestamp::MAX, Skip::Tolerates);
        }
        match self.reserved_until(pod) {
            Some(until) => Verdict::Reserved(tier, until, Skip::OptedOut),
            None => Verdict::Goes(tier),
        }
    }

    /// Keys of the annotations that are looked at.
    pub fn annotations(&self) -> impl Iterator<Item = &str> {
        self.opt_out
            .iter()
            .chain(&self.reserve)
            .map(|(key, _)| key.as_str())
    }

    fn reserved_until(&self, pod: &Pod) -> Option<Timestamp> {
        let until = |(key, value): &(String, String)| {
            let annotation = pod.annotations.get(key)?;
            if annotation == value {
                return Some(Timestamp::MAX);
            }
            let so_long = duration::parse(annotation).ok().filter(|_| value == "true")?;
            pod.started_at?.checked_add(so_long).ok()
        };
        self.reserve.iter().filter_map(until).max()
    }
}
