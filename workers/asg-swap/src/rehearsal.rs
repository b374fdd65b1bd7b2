//! What would be done, in a dry run.

use hollowtrees_domain::swap::{Checkpoint, Seen, Strategy, forecast};
use hollowtrees_runtime::worker::{Failure, Report};
use hollowtrees_schemas::names::result;
use serde_json::json;

use crate::{
    back::{self, Market},
    begin::Planned,
    calls,
    policy::Room,
    report,
    saga::Saga,
};

/// Pools that are taken out and listed, the best first: by requirements there may be hundreds.
const LEFT_OUT_TOLD: usize = 48;

/// Reads all a swap reads before it begins, and writes nothing.
pub(crate) async fn rehearse(saga: &mut Saga<'_>, seen: &Seen) -> Result<Report, Failure> {
    let old_id = &seen.old_id;
    let (Some(group), Some(old)) = (&seen.group, &seen.old) else {
        return Ok(Report::skipped(
            "leaving",
            format!("Dry run: {old_id} is gone already."),
        ));
    };
    let orders = saga.orders(seen)?;
    let strategy = orders.strategy;
    let mut policy = saga.policy(group)?;
    let market = if saga.goes_back().await? {
        if let Err(end) = saga.may_go_back(strategy, group, old, &policy).await? {
            return Ok(Report::skipped(end.reason, format!("Dry run: {}", end.message)));
        }
        policy = back::spot_only(policy);
        Market::BackToSpot
    } else if old.spot {
        let wanted = saga.share(group, old, &policy).await?;
        if saga
            .has_its_share(&saga.place(&group.name), wanted.as_ref())
            .await?
        {
            Market::Spot
        } else {
            Market::OnDemand
        }
    } else {
        Market::OnDemand
    };
    let Planned { plan, left_out } = match saga.plan(strategy, group, old, &policy, market).await? {
        Ok(planned) => planned,
        Err(end) if end.result == result::SKIPPED => {
            return Ok(Report::skipped(end.reason, format!("Dry run: {}", end.message)));
        }
        Err(end) => return Ok(Report::failed(end.reason, format!("Dry run: {}", end.message))),
    };
    let name = &group.name;
    let open = saga.others_open(&saga.place(name)).await?;
    let limit = match strategy {
        Strategy::Swap => saga.room(group, old, &policy).await?,
        _ => policy.max_open.map(Room::of_group),
    };
    let waits = limit.is_some_and(|room| usize::try_from(room.most).is_ok_and(|most| open >= most));
    let mut message = match (strategy, plan.choices.first()) {
        (Strategy::Swap, Some(first)) => format!(
            "Dry run: {old_id} would be replaced in {name} by a {} in {}: {}.",
            first.instance_type, first.subnet, first.why
        ),
        (Strategy::Swap, None) => format!("Dry run: {name} offers no pool for {old_id}."),
        (strategy, _) => format!("Dry run: {old_id} would leave {name} by strategy {strategy}."),
    };
    if !left_out.is_empty() {
        message.push_str(&format!(" The policy takes out {} of its pools.", left_out.len()));
    }
    if let (Some(most), account) = saga.account_limit() {
        let open = saga.others_open(&account).await?;
        if usize::try_from(most).is_ok_and(|most| open >= most) {
            message.push_str(&format!(
                " It would wait first: {open} other swaps of the account are open."
            ));
        }
    }
    if waits {
        message.push_str(&format!(
            " It would wait first: {open} other swaps of the group are open."
        ));
    }
    let needed = group.sizes.desired.saturating_add(plan.weight);
    let room = match strategy {
        Strategy::Swap => needed.saturating_sub(group.sizes.max),
        _ => 0,
    };
    let begun = Checkpoint::begin(name, group.sizes, old, plan.clone());
    let forecast = forecast(begun, seen, &orders, saga.claim(), saga.job.now());
    let names: Vec<_> = forecast.iter().map(calls::name).collect();
    message.push_str(&format!(" It would call {}.", names.join(", ")));
    let calls: Vec<_> = forecast.iter().map(|call| calls::told(call, name)).collect();
    let told = json!({
        "group": name,
        "strategy": strategy.as_str(),
        "market": if plan.spot.is_some() { "spot" } else { "on-demand" },
        "choices": plan.choices,
        "left_out": left_out.iter().take(LEFT_OUT_TOLD).collect::<Vec<_>>(),
        "max_open": limit.map(|room| room.most),
        "open": open,
        "sizes": group.sizes,
        "room": room,
        "calls": calls,
    });
    Ok(report::detail(Report::succeeded(message), told))
}
