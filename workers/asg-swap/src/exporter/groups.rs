//! How groups are manned: members by where they stand, and by how much and how long a group lacks some.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use hollowtrees_aws::Crew;
use hollowtrees_domain::swap::world::Standing;
use hollowtrees_runtime::metrics::{Counters, Definition, Error, Gauges, Metrics, count};

use super::LABELS;

/// All members.
pub const INSTANCES: Definition = Definition::new(
    "aws_autoscaling_instances_total",
    "Instances of a group, as the original aws-autoscaling-exporter counted them.",
);
/// Those that join.
pub const PENDING: Definition = Definition::new(
    "aws_autoscaling_pending_instances_total",
    "Instances of a group that join it, those that wait in a hook included.",
);
/// Those in service.
pub const IN_SERVICE: Definition = Definition::new(
    "aws_autoscaling_inservice_instances_total",
    "Instances of a group that are in service.",
);
/// Those put aside.
pub const STANDBY: Definition = Definition::new(
    "aws_autoscaling_standby_instances_total",
    "Instances of a group that are in standby, or on the way there.",
);
/// Those that leave.
pub const TERMINATING: Definition = Definition::new(
    "aws_autoscaling_terminating_instances_total",
    "Instances of a group that leave it, those that wait in a hook included.",
);
/// Those of the spot market.
pub const SPOT: Definition = Definition::new(
    "aws_autoscaling_spot_instances_total",
    "Instances of a group that are spot instances.",
);
/// What a group lacked.
pub const DIP: Definition = Definition::new(
    "hollowtrees_asg_swap_capacity_dip_seconds_total",
    "Instance-seconds (unit-seconds with weights) by which what is in service of a group was below what is desired, as far as reads show.",
);

/// What is shown of groups.
pub(super) struct Groups {
    instances: [Gauges<2>; 6],
    dip: Counters<2>,
    dips: BTreeMap<(String, String), Dip>,
}

/// What is known of one group's lack.
#[derive(Debug)]
struct Dip {
    lacks: u32,
    since: Instant,
    /// Less than a whole second, not counted yet.
    rest: f64,
}

impl Groups {
    /// # Errors
    /// A name is taken.
    pub(super) fn register(metrics: &Metrics) -> Result<Self, Error> {
        let gauges = |definition| metrics.gauges(definition, LABELS);
        Ok(Self {
            instances: [
                gauges(INSTANCES)?,
                gauges(PENDING)?,
                gauges(IN_SERVICE)?,
                gauges(STANDBY)?,
                gauges(TERMINATING)?,
                gauges(SPOT)?,
            ],
            dip: metrics.counters(DIP, LABELS)?,
            dips: BTreeMap::new(),
        })
    }

    /// Another process shows them.
    pub(super) fn hide(&mut self) {
        self.instances.iter().for_each(Gauges::clear);
        // What lacks meanwhile is counted there.
        self.dips.clear();
    }

    /// These are all groups of a region now.
    pub(super) fn show(&mut self, region: &str, crews: &[Crew], spot: &BTreeSet<String>, now: Instant) {
        let gone: Vec<_> = self
            .dips
            .keys()
            .filter(|(of, group)| of == region && crews.iter().all(|crew| crew.group != *group))
            .cloned()
            .collect();
        for key in gone {
            let labels = [key.1.as_str(), key.0.as_str()];
            self.instances.iter().for_each(|gauges| gauges.remove(labels));
            self.dips.remove(&key);
        }
        for crew in crews {
            let labels = [crew.group.as_str(), region];
            let at = |standing| {
                crew.members
                    .iter()
                    .filter(|member| member.standing == standing)
                    .count()
            };
            let numbers = [
                crew.members.len(),
                at(Standing::Joining),
                at(Standing::InService),
                at(Standing::Standby),
                at(Standing::Leaving),
                crew.members
                    .iter()
                    .filter(|member| spot.contains(&member.instance))
                    .count(),
            ];
            for (gauges, number) in self.instances.iter().zip(numbers) {
                gauges.set(labels, count(number));
            }
            let key = (region.to_owned(), crew.group.clone());
            let dip = self.dips.entry(key).or_insert(Dip {
                lacks: 0,
                since: now,
                rest: 0.0,
            });
            self.dip.add(labels, dip.passed(lacks(crew), now));
        }
    }
}

impl Dip {
    /// Whole instance-seconds since the last look; from now on so many lack.
    fn passed(&mut self, lacks: u32, now: Instant) -> u64 {
        self.rest += f64::from(self.lacks) * now.duration_since(self.since).as_secs_f64();
        let whole = self.rest.floor();
        self.rest -= whole;
        (self.lacks, self.since) = (lacks, now);
        Duration::try_from_secs_f64(whole).map_or(0, |whole| whole.as_secs())
    }
}

/// By how much what is in service is below what is desired.
fn lacks(crew: &Crew) -> u32 {
    let in_service: u32 = crew
        .members
        .iter()
        .filter(|member| member.standing == Standing::InService)
        .map(|member| member.weight)
        .sum();
    crew.desired.saturating_sub(in_service)
}

#[cfg(test)]
mod tests {
    use hollowtrees_aws::CrewMember;

    use super::*;

    #[test]
    fn what_lacks_is_counted_in_units_of_weight() {
        let member = |standing, weight| CrewMember {
            instance: "i-1".to_owned(),
            pool: None,
            standing,
            weight,
        };
        let crew = |desired, members| Crew {
            group: "g".to_owned(),
            desired,
            members,
        };
        assert_eq!(lacks(&crew(3, Vec::new())), 3);
        assert_eq!(lacks(&crew(3, vec![member(Standing::InService, 2)])), 1);
        assert_eq!(
            lacks(&crew(
                3,
                vec![member(Standing::InService, 4), member(Standing::Joining, 9)]
            )),
            0
        );
    }

    #[test]
    fn a_dip_is_what_lacked_for_how_long() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut dip = Dip {
            lacks: 0,
            since: start,
            rest: 0.0,
        };
        assert_eq!(dip.passed(2, at(5_000)), 0, "nothing lacked until now");
        assert_eq!(dip.passed(2, at(5_700)), 1);
        // 0.4 are left from before.
        assert_eq!(dip.passed(0, at(6_100)), 1);
        assert_eq!(dip.passed(0, at(60_000)), 0);
    }
}
