//! One look at everything a decision needs.

use jiff::{SignedDuration, Timestamp};

use super::{
    Checkpoint, Node, Strategy,
    health::Health,
    rebalance::Watch,
    world::{Group, Instance, Life, Member, Sizes, Standing},
};
use crate::words::Certainty;

/// What the cloud and the records show, read after the last effect.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The instance that goes.
    pub old_id: String,
    /// It, where EC2 still knows it.
    pub old: Option<Instance>,
    /// The group, where there is one.
    pub group: Option<Group>,
    /// It is in the warm pool of that group, whose members are told without those.
    pub warm: bool,
    /// Instances that carry this action's tag, and the launched one.
    pub ours: Vec<Instance>,
    /// The replacement has an open incident of its own.
    pub doomed: bool,
    /// The replacement's node.
    pub node: Node,
    /// Its health at load balancers.
    pub health: Health,
    /// A member that another action launched for the same instance.
    pub replaced_by: Option<String>,
    /// Another action's swap of the same instance is open.
    pub other_swap: bool,
    /// Other members that are at risk too; looked at only where the group replaces such by itself.
    pub at_risk: Vec<String>,
    /// What open swaps have added to desired; looked at as that.
    pub added: u32,
    /// Whether the old one's node is being emptied.
    pub drain: Drain,
    /// The group's record, as far as it is about this swap.
    pub books: Books,
    /// The member that this swap attached, by the group's record.
    pub attached: Option<String>,
    /// A member that the group launched itself and is not in service yet, of the weight that is to be taken back.
    pub spare: Option<String>,
}

/// What a drain of the old instance, asked for by the same incident, has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drain {
    /// None was asked for.
    #[default]
    None,
    /// It is still to end, and its outcome is due then.
    Pending {
        /// Its `close_at`.
        until: Option<Timestamp>,
    },
    /// It is of a later step of the same run, which waits for the swap.
    Later,
    /// It has ended well.
    Emptied,
    /// It was called off, or failed: pods may be left.
    NotEmptied,
}

/// A group's record as one swap sees it ([`super::book`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// MaxSize before the first raise.
    pub base_max: u32,
    /// MaxSize as we last wrote it; 0: we raised nothing.
    pub written_max: u32,
    /// Units of desired that this swap added and has not taken back.
    pub surplus: u32,
    /// Units that other open swaps are about to attach.
    pub awaited_by_others: u32,
    /// Other open swaps need room, or have raised desired.
    pub others_under_way: bool,
    /// AZRebalance was suspended by a swap, or is about to be.
    pub rebalance_suspended: bool,
    /// It was resumed a moment ago: what is read may show it suspended still.
    pub rebalance_resumed: bool,
    /// A call that suspends it was not answered, a moment ago: it may take effect yet.
    pub rebalance_in_doubt: bool,
    /// Desired is as our last change left it.
    pub desired_is_ours: bool,
    /// What was read of the group may be older than our latest change of it.
    pub stale: bool,
}

/// What is asked for now, and how long for what.
#[derive(Clone, Debug)]
pub struct Orders {
    /// The way.
    pub strategy: Strategy,
    /// The group is named in the configuration: it needs no tag.
    pub managed: bool,
    /// How sure the interruption is.
    pub certainty: Certainty,
    /// The incident was withdrawn.
    pub cancelled: bool,
    /// No more than compensation fits into the time that is left.
    pub give_up: bool,
    /// How long a group that replaces instances at risk itself has to begin.
    pub watch: Watch,
    /// The old one's drain is waited for no longer.
    pub drain_over: bool,
    /// A launch runs within this, or another pool is tried.
    pub running_within: SignedDuration,
    /// The replacement's node is waited for this long from when it was seen running, where it is asked for.
    pub node_within: SignedDuration,
    /// It is waited for no longer: what comes after it needs the time that is left.
    pub node_over: bool,
    /// The replacement's health at load balancers is waited for this long from when it was seen in service.
    pub healthy_within: SignedDuration,
    /// What was attached is in service within this, or it goes.
    pub in_service_within: SignedDuration,
}

impl Seen {
    /// Where an instance stands in the group; `None`: it is no member.
    #[must_use]
    pub fn standing(&self, instance: &str) -> Option<Standing> {
        self.member(instance).map(|member| member.standing)
    }

    pub(super) fn member(&self, instance: &str) -> Option<&Member> {
        let members = &self.group.as_ref()?.members;
        members.iter().find(|member| member.instance == instance)
    }

    /// Where the old one stands, if the group does not let it go already.
    #[must_use]
    pub fn old_stays(&self) -> Option<Standing> {
        self.standing(&self.old_id)
            .filter(|standing| !matches!(standing, Standing::Leaving | Standing::Warm))
    }

    /// Sizes of the group.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        self.group.as_ref().map(|group| group.sizes).unwrap_or_default()
    }

    pub(super) fn ours(&self, instance: &str) -> Option<&Instance> {
        self.ours.iter().find(|found| found.id == instance)
    }

    /// The replacement was attached and does not show, nor is it known to be lost: what is read may be old.
    pub(super) fn is_unseen(&self, checkpoint: &Checkpoint) -> bool {
        let launched = checkpoint.launched.as_deref();
        checkpoint.attached
            && !checkpoint.lost
            && self.group.is_some()
            && launched.is_some_and(|id| self.standing(id).is_none())
    }

    /// Ours that still run or start.
    pub(super) fn alive(&self) -> impl Iterator<Item = &Instance> {
        self.ours.iter().filter(|found| found.life != Life::Gone)
    }

    /// Members, the old one apart, that the group counts on, in units of weight: those in service, and all.
    pub(super) fn others(&self) -> (u32, u32) {
        let members = self.group.iter().flat_map(|group| &group.members);
        let others = members.filter(|member| member.instance != self.old_id);
        others.fold((0, 0), |(serving, all), member| match member.standing {
            Standing::InService => (serving + member.weight, all + member.weight),
            Standing::Joining => (serving, all + member.weight),
            Standing::Standby | Standing::Warm | Standing::Leaving => (serving, all),
        })
    }
}
