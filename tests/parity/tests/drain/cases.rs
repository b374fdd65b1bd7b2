//! What is drained, and how: a fixed part, in which every kind of pod meets every way to drain, and a part by chance.

use hollowtrees_domain::drain::{Force, Terms, Want, Wish};
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::pods::{ANSWERED, KINDS, Kind, Owner};

/// How long either drain may take. It is not waited for where nothing is left to do.
pub(crate) const KUBECTL_TIMEOUT: &str = "15s";
const OUR_TIME: SignedDuration = SignedDuration::from_secs(25);

/// Cases by chance for each of the options' combinations.
const BY_CHANCE: usize = 2;

/// Options that both drains have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Pods without a controller go: `--force`, `bare`.
    pub(crate) bare: bool,
    /// Pods with an `emptyDir` go: `--delete-emptydir-data`, `empty_dir`.
    pub(crate) empty_dir: bool,
    /// Pods of daemon sets are not to be left out: no `--ignore-daemonsets`, `daemons`.
    pub(crate) daemons: bool,
    /// `--grace-period`.
    pub(crate) grace: Option<Grace>,
}

/// Seconds that pods are given to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grace {
    /// Ours is told `grace`.
    Given(u32),
    /// Ours is told `grace_cap`.
    Cap(u32),
}

/// What else is special.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A deadline, and no force.
    Advisory,
    /// A deadline, and force: kubectl has no such thing.
    Certain,
    /// No deadline at all.
    Patient,
    /// As advisory, and kubectl deletes: `--disable-eviction`.
    Deleting,
    /// As advisory, and ours deletes what no budget covers: `pods.unbudgeted`.
    Unbudgeted,
    /// As advisory, and kubectl leaves out what should have ended: `--skip-wait-for-delete-timeout`.
    SkipWait,
}

/// One drain by each.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) options: Options,
    pub(crate) mode: Mode,
    pub(crate) kinds: Vec<Kind>,
}

const ALL_GO: Options = Options {
    bare: true,
    empty_dir: true,
    daemons: false,
    grace: None,
};

/// All cases of this seed.
pub(crate) fn cases(seed: u64) -> Vec<Case> {
    let mut dice = StdRng::seed_from_u64(seed);
    let fixed = [
        (ALL_GO, Mode::Advisory, KINDS),
        (ALL_GO, Mode::Advisory, ANSWERED),
        (ALL_GO, Mode::Certain, ANSWERED),
        (ALL_GO, Mode::Certain, KINDS),
        (ALL_GO, Mode::Patient, KINDS),
        (ALL_GO, Mode::Deleting, KINDS),
        (ALL_GO, Mode::Unbudgeted, KINDS),
        (ALL_GO, Mode::SkipWait, KINDS),
        (
            Options {
                grace: Some(Grace::Given(3)),
                ..ALL_GO
            },
            Mode::Advisory,
            KINDS,
        ),
        (
            Options {
                grace: Some(Grace::Cap(20)),
                ..ALL_GO
            },
            Mode::Advisory,
            KINDS,
        ),
        (
            Options {
                bare: false,
                empty_dir: false,
                ..ALL_GO
            },
            Mode::Advisory,
            KINDS,
        ),
        (
            Options {
                daemons: true,
                ..ALL_GO
            },
            Mode::Advisory,
            KINDS,
        ),
    ];
    let mut cases: Vec<(Options, Mode, Vec<Kind>)> = fixed
        .into_iter()
        .map(|(options, mode, kinds)| (options, mode, kinds.to_vec()))
        .collect();
    for bits in 0..8_u8 {
        for i in 0..BY_CHANCE {
            let options = Options {
                bare: bits & 1 > 0,
                empty_dir: bits & 2 > 0,
                daemons: bits & 4 > 0,
                grace: [
                    None,
                    Some(Grace::Given(3)),
                    Some(Grace::Given(20)),
                    Some(Grace::Cap(3)),
                    Some(Grace::Cap(20)),
                ][dice.random_range(0..5)],
            };
            let mode = [
                Mode::Advisory,
                Mode::Advisory,
                Mode::Certain,
                Mode::Deleting,
                Mode::SkipWait,
            ][dice.random_range(0..5)];
            let mut kinds = KINDS.to_vec();
            kinds.retain(|_| dice.random_bool(0.3));
            if i > 0 {
                // Where kubectl refuses the node there is little to compare.
                kinds.retain(|kind| !options.refused(kind));
            }
            for kind in &mut kinds {
                if kind.budgets.is_empty() {
                    kind.pods = dice.random_range(1..3);
                }
            }
            cases.push((options, mode, kinds));
        }
    }
    let named = |(i, (options, mode, kinds))| Case {
        name: format!("p{i:02}"),
        options,
        mode,
        kinds,
    };
    cases.into_iter().enumerate().map(named).collect()
}

impl Options {
    /// Whether kubectl refuses a node because of such a pod.
    fn refused(&self, kind: &Kind) -> bool {
        let spared = kind.empty_dir && !self.empty_dir || kind.owner == Owner::Nobody && !self.bare;
        let daemon = kind.owner == Owner::DaemonSet && self.daemons
            || kind.owner == Owner::GoneDaemonSet && !self.bare;
        !kind.finished && !kind.mirror && (spared || daemon)
    }
}

impl Case {
    /// What our engine is told.
    pub(crate) fn want(&self) -> (Want, Option<Timestamp>) {
        let end = Timestamp::now() + OUR_TIME;
        let force = match self.mode {
            Mode::Certain => Force::Always,
            _ => Force::Never,
        };
        let wish = match self.mode {
            Mode::Patient => Wish::PATIENT,
            _ => Wish {
                deadline: Some(end),
                force,
            },
        };
        let (grace_seconds, grace_cap_seconds) = match self.options.grace {
            None => (None, None),
            Some(Grace::Given(seconds)) => (Some(seconds), None),
            Some(Grace::Cap(seconds)) => (None, Some(seconds)),
        };
        let terms = Terms {
            bare: Some(self.options.bare),
            empty_dir: Some(self.options.empty_dir),
            daemons: Some(self.options.daemons),
            grace_seconds,
            grace_cap_seconds,
        };
        let until = (self.mode == Mode::Patient).then_some(end);
        (Want { wish, terms }, until)
    }

    /// What kubectl is told besides the node.
    pub(crate) fn flags(&self) -> Vec<(&'static str, String)> {
        let mut flags = vec![
            ("timeout", KUBECTL_TIMEOUT.to_owned()),
            // So that more than one try fits in; how often it tries is not compared.
            ("retry-delay", "1s".to_owned()),
            ("force", self.options.bare.to_string()),
            ("delete-emptydir-data", self.options.empty_dir.to_string()),
            ("ignore-daemonsets", (!self.options.daemons).to_string()),
        ];
        if let Some(Grace::Given(grace) | Grace::Cap(grace)) = self.options.grace {
            flags.push(("grace-period", grace.to_string()));
        }
        match self.mode {
            Mode::Deleting => flags.push(("disable-eviction", true.to_string())),
            Mode::SkipWait => flags.push(("skip-wait-for-delete-timeout", 1.to_string())),
            Mode::Advisory | Mode::Certain | Mode::Patient | Mode::Unbudgeted => {}
        }
        flags
    }
}
