//! One strategy through one history.

use std::collections::BTreeMap;

use anyhow::Result;
use hollowtrees_domain::recommend::{Interruption, Pool, Taste};

use crate::{
    capacity,
    market::{BEFORE, HOURS, Market},
    strategy::{Strategy, View},
};

/// Instances of the fleet.
pub const SIZE: u32 = 30;
/// An instance is replaced without an interruption after so many hours on average: new images, scaling.
const TURNOVER_HOURS: f64 = 72.0;

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Paid, as a share of what as many hours of the cheapest type cost on demand.
    pub cost: f64,
    /// In 1,000 spot instance-hours.
    pub interruptions: f64,
    /// The largest share of the fleet that was lost within an hour.
    pub worst_hour: f64,
    /// Share of the launches that were refused.
    pub refused: f64,
    /// Share of the hours that ran on demand, every pool having refused.
    pub on_demand: f64,
}

/// Runs a fleet.
///
/// # Errors
/// The strategy has no plan.
pub fn run(market: &Market, strategy: Strategy, taste: Taste) -> Result<Outcome> {
    let mut fleet = Fleet::new(market, taste);
    for hour in BEFORE..BEFORE + HOURS {
        fleet.reclaim(hour);
        fleet.turn_over(hour);
        fleet.fill(hour, strategy)?;
        fleet.pay(hour);
    }
    Ok(fleet.result())
}

struct Fleet<'a> {
    market: &'a Market,
    taste: Taste,
    /// Spot instances of each course.
    spot: Vec<u32>,
    on_demand: u32,
    interruptions: Vec<Interruption>,
    /// Instance-hours of each pool, and when.
    ran: Vec<(usize, usize, u32)>,
    paid: f64,
    spot_hours: f64,
    on_demand_hours: f64,
    worst: u32,
    launches: u32,
    refused: u32,
}

impl<'a> Fleet<'a> {
    fn new(market: &'a Market, taste: Taste) -> Self {
        Self {
            market,
            taste,
            spot: vec![0; market.courses.len()],
            on_demand: 0,
            interruptions: Vec::new(),
            ran: Vec::new(),
            paid: 0.0,
            spot_hours: 0.0,
            on_demand_hours: 0.0,
            worst: 0,
            launches: 0,
            refused: 0,
        }
    }

    fn reclaim(&mut self, hour: usize) {
        let mut lost = 0;
        let (Some(at), market) = (self.market.times.get(hour), self.market) else {
            return;
        };
        for ((place, course), count) in market.courses.iter().enumerate().zip(&mut self.spot) {
            let share = course.taken.get(hour).copied().unwrap_or_default();
            if *count == 0 || share == 0.0 {
                continue;
            }
            let rng = &mut market.chance("taken", place, hour);
            let taken = (0..*count).filter(|_| rng.happens(share)).count();
            for _ in 0..taken {
                *count -= 1;
                lost += 1;
                self.interruptions.push(Interruption {
                    pool: course.pool.clone(),
                    at: *at,
                });
            }
        }
        self.worst = self.worst.max(lost);
    }

    fn turn_over(&mut self, hour: usize) {
        for (place, count) in self.spot.iter_mut().chain([&mut self.on_demand]).enumerate() {
            if *count == 0 {
                continue;
            }
            let rng = &mut self.market.chance("turnover", place, hour);
            let ended = (0..*count).filter(|_| rng.happens(1.0 / TURNOVER_HOURS)).count();
            *count = u32::try_from(ended).map_or(0, |ended| count.saturating_sub(ended));
        }
    }

    fn running(&self) -> u32 {
        self.spot.iter().sum::<u32>() + self.on_demand
    }

    /// Launches what is missing where the plan has most too few; a pool that refuses is not asked again in that hour.
    fn fill(&mut self, hour: usize, strategy: Strategy) -> Result<()> {
        if self.running() >= SIZE {
            return Ok(());
        }
        let plan = strategy.plan(&self.view(hour))?;
        let mut refused = vec![false; self.spot.len()];
        let mut rngs = BTreeMap::new();
        while self.running() < SIZE {
            let most = plan
                .iter()
                .enumerate()
                .filter(|(_, (course, _))| !refused.get(*course).copied().unwrap_or(true))
                .max_by_key(|(rank, (course, wanted))| {
                    let have = self.spot.get(*course).copied().unwrap_or_default();
                    (wanted.saturating_sub(have), std::cmp::Reverse(*rank))
                });
            let Some((_, (course, _))) = most else {
                self.on_demand += 1;
                continue;
            };
            let of = self.market.courses.get(*course);
            let short = of
                .and_then(|of| of.shortage.get(hour))
                .copied()
                .unwrap_or_default();
            let rng = rngs
                .entry(*course)
                .or_insert_with(|| self.market.chance("launch", *course, hour));
            self.launches += 1;
            if rng.happens(capacity::refusal(short)) {
                self.refused += 1;
                refused.get_mut(*course).into_iter().for_each(|of| *of = true);
            } else {
                self.spot.get_mut(*course).into_iter().for_each(|of| *of += 1);
            }
        }
        Ok(())
    }

    fn view(&self, hour: usize) -> View<'_> {
        View {
            market: self.market,
            hour,
            size: SIZE,
            interruptions: &self.interruptions,
            ran: &self.ran,
            taste: self.taste,
        }
    }

    fn pay(&mut self, hour: usize) {
        for ((place, course), count) in self.market.courses.iter().enumerate().zip(&self.spot) {
            if *count > 0 {
                let dollars = course.dollars.get(hour).copied().unwrap_or_default();
                self.paid += dollars * f64::from(*count);
                self.spot_hours += f64::from(*count);
                self.ran.push((place, hour, *count));
            }
        }
        self.paid += self.market.on_demand * f64::from(self.on_demand);
        self.on_demand_hours += f64::from(self.on_demand);
    }

    fn result(&self) -> Outcome {
        let hours = self.spot_hours + self.on_demand_hours;
        Outcome {
            cost: self.paid / (hours * self.market.on_demand),
            interruptions: self.interruptions.len() as f64 / self.spot_hours.max(1.0) * 1_000.0,
            worst_hour: f64::from(self.worst) / f64::from(SIZE),
            refused: f64::from(self.refused) / f64::from(self.launches.max(1)),
            on_demand: self.on_demand_hours / hours,
        }
    }
}

/// The place of a pool among the courses.
#[must_use]
pub fn place(market: &Market, pool: &Pool) -> Option<usize> {
    market.courses.iter().position(|course| course.pool == *pool)
}
