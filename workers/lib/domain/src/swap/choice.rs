//! Which pools a replacement may come from.

use std::collections::BTreeMap;

use hollowtrees_schemas::id::Hash;
use serde::{Deserialize, Serialize};

use super::{
    Policy, TAG_ACTION, TAG_CHOICE, TAG_REPLACES, order,
    policy::Fallback,
    world::{Group, Instance, Launch, Source, SpotMarket, Subnet, Template, TemplateRef},
};
use crate::recommend::{Evidence, Price};

/// Pools tried at most.
const LONGEST: usize = 24;
/// Of these, kept for those on demand where they come after spot.
const FALLBACKS: usize = 6;
/// Tags an instance may have (EC2 user guide, "tag restrictions"); ours go first.
const MOST_TAGS: usize = 50;

/// One pool: a type in a subnet, with the template that is launched there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// `lt-...`
    pub template: String,
    /// Number of its version.
    pub version: String,
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
}

/// What there is to choose from.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The group.
    pub group: &'a Group,
    /// The instance that goes.
    pub old: &'a Instance,
    /// What each template the group names is now.
    pub templates: &'a [(TemplateRef, Template)],
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
    /// Those that the policy takes out, with its reason in their `why`.
    pub left_out: Vec<Choice>,
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

/// Templates a group names, each once.
#[must_use]
pub fn templates(source: &Source) -> Vec<TemplateRef> {
    let mut found: Vec<TemplateRef> = Vec::new();
    let mut add = |template: &TemplateRef| {
        if !found.contains(template) {
            found.push(template.clone());
        }
    };
    match source {
        Source::Template(template) => add(template),
        Source::Mixed {
            template, overrides, ..
        } => {
            if overrides.is_empty() || overrides.iter().any(|one| one.template.is_none()) {
                add(template);
            }
            overrides
                .iter()
                .filter_map(|one| one.template.as_ref())
                .for_each(add);
        }
        Source::Unknown(_) => {}
    }
    found
}

/// Terms of the spot market, with the group's highest price; none: on demand.
#[must_use]
pub fn market(group: &Group, spot: bool) -> Option<SpotMarket> {
    let max_price = match &group.source {
        Source::Mixed { max_price, .. } => max_price.clone(),
        Source::Template(_) | Source::Unknown(_) => None,
    };
    spot.then_some(SpotMarket { max_price })
}

/// The weight of the old one's type: 1 in a group without weights.
#[must_use]
pub fn weight(group: &Group, old: &Instance) -> u32 {
    match &group.source {
        Source::Mixed { overrides, .. } => overrides
            .iter()
            .find(|one| one.instance_type == old.instance_type)
            .map_or(1, |one| one.weight.max(1)),
        Source::Template(_) | Source::Unknown(_) => 1,
    }
}

/// All pools, best first: the group's types of the old one's weight in its subnets. Spot: as [`order`](mod@order) says. On
/// demand: in the group's order, each type in the old one's subnet first, so that zones stay as balanced as they were. Where the
/// policy falls back on them, pools on demand come after those of spot.
///
/// # Errors
/// There is none, and why.
pub fn choices(offer: Offer<'_>) -> Result<Choices, NoChoice> {
    let Offer { group, old, .. } = offer;
    let types = types(offer)?;
    if group.subnets.is_empty() {
        return Err(NoChoice::Subnets);
    }
    let listed: Vec<Choice> = types
        .iter()
        .flat_map(|(instance_type, template)| {
            let mut subnets: Vec<&Subnet> = group.subnets.iter().collect();
            subnets.sort_by_key(|subnet| subnet.id != old.subnet);
            subnets.into_iter().map(|subnet| Choice {
                template: template.id.clone(),
                version: template.version.clone(),
                instance_type: instance_type.clone(),
                subnet: subnet.id.clone(),
                zone: subnet.zone.clone(),
                price: None,
                why: order::AS_LISTED.to_owned(),
                on_demand: false,
            })
        })
        .collect();
    let mut found = listed.clone();
    if offer.spot {
        order::order(&mut found, offer);
    }
    let mut left_out = offer.policy.apply(&mut found, offer.spot, offer.on_demand);
    if offer.spot && offer.policy.fallback == Some(Fallback::OnDemand) {
        let mut after = listed;
        for choice in &mut after {
            choice.on_demand = true;
            "on demand, where no spot pool gives one".clone_into(&mut choice.why);
        }
        left_out.extend(offer.policy.apply(&mut after, false, offer.on_demand));
        found.truncate(LONGEST - FALLBACKS);
        found.extend(after);
    }
    if let (true, Some(best)) = (found.is_empty(), left_out.first()) {
        return Err(NoChoice::Policy {
            of: left_out.len(),
            why: best.why.clone(),
        });
    }
    found.truncate(LONGEST);
    Ok(Choices {
        pools: found,
        left_out,
    })
}

/// Types in the group's order, each with its template.
fn types(offer: Offer<'_>) -> Result<Vec<(String, &TemplateRef)>, NoChoice> {
    let Offer {
        group,
        old,
        templates,
        ..
    } = offer;
    let resolve = |named: &TemplateRef| {
        templates
            .iter()
            .find(|(reference, _)| reference == named)
            .map(|(_, template)| template)
            .ok_or_else(|| NoChoice::Template(named.id.clone()))
    };
    let own = |named: &TemplateRef| {
        let template = resolve(named)?;
        let own = template.instance_type.as_ref().unwrap_or(&old.instance_type);
        Ok(vec![(own.clone(), &template.resolved)])
    };
    match &group.source {
        Source::Unknown(what) => Err(NoChoice::Source(what.clone())),
        Source::Template(template) => own(template),
        Source::Mixed {
            template, overrides, ..
        } if overrides.is_empty() => own(template),
        Source::Mixed {
            template, overrides, ..
        } => {
            let weight = weight(group, old);
            overrides
                .iter()
                .filter(|one| one.weight.max(1) == weight)
                .map(|one| {
                    let template = resolve(one.template.as_ref().unwrap_or(template))?;
                    Ok((one.instance_type.clone(), &template.resolved))
                })
                .collect()
        }
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
        for (key, value) in group_tags {
            if tags.len() < MOST_TAGS {
                tags.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        Launch {
            template: TemplateRef {
                id: self.template.clone(),
                version: self.version.clone(),
            },
            instance_type: self.instance_type.clone(),
            subnet: self.subnet.clone(),
            spot: spot.filter(|_| !self.on_demand).cloned(),
            token,
            tags,
        }
    }
}

/// Tags a group gives to its instances. Those of AWS itself (`aws:`) nobody else may set; it sets them at attaching.
#[must_use]
pub fn propagated(group: &Group) -> BTreeMap<String, String> {
    let tags = group
        .tags
        .iter()
        .filter(|tag| tag.propagate && !tag.key.starts_with("aws:"));
    tags.map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}
