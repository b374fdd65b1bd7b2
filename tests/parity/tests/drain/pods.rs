//! The pods that both drains meet, by kind. Pods of one kind on one node are equals.

use hollowtrees_harness::control_plane::fixtures;
use serde_json::{Value, json};

/// What keeps a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Nobody,
    ReplicaSet,
    DaemonSet,
    /// One that is not there any more.
    GoneDaemonSet,
    /// One of another API group, which has the same name for its kind.
    OtherDaemonSet,
    /// The kubelet's own.
    Node,
}

/// What is injected into the answers to its evictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Once only.
    pub(crate) once: bool,
}

/// What a pod is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) owner: Owner,
    /// So many of them.
    pub(crate) pods: usize,
    pub(crate) empty_dir: bool,
    pub(crate) mirror: bool,
    pub(crate) finished: bool,
    pub(crate) pending: bool,
    pub(crate) critical: bool,
    pub(crate) opted_out: bool,
    /// It asks to be left alone until its last moment.
    pub(crate) reserved: bool,
    pub(crate) ready: bool,
    pub(crate) finalizer: bool,
    pub(crate) grace_seconds: u32,
    pub(crate) exit_after: &'static str,
    /// Deleted before the drain.
    pub(crate) ending: bool,
    /// Disruptions that each budget of theirs allows.
    pub(crate) budgets: &'static [u64],
    /// In a namespace that was deleted before the drain.
    pub(crate) namespace_ending: bool,
    pub(crate) answer: Option<Answer>,
}

const PLAIN: Kind = Kind {
    name: "controlled",
    owner: Owner::ReplicaSet,
    pods: 1,
    empty_dir: false,
    mirror: false,
    finished: false,
    pending: false,
    critical: false,
    opted_out: false,
    reserved: false,
    ready: true,
    finalizer: false,
    grace_seconds: 2,
    exit_after: "0s",
    ending: false,
    budgets: &[],
    namespace_ending: false,
    answer: None,
};

const fn owned(name: &'static str, owner: Owner) -> Kind {
    Kind { name, owner, ..PLAIN }
}

const fn guarded(name: &'static str, pods: usize, budgets: &'static [u64]) -> Kind {
    Kind {
        name,
        pods,
        budgets,
        ..PLAIN
    }
}

const fn answered(name: &'static str, status: u16, once: bool) -> Kind {
    Kind {
        name,
        answer: Some(Answer { status, once }),
        ..PLAIN
    }
}

/// All kinds whose evictions the API server answers by itself.
pub(crate) const KINDS: &[Kind] = &[
    PLAIN,
    owned("bare", Owner::Nobody),
    owned("daemon", Owner::DaemonSet),
    owned("daemon-gone", Owner::GoneDaemonSet),
    owned("daemon-other", Owner::OtherDaemonSet),
    Kind {
        empty_dir: true,
        ..owned("daemon-scratch", Owner::DaemonSet)
    },
    Kind {
        empty_dir: true,
        ..owned("scratch", Owner::ReplicaSet)
    },
    Kind {
        empty_dir: true,
        ..owned("bare-scratch", Owner::Nobody)
    },
    Kind {
        mirror: true,
        ..owned("mirror", Owner::Node)
    },
    Kind {
        mirror: true,
        empty_dir: true,
        ..owned("mirror-scratch", Owner::Node)
    },
    Kind {
        finished: true,
        ..owned("finished", Owner::ReplicaSet)
    },
    Kind {
        finished: true,
        empty_dir: true,
        ..owned("finished-scratch", Owner::Nobody)
    },
    Kind {
        finished: true,
        ..owned("finished-daemon", Owner::DaemonSet)
    },
    Kind {
        pending: true,
        ..owned("pending", Owner::ReplicaSet)
    },
    Kind {
        critical: true,
        ..owned("critical", Owner::ReplicaSet)
    },
    Kind {
        opted_out: true,
        ..owned("opted-out", Owner::ReplicaSet)
    },
    Kind {
        reserved: true,
        ..owned("reserved", Owner::ReplicaSet)
    },
    Kind {
        finalizer: true,
        ..owned("held", Owner::ReplicaSet)
    },
    Kind {
        grace_seconds: 8,
        exit_after: "4s",
        ..owned(SLOW, Owner::ReplicaSet)
    },
    Kind {
        ending: true,
        // Not past our deadline: that is another kind.
        grace_seconds: 18,
        exit_after: "12s",
        ..owned("ending", Owner::ReplicaSet)
    },
    Kind {
        ending: true,
        grace_seconds: 600,
        exit_after: "300s",
        ..owned("ending-long", Owner::ReplicaSet)
    },
    Kind {
        ending: true,
        grace_seconds: 1,
        exit_after: "never",
        ..owned("ending-stuck", Owner::ReplicaSet)
    },
    Kind {
        ending: true,
        finalizer: true,
        ..owned("ending-held", Owner::ReplicaSet)
    },
    guarded("blocked", 2, &[0]),
    guarded("narrow", 2, &[1]),
    guarded("wide", 2, &[2]),
    guarded("two-budgets", 1, &[1, 1]),
    // Its budget has enough without it.
    Kind {
        ready: false,
        ..guarded("unready", 1, &[0])
    },
    Kind {
        namespace_ending: true,
        ..owned("namespace-ending", Owner::ReplicaSet)
    },
    Kind {
        namespace_ending: true,
        ending: true,
        // Not past our deadline: that is another kind.
        grace_seconds: 18,
        exit_after: "12s",
        ..owned("namespace-ending-too", Owner::ReplicaSet)
    },
];

/// The kind whose pods end slowly enough for their grace to be seen.
pub(crate) const SLOW: &str = "slow";

/// Kinds whose evictions are answered by a fault.
pub(crate) const ANSWERED: &[Kind] = &[
    PLAIN,
    answered("answer-404", 404, false),
    answered("answer-404-once", 404, true),
    answered("answer-409", 409, false),
    answered("answer-409-once", 409, true),
    answered("answer-429", 429, false),
    answered("answer-429-once", 429, true),
    answered("answer-500", 500, false),
    answered("answer-500-once", 500, true),
];

impl Kind {
    /// Deleted, it never ends.
    pub(crate) fn is_stuck(&self) -> bool {
        self.exit_after == "never"
    }

    /// The names of its pods.
    pub(crate) fn pods(self) -> impl Iterator<Item = String> {
        (0..self.pods).map(move |i| format!("{}.{i}", self.name))
    }

    /// One of its pods, to be created.
    pub(crate) fn object(&self, name: &str, node: &str) -> Value {
        let mut pod = fixtures::annotated(
            fixtures::pod(name, self.name, node),
            fixtures::EXIT_AFTER,
            self.exit_after,
        );
        if self.finished {
            pod = fixtures::annotated(pod, fixtures::COMPLETE_AFTER, "10ms");
        }
        if self.pending {
            pod = fixtures::annotated(pod, fixtures::START_AFTER, "never");
        }
        if !self.ready {
            pod = fixtures::annotated(pod, fixtures::READY_AFTER, "never");
        }
        if self.reserved {
            pod = fixtures::annotated(pod, "karpenter.sh/do-not-disrupt", "true");
        }
        if self.mirror {
            pod = fixtures::annotated(pod, "kubernetes.io/config.mirror", "x");
        }
        if self.opted_out {
            pod = fixtures::annotated(pod, "hollowtrees.io/do-not-evict", "true");
        }
        let spec = &mut pod["spec"];
        spec["terminationGracePeriodSeconds"] = self.grace_seconds.into();
        if self.critical {
            spec["priorityClassName"] = "system-cluster-critical".into();
        }
        if self.empty_dir {
            spec["volumes"] = json!([{"name": "scratch", "emptyDir": {}}]);
        }
        if self.finalizer {
            pod["metadata"]["finalizers"] = json!(["testbed.hollowtrees.io/hold"]);
        }
        let owner = |version: &str, kind: &str, name: &str| json!([{"apiVersion": version, "kind": kind, "name": name, "uid": format!("uid-of-{name}"), "controller": true}]);
        let owners = match self.owner {
            Owner::Nobody => json!([]),
            Owner::ReplicaSet => owner("apps/v1", "ReplicaSet", "web"),
            Owner::DaemonSet => owner("apps/v1", "DaemonSet", DAEMON_SET),
            Owner::GoneDaemonSet => owner("apps/v1", "DaemonSet", "gone"),
            Owner::OtherDaemonSet => owner("apps.kruise.io/v1alpha1", "DaemonSet", DAEMON_SET),
            Owner::Node => owner("v1", "Node", node),
        };
        pod["metadata"]["ownerReferences"] = owners;
        pod
    }
}

/// The daemon set that is there.
pub(crate) const DAEMON_SET: &str = "agents";
