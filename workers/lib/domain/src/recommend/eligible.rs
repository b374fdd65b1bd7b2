//! Which types fit the wish, and why the others do not.

use std::{collections::BTreeMap, fmt};

use super::{Catalogue, InstanceType, Market, Pool, wish::Wish};

/// Why a type in a zone does not fit. The first that holds is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// Named as denied.
    Denied,
    /// Not among the allowed ones.
    NotAllowed,
    /// Another zone than those asked for.
    Zone,
    /// Another instruction set.
    Architecture,
    /// Too few vCPUs, or too many.
    Vcpus,
    /// Too little memory, or too much.
    Memory,
    /// Too few GPUs, or some where none are asked for: whoever does not need them should not pay for them.
    Gpus,
    /// Its processor time is a budget.
    Burstable,
    /// Of an older generation.
    Generation,
    /// Not to be had on spot.
    NotSpot,
}

impl fmt::Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Denied => "denied",
            Self::NotAllowed => "not among those allowed",
            Self::Zone => "in other zones",
            Self::Architecture => "of another architecture",
            Self::Vcpus => "too few or too many vCPUs",
            Self::Memory => "too little or too much memory",
            Self::Gpus => "too few GPUs, or GPUs that are not asked for",
            Self::Burstable => "burstable",
            Self::Generation => "of an older generation",
            Self::NotSpot => "not offered on spot",
        })
    }
}

/// The pools that fit, by type and zone, and how many do not for each reason.
#[must_use]
pub fn eligible<'a>(
    wish: &Wish,
    market: Market,
    catalogue: &'a Catalogue,
) -> (Vec<(&'a Pool, &'a InstanceType)>, BTreeMap<Misfit, usize>) {
    let mut fit = Vec::new();
    let mut misfits = BTreeMap::new();
    for (pool, of) in catalogue.pools() {
        match misfit(wish, market, pool, of) {
            None => fit.push((pool, of)),
            Some(why) => *misfits.entry(why).or_default() += 1,
        }
    }
    (fit, misfits)
}

fn misfit(wish: &Wish, market: Market, pool: &Pool, of: &InstanceType) -> Option<Misfit> {
    let named = |patterns: &[super::pattern::Pattern]| patterns.iter().any(|one| one.matches(&of.name));
    let checks = [
        (named(&wish.denied), Misfit::Denied),
        (
            !wish.allowed.is_empty() && !named(&wish.allowed),
            Misfit::NotAllowed,
        ),
        (
            !wish.zones.is_empty() && !wish.zones.contains(&pool.zone),
            Misfit::Zone,
        ),
        (
            !wish.architectures.is_empty() && !wish.architectures.contains(&of.architecture),
            Misfit::Architecture,
        ),
        (!wish.vcpus.hold(of.vcpus.into()), Misfit::Vcpus),
        (!wish.memory_mib.hold(of.memory_mib), Misfit::Memory),
        (
            of.gpus < wish.gpus || (wish.gpus == 0 && of.gpus > 0),
            Misfit::Gpus,
        ),
        (of.burstable && !wish.burstable, Misfit::Burstable),
        (
            !of.current_generation && !wish.older_generations,
            Misfit::Generation,
        ),
        (market == Market::Spot && !of.spot, Misfit::NotSpot),
    ];
    checks.into_iter().find_map(|(holds, why)| holds.then_some(why))
}
