//! Back to spot: what a swap asks before it begins for an instance on demand that nobody takes away.

use hollowtrees_domain::swap::{
    End, Policy, Strategy, again,
    policy::Fallback,
    world::{Group, Instance},
};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::names::result;

use crate::{policy::OnDemand, records, saga::Saga};

/// On which market the replacement is bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Market {
    /// On spot, or on what the policy falls back on.
    Spot,
    /// On demand.
    OnDemand,
    /// On spot or not at all, for the old one may stay.
    BackToSpot,
}

impl Saga<'_> {
    /// Whether the old one is only to be brought back to spot.
    ///
    /// # Errors
    /// Its incident cannot be read.
    pub(crate) async fn goes_back(&self) -> Result<bool, Failure> {
        records::is_back_to_spot(&self.job).await
    }

    /// What has to stay on demand while it is brought back; an end: it stays as it is.
    pub(crate) async fn may_go_back(
        &self,
        strategy: Strategy,
        group: &Group,
        old: &Instance,
        policy: &Policy,
    ) -> Result<Result<Option<OnDemand>, End>, Failure> {
        if let Some(end) = self.stays_by_itself(strategy, group, old) {
            return Ok(Err(end));
        }
        let share = self.share(group, old, policy).await?;
        if let Some(share) = &share {
            let record = self.place(&group.name).read(self.job.bus()).await?;
            let action = &self.job.action().id;
            if !share.is_kept(&record, action) {
                let message = format!(
                    "The share of {} on demand, {} members, needs {}: it stays as it is.",
                    group.name,
                    share.needed(&record, action),
                    old.id
                );
                return Ok(Err(skipped(again::FOR_SHARE, message)));
            }
        }
        Ok(Ok(share))
    }

    /// Why it is not brought back, whatever spot pools there are.
    fn stays_by_itself(&self, strategy: Strategy, group: &Group, old: &Instance) -> Option<End> {
        if old.spot {
            return Some(skipped(again::ON_SPOT, format!("{} is on spot already.", old.id)));
        }
        if strategy != Strategy::Swap {
            return Some(skipped(
                "not-by-swap",
                format!(
                    "With strategy {strategy} {} launches what it likes: only a swap brings {} back to spot.",
                    group.name, old.id
                ),
            ));
        }
        None
    }
}

/// The same policy without anything to fall back on.
pub(crate) fn spot_only(policy: Policy) -> Policy {
    Policy {
        fallback: Some(Fallback::None),
        ..policy
    }
}

/// The end where the policy leaves no spot pool.
pub(crate) fn no_pool(group: &Group, why: &dyn std::fmt::Display) -> End {
    skipped(
        again::NO_SPOT,
        format!("{} offers no spot pool: {why}. Nothing was touched.", group.name),
    )
}

fn skipped(reason: &str, message: String) -> End {
    End {
        result: result::SKIPPED,
        reason: reason.to_owned(),
        message,
    }
}
