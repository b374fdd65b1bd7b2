//! One look at AWS and the records.

use hollowtrees_aws::Membership;
use hollowtrees_domain::{
    swap::{
        Seen, Strategy, TAG_ACTION,
        book::{self, Busy},
        fresh,
        world::{Group, Instance, Standing},
    },
    words::Certainty,
};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::proto;

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

    /// The group and then its record, for who leads; none if time ends before.
    pub(crate) async fn read_in_time(&mut self) -> Result<Option<(Option<Group>, proto::Group)>, Failure> {
        let left = self.time_left();
        match tokio::time::timeout(left, Box::pin(self.read())).await {
            Ok(read) => read.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// The rest of a look; none if time ends before it is answered.
    pub(crate) async fn see_in_time(
        &mut self,
        group: Option<Group>,
        record: &proto::Group,
        look: u64,
    ) -> Result<Option<Seen>, Failure> {
        let last = self
            .seen
            .take()
            .filter(|(of, _)| *of == look && !self.looks_whole());
        let seen = match last {
            Some((_, last)) => self.with_group(last, group, record),
            None => {
                let left = self.time_left();
                match tokio::time::timeout(left, Box::pin(self.see(group, record))).await {
                    Ok(seen) => seen?,
                    Err(_) => return Ok(None),
                }
            }
        };
        self.seen = Some((look, seen.clone()));
        Ok(Some(seen))
    }

    /// Everything the next decision needs, and no more calls than that.
    async fn look(&mut self) -> Result<Seen, Failure> {
        if self.checkpoint.has_begun() {
            let (group, record) = self.read().await?;
            self.see(group, &record).await
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
        let id = old_id.clone();
        let (membership, old) = self
            .ask("describe-old", move |reads| {
                let id = id.clone();
                async move { tokio::try_join!(reads.membership(&id), reads.instance(&id)) }
            })
            .await?;
        seen.old = old;
        // First the other swap, then what it may have done.
        if let Some(membership) = &membership {
            let place = self.place(&membership.group);
            seen.other_swap = self.other_swap(&place).await?;
        }
        seen.warm = membership
            .as_ref()
            .is_some_and(|membership| membership.standing == Standing::Warm);
        let group = membership.map(|membership| membership.group);
        let (group, tagged) = self
            .ask("describe-group", move |reads| {
                let (group, id) = (group.clone(), old_id.clone());
                async move {
                    let group = async {
                        match &group {
                            Some(name) => reads.group(name).await,
                            None => Ok(None),
                        }
                    };
                    tokio::try_join!(group, reads.replacements_of(&id))
                }
            })
            .await?;
        seen.group = group;
        self.see_rebalancing(&mut seen).await?;
        for instance in tagged {
            let is_mine = instance.tags.get(TAG_ACTION) == Some(&self.job.action().id);
            if is_mine || seen.replaced_by.is_some() {
                continue;
            }
            let standing = self.membership(&instance.id).await?.map(|found| found.standing);
            if standing.is_some_and(|standing| !matches!(standing, Standing::Leaving | Standing::Warm)) {
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

    /// The group, and after it its record: who finds in the record that a size was written, may find it in the group.
    async fn read(&mut self) -> Result<(Option<Group>, proto::Group), Failure> {
        let name = self.checkpoint.group.clone();
        let group = self.group(&name).await?;
        let record = match &group {
            Some(_) => self.place(&name).read(self.job.bus()).await?,
            None => proto::Group::default(),
        };
        Ok((group, record))
    }

    /// What else is to be known once it has begun.
    async fn see(&mut self, group: Option<Group>, record: &proto::Group) -> Result<Seen, Failure> {
        let old_id = self.job.action().instance.clone();
        let strategy = self.checkpoint.strategy;
        let nothing = Seen {
            old_id: old_id.clone(),
            ..Seen::default()
        };
        let mut seen = self.with_group(nothing, group, record);
        if self.looks_whole() && strategy == Strategy::Swap {
            seen.ours = self.launched_by_us().await?;
            self.whole_look = false;
            self.looked_whole = true;
        } else {
            self.looked_whole = false;
        }
        if let Some(launched) = self.checkpoint.launched.clone() {
            // Of a member that stays the group says enough.
            let stays = seen.standing(&launched).is_some_and(|at| at != Standing::Leaving);
            if !stays && seen.ours.iter().all(|found| found.id != launched) {
                seen.ours.extend(self.instance(&launched).await?);
            }
            if !self.checkpoint.attached {
                seen.doomed = records::is_doomed(&self.job, &launched).await?;
                seen.node = self.node.look(&launched);
            }
            // It may be in service by the first look that shows it in the group.
            if self.checkpoint.health.is_none() {
                seen.health = self.health(&seen, &launched).await;
            }
        }
        let old_is_out = seen.old_stays().is_none() && !self.old_is_nobodys();
        if strategy != Strategy::Swap || old_is_out {
            seen.old = self.instance(&old_id).await?;
        }
        if strategy == Strategy::Terminate || old_is_out {
            seen.drain = records::drain(&self.job).await?;
        }
        Ok(seen)
    }

    /// What was seen else, with the group and its record as they are read now.
    fn with_group(&self, seen: Seen, group: Option<Group>, record: &proto::Group) -> Seen {
        let (action, now) = (&self.job.action().id, self.job.now());
        let books = group
            .as_ref()
            .map(|group| fresh::read(record, action, group, now))
            .unwrap_or_default();
        let of = group.as_ref();
        Seen {
            attached: of.and_then(|group| book::attached(record, action, group)),
            spare: of.and_then(|group| book::spare(record, group, books.surplus)),
            books,
            group,
            ..seen
        }
    }

    /// Whether everything of ours is to be seen.
    fn looks_whole(&self) -> bool {
        self.whole_look || self.checkpoint.undo.is_some() || self.job.is_cancelled()
    }

    /// The old one is out by our hand, and its interruption ends it: nothing more is decided about it.
    fn old_is_nobodys(&self) -> bool {
        self.checkpoint.strategy == Strategy::Swap
            && self.checkpoint.detached
            && !self.job.is_cancelled()
            && self.certainty() == Certainty::Certain
    }

    pub(crate) async fn membership(&mut self, instance: &str) -> Result<Option<Membership>, Failure> {
        let id = instance.to_owned();
        self.ask("describe-membership", move |reads| {
            let id = id.clone();
            async move { reads.membership(&id).await }
        })
        .await
    }

    pub(crate) async fn group(&mut self, name: &str) -> Result<Option<Group>, Failure> {
        let name = name.to_owned();
        self.ask("describe-group", move |reads| {
            let name = name.clone();
            async move { reads.group(&name).await }
        })
        .await
    }

    pub(crate) async fn instance(&mut self, id: &str) -> Result<Option<Instance>, Failure> {
        let id = id.to_owned();
        self.ask("describe-instance", move |reads| {
            let id = id.clone();
            async move { reads.instance(&id).await }
        })
        .await
    }

    /// What carries this action's tag.
    pub(crate) async fn launched_by_us(&mut self) -> Result<Vec<Instance>, Failure> {
        let id = self.job.action().id.clone();
        self.ask("describe-tagged", move |reads| {
            let id = id.clone();
            async move { reads.launched_by(&id).await }
        })
        .await
    }
}
