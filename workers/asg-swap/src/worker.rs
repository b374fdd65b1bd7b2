//! From an action to a saga.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use hollowtrees_aws::Aws;
use hollowtrees_domain::swap::Strategy;
use hollowtrees_runtime::worker::{Failure, Handler, Job, Report};
use hollowtrees_schemas::proto;
use pbjson_types::value::Kind;

pub use crate::cloud::Health;
use crate::{cloud::Cloud, config, saga::Saga, telemetry::Telemetry};

/// The one parameter of the action.
const STRATEGY: &str = "strategy";
/// The provider whose groups these are.
const PROVIDER: &str = "aws";

/// Serves `asg-swap`.
pub struct Swapper {
    aws: Aws,
    pub(crate) settings: config::Swap,
    pub(crate) telemetry: Telemetry,
    health: Health,
    groups: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

impl Swapper {
    /// A handler for the groups this AWS shows.
    pub fn new(aws: Aws, settings: &config::Swap, telemetry: Telemetry, health: Health) -> Self {
        Self {
            aws,
            settings: settings.clone(),
            telemetry,
            health,
            groups: Mutex::default(),
        }
    }

    /// This process's own lock on a group: its swaps queue here before they ask for the lease.
    pub(crate) fn lock_of(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = groups.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        groups.insert(key.to_owned(), Arc::downgrade(&lock));
        lock
    }

    fn region_of(&self, action: &proto::Action) -> Result<String, Failure> {
        let named = action.target.as_ref().map_or("", |target| target.region.as_str());
        if !named.is_empty() {
            return Ok(named.to_owned());
        }
        self.aws.default_region().map(str::to_owned).ok_or_else(|| {
            Failure::rejected(
                "no-region",
                "the action names no region; have its origin name one, or set aws.region (HT_AWS__REGION), and redrive it",
            )
        })
    }
}

impl Handler for Swapper {
    async fn handle(&self, job: Job) -> Result<Report, Failure> {
        let asked = asked(job.action())?;
        let provider = job
            .action()
            .target
            .as_ref()
            .map_or("", |target| target.provider.as_str());
        if !provider.is_empty() && provider != PROVIDER {
            return Ok(Report::skipped(
                "not-in-group",
                format!(
                    "{} is of {provider}, which has no auto-scaling groups.",
                    job.action().instance
                ),
            ));
        }
        let cloud = Cloud {
            region: self.aws.region(&self.region_of(job.action())?),
            telemetry: self.telemetry.clone(),
            health: self.health.clone(),
        };
        let _open = self.telemetry.open();
        Box::pin(Saga::new(self, job, cloud, asked).await?.run()).await
    }
}

/// The strategy an action asks for.
fn asked(action: &proto::Action) -> Result<Option<Strategy>, Failure> {
    let mut asked = None;
    for (name, value) in action.params.iter().flat_map(|params| &params.fields) {
        if name != STRATEGY {
            return Err(Failure::rejected(
                "unknown-param",
                format!(
                    "asg-swap has no parameter `{name}`, only `{STRATEGY}`; correct the rule and redrive this"
                ),
            ));
        }
        let Some(Kind::StringValue(word)) = &value.kind else {
            return Err(bad_strategy("it must be a text: swap, detach, terminate or none"));
        };
        asked = Some(
            word.parse::<Strategy>()
                .map_err(|error| bad_strategy(&error.to_string()))?,
        );
    }
    Ok(asked)
}

fn bad_strategy(why: &str) -> Failure {
    Failure::rejected(
        "unknown-strategy",
        format!("the action's parameter `{STRATEGY}`: {why}; correct the rule and redrive this"),
    )
}

/// The process ends: whoever comes next finds in the checkpoint and in AWS how far it is.
pub(crate) fn stopping() -> Failure {
    Failure::transient("the process ends; another one goes on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_action_may_say() {
        let check = |params: serde_json::Value, expected: Result<Option<Strategy>, &str>| {
            let action = proto::Action {
                params: serde_json::from_value(params).unwrap(),
                ..proto::Action::default()
            };
            match (asked(&action), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(Failure::Rejected { cause, .. }), Err(expected)) => {
                    assert!(cause.contains(expected), "{cause}");
                }
                (found, expected) => panic!("{found:?}, expected {expected:?}"),
            }
        };
        check(serde_json::json!(null), Ok(None));
        check(serde_json::json!({}), Ok(None));
        check(
            serde_json::json!({"strategy": "detach"}),
            Ok(Some(Strategy::Detach)),
        );
        check(
            serde_json::json!({"strategy": "swop"}),
            Err("`swop` is no strategy; give swap"),
        );
        check(serde_json::json!({"strategy": 1}), Err("must be a text"));
        check(
            serde_json::json!({"stratagy": "swap"}),
            Err("no parameter `stratagy`"),
        );
    }
}
