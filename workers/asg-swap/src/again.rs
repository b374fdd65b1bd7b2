//! Members that fell back to on demand: now and then it is told of one that it may go back to spot, for a rule to answer.
//!
//! By a sweep, so by one process of all. What is told follows from EC2 and the incidents (`hollowtrees_domain::swap::again`):
//! told again, by whomever, it is the same notice.

use std::collections::{BTreeMap, BTreeSet};

use hollowtrees_aws::{
    Aws, Machine,
    groups::{GROUPS_AT_ONCE, MEMBERSHIPS_AT_ONCE},
    lookup::AT_ONCE,
};
use hollowtrees_bus::Bus;
use hollowtrees_domain::swap::{
    Strategy, TAG_CLUSTER, TAG_FELL_BACK, TAG_STRATEGY,
    again::{self, Pace, Say},
    book,
    share::{self, Roster},
    skip::{not_ours, tag},
    world::{Group, Standing},
};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::{
    envelope,
    id::IncidentKey,
    key,
    names::{certainty, kind, mode, state},
    outgoing,
    proto::{self, time::to_proto},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{cloud::Cloud, config, policy, sweep::Swept, telemetry::Telemetry};

/// How long a notice may take to be stored; the next sweep tells it again.
const TOLD_WITHIN: SignedDuration = SignedDuration::from_secs(10);
const PROVIDER: &str = "aws";

/// Tells of those that may go back.
pub(crate) struct Again {
    aws: Aws,
    swap: config::Swap,
    telemetry: Telemetry,
}

/// What a sweep has read before.
#[derive(Clone, Copy)]
pub(crate) struct Read<'a> {
    /// Instances of one region that swaps launched.
    pub(crate) machines: &'a [Machine],
    /// The records of all groups.
    pub(crate) records: &'a [proto::Group],
}

/// Why nothing could be told of a region.
struct Missed(String);

impl Again {
    pub(crate) fn new(aws: Aws, swap: &config::Swap, telemetry: Telemetry) -> Self {
        Self {
            aws,
            swap: swap.clone(),
            telemetry,
        }
    }

    /// Whether anything is to be told at all.
    pub(crate) fn is_on(&self) -> bool {
        !self.swap.spot_again.is_zero()
    }

    /// Tells what is to be told of one region.
    pub(crate) async fn tell(
        &self,
        bus: &Bus,
        cloud: &Cloud,
        read: Read<'_>,
        swept: &mut Swept,
    ) -> Result<(), Failure> {
        let fell: BTreeMap<&str, &Machine> = read
            .machines
            .iter()
            .filter(|machine| machine.tags.get(TAG_FELL_BACK).is_some_and(|tag| tag == "true"))
            .map(|machine| (machine.id.as_str(), machine))
            .collect();
        if fell.is_empty() || !self.is_on() {
            return Ok(());
        }
        let region = cloud.region.name();
        let groups = match self.groups(cloud, &fell).await {
            Ok(groups) => groups,
            Err(Missed(why)) => {
                tracing::warn!(
                    region,
                    why,
                    "Which members fell back to on demand cannot be told."
                );
                swept.missed.push(region.to_owned());
                return Ok(());
            }
        };
        for group in groups {
            // One without a record is another installation's.
            let Some(record) = read
                .records
                .iter()
                .find(|record| self.is_of(record, &group, cloud))
            else {
                continue;
            };
            match self.spare(cloud, &group, record).await {
                Ok(0) => {}
                Ok(spare) => self.of_group(bus, &group, record, &fell, spare, swept).await?,
                Err(Missed(why)) => {
                    tracing::warn!(
                        group = group.name,
                        region,
                        why,
                        "Nothing of a group is brought back to spot."
                    );
                    swept.missed.push(region.to_owned());
                }
            }
        }
        Ok(())
    }

    fn is_of(&self, record: &proto::Group, group: &Group, cloud: &Cloud) -> bool {
        let region = &cloud.region;
        record.name == group.name
            && record.region == region.name()
            && self.aws.account(&record.account).region(&record.region).account() == region.account()
    }

    /// Groups that these instances are members of, as they are now.
    async fn groups(&self, cloud: &Cloud, fell: &BTreeMap<&str, &Machine>) -> Result<Vec<Group>, Missed> {
        let missed = |refusal: hollowtrees_aws::Refusal| Missed(refusal.to_string());
        let ids: Vec<String> = fell.keys().map(|id| (*id).to_owned()).collect();
        let mut names = Vec::new();
        for ids in ids.chunks(MEMBERSHIPS_AT_ONCE) {
            let found = cloud.region.memberships(ids).await;
            let found = cloud.told("describe-membership", found).map_err(missed)?;
            names.extend(found.into_values().map(|member| member.group));
        }
        names.sort();
        names.dedup();
        let mut groups = Vec::new();
        for names in names.chunks(GROUPS_AT_ONCE) {
            let found = cloud.region.groups(names).await;
            groups.extend(cloud.told("describe-group", found).map_err(missed)?.into_values());
        }
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    /// How many members on demand are more than the group's share asks for; 0 too where its swaps bring nothing back.
    async fn spare(&self, cloud: &Cloud, group: &Group, record: &proto::Group) -> Result<usize, Missed> {
        let managed = self.swap.groups.contains(&group.name);
        let strategy = Strategy::of(None, tag(group, TAG_STRATEGY), self.swap.strategy);
        let is_left_alone = group.capacity_rebalance || not_ours(group, managed).is_some();
        if is_left_alone || strategy != Ok(Strategy::Swap) {
            return Ok(0);
        }
        let policy = policy::of_group(group).map_err(|failure| Missed(failure.to_string()))?;
        let Some(share) = policy.on_demand else {
            return Ok(usize::MAX);
        };
        let members = share::others(&group.members, None);
        let ids: Vec<String> = members.iter().cloned().collect();
        let mut on_demand = BTreeSet::new();
        for ids in ids.chunks(AT_ONCE) {
            let found = cloud.region.instances(ids).await;
            let found = cloud.told("describe-instances", found);
            let found = found.map_err(|refusal| Missed(refusal.to_string()))?;
            on_demand.extend(found.into_values().filter(|one| !one.spot).map(|one| one.id));
        }
        let roster = Roster {
            members,
            on_demand,
            replaced: 0,
        };
        let outlook = roster.outlook(record, "");
        Ok(outlook.staying.saturating_sub(outlook.needed(share)))
    }

    async fn of_group(
        &self,
        bus: &Bus,
        group: &Group,
        record: &proto::Group,
        fell: &BTreeMap<&str, &Machine>,
        spare: usize,
        swept: &mut Swept,
    ) -> Result<(), Failure> {
        let mut incidents = BTreeMap::new();
        for member in &group.members {
            let is_free = member.standing == Standing::InService && !book::is_busy(record, &member.instance);
            let Some(machine) = fell.get(member.instance.as_str()).filter(|_| is_free) else {
                continue;
            };
            let Some(cluster) = cluster(record, machine) else {
                tracing::debug!(instance = %machine.id, "Nobody knows which cluster's an instance is.");
                continue;
            };
            incidents.insert(
                machine.id.as_str(),
                (*machine, cluster, about(bus, cluster, &machine.id).await?),
            );
        }
        let members = incidents.iter().filter_map(|(instance, (machine, _, about))| {
            Some(again::Member {
                instance,
                launched_at: machine.launched_at?,
                incident: about.incident.as_ref(),
                runs: &about.runs,
            })
        });
        let members: Vec<_> = members.collect();
        let pace = Pace {
            every: SignedDuration::try_from(self.swap.spot_again).unwrap_or(SignedDuration::MAX),
            at_once: self.swap.spot_again_at_once,
        };
        for (instance, say) in again::plan(&members, spare, pace, Timestamp::now()) {
            if let Some((machine, cluster, _)) = incidents.get(instance.as_str()) {
                self.publish(bus, notice(record, machine, cluster, &say)).await?;
                let what = match say {
                    Say::Begin(_) => "begun",
                    Say::Over(_) => "over",
                };
                self.telemetry.back_to_spot(what);
                tracing::info!(
                    instance,
                    group = group.name,
                    what,
                    "An attempt to bring an instance back to spot."
                );
                swept.again.push(format!("{instance} {what}"));
            }
        }
        Ok(())
    }

    async fn publish(&self, bus: &Bus, notice: proto::Notice) -> Result<(), Failure> {
        let source = envelope::source(&[PROVIDER, &notice.account, &notice.region, "asg-swap"]);
        let envelope = envelope::notice(notice, &source);
        let out = outgoing::notice(&envelope, self.swap.format.into()).map_err(Failure::transient)?;
        let until = Timestamp::now()
            .saturating_add(TOLD_WITHIN)
            .unwrap_or(Timestamp::MAX);
        let stored = bus.publish(&out, Some(until)).await;
        stored.map(drop).map_err(|error| {
            Failure::transient(format!(
                "that an instance may go back to spot was not told: {error}; is publishing ht.notice.v1.*.spot-again.* permitted?"
            ))
        })
    }
}

/// The cluster of the swap that launched it, as it was with that; else as it is tagged.
fn cluster<'a>(record: &'a proto::Group, machine: &'a Machine) -> Option<&'a str> {
    let by_swap = record.swaps.iter().find(|swap| swap.replacement == machine.id);
    let known = by_swap.map(|swap| swap.cluster.as_str());
    known.or_else(|| machine.tags.get(TAG_CLUSTER).map(String::as_str))
}

fn notice(record: &proto::Group, machine: &Machine, cluster: &str, say: &Say) -> proto::Notice {
    let (event, state) = match say {
        Say::Begin(event) => (event, state::ACTIVE),
        Say::Over(event) => (event, state::CANCELLED),
    };
    proto::Notice {
        cluster: cluster.to_owned(),
        provider: PROVIDER.to_owned(),
        account: record.account.clone(),
        region: record.region.clone(),
        zone: machine.zone.clone(),
        instance: machine.id.clone(),
        kind: kind::SPOT_AGAIN.to_owned(),
        state: state.to_owned(),
        certainty: certainty::ADVISORY.to_owned(),
        mode: mode::LIVE.to_owned(),
        event_id: event.clone(),
        noticed_at: Some(to_proto(Timestamp::now())),
        group: record.name.clone(),
        instance_type: machine.instance_type.clone(),
        detail: serde_json::from_value(json!({"launched_at": machine.launched_at.map(|at| at.to_string())}))
            .ok(),
        ..proto::Notice::default()
    }
}

/// An incident with its runs, where it is open.
#[derive(Default)]
struct About {
    incident: Option<proto::Incident>,
    runs: Vec<proto::Run>,
}

async fn about(bus: &Bus, cluster: &str, instance: &str) -> Result<About, Failure> {
    let of = IncidentKey::new(cluster, instance, mode::LIVE);
    let found = bus.incidents().get(&key::incident(&of)).await;
    let Some(incident) = found.map_err(Failure::transient)?.map(|found| found.value) else {
        return Ok(About::default());
    };
    let mut runs = Vec::new();
    if incident.state == state::OPEN {
        for run in &incident.runs {
            let key = key::run(&of, incident.generation, &run.rule, &run.certainty);
            let found = bus.runs().get(&key).await.map_err(Failure::transient)?;
            // One that is listed and not there yet is under way.
            runs.push(found.map(|found| found.value).unwrap_or_default());
        }
    }
    Ok(About {
        incident: Some(incident),
        runs,
    })
}
