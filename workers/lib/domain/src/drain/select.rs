//! Which pods go, and in which tier.

use super::{Owner, Pod, Terms};

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
            last: vec![
                ("app.kubernetes.io/part-of".to_owned(), "hollowtrees".to_owned()),
                ("app.kubernetes.io/name".to_owned(), "nats".to_owned()),
            ],
        }
    }
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
        let last = |(key, value): &(String, String)| pod.labels.get(key) == Some(value);
        Verdict::Goes(match (self.last.iter().any(last), pod.critical, daemon) {
            (true, ..) => Tier::Last,
            (false, true, true) => Tier::CriticalDaemon,
            (false, true, false) => Tier::Critical,
            (false, false, true) => Tier::Daemon,
            (false, false, false) => Tier::Ordinary,
        })
    }
}
