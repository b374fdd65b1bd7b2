//! One thing to do.

use hollowtrees_schemas::names::result;

use super::world::Launch;

/// What a swap does next. The checkpoint that comes with it is saved before.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Enter the swap into the group's record and choose pools ([`super::Checkpoint::begin`]).
    Begin,
    /// Launch a replacement. Repeated unchanged until its answer is definite.
    Launch(Box<Launch>),
    /// Raise MaxSize.
    MakeRoom {
        /// To this.
        max: u32,
    },
    /// Keep the group from evening out its zones while both the old one and its replacement are members.
    SuspendRebalance,
    /// Let it even them out again.
    ResumeRebalance,
    /// Attach the replacement; AWS raises desired with it.
    Attach {
        /// `i-...`
        instance: String,
    },
    /// Protect the replacement from scale-in, as the old one is.
    Protect {
        /// `i-...`
        instance: String,
    },
    /// Detach the old one.
    Detach {
        /// Whether desired is lowered with it.
        decrement: bool,
    },
    /// Take back the unit of desired that attaching had added, for the old one left by itself.
    LowerDesired {
        /// To this.
        to: u32,
    },
    /// The same by ending what the group launched itself in the old one's place and is not in service yet: of its own
    /// choice the group might end one that is.
    EndSpare {
        /// `i-...`
        instance: String,
    },
    /// Take back room in MaxSize.
    RestoreMax {
        /// To this.
        to: u32,
    },
    /// End the old one, which is no member any more.
    TerminateOld,
    /// End an instance of ours that is no member.
    TerminateNew {
        /// `i-...`
        instance: String,
    },
    /// End a member through its group.
    TerminateMember {
        /// `i-...`
        instance: String,
        /// Whether desired is lowered with it.
        decrement: bool,
    },
    /// Look again later.
    Wait(Wait),
    /// Nothing is left to do.
    Finish(End),
}

impl Next {
    /// Whether it reads sizes or members of the group and writes them: only under the group's lease. To protect changes neither;
    /// it goes with what does, for that is next and takes the steps of several swaps as one call.
    #[must_use]
    pub const fn needs_lease(&self) -> bool {
        matches!(
            self,
            Self::MakeRoom { .. }
                | Self::SuspendRebalance
                | Self::ResumeRebalance
                | Self::EndSpare { .. }
                | Self::Attach { .. }
                | Self::Protect { .. }
                | Self::Detach { .. }
                | Self::LowerDesired { .. }
                | Self::RestoreMax { .. }
                | Self::TerminateMember { .. }
        )
    }

    /// Whether the swap goes on where it is refused.
    #[must_use]
    pub const fn is_optional(&self) -> bool {
        matches!(
            self,
            Self::SuspendRebalance | Self::EndSpare { .. } | Self::Protect { .. }
        )
    }

    /// Its name, for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Launch(_) => "launch",
            Self::MakeRoom { .. } => "make-room",
            Self::SuspendRebalance => "suspend-rebalance",
            Self::ResumeRebalance => "resume-rebalance",
            Self::EndSpare { .. } => "end-spare",
            Self::Attach { .. } => "attach",
            Self::Protect { .. } => "protect",
            Self::Detach { .. } => "detach",
            Self::LowerDesired { .. } => "lower-desired",
            Self::RestoreMax { .. } => "restore-max",
            Self::TerminateOld => "terminate-old",
            Self::TerminateNew { .. } => "terminate-new",
            Self::TerminateMember { .. } => "terminate-member",
            Self::Wait(_) => "wait",
            Self::Finish(_) => "finish",
        }
    }
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Another action's swap of the same instance.
    OtherSwap,
    /// The launched instance shows.
    Appears,
    /// The replacement runs.
    Running,
    /// The replacement's node is ready.
    NodeReady,
    /// The replacement is in service.
    InService,
    /// The replacement is healthy at its load balancers.
    Health,
    /// The old one, which still joins, is in service: before that it cannot be detached.
    OldJoins,
    /// The old one, which leaves the group, has left it.
    Leaves,
    /// The old one's node is empty.
    Drain,
    /// The group, which replaces instances at risk itself, begins to.
    GroupReplaces,
    /// What is read of the group is as our latest change left it, or has had the time to be.
    Shows,
}

impl Wait {
    /// What is said of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OtherSwap => "another swap of the instance",
            Self::Appears => "the launched instance to show",
            Self::Running => "the replacement to run",
            Self::NodeReady => "the replacement's node to be Ready",
            Self::InService => "the replacement to be in service",
            Self::Health => "the replacement to be healthy at its load balancers",
            Self::OldJoins => "the old instance to have joined its group",
            Self::Leaves => "the old instance to have left its group",
            Self::Drain => "the drain of the old instance",
            Self::GroupReplaces => "the group to replace the instance itself",
            Self::Shows => "the latest change of the group to show",
        }
    }
}

/// The end of a swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// One of the final results.
    pub result: &'static str,
    /// One word a program can match; empty for a plain success.
    pub reason: String,
    /// A sentence for a person.
    pub message: String,
}

impl End {
    pub(super) fn new(result: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            result,
            reason: reason.into(),
            message: message.into(),
        }
    }

    pub(super) fn skipped(reason: &str, message: impl Into<String>) -> Self {
        Self::new(result::SKIPPED, reason, message)
    }
}
