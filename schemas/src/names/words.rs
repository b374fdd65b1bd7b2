//! The words used as values in messages.

/// Kinds of notices and actions; others are as good.
pub mod kind {
    /// Notice: a spot instance goes (EC2 `spot/instance-action`).
    pub const SPOT_INTERRUPTION: &str = "spot-interruption";
    /// Notice: a preemptible or spot instance goes (GCP, Azure).
    pub const PREEMPTED: &str = "preempted";
    /// Notice: a spot instance may go (EC2).
    pub const REBALANCE_RECOMMENDATION: &str = "rebalance-recommendation";
    /// Notice: the provider will stop, reboot or move it at a known time.
    pub const SCHEDULED_MAINTENANCE: &str = "scheduled-maintenance";
    /// Notice: its auto-scaling group is ending it.
    pub const ASG_TERMINATING: &str = "asg-terminating";
    /// Notice: its auto-scaling group has launched it, and a lifecycle hook holds it back from service. It comes; no other
    /// kind of ours says so.
    pub const ASG_LAUNCHING: &str = "asg-launching";
    /// Notice: the provider says it is stopping or gone.
    pub const INSTANCE_STATE_CHANGE: &str = "instance-state-change";
    /// Notice: an interruptible capacity reservation ends.
    pub const CAPACITY_RESERVATION_INTERRUPTION: &str = "capacity-reservation-interruption";
    /// Notice: a swap bought it on demand for want of spot, and it may be tried whether spot is back. Nobody takes it away.
    pub const SPOT_AGAIN: &str = "spot-again";
    /// Notice: an alert fires for it.
    pub const ALERT: &str = "alert";
    /// Action: keep new pods off its node.
    pub const CORDON: &str = "cordon";
    /// Action: cordon and empty its node.
    pub const DRAIN: &str = "drain";
    /// Action: release our cordon.
    pub const UNCORDON: &str = "uncordon";
    /// Action: give up what is left of the node of an instance that is gone.
    pub const REMOVE_NODE: &str = "remove-node";
    /// Action: attach a replacement to its auto-scaling group, detach it.
    pub const ASG_SWAP: &str = "asg-swap";
    /// Action: take it out of its load balancers.
    pub const DEREGISTER: &str = "deregister";
    /// Action: answer its auto-scaling lifecycle hook.
    pub const HOOK: &str = "hook";
    /// Action: tell people.
    pub const NOTIFY: &str = "notify";

    /// All of them.
    pub const ALL: [&str; 18] = [
        SPOT_INTERRUPTION,
        PREEMPTED,
        REBALANCE_RECOMMENDATION,
        SCHEDULED_MAINTENANCE,
        ASG_TERMINATING,
        ASG_LAUNCHING,
        INSTANCE_STATE_CHANGE,
        CAPACITY_RESERVATION_INTERRUPTION,
        SPOT_AGAIN,
        ALERT,
        CORDON,
        DRAIN,
        UNCORDON,
        REMOVE_NODE,
        ASG_SWAP,
        DEREGISTER,
        HOOK,
        NOTIFY,
    ];
}

/// States of a notice and of an incident.
pub mod state {
    /// Notice: it stands.
    pub const ACTIVE: &str = "active";
    /// Notice: the provider took it back. Incident: all its facts are withdrawn, runs are under way.
    pub const CANCELLED: &str = "cancelled";
    /// Notice: an alert that no longer fires.
    pub const RESOLVED: &str = "resolved";
    /// Incident: it stands.
    pub const OPEN: &str = "open";
    /// Incident: it is over; a later notice opens the next generation.
    pub const CLOSED: &str = "closed";

    /// All of them.
    pub const ALL: [&str; 5] = [ACTIVE, CANCELLED, RESOLVED, OPEN, CLOSED];

    /// The state of a notice its field means: empty reads as `active`.
    pub fn or_active(state: &str) -> &str {
        if state.is_empty() { ACTIVE } else { state }
    }
}

/// How sure it is that the instance goes, weakest first.
pub mod certainty {
    /// It may go.
    pub const ADVISORY: &str = "advisory";
    /// It will go at a known, distant time.
    pub const SCHEDULED: &str = "scheduled";
    /// It goes.
    pub const CERTAIN: &str = "certain";

    /// All of them.
    pub const ALL: [&str; 3] = [ADVISORY, SCHEDULED, CERTAIN];
}

/// What a notice or action may touch.
pub mod mode {
    /// The real thing.
    pub const LIVE: &str = "live";
    /// Decide and say, change nothing.
    pub const DRY_RUN: &str = "dry-run";
    /// Travel the whole way, touch nothing.
    pub const TEST: &str = "test";

    /// All of them.
    pub const ALL: [&str; 3] = [LIVE, DRY_RUN, TEST];

    /// The mode a field means: empty reads as `live`.
    pub fn or_live(mode: &str) -> &str {
        if mode.is_empty() { LIVE } else { mode }
    }
}

/// How often a kind of action may take effect.
pub mod effect {
    /// Once an incident and certainty: a second rule that asks joins the first.
    pub const PER_INSTANCE: &str = "per-instance";
    /// Once a place in a plan.
    pub const PER_ACTION: &str = "per-action";

    /// All of them.
    pub const ALL: [&str; 2] = [PER_INSTANCE, PER_ACTION];
}

/// Results of an action.
pub mod result {
    /// Final: done.
    pub const SUCCEEDED: &str = "succeeded";
    /// Final: not done, or not in time.
    pub const FAILED: &str = "failed";
    /// Final: never started.
    pub const EXPIRED: &str = "expired";
    /// Final: called off.
    pub const CANCELLED: &str = "cancelled";
    /// Final: nothing to do; `reason` says why. Never for a run.
    pub const SKIPPED: &str = "skipped";
    /// Not final: a fact on the way.
    pub const PROGRESS: &str = "progress";

    /// All of them.
    pub const ALL: [&str; 6] = [SUCCEEDED, FAILED, EXPIRED, CANCELLED, SKIPPED, PROGRESS];

    /// Whether this is the last word on an action.
    pub fn is_final(result: &str) -> bool {
        matches!(result, SUCCEEDED | FAILED | EXPIRED | CANCELLED | SKIPPED)
    }
}

/// Reasons of outcomes that more than one process writes or matches; workers add their own.
pub mod reason {
    /// Time ran out.
    pub const DEADLINE: &str = "deadline";
    /// Mode `dry-run`, and the kind has none of its own.
    pub const DRY_RUN: &str = "dry-run";
    /// Mode `test`: nothing was touched.
    pub const TEST: &str = "test";
    /// The cluster has no such node.
    pub const NODE_NOT_FOUND: &str = "node-not-found";
    /// No worker serves this kind of action.
    pub const NOT_SERVED: &str = "not-served";
    /// Nobody started it in time, though it is served.
    pub const NOT_STARTED: &str = "not-started";
    /// Progress: the node takes no new pods.
    pub const CORDONED: &str = "cordoned";

    /// All of them.
    pub const ALL: [&str; 7] = [
        DEADLINE,
        DRY_RUN,
        TEST,
        NODE_NOT_FOUND,
        NOT_SERVED,
        NOT_STARTED,
        CORDONED,
    ];
}

/// Phases of a run.
pub mod phase {
    /// Steps are under way.
    pub const RUNNING: &str = "running";
    /// No new steps; `on_cancel` follows the outcomes still due.
    pub const CANCELLING: &str = "cancelling";
    /// Nothing more will be done.
    pub const FINISHED: &str = "finished";

    /// All of them.
    pub const ALL: [&str; 3] = [RUNNING, CANCELLING, FINISHED];
}

/// States of an action within a run.
pub mod action_state {
    /// Not yet on its stream.
    pub const PLANNED: &str = "planned";
    /// On its stream.
    pub const PUBLISHED: &str = "published";
    /// Somebody was at it when its deadline came.
    pub const STARTED: &str = "started";
    /// Its outcome is in.
    pub const DONE: &str = "done";

    /// All of them.
    pub const ALL: [&str; 4] = [PLANNED, PUBLISHED, STARTED, DONE];
}

/// States of a ledger entry.
pub mod ledger_state {
    /// Someone owns it.
    pub const RUNNING: &str = "running";
    /// It has its outcome.
    pub const DONE: &str = "done";

    /// All of them.
    pub const ALL: [&str; 2] = [RUNNING, DONE];
}

/// What to do with an action that has not started by its deadline.
pub mod when_expired {
    /// Its outcome is `expired`.
    pub const SKIP: &str = "skip";
    /// Start it all the same.
    pub const RUN: &str = "run";

    /// All of them.
    pub const ALL: [&str; 2] = [SKIP, RUN];
}

/// What a step's failure, or that something of it was skipped, means for the next.
pub mod on_failure {
    /// Go on.
    pub const CONTINUE: &str = "continue";
    /// The next ones are skipped.
    pub const STOP: &str = "stop";

    /// All of them.
    pub const ALL: [&str; 2] = [CONTINUE, STOP];
}

/// Why a message is a dead letter, in one word.
pub mod error_class {
    /// No CloudEvent, or data that cannot be read.
    pub const UNDECODABLE: &str = "undecodable";
    /// Readable, but its content cannot be right.
    pub const INVALID: &str = "invalid";
    /// It brought down those who tried.
    pub const POISON: &str = "poison";
    /// Its worker refused it for good.
    pub const REJECTED: &str = "rejected";

    /// All of them.
    pub const ALL: [&str; 4] = [UNDECODABLE, INVALID, POISON, REJECTED];
}
