//! Chooses pools and enters the swap into the group's record.

use hollowtrees_domain::{
    recommend::Evidence,
    swap::{
        Checkpoint, End, Policy, Seen, Strategy, TAG_CLUSTER,
        book::{self, Busy},
        checkpoint::Plan,
        choice::{self, Choice, Choices, NoChoice, Offer, choices},
        source::{self, Resolved},
        world::{Group, Instance, Life, Standing},
    },
};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::{
    names::result,
    proto::{self, time::to_proto},
};

use crate::{
    back::{self, Market},
    group::{Changed, Place},
    policy::{ASKS_AGAIN, OnDemand, Room},
    saga::Saga,
};

/// What a swap begins with, and the pools that its policy takes out.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) left_out: Vec<Choice>,
}

impl Saga<'_> {
    /// Begins. An end: there is nothing to begin with.
    pub(crate) async fn begin(&mut self, seen: &Seen) -> Result<Option<End>, Failure> {
        let Some(group) = &seen.group else {
            return Ok(None);
        };
        let Some(old) = &seen.old else {
            return Ok(Some(End {
                result: result::SKIPPED,
                reason: "leaving".to_owned(),
                message: format!("{} is gone; {} replaces it by itself.", seen.old_id, group.name),
            }));
        };
        let strategy = self.orders(seen)?.strategy;
        let policy = self.policy(group)?;
        let place = self.place(&group.name);
        let room = match strategy {
            Strategy::Swap => self.room(group, old, &policy).await?,
            _ => policy.max_open.map(Room::of_group),
        };
        self.wait_for_others(&place, &policy, room).await?;
        let goes_back = self.goes_back().await?;
        let (policy, stays) = if goes_back {
            match self.may_go_back(strategy, group, old, &policy).await? {
                Ok(stays) => (back::spot_only(policy), stays),
                Err(end) => {
                    self.swapper.waiting.leave(&place.key(), &self.job.action().id);
                    return Ok(Some(end));
                }
            }
        } else {
            (policy, None)
        };
        // The replacement of one on demand is on demand too.
        let wanted = match strategy {
            Strategy::Swap if old.spot => self.share(group, old, &policy).await?,
            _ => None,
        };
        let share = self.has_its_share(&place, wanted.as_ref()).await?;
        let market = match (goes_back, old.spot && share) {
            (true, _) => Market::BackToSpot,
            (false, true) => Market::Spot,
            (false, false) => Market::OnDemand,
        };
        let plan = match self.plan(strategy, group, old, &policy, market).await? {
            Ok(Planned { plan, .. }) => plan,
            Err(end) => {
                self.swapper.waiting.leave(&place.key(), &self.job.action().id);
                return Ok(Some(end));
            }
        };
        let action = self.job.action();
        let now = self.job.now();
        let swap = proto::GroupSwap {
            action_id: action.id.clone(),
            cluster: action.cluster.clone(),
            instance: action.instance.clone(),
            generation: action.generation,
            weight: if strategy == Strategy::Swap {
                plan.weight
            } else {
                0
            },
            on_demand: strategy == Strategy::Swap && market == Market::OnDemand,
            opened_at: Some(to_proto(now)),
            ..proto::GroupSwap::default()
        };
        self.enter_account(&swap).await?;
        let ended = self.ended_swaps(&place).await?;
        let earlier = self.launched_before(strategy, seen).await?;
        let entered = place
            .change(self.job.bus(), |record| {
                // Others may have taken over what was lacking, or left it to this one.
                let is_kept = |share: &OnDemand| share.is_kept(record, &swap.action_id);
                let is_met = |share: &OnDemand| share.is_met(record, &swap.action_id);
                if wanted.as_ref().is_none_or(is_met) != share || !stays.as_ref().is_none_or(is_kept) {
                    return Changed::Leave(Ok(false));
                }
                let most = room.map(|room| room.most);
                match book::enter(record, swap.clone(), &ended, most, now) {
                    Ok(()) => Changed::Write(Ok(true)),
                    Err(busy) => Changed::Leave(Err(busy)),
                }
            })
            .await?;
        match entered {
            // It chooses again.
            Ok(false) => Ok(None),
            Ok(true) => {
                self.swapper.waiting.leave(&place.key(), &self.job.action().id);
                let mut checkpoint = Checkpoint::begin(&group.name, group.sizes, old, plan);
                if let Some(earlier) = &earlier {
                    checkpoint.adopt(earlier, now);
                }
                self.keep(checkpoint).await?;
                Ok(None)
            }
            // Somebody was faster.
            Err(Busy::Enough(open)) => {
                self.leave_account(result::SKIPPED).await?;
                Err(room.map_or_else(
                    || Failure::transient("the group has as many open swaps as it may"),
                    |room| room.reached(open, ASKS_AGAIN),
                ))
            }
            // Of an action that goes on, or that left a unit of desired to a sweep.
            Err(Busy::Other { .. }) => {
                self.leave_account(result::SKIPPED).await?;
                Err(Failure::Transient {
                    cause: "another swap of the instance is open in the group's record".to_owned(),
                    after: Some(ASKS_AGAIN),
                })
            }
            Err(Busy::Full) => Err(Failure::transient(format!(
                "{} has as many open swaps as its record holds",
                group.name
            ))),
        }
    }

    /// Whether as many members are on demand as are to be, with those that other swaps are about to launch.
    pub(crate) async fn has_its_share(
        &self,
        place: &Place,
        wanted: Option<&OnDemand>,
    ) -> Result<bool, Failure> {
        let Some(wanted) = wanted else {
            return Ok(true);
        };
        let record = place.read(self.job.bus()).await?;
        Ok(wanted.is_met(&record, &self.job.action().id))
    }

    /// What this action launched before it was redriven, and still runs: rather a member than a stranger, and rather
    /// one that runs already.
    async fn launched_before(
        &mut self,
        strategy: Strategy,
        seen: &Seen,
    ) -> Result<Option<Instance>, Failure> {
        if self.job.action().redrive == 0 || strategy != Strategy::Swap {
            return Ok(None);
        }
        let mut found = self.launched_by_us().await?;
        found.retain(|instance| {
            matches!(instance.life, Life::Pending | Life::Running)
                && seen.standing(&instance.id) != Some(Standing::Leaving)
        });
        found.sort_by_key(|instance| {
            (
                seen.standing(&instance.id).is_none(),
                instance.life != Life::Running,
                instance.id.clone(),
            )
        });
        Ok(found.into_iter().next())
    }

    pub(crate) async fn plan(
        &mut self,
        strategy: Strategy,
        group: &Group,
        old: &Instance,
        policy: &Policy,
        market: Market,
    ) -> Result<Result<Planned, End>, Failure> {
        let mut left_out = Vec::new();
        let spot = market != Market::OnDemand;
        let mut plan = Plan {
            strategy,
            weight: source::weight(group, old),
            back_to_spot: market == Market::BackToSpot,
            protected: group
                .members
                .iter()
                .any(|of| of.instance == old.id && of.protected),
            ..Plan::default()
        };
        if strategy == Strategy::Swap {
            plan.tags = choice::propagated(group);
            // Where the action's record is, for who finds the instance.
            let cluster = self.job.action().cluster.clone();
            plan.tags.entry(TAG_CLUSTER.to_owned()).or_insert(cluster);
            let known = match self.resolve(group).await? {
                Ok(known) => known,
                Err(why) => return Ok(Err(no_choice(group, &why))),
            };
            plan.spot = source::market(group, &known, spot);
            plan.choices = match self.choose(group, &known, old, policy, spot).await {
                Ok(choices) => {
                    left_out = choices.left_out;
                    choices.pools
                }
                Err(why @ (NoChoice::Policy { .. } | NoChoice::Reserved)) if plan.back_to_spot => {
                    return Ok(Err(back::no_pool(group, &why)));
                }
                Err(why) => return Ok(Err(no_choice(group, &why))),
            };
        }
        Ok(Ok(Planned { plan, left_out }))
    }

    async fn choose(
        &mut self,
        group: &Group,
        known: &Resolved,
        old: &Instance,
        policy: &Policy,
        spot: bool,
    ) -> Result<Choices, NoChoice> {
        let nothing = Evidence::none(self.job.now());
        let on_demand = self.on_demand().await;
        let offer = |evidence| Offer {
            group,
            old,
            known,
            evidence,
            on_demand: &on_demand,
            policy,
            spot,
        };
        let unpriced = choices(offer(&nothing))?;
        if !spot {
            return Ok(unpriced);
        }
        let types = unpriced.types.into_iter().collect();
        let zones = unpriced.zones.into_iter().collect();
        let evidence = self
            .swapper
            .prices
            .evidence(self.cloud(), types, zones, self.job.now())
            .await;
        choices(offer(&evidence))
    }
}

fn no_choice(group: &Group, why: &NoChoice) -> End {
    End {
        result: result::FAILED,
        reason: "no-choice".to_owned(),
        message: format!("{} offers no pool: {why}. Nothing was touched.", group.name),
    }
}
