//! `domain::recommend`, with more or less to go by.

use anyhow::Result;
use hollowtrees_domain::recommend::{Evidence, History, Wish, evidence::InstanceHours, recommend};

use super::{Planned, Strategy, View};
use crate::fleet;

pub(super) fn plan(strategy: Strategy, view: &View<'_>) -> Result<Planned> {
    let market = view.market;
    let taste = &view.taste;
    let Some(now) = market.times.get(view.hour).copied() else {
        return Ok(Vec::new());
    };
    let mut evidence = Evidence::none(now);
    evidence.prices_read_at = Some(now);
    let from = now.checked_sub(taste.window())?;
    for course in &market.courses {
        // What DescribeSpotPriceHistory answers for the window: the price in force at its start, and each change since.
        let start = course
            .points
            .partition_point(|point| point.at <= from)
            .saturating_sub(1);
        let end = course.points.partition_point(|point| point.at <= now);
        let points = course.points.get(start..end).unwrap_or_default().to_vec();
        evidence.prices.insert(course.pool.clone(), History::new(points));
    }
    if strategy != Strategy::OursUnpublished {
        evidence.bands.clone_from(&market.bands);
        evidence.placement = market.placement.get(view.hour).cloned().unwrap_or_default();
    }
    if strategy != Strategy::OursUnlearning {
        evidence.interruptions = view.interruptions.to_vec();
    }
    if strategy == Strategy::OursWithHours {
        let mut hours = vec![0.0; market.courses.len()];
        for (course, hour, count) in view.ran {
            if let (Some(of), Some(at)) = (hours.get_mut(*course), market.times.get(*hour)) {
                *of += taste.decay(now.duration_since(*at)) * f64::from(*count);
            }
        }
        let known = market
            .courses
            .iter()
            .zip(hours)
            .filter_map(|(course, hours)| Some((course.pool.clone(), InstanceHours::new(hours)?)));
        evidence.instance_hours = Some(known.collect());
    }
    let wish = Wish::read(&market.asked(view.size), &market.catalogue)?;
    let plan = recommend(&wish, &market.catalogue, &evidence, taste)?;
    Ok(plan
        .pools
        .iter()
        .filter_map(|one| Some((fleet::place(market, &one.pool)?, one.count)))
        .collect())
}
