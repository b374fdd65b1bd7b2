//! The original's ways.

use std::collections::BTreeMap;

use super::{
    Planned, View,
    simple::{shared, sorted},
};

/// Telescopes' source averaged the prices of a week.
const AVERAGE_HOURS: usize = 7 * 24;

/// spot-recommender 0.0.1: in each zone the types by their price of now (its cost score). The engine took 1, 2, 3 or 4 of
/// them by the size of the group (below 2, 9, 20, above), split the count evenly over the zones, then over the types, the
/// remainder to the first.
pub(super) fn recommender(view: &View<'_>) -> Planned {
    let types = match view.size {
        0..2 => 1,
        2..9 => 2,
        9..20 => 3,
        _ => 4,
    };
    let by_price = sorted(view, |place| {
        view.market
            .courses
            .get(place)
            .map_or(f64::MAX, |course| view.dollars(course))
    });
    let mut zones: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for place in by_price {
        if let Some(course) = view.market.courses.get(place) {
            zones.entry(&course.pool.zone).or_default().push(place);
        }
    }
    let among = u32::try_from(zones.len().max(1)).unwrap_or(u32::MAX);
    let mut planned: Planned = zones
        .values()
        .zip(0_u32..)
        .flat_map(|(places, rank)| {
            let of_zone = view.size / among + u32::from(rank < view.size % among);
            shared(places, of_zone, types)
        })
        .collect();
    planned.sort_by_key(|(_, count)| *count == 0);
    planned
}

/// Telescopes 0.5.3: types by the mean of their zones' prices, over a week; N types of equal count by the number of
/// nodes, each over the zones in turn. Its other half, how many nodes of which size make up a sum of vCPUs or memory, does
/// not apply: here a node is a node.
pub(super) fn telescopes(view: &View<'_>) -> Planned {
    let mut types: BTreeMap<&str, (f64, Vec<usize>)> = BTreeMap::new();
    for (place, course) in view.market.courses.iter().enumerate() {
        let from = (view.hour + 1).saturating_sub(AVERAGE_HOURS);
        let week = course.dollars.get(from..=view.hour).unwrap_or_default();
        let mean = week.iter().sum::<f64>() / week.len().max(1) as f64;
        let (sum, places) = types.entry(&course.pool.instance_type).or_default();
        *sum += mean;
        places.push(place);
    }
    let mut by_price: Vec<(f64, Vec<usize>)> = types.into_values().collect();
    by_price.sort_by(|a, b| (a.0 / a.1.len() as f64).total_cmp(&(b.0 / b.1.len() as f64)));
    let pools: u32 = match view.size {
        0..=4 => view.size,
        5..=8 => 4,
        9..=15 => 5,
        16..=24 => 6,
        25..=35 => 7,
        _ => 8,
    };
    let pools = pools.max(1);
    let mut planned = Vec::new();
    for ((_, places), rank) in by_price.iter().zip(0_u32..) {
        let of_type = view.size / pools + u32::from(rank < view.size % pools);
        let of_type = if rank < pools { of_type } else { 0 };
        // Another zone first for each type, or the first would have most.
        let mut turned = places.clone();
        turned.rotate_left(rank as usize % places.len().max(1));
        planned.extend(shared(&turned, of_type, turned.len()));
    }
    planned.sort_by_key(|(_, count)| *count == 0);
    planned
}
