//! What swaps left behind is looked for now and then, by one process of all, and told or ended.
//!
//! An instance is ended only where its action's record is here, is done, and does not say that it left this instance in service;
//! it is asked for once more right before. What is not known is told and left alone.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use hollowtrees_aws::{Aws, Machine, Region};
use hollowtrees_bus::{Bus, Options, StoreError, watch::Change};
use hollowtrees_domain::swap::{
    TAG_ACTION, TAG_CLUSTER, TAG_REPLACES,
    orphan::{Author, Launched, Verdict, judge},
    turn,
};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::{
    id::ActionId,
    key,
    names::{ledger_state, result},
    proto,
};
use jiff::{SignedDuration, Timestamp};
use pbjson_types::value::Kind;

use crate::{
    again::{Again, Read},
    cloud::{Cloud, Health},
    config::{self, Orphans},
    group::{Changed, Place, connected},
    telemetry::Telemetry,
};

/// Wait after a sweep that failed, or while the bus is away.
const AGAIN: Duration = Duration::from_secs(60);
/// The records of groups are listed within this.
const LISTED_WITHIN: Duration = Duration::from_secs(30);

/// Looks for what swaps left behind.
pub struct Sweeper {
    pub(crate) aws: Aws,
    pub(crate) settings: config::Sweep,
    again: Again,
    telemetry: Telemetry,
    health: Health,
}

/// What one sweep found: ids of instances; of stale records the group and the action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Their action has ended without them.
    pub orphans: Vec<String>,
    /// Those of them that were ended.
    pub ended: Vec<String>,
    /// Nobody knows what came of their action.
    pub unclaimed: Vec<String>,
    /// Open swaps of groups whose action has ended, and of which something is left.
    pub stale: Vec<String>,
    /// Those of which nothing is left any more.
    pub settled: Vec<String>,
    /// Of which instances something was told of an attempt to bring them back to spot: `begun` or `over`.
    pub again: Vec<String>,
    /// Groups whose AZRebalance was resumed.
    pub resumed: Vec<String>,
    /// Regions that were not swept.
    pub missed: Vec<String>,
}

/// Whose turn it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// This process's.
    Ours(Swept),
    /// Another one's, until then.
    Others(Timestamp),
}

impl Sweeper {
    /// Of the instances this AWS shows.
    pub fn new(aws: Aws, settings: &config::Settings, telemetry: Telemetry, health: Health) -> Self {
        Self {
            again: Again::new(aws.clone(), &settings.swap, telemetry.clone()),
            aws,
            settings: settings.sweep.clone(),
            telemetry,
            health,
        }
    }

    /// Sweeps whenever it is this process's turn, over a connection of its own.
    pub(crate) async fn keep(self, options: Options, me: proto::Worker) -> Infallible {
        if self.settings.orphans == Orphans::Off && !self.again.is_on() {
            return std::future::pending().await;
        }
        let bus = connected(&options, "a sweep", AGAIN).await;
        loop {
            let turn = self.turn(&bus, &me).await;
            if let Err(error) = &turn {
                tracing::warn!(%error, "What swaps left behind could not be looked for.");
            }
            let wait = until_next(turn.as_ref().ok(), self.settings.every, Timestamp::now());
            let apart = Duration::from_secs(1).mul_f64(rand::random_range(0.0..=5.0));
            tokio::time::sleep(wait + apart).await;
        }
    }

    /// Sweeps once, if no other process did lately.
    ///
    /// # Errors
    /// The bus does not answer.
    pub async fn turn(&self, bus: &Bus, me: &proto::Worker) -> Result<Turn, Failure> {
        // A record of no group: it holds nothing but the turn.
        let place = Place::new("", "", "");
        let now = Timestamp::now();
        let long = span(self.settings.every);
        let taken = place
            .change(bus, |record| match turn::take(record, me, long, now) {
                Ok(()) => Changed::Write(None),
                Err(until) => Changed::Leave(Some(until)),
            })
            .await?;
        if let Some(until) = taken {
            // What this process found is the other's to tell now.
            self.telemetry.swept(&Swept::default());
            return Ok(Turn::Others(until));
        }
        let swept = Box::pin(self.sweep(bus, me)).await;
        let is_whole = swept.as_ref().is_ok_and(|swept| swept.missed.is_empty());
        self.telemetry.sweep(if is_whole { "done" } else { "failed" });
        if !is_whole {
            let soon = Timestamp::now().saturating_add(AGAIN).unwrap_or(Timestamp::MAX);
            place
                .change(bus, |record| {
                    turn::shorten(record, me, soon);
                    Changed::Write(())
                })
                .await?;
        }
        let swept = swept?;
        self.telemetry.swept(&swept);
        Ok(Turn::Ours(swept))
    }

    async fn sweep(&self, bus: &Bus, me: &proto::Worker) -> Result<Swept, Failure> {
        let records = records(bus).await?;
        let mut swept = Swept::default();
        let for_orphans = self.settings.orphans != Orphans::Off;
        // Swaps of this process take a lease over that it holds itself.
        let me = &proto::Worker {
            process: format!("{}/sweep", me.process),
            ..me.clone()
        };
        self.settle(bus, me, &records, &mut swept).await?;
        let swaps = || records.iter().flat_map(|record| &record.swaps);
        let clusters: BTreeMap<&str, &str> = swaps()
            .map(|swap| (swap.action_id.as_str(), swap.cluster.as_str()))
            .collect();
        let of_records = records
            .iter()
            .map(|record| self.aws.account(&record.account).region(&record.region));
        let own = self.aws.default_region().map(|region| self.aws.region(region));
        // Accounts that are reached in the same way are one.
        let regions: BTreeMap<_, Region> = of_records
            .chain(own)
            .map(|of| ((of.account().to_owned(), of.name().to_owned()), of))
            .collect();
        for ((account, region), of) in &regions {
            let cloud = self.cloud(of);
            let found = cloud.region.machines_with(TAG_ACTION).await;
            let found = match cloud.told("describe-launched", found) {
                Ok(found) => found,
                Err(refusal) => {
                    tracing::warn!(account, region, %refusal, "Instances that swaps launched cannot be listed.");
                    swept.missed.push(region.to_owned());
                    continue;
                }
            };
            let read = Read {
                machines: &found,
                records: &records,
            };
            if let Err(error) = self.again.tell(bus, &cloud, read, &mut swept).await {
                tracing::warn!(region, %error, "Not all that may go back to spot was told.");
                swept.missed.push(region.to_owned());
            }
            for machine in found.into_iter().filter(|_| for_orphans) {
                let action = machine.tags.get(TAG_ACTION).map_or("", String::as_str);
                let tagged = machine.tags.get(TAG_CLUSTER).map(String::as_str);
                let Some(cluster) = clusters.get(action).copied().or(tagged) else {
                    tracing::debug!(instance = %machine.id, action, "Nobody knows which cluster's an instance is.");
                    continue;
                };
                let is_ours = clusters.values().any(|known| *known == cluster);
                let whose = Whose {
                    cluster,
                    action,
                    is_ours,
                };
                if self.one(bus, &cloud, &machine, whose, &mut swept).await? {
                    continue;
                }
                if swept.missed.last().is_none_or(|missed| missed != region) {
                    swept.missed.push(region.to_owned());
                }
            }
        }
        Ok(swept)
    }

    pub(crate) fn cloud(&self, region: &Region) -> Cloud {
        Cloud {
            region: region.clone(),
            telemetry: self.telemetry.clone(),
            health: self.health.clone(),
        }
    }

    /// Judges one instance. `false`: AWS did not say all that is needed.
    async fn one(
        &self,
        bus: &Bus,
        cloud: &Cloud,
        machine: &Machine,
        whose: Whose<'_>,
        swept: &mut Swept,
    ) -> Result<bool, Failure> {
        let Whose {
            cluster,
            action,
            is_ours,
        } = whose;
        let instance = machine.id.as_str();
        let verdict = async || -> Result<Verdict, Failure> {
            let launched = Launched {
                id: machine.id.clone(),
                at: machine.launched_at,
                in_group: !machine.group.is_empty(),
            };
            let author = author(bus, cluster, action).await?;
            let older_than = span(self.settings.older_than);
            Ok(judge(&launched, &author, older_than, Timestamp::now()))
        };
        let found = verdict().await?;
        if found == Verdict::Leave {
            return Ok(true);
        }
        // The tag of its group may show later than the group has it.
        let member = cloud.region.membership(instance).await;
        match cloud.told("describe-membership", member) {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(true),
            Err(refusal) => {
                tracing::warn!(instance, %refusal, "Whether an instance is in a group cannot be told.");
                return Ok(false);
            }
        }
        let (region, replaces) = (cloud.region.name(), machine.tags.get(TAG_REPLACES));
        if found == Verdict::Unclaimed {
            // That of another installation, whose records are elsewhere, is none of our business.
            if is_ours {
                tracing::warn!(
                    instance,
                    region,
                    cluster,
                    action,
                    replaces,
                    "An instance that a swap launched is in no group, and the record of its action is gone; see whether it is needed."
                );
                swept.unclaimed.push(machine.id.clone());
            }
            return Ok(true);
        }
        swept.orphans.push(machine.id.clone());
        if self.settings.orphans != Orphans::Terminate {
            tracing::warn!(
                instance,
                region,
                cluster,
                action,
                replaces,
                "An instance that a swap launched is in no group, and its action has ended without it; end it, or set sweep.orphans = terminate."
            );
            return Ok(true);
        }
        // Its action may have been redriven meanwhile.
        if verdict().await? != Verdict::Orphan {
            return Ok(true);
        }
        match cloud.told(
            "terminate",
            cloud.region.terminate(std::slice::from_ref(&machine.id)).await,
        ) {
            Ok(()) => {
                tracing::warn!(
                    instance,
                    region,
                    cluster,
                    action,
                    replaces,
                    "An instance that a swap had launched and left behind is ended."
                );
                swept.ended.push(machine.id.clone());
                Ok(true)
            }
            Err(refusal) => {
                tracing::warn!(instance, region, action, %refusal, "An instance that a swap left behind could not be ended.");
                Ok(false)
            }
        }
    }
}

/// Whose an instance is.
#[derive(Clone, Copy)]
struct Whose<'a> {
    cluster: &'a str,
    action: &'a str,
    /// Swaps of this cluster are in the records of this bus.
    is_ours: bool,
}

/// From a turn to the next try; none: the bus did not say whose it was.
fn until_next(turn: Option<&Turn>, every: Duration, now: Timestamp) -> Duration {
    match turn {
        Some(Turn::Ours(swept)) if swept.missed.is_empty() => every,
        Some(Turn::Others(until)) => Duration::try_from(until.duration_since(now)).unwrap_or_default(),
        Some(Turn::Ours(_)) | None => AGAIN,
    }
}

pub(crate) fn span(of: Duration) -> SignedDuration {
    SignedDuration::try_from(of).unwrap_or(SignedDuration::MAX)
}

/// The records of all groups.
async fn records(bus: &Bus) -> Result<Vec<proto::Group>, Failure> {
    let mut watch = bus.groups().watch(&[">"]);
    let listed = async {
        let mut all = BTreeMap::new();
        loop {
            match watch.next().await {
                Change::Resync => all.clear(),
                Change::Put(key, found) => {
                    all.insert(key, found.value);
                }
                Change::Removed(key) => {
                    all.remove(&key);
                }
                Change::Unreadable(error) => tracing::warn!(%error, "The record of a group cannot be read."),
                Change::Synced => return all,
            }
        }
    };
    let all = tokio::time::timeout(LISTED_WITHIN, listed)
        .await
        .map_err(|_| Failure::transient(format!("ht_groups was not listed within {LISTED_WITHIN:?}")))?;
    Ok(all
        .into_values()
        .filter(|record| !record.name.is_empty())
        .collect())
}

/// What the ledger says of an action.
pub(crate) async fn author(bus: &Bus, cluster: &str, action: &str) -> Result<Author, Failure> {
    let Ok(id) = action.parse::<ActionId>() else {
        return Ok(Author::Unknown);
    };
    let found = match bus.ledger().get(&key::ledger(cluster, &id)).await {
        Ok(found) => found,
        Err(error @ StoreError::Unavailable { .. }) => return Err(Failure::transient(error)),
        // Of a newer release, or broken: not for us to judge.
        Err(_) => return Ok(Author::Open),
    };
    let Some(found) = found else {
        return Ok(Author::Unknown);
    };
    if found.value.state != ledger_state::DONE {
        return Ok(Author::Open);
    }
    let succeeded = found
        .value
        .outcome
        .filter(|outcome| outcome.result == result::SUCCEEDED);
    let replacement = succeeded.and_then(|outcome| outcome.detail?.fields.remove("replacement"));
    Ok(Author::Ended {
        at: found.stored_at,
        in_service: match replacement.and_then(|value| value.kind) {
            Some(Kind::StringValue(id)) => Some(id),
            _ => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_try_is_after_the_period_or_the_others_turn_or_soon() {
        let every = Duration::from_secs(600);
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let missed = Swept {
            missed: vec!["us-east-1".to_owned()],
            ..Swept::default()
        };
        let others = |seconds: i64| Turn::Others(now + SignedDuration::from_secs(seconds));
        for (turn, expected) in [
            (Some(Turn::Ours(Swept::default())), every),
            (Some(Turn::Ours(missed)), AGAIN),
            (Some(others(17)), Duration::from_secs(17)),
            (Some(others(-1)), Duration::ZERO),
            (None, AGAIN),
        ] {
            assert_eq!(until_next(turn.as_ref(), every, now), expected, "{turn:?}");
        }
    }
}
