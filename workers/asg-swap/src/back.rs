//! Back to spot: what a swap asks before it begins for an instance on demand that nobody takes away.

use std::collections::BTreeSet;

use hollowtrees_domain::swap::{
    End, Policy, Strategy, again, book,
    policy::Fallback,
    world::{Group, Instance},
};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::{names::result, proto};

use crate::{records, saga::Saga};

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

/// What has to stay on demand beside the old one.
pub(crate) struct Stays {
    needed: u32,
    on_demand: BTreeSet<String>,
}

impl Stays {
    /// Whether enough does, apart from what other swaps may take out.
    pub(crate) fn are_enough(&self, record: &proto::Group, action: &str) -> bool {
        let stays = |id: &&String| !book::is_going(record, action, id);
        let staying = self.on_demand.iter().filter(stays).count();
        usize::try_from(self.needed).is_ok_and(|needed| staying >= needed)
    }

    /// The end of a swap that would break the share.
    fn end(&self, group: &Group, old: &Instance) -> End {
        skipped(
            again::FOR_SHARE,
            format!(
                "The share of {} on demand, {} members, needs {}: it stays as it is.",
                group.name, self.needed, old.id
            ),
        )
    }
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
    ) -> Result<Result<Option<Stays>, End>, Failure> {
        if let Some(end) = self.stays_by_itself(strategy, group, old) {
            return Ok(Err(end));
        }
        let stays = self.stays_on_demand(group, old, policy).await?;
        if let Some(stays) = &stays {
            let record = self.place(&group.name).read(self.job.bus()).await?;
            if !stays.are_enough(&record, &self.job.action().id) {
                return Ok(Err(stays.end(group, old)));
            }
        }
        Ok(Ok(stays))
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

    /// What has to stay on demand beside it; none where the policy asks for no share.
    async fn stays_on_demand(
        &self,
        group: &Group,
        old: &Instance,
        policy: &Policy,
    ) -> Result<Option<Stays>, Failure> {
        let Some(share) = policy.on_demand else {
            return Ok(None);
        };
        let (others, on_demand) = self.others_on_demand(group, old).await?;
        let all = u32::try_from(others.len() + 1).unwrap_or(u32::MAX);
        Ok(Some(Stays {
            needed: share.of(all),
            on_demand,
        }))
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
