//! The differences that there are, each with its reason. The page `docs/drain-and-kubectl.md` is made of them.

use crate::{
    cases::{Case, Mode},
    fates::Fate::{self, Believed, Deleted, Evicted, Going, Left, Refused, Skipped, Unasked, Unended},
    pods::{Kind, Owner},
};

/// A pod, or as many pods as are equal, that the two treat differently.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Difference<'a> {
    pub(crate) case: &'a Case,
    pub(crate) kind: &'a Kind,
    pub(crate) what: What,
}

/// In what they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Fate {
        kubectl: Fate,
        ours: Fate,
    },
    /// Both evicted it, with other grace.
    Grace {
        kubectl: u32,
        ours: u32,
    },
}

/// A difference that is meant.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// The pods or options it is about, for the page.
    pub(crate) about: &'static str,
    pub(crate) kubectl: &'static str,
    pub(crate) ours: &'static str,
    pub(crate) why: &'static str,
    explains: fn(&Kind, &Case, Fate, Fate) -> bool,
}

/// The first rule that explains a difference.
pub(crate) fn explaining(difference: &Difference<'_>) -> Option<&'static Rule> {
    let Difference { case, kind, what } = *difference;
    match what {
        What::Fate { kubectl, ours } => RULES
            .iter()
            .find(|rule| (rule.explains)(kind, case, kubectl, ours)),
        What::Grace { kubectl, ours } => RULES
            .iter()
            .find(|rule| rule.name == LONGER && kubectl > kind.grace_seconds && ours == kind.grace_seconds),
    }
}

const LONGER: &str = "grace is only shortened";

/// What kubectl does with a pod that it lets go: it is evicted, unless the node is refused.
fn goes(kubectl: Fate) -> bool {
    matches!(kubectl, Unasked | Evicted | Deleted | Unended)
}

/// Whether such a pod may still be there when all time is over, by no fault of a drain without force.
fn holds_out(kind: &Kind) -> bool {
    !kind.budgets.is_empty() || kind.namespace_ending || kind.ending
}

/// In this order: the first that fits is the reason.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "spared pods are left out",
        about: "a bare pod without `--force` / with `bare: false`, a pod with an `emptyDir` without `--delete-emptydir-data` / with `empty_dir: false`",
        kubectl: "refuses the whole node",
        ours: "leaves it, says so, drains the rest; the outcome is a success",
        why: "the instance goes whether or not the node is drained: what may be moved is",
        explains: |kind, case, kubectl, ours| {
            let spared = kind.owner == Owner::Nobody && !case.options.bare
                || kind.empty_dir && !case.options.empty_dir;
            spared && kubectl == Refused && ours == Skipped
        },
    },
    Rule {
        name: "the daemon set is not looked up",
        about: "a pod of a `DaemonSet` that is gone",
        kubectl: "looks the `DaemonSet` up; takes the pod with `--force`, refuses the node without",
        ours: "takes it for any pod of a `DaemonSet`, by its owner's kind",
        why: "a request a pod, and a right to read `DaemonSet`s, for pods that the garbage collector removes by itself",
        explains: |kind, case, kubectl, ours| {
            let by_kind = if case.options.daemons {
                ours == Evicted
            } else {
                ours == Skipped
            };
            kind.owner == Owner::GoneDaemonSet
                && by_kind
                && (goes(kubectl) || kubectl == Refused)
                && kubectl != ours
        },
    },
    Rule {
        name: "a daemon set by any group",
        about: "a pod whose owner is a `DaemonSet` of another API group, such as OpenKruise's",
        kubectl: "evicts it like any other",
        ours: "takes it for a pod of a `DaemonSet`: it stays unless `daemons: true`",
        why: "its controller puts it back on the same node at once, cordoned or not",
        explains: |kind, case, kubectl, ours| {
            kind.owner == Owner::OtherDaemonSet && !case.options.daemons && goes(kubectl) && ours == Skipped
        },
    },
    Rule {
        name: "daemon sets on request",
        about: "a pod of a `DaemonSet`, without `--ignore-daemonsets` / with `daemons: true`",
        kubectl: "refuses the whole node",
        ours: "evicts it, after the ordinary pods",
        why: "a shutdown in order is worth something to an agent that flushes; our taint keeps those away that do not tolerate it",
        explains: |kind, case, kubectl, ours| {
            kind.owner == Owner::DaemonSet && case.options.daemons && kubectl == Refused && ours == Evicted
        },
    },
    Rule {
        name: "finished pods are left alone",
        about: "a pod in phase `Succeeded` or `Failed`",
        kubectl: "evicts it",
        ours: "leaves it and says so",
        why: "nothing runs in it: a request for nothing, and the record of a job with its logs would be gone early",
        explains: |kind, _, kubectl, ours| kind.finished && goes(kubectl) && ours == Skipped,
    },
    Rule {
        name: "pods may opt out",
        about: "a pod with an opt-out annotation (`pods.opt_out`)",
        kubectl: "knows none",
        ours: "leaves it and says so",
        why: "its owner wants it to run to the last moment",
        explains: |kind, _, kubectl, ours| kind.opted_out && goes(kubectl) && ours == Skipped,
    },
    Rule {
        name: "pods may ask for their time",
        about: "a pod that asks to be left alone (`pods.until_last_moment`, such as `karpenter.sh/do-not-disrupt`)",
        kubectl: "knows none",
        ours: "leaves it until it would have to be deleted past its budget, and for good where nothing may be forced",
        why: "its owner would rather lose the last seconds than the work; the autoscalers that know these annotations do the same",
        explains: |kind, _, kubectl, ours| kind.reserved && goes(kubectl) && ours == Skipped,
    },
    Rule {
        name: "no node is refused",
        about: "all other pods of a node with one that is refused",
        kubectl: "are not touched",
        ours: "are drained as if it were not there",
        why: "the instance goes: each pod that can be moved counts",
        explains: |kind, case, kubectl, ours| match ours {
            Left | Unended => kubectl == Unasked && holds_out(kind),
            Deleted => kubectl == Unasked && holds_out(kind) && case.mode == Mode::Certain,
            _ => kubectl == Unasked && ours != Skipped,
        },
    },
    Rule {
        name: "no skipping of what should have ended",
        about: "a pod that is ending and has outlived its grace",
        kubectl: "leaves it out with `--skip-wait-for-delete-timeout`",
        ours: "waits until the deadline and tells it as left; later tiers wait for it no longer than 5 s past its grace",
        why: "its containers may still run: a success would be a lie, and waiting costs nothing",
        explains: |kind, case, kubectl, ours| {
            case.mode == Mode::SkipWait && kind.ending && kubectl == Skipped && matches!(ours, Left | Going)
        },
    },
    Rule {
        name: "finalizers are not waited for",
        about: "a pod that a finalizer keeps after its containers have ended",
        kubectl: "waits until its timeout and fails",
        ours: "has done with it, and lists it with its finalizers",
        why: "nothing runs in it any more; the node is as good as empty",
        explains: |kind, _, kubectl, ours| {
            kind.finalizer && kubectl == Unended && matches!(ours, Evicted | Going)
        },
    },
    Rule {
        name: "what ends past the deadline is shortened",
        about: "a pod that is ending with more grace than there is time, where force is allowed",
        kubectl: "waits until its timeout and fails",
        ours: "deletes it again with the time that is left",
        why: "its containers get their signal to end and then the rest of their time, not a power cut in the middle",
        explains: |kind, case, kubectl, ours| {
            kind.ending
                && case.mode == Mode::Certain
                && matches!(kubectl, Unended | Evicted)
                && ours == Deleted
        },
    },
    Rule {
        name: "what is ending is not asked for again",
        about: "a pod that was being deleted before",
        kubectl: "evicts (or deletes) it once more, and so may shorten its grace to `--grace-period`",
        ours: "waits for it; `grace` and `grace_cap` do not concern it",
        why: "who deleted it gave it its grace; a request for nothing",
        explains: |kind, _, kubectl, ours| {
            kind.ending && matches!(kubectl, Evicted | Deleted | Unended) && matches!(ours, Going | Left)
        },
    },
    Rule {
        name: "force comes in time",
        about: "a pod that is still not granted when only its grace is left until the deadline: a budget, two budgets, a namespace that ends, an API server in trouble",
        kubectl: "tries until its timeout, or gives up at the first error, and fails",
        ours: "deletes it with what is left, where the interruption is certain, and records what was overridden",
        why: "the pod ends anyway: better with its grace than without",
        explains: |_, case, kubectl, ours| case.mode == Mode::Certain && kubectl == Left && ours == Deleted,
    },
    Rule {
        name: "no deletion past a budget without need",
        about: "all pods with `--disable-eviction`",
        kubectl: "deletes all at once, whatever their budgets say; stops at the first error",
        ours: "evicts; deletes only by force, when it is time for it",
        why: "a budget is worth keeping while there is time",
        explains: |kind, case, kubectl, ours| {
            let same = ours == Evicted || ours == Left && holds_out(kind);
            case.mode == Mode::Deleting && matches!(kubectl, Deleted | Unended) && same
        },
    },
    Rule {
        name: "what no budget covers may be deleted",
        about: "a pod without a budget, with `pods.unbudgeted: delete`, or `auto` where evictions would be too slow",
        kubectl: "evicts it like any other",
        ours: "deletes it, with its grace, in a namespace that ends as well",
        why: "all that the API server adds to such an eviction is a look for budgets, and time is short",
        explains: |kind, case, kubectl, ours| {
            let free = kind.budgets.is_empty() && case.mode == Mode::Unbudgeted;
            free && matches!(kubectl, Evicted | Unended | Left) && ours == Deleted
        },
    },
    Rule {
        name: "an error is not the end",
        about: "an eviction that is answered with an error that may pass (409, 500)",
        kubectl: "gives the pod up at the first one and fails",
        ours: "tries again, with growing pauses, until the deadline",
        why: "a conflict is over in a moment, and an API server under a mass interruption is in trouble",
        explains: |kind, _, kubectl, ours| {
            kind.answer
                .is_some_and(|answer| matches!(answer.status, 409 | 500))
                && kubectl == Left
                && ours == Evicted
        },
    },
    Rule {
        name: "gone is what is seen to be gone",
        about: "an eviction that is answered 404 while the pod is there",
        kubectl: "takes the pod for gone",
        ours: "believes the watch: asks again after 10 s, tells it as left in the end, or deletes it at its last moment where the interruption is certain",
        why: "a success has to be true: what is on the node is what the watch shows",
        explains: |kind, case, kubectl, ours| {
            let missed = kind.answer.is_some_and(|answer| answer.status == 404) && kubectl == Believed;
            missed && (matches!(ours, Evicted | Left) || case.mode == Mode::Certain && ours == Deleted)
        },
    },
    Rule {
        name: "critical pods go last",
        about: "a pod of a critical priority beside one that cannot be evicted",
        kubectl: "goes with all others at once",
        ours: "waits for the ordinary ones; with a deadline until 10 s before its last moment, without one to the end of the action",
        why: "what others may need to end well (DNS, CSI, CNI) outlives them, as in the kubelet's own shutdown",
        explains: |kind, case, kubectl, ours| {
            kind.critical && case.mode == Mode::Patient && kubectl == Evicted && ours == Left
        },
    },
    Rule {
        name: LONGER,
        about: "`--grace-period` / `grace_cap` longer than a pod's own grace",
        kubectl: "gives it that much",
        ours: "leaves the pod its own",
        why: "a cap is a most: nobody's grace grows because of it; `grace` is what `--grace-period` is",
        explains: |_, _, _, _| false,
    },
];
