//! What is looked at of a group with Capacity Rebalancing before a swap begins.

use std::time::Duration;

use hollowtrees_domain::swap::{Seen, book, rebalance::Watch};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::proto::time;
use jiff::SignedDuration;

use crate::{records, saga::Saga};

impl Saga<'_> {
    /// Which other members are at risk as well, by their incidents, and how much open swaps have added to desired.
    pub(crate) async fn see_rebalancing(&self, seen: &mut Seen) -> Result<(), Failure> {
        let Some(group) = seen.group.as_ref().filter(|group| group.capacity_rebalance) else {
            return Ok(());
        };
        let asked = group.members.iter().map(|member| async move {
            let is_at_risk = records::is_doomed(&self.job, &member.instance).await?;
            Ok::<_, Failure>(is_at_risk.then(|| member.instance.clone()))
        });
        let at_risk = futures::future::try_join_all(asked).await?;
        let record = self.place(&group.name).read(self.job.bus()).await?;
        seen.at_risk = at_risk.into_iter().flatten().collect();
        seen.added = book::added(&record);
        Ok(())
    }

    /// How long the group has, from when its instance was noticed to be at risk.
    pub(crate) fn watch(&self) -> Watch {
        let within = self.swapper.settings.group_replaces_within;
        let noticed_at = self.job.action().noticed_at.as_ref();
        let noticed_at = noticed_at.and_then(|at| time::from_proto(at).ok());
        match noticed_at.filter(|_| within > Duration::ZERO) {
            None => Watch::Never,
            Some(at) if self.job.now().duration_since(at) < span(within) => Watch::Waits,
            Some(_) => Watch::Over,
        }
    }
}

fn span(of: Duration) -> SignedDuration {
    SignedDuration::try_from(of).unwrap_or(SignedDuration::MAX)
}
