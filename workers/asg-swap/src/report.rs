//! What is told of a swap, and how a checkpoint is kept.

use hollowtrees_domain::swap::{Checkpoint, End, checkpoint::Old, world::Sizes};
use hollowtrees_runtime::worker::Report;
use hollowtrees_schemas::{names::result, proto};
use pbjson_types::Struct;
use serde_json::{Value, json};

/// The outcome.
pub(crate) fn of(action: &proto::Action, checkpoint: &Checkpoint, end: End, after: Option<Sizes>) -> Report {
    let report = match end.result {
        result::SUCCEEDED => Report::succeeded(end.message),
        result::CANCELLED => Report::cancelled(end.message),
        result::SKIPPED => Report::skipped(end.reason, end.message),
        _ => Report::failed(end.reason, end.message),
    };
    if !checkpoint.has_begun() {
        return report;
    }
    let Old {
        instance_type, zone, ..
    } = &checkpoint.old;
    let choice = checkpoint.choice().filter(|_| checkpoint.launched.is_some());
    let left = &checkpoint.left;
    let told = json!({
        "group": checkpoint.group,
        "strategy": checkpoint.strategy.as_str(),
        "old": {"instance": action.instance, "type": instance_type, "zone": zone},
        "replacement": checkpoint.launched,
        "type": choice.map(|choice| &choice.instance_type),
        "subnet": choice.map(|choice| &choice.subnet),
        "zone": choice.map(|choice| &choice.zone),
        "placement_group": choice.and_then(|choice| choice.placement_group.as_ref()),
        "reserved": choice.and_then(|choice| choice.reserved.as_ref()),
        "why": choice.map(|choice| &choice.why),
        "market": if checkpoint.old.spot || checkpoint.back_to_spot { "spot" } else { "on-demand" },
        "choices_tried": checkpoint.refused.len() + usize::from(checkpoint.launched.is_some()),
        "refused": checkpoint.refused,
        "sizes_before": checkpoint.sizes,
        "sizes_after": after,
        "room": checkpoint.room,
        "node": checkpoint.node,
        "targets": checkpoint.health,
        "unregistered": checkpoint.unregistered,
        "restored": left.max.is_none() && left.desired.is_none() && left.rebalance.is_none(),
        "max_left": left.max,
        "desired_left": left.desired,
        "scale_in_protection": checkpoint.protection.as_ref().map(|why| if why.is_empty() { "copied" } else { why }),
        "rebalance": checkpoint.suspended.as_ref().map(|why| if why.is_empty() { "suspended" } else { why }),
        "rebalance_left": left.rebalance,
        "old_left_first": checkpoint.old_left,
        "old_terminated": checkpoint.old_terminated,
        "old_still_runs": left.old,
        "left_running": left.instances,
    });
    detail(report, told)
}

pub(crate) fn detail(report: Report, told: Value) -> Report {
    match serde_json::from_value(told) {
        Ok(told) => report.with_detail(told),
        Err(error) => {
            tracing::warn!(%error, "An outcome is told without its detail.");
            report
        }
    }
}

/// The checkpoint as the ledger keeps it.
pub(crate) fn to_struct(checkpoint: &Checkpoint) -> serde_json::Result<Struct> {
    serde_json::from_value(serde_json::to_value(checkpoint)?)
}

/// The checkpoint from the ledger. A `Struct` knows no integers, so that what is whole becomes one again.
pub(crate) fn from_struct(saved: &Struct) -> serde_json::Result<Checkpoint> {
    serde_json::from_value(whole(serde_json::to_value(saved)?))
}

fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            // Exact: whole numbers below 2^53.
            #[allow(clippy::cast_possible_truncation, reason = "checked")]
            Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => Value::from(float as i64),
            _ => Value::Number(number),
        },
        Value::Array(items) => Value::Array(items.into_iter().map(whole).collect()),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, whole(value)))
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use hollowtrees_domain::swap::{Choice, checkpoint::Undo, choice::Claim};

    use super::*;

    #[test]
    fn a_swap_of_an_earlier_release_goes_on_with_its_choices() {
        let saved = json!({
            "group": "g", "at": 1.0, "in_doubt": true, "tags": {"team": "x"},
            "choices": [
                {"template": "lt-1", "version": "7", "type": "m5.large", "subnet": "s-a", "zone": "a", "price": 0.03},
                {"template": "lt-1", "version": "7", "type": "m4.large", "subnet": "s-b", "zone": "b", "price": null,
                    "on_demand": true},
            ],
        });
        let checkpoint = from_struct(&serde_json::from_value(saved).unwrap()).unwrap();
        let choice = checkpoint.choice().unwrap();
        assert_eq!(
            (choice.instance_type.as_str(), choice.why.as_str()),
            ("m4.large", "")
        );
        let claim = Claim {
            action: "a",
            redrive: 0,
            old: "i-old",
        };
        let call = choice.launch(checkpoint.at, claim, None, &checkpoint.tags);
        // The same call under the same token: no tag more than it began with.
        let tags: Vec<&str> = call.tags.keys().map(String::as_str).collect();
        let ours = [
            "hollowtrees.io/action",
            "hollowtrees.io/choice",
            "hollowtrees.io/replaces",
            "team",
        ];
        assert_eq!(tags, ours);
    }

    #[test]
    fn a_checkpoint_comes_back_as_it_was() {
        let checkpoint = Checkpoint {
            group: "g".to_owned(),
            at: 2,
            launched: Some("i-1".to_owned()),
            launched_at: 1_795_000_000,
            choices: vec![
                Choice {
                    price: Some(1.0),
                    ..Choice::default()
                },
                Choice {
                    price: Some(0.031),
                    ..Choice::default()
                },
            ],
            undo: Some(Undo::Failed {
                reason: "deadline".to_owned(),
                message: "x".to_owned(),
            }),
            ..Checkpoint::default()
        };
        let saved = to_struct(&checkpoint).unwrap();
        assert_eq!(from_struct(&saved).unwrap(), checkpoint);
        let mut newer = saved;
        newer.fields.insert("of_a_newer_release".to_owned(), true.into());
        assert_eq!(from_struct(&newer).unwrap(), checkpoint);
    }
}
