//! What a swap remembers, and what the answers to its steps do to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Choice, Next, Node, Strategy, health,
    node::Waited,
    world::{Instance, Sizes, SpotMarket},
};

/// Refusals of pools kept for the report.
const REFUSALS_MAX: usize = 24;
/// Characters kept of one.
const REFUSAL_LENGTH: usize = 160;

/// All that a later start needs and the cloud does not show. Fields that are not known are passed over, those that
/// lack are empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checkpoint {
    /// The group, once the swap has begun; empty before.
    pub group: String,
    /// The way it goes, fixed when it begins.
    pub strategy: Strategy,
    /// The instance that goes.
    pub old: Old,
    /// Terms of the spot market; none: on demand.
    pub spot: Option<SpotMarket>,
    /// Tags the group gives to its instances.
    pub tags: BTreeMap<String, String>,
    /// Pools, best first.
    pub choices: Vec<Choice>,
    /// Index of the one that is tried.
    pub at: usize,
    /// Pools that did not do, and why.
    pub refused: Vec<Refused>,
    /// A launch was called whose answer is not known.
    pub in_doubt: bool,
    /// The replacement.
    pub launched: Option<String>,
    /// When it was launched, seconds since 1970.
    pub launched_at: i64,
    /// When it was first seen running, seconds since 1970; kept only where its node is waited for.
    pub running_at: i64,
    /// What came of waiting for its node; none: nothing yet, or nobody asked.
    pub node: Option<Waited>,
    /// It was seen in the group.
    pub attached: bool,
    /// Since when, seconds since 1970.
    pub attached_at: i64,
    /// It was seen in service.
    pub in_service: bool,
    /// It was ended or ended itself after it had been attached; the group replaces it.
    pub lost: bool,
    /// Since when, seconds since 1970; kept only where its health is waited for.
    #[serde(skip_serializing_if = "is_zero")]
    pub serving_at: i64,
    /// What came of waiting for its health at load balancers; none: nothing yet, or nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<health::Waited>,
    /// It was attached where no load balancer of its group gets what joins it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unregistered: bool,
    /// The old one was about to be taken out of its group.
    pub detaching: bool,
    /// We took the old one out of its group.
    pub detached: bool,
    /// The old one left by itself.
    pub old_left: bool,
    /// The old one was ended by us.
    pub old_terminated: bool,
    /// What the group launched itself in the old one's place could not be ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub spare_stays: bool,
    /// What came of suspending AZRebalance: nothing, if it was; otherwise why not. None: it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended: Option<String>,
    /// The old one is on demand for want of spot, and nothing takes it away: it is replaced on spot or not at all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub back_to_spot: bool,
    /// What came of protecting the replacement as the old one is: nothing, if it is protected; otherwise why not. None: it was not
    /// asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<String>,
    /// Units by which MaxSize was raised.
    pub room: u32,
    /// Sizes when it began.
    pub sizes: Sizes,
    /// What was not put back.
    pub left: Left,
    /// It is being undone, and why.
    pub undo: Option<Undo>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
const fn is_zero(of: &i64) -> bool {
    *of == 0
}

/// The instance that goes, as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Old {
    /// `m5.large`
    #[serde(rename = "type")]
    pub instance_type: String,
    /// `us-east-1a`
    pub zone: String,
    /// Whether it is a spot instance.
    pub spot: bool,
    /// Its weight in the group.
    pub weight: u32,
    /// It is protected from scale-in, or was when it was last seen in its group.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
}

/// A pool that did not do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// Index of the choice.
    pub choice: usize,
    /// Why.
    pub why: String,
}

/// What was left as it is, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Left {
    /// MaxSize.
    pub max: Option<String>,
    /// Desired capacity.
    pub desired: Option<String>,
    /// The process AZRebalance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebalance: Option<String>,
    /// The old instance, out of its group, still runs.
    pub old: Option<String>,
    /// Instances of ours that may run.
    pub instances: BTreeMap<String, String>,
}

/// Why a swap is undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// The incident was withdrawn.
    Cancelled,
    /// The old one left before the replacement was attached, and the group has replaced it.
    OldLeft,
    /// It cannot be done.
    Failed {
        /// One word.
        reason: String,
        /// A sentence.
        message: String,
    },
}

/// The definite answer to a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Done.
    Done,
    /// Launched.
    Launched(String),
    /// This pool does not do; another one may.
    NotThere(String),
    /// It will not be done, however often it is asked for.
    Refused {
        /// One word.
        reason: String,
        /// A sentence.
        message: String,
    },
}

/// What a swap of strategy `swap` begins with; the other strategies need the first two only.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The way.
    pub strategy: Strategy,
    /// Pools, best first.
    pub choices: Vec<Choice>,
    /// Terms of the spot market.
    pub spot: Option<SpotMarket>,
    /// Tags the group gives to its instances.
    pub tags: BTreeMap<String, String>,
    /// Weight of the old one.
    pub weight: u32,
    /// It goes back to spot or stays.
    pub back_to_spot: bool,
    /// It is protected from scale-in.
    pub protected: bool,
}

impl Checkpoint {
    /// Whether the swap has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        !self.group.is_empty()
    }

    /// The checkpoint of a swap that begins.
    #[must_use]
    pub fn begin(group: &str, sizes: Sizes, old: &Instance, plan: Plan) -> Self {
        Self {
            group: group.to_owned(),
            strategy: plan.strategy,
            old: Old {
                instance_type: old.instance_type.clone(),
                zone: old.zone.clone(),
                spot: old.spot,
                weight: plan.weight.max(1),
                protected: plan.protected,
            },
            spot: plan.spot,
            tags: plan.tags,
            choices: plan.choices,
            back_to_spot: plan.back_to_spot,
            sizes,
            ..Self::default()
        }
    }

    /// Goes on with what an earlier go of the same action launched; its pool is the one that is tried.
    pub fn adopt(&mut self, instance: &Instance, now: Timestamp) {
        let same = |choice: &Choice| {
            choice.instance_type == instance.instance_type && choice.subnet == instance.subnet
        };
        if let Some(at) = self.choices.iter().position(same) {
            let choice = self.choices.remove(at);
            self.choices.insert(0, choice);
        }
        self.at = 0;
        self.launched = Some(instance.id.clone());
        self.launched_at = now.as_second();
    }

    /// Whether its node was waited for and is ready.
    #[must_use]
    pub fn node_is_ready(&self) -> bool {
        self.node.is_some_and(|waited| waited.found == Node::Ready)
    }

    /// The pool that is tried.
    #[must_use]
    pub fn choice(&self) -> Option<&Choice> {
        self.choices.get(self.at)
    }

    /// Takes over what came of a step.
    pub fn after(&mut self, step: &Next, answer: Answer, old_id: &str, now: Timestamp) {
        match answer {
            Answer::Launched(id) => {
                self.in_doubt = false;
                self.launched = Some(id);
                self.launched_at = now.as_second();
            }
            Answer::NotThere(why) => {
                self.in_doubt = false;
                self.next_choice(&why);
            }
            Answer::Done => self.done(step, old_id),
            Answer::Refused { reason, message } => self.refuse(step, old_id, reason, message),
        }
    }

    fn done(&mut self, step: &Next, old_id: &str) {
        match step {
            Next::SuspendRebalance => self.suspended = Some(String::new()),
            Next::Protect { .. } => self.protection = Some(String::new()),
            Next::MakeRoom { .. }
            | Next::ResumeRebalance
            | Next::EndSpare { .. }
            | Next::Attach { .. }
            | Next::LowerDesired { .. }
            | Next::RestoreMax { .. }
            | Next::TerminateNew { .. }
            | Next::Begin
            | Next::Launch(_)
            | Next::Wait(_)
            | Next::Finish(_) => {}
            Next::Detach { .. } => self.detached = true,
            Next::TerminateOld => self.old_terminated = true,
            Next::TerminateMember { instance, .. } if instance == old_id => self.old_terminated = true,
            Next::TerminateMember { .. } => {}
        }
    }

    fn refuse(&mut self, step: &Next, old_id: &str, reason: String, message: String) {
        match step {
            Next::LowerDesired { .. } => self.left.desired = Some(message),
            Next::RestoreMax { .. } => self.left.max = Some(message),
            Next::EndSpare { .. } => self.spare_stays = true,
            Next::SuspendRebalance => self.suspended = Some(message),
            Next::Protect { .. } => self.protection = Some(message),
            Next::ResumeRebalance => self.left.rebalance = Some(message),
            Next::TerminateOld => self.left.old = Some(message),
            Next::TerminateNew { instance } => {
                self.left.instances.insert(instance.clone(), message);
            }
            Next::TerminateMember { instance, .. } if instance != old_id => {
                self.left.instances.insert(instance.clone(), message);
            }
            Next::TerminateMember { .. }
            | Next::Launch(_)
            | Next::MakeRoom { .. }
            | Next::Attach { .. }
            | Next::Detach { .. }
            | Next::Begin
            | Next::Wait(_)
            | Next::Finish(_) => {
                if matches!(step, Next::Launch(_)) && self.in_doubt && self.undo.is_some() {
                    let unknown = format!("choice {}", self.at);
                    self.left.instances.insert(unknown, message.clone());
                }
                self.in_doubt = false;
                self.undo.get_or_insert(Undo::Failed { reason, message });
            }
        }
    }

    /// This pool does not do.
    pub(super) fn next_choice(&mut self, why: &str) {
        if self.refused.len() < REFUSALS_MAX {
            let why = why.chars().take(REFUSAL_LENGTH).collect();
            self.refused.push(Refused { choice: self.at, why });
        }
        self.at += 1;
        self.launched = None;
        self.launched_at = 0;
        self.running_at = 0;
        self.node = None;
    }
}
