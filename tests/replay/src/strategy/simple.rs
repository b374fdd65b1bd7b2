//! Rules of one line.

use super::{Planned, View};

/// Pools that share what a strategy of EC2's launches: it does not say how many it takes.
const POOLS: usize = 3;

/// Courses by a figure, the smallest first.
pub(super) fn sorted(view: &View<'_>, figure: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut places: Vec<usize> = (0..view.market.courses.len()).collect();
    places.sort_by(|a, b| figure(*a).total_cmp(&figure(*b)));
    places
}

/// The first so many share the fleet evenly; the others follow for when those refuse.
pub(super) fn shared(places: &[usize], size: u32, among: usize) -> Planned {
    let among_count = u32::try_from(among.max(1)).unwrap_or(u32::MAX);
    places
        .iter()
        .zip(0_u32..)
        .map(|(place, rank)| {
            let more = u32::from(rank < size % among_count);
            let count = if rank < among_count {
                size / among_count + more
            } else {
                0
            };
            (*place, count)
        })
        .collect()
}

fn price(view: &View<'_>, place: usize) -> f64 {
    view.market
        .courses
        .get(place)
        .map_or(f64::MAX, |course| view.dollars(course))
}

fn signal(view: &View<'_>, place: usize) -> f64 {
    let course = view.market.courses.get(place);
    course
        .and_then(|course| course.signal.get(view.hour))
        .copied()
        .unwrap_or(f64::MAX)
}

pub(super) fn cheapest(view: &View<'_>) -> Planned {
    shared(&sorted(view, |place| price(view, place)), view.size, 1)
}

pub(super) fn everywhere(view: &View<'_>) -> Planned {
    let places = sorted(view, |place| price(view, place));
    shared(&places, view.size, places.len())
}

pub(super) fn capacity(view: &View<'_>) -> Planned {
    shared(&sorted(view, |place| signal(view, place)), view.size, POOLS)
}

pub(super) fn price_capacity(view: &View<'_>) -> Planned {
    let mut places = sorted(view, |place| signal(view, place));
    let third = places.len() / 3;
    if let Some(best) = places.get_mut(..third) {
        best.sort_by(|a, b| price(view, *a).total_cmp(&price(view, *b)));
    }
    shared(&places, view.size, POOLS)
}
