//! In which order spot pools are tried: as [`rank`] orders them by what they cost with their interruptions.
//!
//! The interruption that is acted on is one of its pool, and counts there as any of ours. That alone makes a pool dearer by
//! a twentieth or so, as it is one of many in the pool's life. But the pool is short of capacity at this very moment: a launch
//! there is likely to be refused, or to be interrupted again before it has paid. So it goes after all others, unless it
//! costs less than half of the best of them; then a second interruption is still worth the price.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::{
    choice::{Choice, Offer},
    world::Source,
};
use crate::{
    duration,
    recommend::{Interruption, Pool, Ranked, Taste, rank},
};

/// What is said of a choice of which nothing but its place in the group is known.
pub(super) const AS_LISTED: &str = "in the group's order";
/// The interrupted pool is far better than the others below this share of what the best of them costs.
const FAR_BETTER: f64 = 0.5;

/// Puts the best first and says why. Pools without a price come after those with one, in the group's order; so do all
/// where no price is known. In a group that has its types prioritized, its order of types goes before what they cost.
pub(super) fn order(choices: &mut [Choice], offer: Offer<'_>) {
    let Offer { group, old, .. } = offer;
    let prioritized = matches!(
        group.source,
        Source::Mixed {
            prioritized: true,
            ..
        }
    );
    let interrupted = Pool::new(&old.instance_type, &old.zone);
    let mut evidence = offer.evidence.clone();
    evidence.interruptions.push(Interruption {
        pool: interrupted.clone(),
        at: evidence.now,
    });
    let pools: BTreeSet<Pool> = choices.iter().map(pool).collect();
    let listed: Vec<_> = pools
        .iter()
        .map(|pool| (pool, offer.on_demand.get(&pool.instance_type).copied()))
        .collect();
    let ranked = rank(&listed, &evidence, &Taste::default());
    let cost = |one: &&Ranked| one.cost;
    let (own, others): (Vec<&Ranked>, Vec<&Ranked>) = ranked.iter().partition(|one| one.pool == interrupted);
    let best = others.first().and_then(cost);
    let far_better = !prioritized
        && own
            .first()
            .and_then(cost)
            .zip(best)
            .is_some_and(|(own, best)| own < best * FAR_BETTER);
    let places: BTreeMap<&Pool, (usize, &Ranked)> = ranked
        .iter()
        .enumerate()
        .map(|(place, one)| (&one.pool, (place, one)))
        .collect();
    let types: Vec<String> = choices
        .iter()
        .map(|choice| choice.instance_type.clone())
        .collect();
    let priority = |choice: &Choice| {
        let at = types.iter().position(|name| *name == choice.instance_type);
        at.filter(|_| prioritized).unwrap_or_default()
    };
    choices.sort_by_cached_key(|choice| {
        let pool = pool(choice);
        let place = places.get(&pool).filter(|(_, one)| one.cost.is_some());
        (
            pool == interrupted && !far_better,
            priority(choice),
            place.map_or(usize::MAX, |(place, _)| *place),
        )
    });
    for choice in choices {
        let pool = pool(choice);
        let Some((place, one)) = places.get(&pool) else {
            continue;
        };
        choice.price = one.statistics.map(|of| of.now.dollars());
        choice.why = why(*place + 1, one, ranked.len(), prioritized);
        if pool == interrupted {
            choice.why.push_str(match (others.is_empty(), far_better) {
                (true, _) => "; just interrupted, but there is no other",
                (false, true) => "; just interrupted, but less than half of the next one's cost",
                (false, false) => "; after the others, for it was just interrupted",
            });
        }
    }
}

fn pool(choice: &Choice) -> Pool {
    Pool::new(&choice.instance_type, &choice.zone)
}

fn why(place: usize, one: &Ranked, all: usize, prioritized: bool) -> String {
    let (Some(cost), Some(of)) = (one.cost, one.statistics) else {
        return format!("{AS_LISTED}, for no spot price is known of it");
    };
    let first = if prioritized {
        "in the group's priority, then "
    } else {
        ""
    };
    format!(
        "{first}number {place} of {all} by cost: ${cost:.4} an hour with its interruptions, ${:.4} now, ${:.4} on average \
         over {}",
        of.now.dollars(),
        of.mean,
        duration::format(SignedDuration::from_mins(of.covered.as_mins())),
    )
}
