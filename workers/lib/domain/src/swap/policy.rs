//! What a rule and a group allow of a swap: which types, up to which price, on which market, how many swaps at once and how
//! soon after each other.

use std::{collections::BTreeMap, str::FromStr};

use jiff::SignedDuration;

use super::choice::Choice;
use crate::{
    duration,
    recommend::{Price, pattern::Pattern},
};

/// Largest ceiling, in percent of the on-demand price.
const CEILING_MAX: u32 = 1_000;
/// Most swaps of a group at once: no record holds more.
const OPEN_MAX: u32 = 256;
/// Patterns of one list.
const PATTERNS_MAX: usize = 64;
/// Longest time between two swaps of a group: its record keeps ended ones for a day.
const COOLDOWN_MAX: SignedDuration = SignedDuration::from_hours(24);
/// Largest number of members on demand.
const SHARE_MAX: u32 = 10_000;

/// What is allowed. What is not said is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Only types with one of these names.
    pub allowed: Option<Vec<Pattern>>,
    /// No type with one of these names.
    pub denied: Option<Vec<Pattern>>,
    /// Spot only up to this share of the on-demand price, in percent.
    pub price_ceiling: Option<u32>,
    /// Swaps of a group that are open at once.
    pub max_open: Option<u32>,
    /// Between the end of a group's last swap that succeeded and the begin of its next.
    pub cooldown: Option<SignedDuration>,
    /// How many members are on demand, at least.
    pub on_demand: Option<Share>,
    /// What is tried where no spot pool gives an instance.
    pub fallback: Option<Fallback>,
}

/// A share of a group's members: a number, or a part of them, whichever is more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// So many.
    pub count: u32,
    /// So many of a hundred, rounded up.
    pub percent: u32,
}

impl Share {
    /// Of so many members.
    #[must_use]
    pub fn of(self, members: u32) -> u32 {
        let part = members.saturating_mul(self.percent).div_ceil(100);
        self.count.max(part).min(members)
    }
}

/// What is tried where no spot pool gives an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing: the swap has failed.
    None,
    /// The same types on demand.
    OnDemand,
}

/// A word that says nothing of a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// A list of types.
    #[error("{0}")]
    Pattern(String),
    /// No types, or too many.
    #[error("{0} patterns are no list of types; give 1 to 64, like `m5*.*, c5.large`, or leave it out")]
    Patterns(usize),
    /// A ceiling.
    #[error("`{0}` is no share of the on-demand price; give 1 to 1000 percent, like `80`")]
    Ceiling(String),
    /// A number of swaps.
    #[error("`{0}` is no number of swaps at once; give 1 to 256")]
    MaxOpen(String),
    /// A time between swaps.
    #[error("`{0}` is no time between swaps; give a duration up to 24h, like `5m`")]
    Cooldown(String),
    /// A share on demand.
    #[error(
        "`{0}` is no share on demand; give a number, a percentage, or both, like `2, 30%`: the higher counts"
    )]
    Share(String),
    /// What comes after spot.
    #[error("`{0}` is nothing to fall back on; give `on-demand` or `none`")]
    Fallback(String),
}

/// Reads patterns, apart by commas or spaces.
///
/// # Errors
/// One of them is none, or there are none or too many.
pub fn patterns(text: &str) -> Result<Vec<Pattern>, BadPolicy> {
    let apart = text.split(|c: char| c == ',' || c.is_whitespace());
    let found = apart
        .filter(|part| !part.is_empty())
        .map(Pattern::from_str)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| BadPolicy::Pattern(error.to_string()))?;
    if found.is_empty() || found.len() > PATTERNS_MAX {
        return Err(BadPolicy::Patterns(found.len()));
    }
    Ok(found)
}

/// Reads a ceiling in percent: `80`, `80%`.
///
/// # Errors
/// It is none.
pub fn price_ceiling(text: &str) -> Result<u32, BadPolicy> {
    let number = text.trim();
    let number = number.strip_suffix('%').unwrap_or(number).trim_end();
    within(number, CEILING_MAX).ok_or_else(|| BadPolicy::Ceiling(shown(text)))
}

/// Reads a number of swaps at once.
///
/// # Errors
/// It is none.
pub fn max_open(text: &str) -> Result<u32, BadPolicy> {
    within(text.trim(), OPEN_MAX).ok_or_else(|| BadPolicy::MaxOpen(shown(text)))
}

/// Reads a time between swaps.
///
/// # Errors
/// It is none.
pub fn cooldown(text: &str) -> Result<SignedDuration, BadPolicy> {
    let read = duration::parse(text.trim()).ok();
    read.filter(|wait| (SignedDuration::ZERO..=COOLDOWN_MAX).contains(wait))
        .ok_or_else(|| BadPolicy::Cooldown(shown(text)))
}

/// Reads a share on demand: `2`, `30%`, `2, 30%`.
///
/// # Errors
/// It is none.
pub fn share(text: &str) -> Result<Share, BadPolicy> {
    let mut share = Share::default();
    let mut parts = 0;
    for part in text.split(',').map(str::trim) {
        let read = match part.strip_suffix('%') {
            Some(percent) => within_zero(percent.trim_end(), 100).map(|percent| share.percent = percent),
            None => within_zero(part, SHARE_MAX).map(|count| share.count = count),
        };
        read.ok_or_else(|| BadPolicy::Share(shown(text)))?;
        parts += 1;
    }
    if parts > 2 {
        return Err(BadPolicy::Share(shown(text)));
    }
    Ok(share)
}

/// Reads what comes after spot.
///
/// # Errors
/// It is nothing that is known.
pub fn fallback(text: &str) -> Result<Fallback, BadPolicy> {
    match text.trim() {
        "on-demand" => Ok(Fallback::OnDemand),
        "none" => Ok(Fallback::None),
        _ => Err(BadPolicy::Fallback(shown(text))),
    }
}

fn within_zero(text: &str, most: u32) -> Option<u32> {
    text.parse().ok().filter(|number| *number <= most)
}

fn within(text: &str, most: u32) -> Option<u32> {
    text.parse().ok().filter(|number| (1..=most).contains(number))
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

impl Policy {
    /// Key by key, as of a strategy: the action's word goes before the group's tag.
    #[must_use]
    pub fn or(self, tagged: Self) -> Self {
        Self {
            allowed: self.allowed.or(tagged.allowed),
            denied: self.denied.or(tagged.denied),
            price_ceiling: self.price_ceiling.or(tagged.price_ceiling),
            max_open: self.max_open.or(tagged.max_open),
            cooldown: self.cooldown.or(tagged.cooldown),
            on_demand: self.on_demand.or(tagged.on_demand),
            fallback: self.fallback.or(tagged.fallback),
        }
    }

    /// Takes out what is not allowed; those, each with the reason in its `why`. Of a spot pool whose type has no known on-demand
    /// price, or which has no known price itself, the ceiling is not judged, and its `why` says so.
    pub fn apply(
        &self,
        choices: &mut Vec<Choice>,
        spot: bool,
        on_demand: &BTreeMap<String, Price>,
    ) -> Vec<Choice> {
        let mut left_out = Vec::new();
        choices.retain_mut(|choice| {
            let full = on_demand.get(&choice.instance_type).map(|price| price.dollars());
            let Some(why) = self.against(choice, spot, full) else {
                return true;
            };
            choice.why = why;
            left_out.push(choice.clone());
            false
        });
        left_out
    }

    fn against(&self, choice: &mut Choice, spot: bool, on_demand: Option<f64>) -> Option<String> {
        let named = |patterns: &[Pattern]| patterns.iter().any(|one| one.matches(&choice.instance_type));
        if self.denied.as_deref().is_some_and(named) {
            return Some("its type is denied".to_owned());
        }
        if self.allowed.as_deref().is_some_and(|allowed| !named(allowed)) {
            return Some("its type is not among those allowed".to_owned());
        }
        let percent = self.price_ceiling.filter(|_| spot)?;
        match (choice.price, on_demand) {
            (Some(price), Some(full)) if price > full * f64::from(percent) / 100.0 => Some(format!(
                "${price:.4} an hour is above the ceiling of {percent} % of ${full:.4} on demand"
            )),
            (Some(_), Some(_)) => None,
            (price, _) => {
                let unknown = if price.is_none() { "spot" } else { "on-demand" };
                let unjudged =
                    format!("; its {unknown} price is not known, so that the ceiling is not judged");
                choice.why.push_str(&unjudged);
                None
            }
        }
    }
}
