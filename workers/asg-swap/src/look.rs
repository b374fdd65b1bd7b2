//! One look at AWS and the records.

use hollowtrees_domain::swap::{
    Books, Drain, Seen, Strategy, TAG_ACTION, TAG_REPLACES,
    book::{self, Busy},
    fresh,
    world::{Group, Standing},
};
use hollowtrees_runtime::worker::Failure;

use crate::{group::Place, records, saga::Saga};

impl Saga<'_> {
    /// A look; none if time ends before it is answered.
    pub(crate) async fn look_in_time(&mut self) -> Result<Option<Seen>, Failure> {
        let left = self.time_left();
        match tokio::time::timeout(left, Box::pin(self.look())).await {
            Ok(seen) => seen.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Everything the next decision needs, and no more calls than that.
    pub(crate) async fn look(&mut self) -> Result<Seen, Failure> {
        if self.checkpoint.has_begun() {
            self.look_again().await
        } else {
            self.look_first().await
        }
    }

    /// Before it has begun: is there anything to do?
    async fn look_first(&mut self) -> Result<Seen, Failure> {
        let old_id = self.job.action().instance.clone();
        let mut seen = Seen {
            old_id: old_id.clone(),
            ..Seen::default()
        };
        // First the other swap, then what it may have done.
        let membership = self.membership(&old_id).await?;
        if let Some(membership) = &membership {
            let place = self.place(&membership.group);
            seen.other_swap = self.other_swap(&place).await?;
            seen.group = self.group(&membership.group).await?;
        }
        let tagged = self.tagged(TAG_REPLACES, &old_id).await?;
        for instance in tagged {
            let is_mine = instance.tags.get(TAG_ACTION) == Some(&self.job.action().id);
            if is_mine || seen.replaced_by.is_some() {
                continue;
            }
            let standing = self.membership(&instance.id).await?.map(|found| found.standing);
            if standing.is_some_and(|standing| standing != Standing::Leaving) {
                seen.replaced_by = Some(instance.id);
            }
        }
        Ok(seen)
    }

    /// Whether another action's swap of this instance is open. One whose action has ended does not count; it is closed
    /// when this one begins.
    async fn other_swap(&mut self, place: &Place) -> Result<bool, Failure> {
        let action = self.job.action();
        let record = place.read(self.job.bus()).await?;
        let other = book::other(&record, &action.id, &action.cluster, &action.instance);
        match other {
            Some(Busy::Other { cluster, action }) => {
                Ok(records::ended(&self.job, &cluster, &action).await?.is_none())
            }
            _ => Ok(false),
        }
    }

    /// Open swaps of the group whose actions have ended, and how.
    pub(crate) async fn ended_swaps(&self, place: &Place) -> Result<Vec<(String, String)>, Failure> {
        let action = self.job.action();
        let record = place.read(self.job.bus()).await?;
        let mut ended = Vec::new();
        for (cluster, other) in book::doubtful(
            &record,
            &action.id,
            &action.cluster,
            &action.instance,
            self.job.now(),
        ) {
            if let Some(result) = records::ended(&self.job, &cluster, &other).await? {
                ended.push((other, result));
            }
        }
        Ok(ended)
    }

    async fn look_again(&mut self) -> Result<Seen, Failure> {
        let old_id = self.job.action().instance.clone();
        let (strategy, name) = (self.checkpoint.strategy, self.checkpoint.group.clone());
        let group = self.group(&name).await?;
        let mut seen = Seen {
            books: self.books(group.as_ref()).await?,
            group,
            old_id: old_id.clone(),
            ..Seen::default()
        };
        let whole = self.whole_look || self.checkpoint.undo.is_some() || self.job.is_cancelled();
        if whole && strategy == Strategy::Swap {
            let id = self.job.action().id.clone();
            seen.ours = self.tagged(TAG_ACTION, &id).await?;
            self.whole_look = false;
            self.looked_whole = true;
        } else {
            self.looked_whole = false;
        }
        if let Some(launched) = self.checkpoint.launched.clone() {
            if seen.ours.iter().all(|found| found.id != launched) {
                seen.ours.extend(self.instance(&launched).await?);
            }
            if !self.checkpoint.attached {
                seen.doomed = records::is_doomed(&self.job, &launched).await?;
                seen.node = self.node.look(&launched);
            }
        }
        if strategy != Strategy::Swap || seen.old_stays().is_none() {
            seen.old = self.instance(&old_id).await?;
        }
        seen.drain = match strategy {
            Strategy::Terminate => records::drain(&self.job).await?,
            _ if seen.old_stays().is_none() => records::drain(&self.job).await?,
            _ => Drain::None,
        };
        Ok(seen)
    }

    async fn books(&self, group: Option<&Group>) -> Result<Books, Failure> {
        let Some(group) = group else {
            return Ok(Books::default());
        };
        let record = self.place(&group.name).read(self.job.bus()).await?;
        Ok(fresh::read(&record, &self.job.action().id, group, self.job.now()))
    }

    pub(crate) async fn membership(
        &mut self,
        instance: &str,
    ) -> Result<Option<hollowtrees_aws::Membership>, Failure> {
        let id = instance.to_owned();
        self.ask("describe-membership", move |region| {
            let id = id.clone();
            async move { region.membership(&id).await }
        })
        .await
    }

    async fn group(&mut self, name: &str) -> Result<Option<Group>, Failure> {
        let name = name.to_owned();
        self.ask("describe-group", move |region| {
            let name = name.clone();
            async move { region.group(&name).await }
        })
        .await
    }

    pub(crate) async fn instance(
        &mut self,
        id: &str,
    ) -> Result<Option<hollowtrees_domain::swap::world::Instance>, Failure> {
        let id = id.to_owned();
        self.ask("describe-instance", move |region| {
            let id = id.clone();
            async move { region.instance(&id).await }
        })
        .await
    }

    pub(crate) async fn tagged(
        &mut self,
        key: &'static str,
        value: &str,
    ) -> Result<Vec<hollowtrees_domain::swap::world::Instance>, Failure> {
        let value = value.to_owned();
        self.ask("describe-tagged", move |region| {
            let value = value.clone();
            async move { region.instances_tagged(key, &value).await }
        })
        .await
    }
}
