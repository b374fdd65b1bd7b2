//! Which pools a replacement may come from.

use std::collections::{BTreeMap, BTreeSet};

use hollowtrees_schemas::id::Hash;
use serde::{Deserialize, Serialize};

use super::{
    Policy, TAG_ACTION, TAG_CHOICE, TAG_FELL_BACK, TAG_REPLACES, again, order,
    placement::{Reserved, reserve, takes_spot},
    policy::Fallback,
    protection::protect,
    source::{Kind, Resolved, kinds},
    world::{Blueprint, Group, Instance, Launch, SpotMarket, Subnet},
};
use crate::recommend::{Evidence, Price};

/// Pools tried at most.
pub(super) const LONGEST: usize = 24;
/// Of these, kept for those on demand where they come after spot.
pub(super) const FALLBACKS: usize = 6;
/// Tags an instance may have (EC2 user guide, "tag restrictions"); ours go first.
const MOST_TAGS: usize = 50;

/// One pool: a type in a subnet, with what is launched there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// `template` and `version`, or `configuration` and `arn`.
    #[serde(flatten)]
    pub blueprint: Blueprint,
    /// `ami-...` in place of the template's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// `m5.large`
    #[serde(rename = "type")]
    pub instance_type: String,
    /// `subnet-...`
    pub subnet: String,
    /// `us-east-1a`
    pub zone: String,
    /// Current spot price in US dollars an hour, where it is known.
    pub price: Option<f64>,
    /// Why it stands where it stands, in a line.
    pub why: String,
    /// On demand, though the others are spot.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub on_demand: bool,
    /// It is on demand for want of spot, and is tagged so. Saved with the choice: one of an earlier release is launched as it was.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fell_back: bool,
    /// The placement group in place of the template's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement_group: Option<String>,
    /// What is said of capacity reservations in place of the template's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Reserved>,
}

/// What there is to choose from.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The group.
    pub group: &'a Group,
    /// The instance that goes.
    pub old: &'a Instance,
    /// What the names in its source stand for.
    pub known: &'a Resolved,
    /// What is known of spot pools; without prices the group's order counts.
    pub evidence: &'a Evidence,
    /// On-demand prices by type, as far as they are known.
    pub on_demand: &'a BTreeMap<String, Price>,
    /// What is allowed.
    pub policy: &'a Policy,
    /// The market: spot, or on demand.
    pub spot: bool,
}

/// What was chosen from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices {
    /// Pools to try, best first.
    pub pools: Vec<Choice>,
    /// Those that the policy or the group's price protection takes out, with the reason in their `why`.
    pub left_out: Vec<Choice>,
    /// Types and zones of all that is not left out, also of what is too much to try.
    pub types: BTreeSet<String>,
    /// As `types`.
    pub zones: BTreeSet<String>,
}

/// Why there is no choice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChoice {
    /// It launches from something we do not know.
    #[error("the group launches from {0}, which a swap does not know")]
    Source(String),
    /// It has no subnets.
    #[error("the group has no subnets that can be read")]
    Subnets,
    /// A template is not there.
    #[error("launch template {0} was not found")]
    Template(String),
    /// A launch configuration is not there.
    #[error("launch configuration {0} was not found")]
    Configuration(String),
    /// Its template has requirements in place of a type.
    #[error(
        "launch template {0} has requirements instead of an instance type, and only an override of the group can have them here"
    )]
    TemplateRequirements(String),
    /// Nobody knows which architecture its types must be of.
    #[error("launch template {0} has no image, so that it is not known which types run it")]
    Image(String),
    /// An image is not there.
    #[error("image {0} was not found, so that it is not known which types run it")]
    NoImage(String),
    /// EC2 knows no type that meets the requirements.
    #[error("no instance type of the region meets its requirements")]
    NothingFits,
    /// It launches into capacity reservations only.
    #[error("the group launches into capacity reservations only, and no spot instance runs in one")]
    Reserved,
    /// It says something of capacity reservations that we do not know.
    #[error("the group's preference of capacity reservations is `{0}`, which a swap does not know")]
    Reservations(String),
    /// The policy leaves none.
    #[error(
        "the policy takes out all {of} pools, of the best {why}; allow more by the rule's params or the group's tags"
    )]
    Policy {
        /// How many there are.
        of: usize,
        /// Why the best of them is out.
        why: String,
    },
}

/// All pools, best first: the group's types of the old one's weight in its subnets. Spot: as [`order`](mod@order) says. On
/// demand: in the group's order, each type in the old one's subnet first, so that zones stay as balanced as they were. Where the
/// policy falls back on them, pools on demand come after those of spot. Those on demand say of capacity reservations what the group
/// does.
///
/// # Errors
/// There is none, and why.
pub fn choices(offer: Offer<'_>) -> Result<Choices, NoChoice> {
    let kinds = kinds(offer)?;
    if offer.group.subnets.is_empty() {
        return Err(NoChoice::Subnets);
    }
    let reservations = &offer.group.placement.reservations;
    let takes_spot = takes_spot(reservations)?;
    let falls_back = offer.policy.fallback == Some(Fallback::OnDemand);
    if offer.spot && !takes_spot && !falls_back {
        return Err(NoChoice::Reserved);
    }
    let listed = listed(offer, &kinds);
    let mut found = listed.clone();
    if offer.spot {
        found.retain(|_| takes_spot);
        order::order(&mut found, offer);
    }
    let mut left_out = offer.policy.apply(&mut found, offer.spot, offer.on_demand);
    left_out.extend(protect(&mut found, &kinds, offer, offer.spot));
    let types = found.iter().map(|choice| choice.instance_type.clone()).collect();
    let zones = found.iter().map(|choice| choice.zone.clone()).collect();
    if !offer.spot {
        found = reserve(found, reservations, offer.old);
    } else if falls_back {
        let mut after = listed;
        for choice in &mut after {
            choice.on_demand = true;
            choice.fell_back = true;
            "on demand, where no spot pool gives one".clone_into(&mut choice.why);
        }
        left_out.extend(offer.policy.apply(&mut after, false, offer.on_demand));
        left_out.extend(protect(&mut after, &kinds, offer, false));
        shorten(&mut found, LONGEST - FALLBACKS, offer.old);
        found.extend(reserve(after, reservations, offer.old));
    }
    if let (true, Some(best)) = (found.is_empty(), left_out.first()) {
        return Err(NoChoice::Policy {
            of: left_out.len(),
            why: best.why.clone(),
        });
    }
    shorten(&mut found, LONGEST, offer.old);
    Ok(Choices {
        pools: found,
        left_out,
        types,
        zones,
    })
}

fn listed(offer: Offer<'_>, kinds: &[Kind<'_>]) -> Vec<Choice> {
    let mut subnets: Vec<&Subnet> = offer.group.subnets.iter().collect();
    subnets.sort_by_key(|subnet| subnet.id != offer.old.subnet);
    let in_each = |kind: &Kind<'_>| -> Vec<Choice> {
        let choice = |subnet: &Subnet| Choice {
            blueprint: kind.blueprint.clone(),
            image: kind.image.clone(),
            instance_type: kind.instance_type.clone(),
            subnet: subnet.id.clone(),
            zone: subnet.zone.clone(),
            price: None,
            why: order::AS_LISTED.to_owned(),
            on_demand: false,
            // What fell back and is replaced on demand is no more for the share than it was.
            fell_back: !offer.spot && again::fell_back(offer.old),
            placement_group: offer.group.placement.group.clone(),
            reserved: None,
        };
        subnets.iter().map(|subnet| choice(subnet)).collect()
    };
    kinds.iter().flat_map(in_each).collect()
}

/// Keeps so many, the best; the last of them gives way to the best of the old one's type where none of that is among them. What ran
/// until now is known to do.
pub(super) fn shorten(choices: &mut Vec<Choice>, most: usize, old: &Instance) {
    let is_old = |choice: &Choice| choice.instance_type == old.instance_type;
    let best = choices.iter().position(is_old);
    let kept = best
        .filter(|at| *at >= most)
        .and_then(|at| choices.get(at).cloned());
    choices.truncate(most);
    if let (Some(kept), Some(last)) = (kept, choices.last_mut()) {
        *last = kept;
    }
}

/// Whose launch it is.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The action's id.
    pub action: &'a str,
    /// Its redrive.
    pub redrive: u32,
    /// The instance that goes.
    pub old: &'a str,
}

impl Choice {
    /// The whole call. Its token is a hash of the action and the choice's number, so that the same choice is the same
    /// instance however often it is launched (EC2 user guide, "ensuring idempotency").
    #[must_use]
    pub fn launch(
        &self,
        number: usize,
        claim: Claim<'_>,
        spot: Option<&SpotMarket>,
        group_tags: &BTreeMap<String, String>,
    ) -> Launch {
        let token = Hash::new("launch")
            .field(claim.action)
            .number(u64::from(claim.redrive))
            .number(number as u64)
            .finish();
        let ours = [
            (TAG_ACTION, claim.action.to_owned()),
            (TAG_REPLACES, claim.old.to_owned()),
            (TAG_CHOICE, number.to_string()),
        ];
        let mut tags: BTreeMap<String, String> = ours
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        if self.fell_back {
            tags.insert(TAG_FELL_BACK.to_owned(), "true".to_owned());
        }
        for (key, value) in group_tags {
            if tags.len() < MOST_TAGS {
                tags.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        Launch {
            blueprint: self.blueprint.clone(),
            image: self.image.clone(),
            instance_type: self.instance_type.clone(),
            subnet: self.subnet.clone(),
            placement_group: self.placement_group.clone(),
            reserved: self.reserved.clone(),
            spot: spot.filter(|_| !self.on_demand).cloned(),
            token,
            tags,
        }
    }
}

/// Tags a group gives to its instances. Those of AWS itself (`aws:`) nobody else may set; it sets them at attaching. That it fell
/// back is an instance's own.
#[must_use]
pub fn propagated(group: &Group) -> BTreeMap<String, String> {
    let tags = group
        .tags
        .iter()
        .filter(|tag| tag.propagate && !tag.key.starts_with("aws:") && tag.key != TAG_FELL_BACK);
    tags.map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}
