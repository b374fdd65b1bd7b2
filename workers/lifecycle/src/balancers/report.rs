//! What is told of an instance and its balancers.

use hollowtrees_aws::Refusal;
use hollowtrees_runtime::worker::Report;
use jiff::SignedDuration;
use pbjson_types::Struct;
use serde_json::{Value, json};

use super::{leave::Stage, place::Place};
use crate::{report::detail, telemetry::Left};

/// An instance, its registrations, and how long it took so far.
pub(crate) struct Told<'a> {
    pub(crate) instance: &'a str,
    pub(crate) places: &'a [(Place, Stage)],
    pub(crate) after: SignedDuration,
}

impl Told<'_> {
    fn seconds(&self) -> f64 {
        (self.after.as_secs_f64() * 10.0).round() / 10.0
    }

    /// The names of the balancers where it is so, each once.
    fn names(&self, is: impl Fn(&Place, &Stage) -> bool) -> String {
        let mut names: Vec<_> = self
            .places
            .iter()
            .filter(|(place, stage)| is(place, stage))
            .map(|(place, _)| place.balancer.name())
            .collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    }

    fn detail(&self) -> Value {
        let places: Vec<_> = self
            .places
            .iter()
            .map(|(place, stage)| {
                let (word, why) = match stage {
                    Stage::In => ("registered", ""),
                    Stage::Out(_) => ("draining", ""),
                    Stage::Gone => ("gone", ""),
                    Stage::Refused(why) => ("refused", why.as_str()),
                };
                json!({
                    "kind": place.balancer.kind(),
                    "name": place.balancer.name(),
                    "target": place.id,
                    "port": place.port,
                    "by_us": place.ours,
                    "of_pod": place.of_pod,
                    "state": word,
                    "why": why,
                })
            })
            .collect();
        let still = self
            .places
            .iter()
            .filter(|(_, stage)| matches!(stage, Stage::Out(_)));
        json!({ "balancers": places, "seconds": self.seconds(), "still_draining": still.count() })
    }
}

pub(crate) fn not_registered(instance: &str) -> Report {
    Report::skipped(
        "not-registered",
        format!(
            "{instance} is registered with no target group and no classic load balancer that may be touched."
        ),
    )
}

/// What would be done.
pub(crate) fn rehearsed(instance: &str, places: &[Place]) -> Report {
    let places: Vec<_> = places.iter().map(|place| (place.clone(), Stage::In)).collect();
    let told = Told {
        instance,
        places: &places,
        after: SignedDuration::ZERO,
    };
    let message = format!(
        "Dry run: {instance} would be deregistered from {}.",
        told.names(|_, _| true)
    );
    detail(Report::succeeded(message), &told.detail())
}

/// It is out of all of them, and may have connections still.
pub(crate) fn deregistered(told: &Told<'_>) -> (String, Option<Struct>) {
    let message = format!(
        "{} was deregistered from {}; no new requests come.",
        told.instance,
        told.names(|_, _| true)
    );
    (message, serde_json::from_value(told.detail()).ok())
}

/// The end of it. `trouble`: what AWS said last, where it was of no use.
pub(crate) fn ended(told: &Told<'_>, left: Left, trouble: Option<&Refusal>) -> Report {
    let (instance, seconds) = (told.instance, told.seconds());
    let drains = told.names(|_, stage| matches!(stage, Stage::Out(_)));
    let remains = told.names(|_, stage| *stage == Stage::In);
    let gone = told.names(|_, stage| *stage == Stage::Gone);
    let because = trouble.map(|refusal| format!(" ({refusal})")).unwrap_or_default();
    let report = match left {
        Left::Refused => {
            let why: Vec<_> = told
                .places
                .iter()
                .filter_map(|(place, stage)| match stage {
                    Stage::Refused(why) => Some(format!("{}: {why}", place.balancer.name())),
                    _ => None,
                })
                .collect();
            Report::failed(
                "refused",
                format!(
                    "{instance} could not be deregistered everywhere: {}",
                    why.join("; ")
                ),
            )
        }
        Left::Deadline if told.places.is_empty() => Report::failed(
            "deadline",
            format!(
                "It was not to be learned in time where {instance} is registered{because}; nothing was changed."
            ),
        ),
        Left::Deadline if !remains.is_empty() => Report::failed(
            "deadline",
            format!(
                "{instance} was not deregistered from {remains} in time{because}; it gets requests still."
            ),
        ),
        Left::Deadline => Report::failed(
            "deadline",
            format!(
                "{instance} was deregistered, and its connections were still being drained at the deadline: {drains}{because}."
            ),
        ),
        Left::Draining => Report::succeeded(format!(
            "{instance} was deregistered from {}; connections were still being drained at the deadline: {drains}.",
            told.names(|_, _| true)
        )),
        _ if drains.is_empty() => Report::succeeded(format!(
            "{instance} was deregistered from {gone} and drained within {seconds} s."
        )),
        _ => Report::succeeded(format!(
            "{instance} was deregistered from {}; the end of draining was not waited for.",
            told.names(|_, _| true)
        )),
    };
    detail(report, &told.detail())
}

/// The incident was withdrawn: what was taken out is in again, as far as AWS let us.
pub(crate) fn put_back(told: &Told<'_>) -> Report {
    let back = told.names(|_, stage| *stage == Stage::In);
    let not = told.names(|_, stage| matches!(stage, Stage::Out(_) | Stage::Refused(_)));
    let mut message = "The incident was withdrawn.".to_owned();
    if !back.is_empty() {
        message += &format!(" {} was registered again with {back}.", told.instance);
    }
    if !not.is_empty() {
        message += &format!(" It could not be registered again with {not}: do that by hand.");
    }
    detail(Report::cancelled(message), &told.detail())
}
