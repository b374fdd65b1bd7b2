//! What would be done, in a dry run.

use hollowtrees_domain::swap::{Seen, Strategy};
use hollowtrees_runtime::worker::{Failure, Report};
use serde_json::json;

use crate::{report, saga::Saga};

/// Reads all a swap reads before it begins, and writes nothing.
pub(crate) async fn rehearse(saga: &mut Saga<'_>, seen: &Seen) -> Result<Report, Failure> {
    let old_id = &seen.old_id;
    let (Some(group), Some(old)) = (&seen.group, saga.instance(old_id).await?) else {
        return Ok(Report::skipped(
            "leaving",
            format!("Dry run: {old_id} is gone already."),
        ));
    };
    let strategy = saga.orders(seen)?.strategy;
    let plan = match saga.plan(strategy, group, &old).await? {
        Ok(plan) => plan,
        Err(end) => return Ok(Report::failed(end.reason, format!("Dry run: {}", end.message))),
    };
    let name = &group.name;
    let message = match (strategy, plan.choices.first()) {
        (Strategy::Swap, Some(first)) => format!(
            "Dry run: {old_id} would be replaced in {name} by a {} in {}.",
            first.instance_type, first.subnet
        ),
        (Strategy::Swap, None) => format!("Dry run: {name} offers no pool for {old_id}."),
        (strategy, _) => format!("Dry run: {old_id} would leave {name} by strategy {strategy}."),
    };
    let needed = group.sizes.desired.saturating_add(plan.weight);
    let room = match strategy {
        Strategy::Swap => needed.saturating_sub(group.sizes.max),
        _ => 0,
    };
    let told = json!({
        "group": name,
        "strategy": strategy.as_str(),
        "market": if plan.spot.is_some() { "spot" } else { "on-demand" },
        "choices": plan.choices,
        "sizes": group.sizes,
        "room": room,
    });
    Ok(report::detail(Report::succeeded(message), told))
}
