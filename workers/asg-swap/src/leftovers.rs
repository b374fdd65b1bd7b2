//! What swaps left in their groups and nobody takes back: AZRebalance, and where their actions have ended MaxSize, and where
//! that is asked for desired.

use hollowtrees_aws::Refusal;
use hollowtrees_bus::Bus;
use hollowtrees_domain::swap::{
    Next, book,
    joint::{Joint, Wish, Write, join},
    leftover, note,
    orphan::Author,
    world::Group,
};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::{names::result, proto};
use jiff::Timestamp;

use crate::{
    cloud::Cloud,
    config::Orphans,
    group::{Changed, Place},
    step,
    sweep::{Sweeper, Swept, author, span},
};

/// Holds the lease in place of an action.
const SWEEP: &str = "sweep";
/// Calls of one group in one sweep; the next goes on.
const CALLS: usize = 64;

/// Takes back what swaps left in a group.
struct Leftovers<'a> {
    bus: &'a Bus,
    cloud: Cloud,
    /// Not the process's own name: that one's swaps take a lease over that their process holds.
    me: &'a proto::Worker,
    place: Place,
    /// Actions that have ended.
    ended: Vec<String>,
    /// Whether desired is lowered, and what was attached for it ended.
    ends: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    /// Nothing is left, as far as it is to be taken back.
    Done,
    /// A swap is open, which does it; or AWS does not show yet what was written.
    Busy,
    /// AWS did not do it.
    Refused,
}

impl Leftovers<'_> {
    /// Takes it back under the lease of the group, if no other swap of it is open.
    async fn take_back(&self) -> Result<Settled, Failure> {
        let ours = self
            .change(|record, now| {
                let others = record.swaps.iter().filter(|swap| swap.result.is_empty());
                let mut others = others.filter(|swap| !self.ended.contains(&swap.action_id));
                others.next().is_none() && book::lease(record, self.me, SWEEP, now).is_ok()
            })
            .await?;
        if !ours {
            return Ok(Settled::Busy);
        }
        let settled = self.under_lease().await;
        self.change(|record, _| {
            let holds = book::holds(record, self.me, SWEEP);
            record.lease.take_if(|_| holds).is_some()
        })
        .await?;
        settled
    }

    async fn under_lease(&self) -> Result<Settled, Failure> {
        for _ in 0..CALLS {
            let read = self.cloud.region.group(self.place.name()).await;
            let group = match self.cloud.told("describe-group", read) {
                Ok(group) => group,
                Err(_) => return Ok(Settled::Refused),
            };
            let record = self.place.read(self.bus).await?;
            let mut open = record.swaps.iter().filter(|swap| swap.result.is_empty());
            let Some(group) = group else {
                for swap in open {
                    self.close(&swap.action_id).await?;
                }
                self.change(|record, now| {
                    note::resumed(record, now);
                    true
                })
                .await?;
                return Ok(Settled::Done);
            };
            // What is not to be taken back here has nothing else left.
            let next = open.find_map(|swap| {
                let next = leftover::step(&record, swap, &group, self.ends, Timestamp::now());
                let stays =
                    matches!(next, Next::Finish(_)) && !self.ends && leftover::holds_desired(swap, &group);
                (!stays).then_some((swap, next))
            });
            let settled = match next {
                // Suspended for a swap that ended as it should.
                None if record.rebalance_suspended && !book::has_open(&record) => {
                    let joint = Joint {
                        write: Write::Rebalance { suspend: false },
                        shares: Vec::new(),
                    };
                    self.write(&group, &joint).await?
                }
                None => Some(Settled::Done),
                Some((swap, Next::Finish(_))) => {
                    self.close(&swap.action_id).await?;
                    None
                }
                // Its action may have been redriven meanwhile.
                Some((swap, _))
                    if !matches!(
                        author(self.bus, &swap.cluster, &swap.action_id).await?,
                        Author::Ended { .. }
                    ) =>
                {
                    Some(Settled::Busy)
                }
                Some((swap, next)) if next.needs_lease() => {
                    let wish = Wish {
                        action: swap.action_id.clone(),
                        old: swap.instance.clone(),
                        weight: swap.weight,
                        step: next,
                    };
                    match join(group.sizes, &[wish]) {
                        Some(joint) => self.write(&group, &joint).await?,
                        None => Some(Settled::Busy),
                    }
                }
                Some(_) => Some(Settled::Busy),
            };
            if let Some(settled) = settled {
                return Ok(settled);
            }
        }
        Ok(Settled::Busy)
    }

    /// None: it was done.
    async fn write(&self, group: &Group, joint: &Joint) -> Result<Option<Settled>, Failure> {
        let noted = self
            .change(|record, now| {
                if !book::holds(record, self.me, SWEEP) || book::lease(record, self.me, SWEEP, now).is_err() {
                    return false;
                }
                note::settle(record, group, now);
                note::plan(record, SWEEP, joint, group.sizes, now);
                true
            })
            .await?;
        if !noted {
            return Ok(Some(Settled::Busy));
        }
        let answer = step::write(&self.cloud, &group.name, &joint.write).await;
        let (name, write) = (&group.name, &joint.write);
        match &answer {
            Ok(()) => {
                tracing::warn!(group = %name, ?write, "What a swap left in a group is taken back.");
            }
            Err(refusal) => {
                tracing::warn!(group = %name, ?write, %refusal, "What a swap left in a group could not be taken back.");
            }
        }
        self.change(|record, now| {
            if !book::holds(record, self.me, SWEEP) {
                return false;
            }
            match &answer {
                Ok(()) => note::done(record, SWEEP, joint, now),
                // It may have happened: what the group shows tells.
                Err(Refusal::Unclear { .. }) => return false,
                Err(_) => return note::was_refused(record, SWEEP, &joint.write),
            }
            true
        })
        .await?;
        Ok(answer.is_err().then_some(Settled::Refused))
    }

    async fn close(&self, action: &str) -> Result<(), Failure> {
        self.change(|record, now| {
            let is_open = book::has_entered(record, action);
            if is_open {
                book::close(record, action, result::FAILED, now);
            }
            is_open
        })
        .await
        .map(drop)
    }

    /// Whether it was to be written.
    async fn change(
        &self,
        mut change: impl FnMut(&mut proto::Group, Timestamp) -> bool,
    ) -> Result<bool, Failure> {
        self.place
            .change(self.bus, |record| {
                if change(record, Timestamp::now()) {
                    Changed::Write(true)
                } else {
                    Changed::Leave(false)
                }
            })
            .await
    }
}

impl Sweeper {
    /// Takes back what swaps left in their groups, and tells of what stays.
    pub(crate) async fn settle(
        &self,
        bus: &Bus,
        me: &proto::Worker,
        records: &[proto::Group],
        swept: &mut Swept,
    ) -> Result<(), Failure> {
        for record in records {
            let ended = self.given_up(bus, record).await?;
            if ended.is_empty() && !record.rebalance_suspended {
                continue;
            }
            let region = self.aws.account(&record.account).region(&record.region);
            let leftovers = Leftovers {
                bus,
                cloud: self.cloud(&region),
                me,
                place: Place::new(&record.account, &record.region, &record.name),
                ended,
                ends: self.settings.orphans == Orphans::Terminate,
            };
            if leftovers.take_back().await? == Settled::Refused {
                swept.missed.push(record.region.clone());
            }
            let left = leftovers.place.read(bus).await?;
            if record.rebalance_suspended && !left.rebalance_suspended {
                swept.resumed.push(record.name.clone());
            }
            for action in leftovers.ended {
                if !book::has_entered(&left, &action) {
                    swept.settled.push(format!("{} {action}", record.name));
                    continue;
                }
                tracing::warn!(
                    group = %record.name,
                    region = %record.region,
                    action,
                    "A swap whose action has ended left its group with a unit of desired too much, or waits for another swap; redrive \
                     the action, lower desired, or set sweep.orphans = terminate."
                );
                swept.stale.push(format!("{} {action}", record.name));
            }
        }
        Ok(())
    }

    /// Actions of open swaps of a group that ended long enough ago.
    async fn given_up(&self, bus: &Bus, record: &proto::Group) -> Result<Vec<String>, Failure> {
        let now = Timestamp::now();
        let older_than = span(self.settings.older_than);
        let mut ended = Vec::new();
        for (cluster, action) in book::doubtful(record, "", "", "", now) {
            if let Author::Ended { at, .. } = author(bus, &cluster, &action).await?
                && now.duration_since(at) >= older_than
            {
                ended.push(action);
            }
        }
        Ok(ended)
    }
}
