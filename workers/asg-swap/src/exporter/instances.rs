//! Prices and scores of spot instances under the names of the original exporter, and what they save.
//!
//! An instance's id is a label here, as it was there: there are as many series of each as groups have spot instances, and what
//! went has none any more. `aws_instance_stability_score` is not served: spot-recommender 0.0.1 answered 0 always, and what would
//! be told instead is not known here.

use std::collections::{BTreeMap, BTreeSet};

use hollowtrees_aws::Crew;
use hollowtrees_runtime::metrics::{Definition, Error, Gauges, Metrics, count};

use super::prices::{Figures, Known};

/// What is paid at most.
pub const BID: Definition = Definition::new(
    "aws_instance_spot_bid_price",
    "Most that is paid for a spot instance, in dollars an hour, as its request says; as the original aws-autoscaling-exporter.",
);
/// The original's score.
pub const COST_SCORE: Definition = Definition::new(
    "aws_instance_cost_score",
    "1 for the cheapest of the types like that of a spot instance in its zone, 0 for the dearest; as the original computed it.",
);
/// On demand.
pub const ON_DEMAND: Definition = Definition::new(
    "aws_instance_on_demand_price",
    "What the type of a spot instance costs on demand, in dollars an hour, as the file swap.on_demand has it.",
);
/// The bid the original advised.
pub const OPTIMAL_BID: Definition = Definition::new(
    "aws_instance_optimal_bid_price",
    "The bid that the original advised for a spot instance: the price on demand, in dollars an hour.",
);
/// Spot.
pub const CURRENT: Definition = Definition::new(
    "aws_instance_current_price",
    "What a spot instance costs now, in dollars an hour, by its pool.",
);
/// What a group saves.
pub const SAVED: Definition = Definition::new(
    "hollowtrees_asg_swap_saved_dollars_per_hour",
    "By how much the spot instances of a group cost less now than on demand, as far as both prices of them are known.",
);
/// What that leaves out.
pub const UNPRICED: Definition = Definition::new(
    "hollowtrees_asg_swap_unpriced_instances",
    "Spot instances of a group that are left out of what it saves, their price of now or on demand not being known.",
);

const LABELS: [&str; 5] = [
    "asg_name",
    "region",
    "instance_id",
    "instance_type",
    "availability_zone",
];
const OF_GROUP: [&str; 2] = ["asg_name", "region"];

/// Values of [`LABELS`].
type Key = [String; 5];

/// What is shown of instances.
pub(super) struct Instances {
    figures: [Gauges<5>; 5],
    saved: Gauges<2>,
    unpriced: Gauges<2>,
    /// By region.
    shown: BTreeMap<String, BTreeSet<Key>>,
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl Instances {
    /// # Errors
    /// A name is taken.
    pub(super) fn register(metrics: &Metrics) -> Result<Self, Error> {
        let gauges = |definition| metrics.gauges(definition, LABELS);
        Ok(Self {
            figures: [
                gauges(CURRENT)?,
                gauges(ON_DEMAND)?,
                gauges(OPTIMAL_BID)?,
                gauges(BID)?,
                gauges(COST_SCORE)?,
            ],
            saved: metrics.gauges(SAVED, OF_GROUP)?,
            unpriced: metrics.gauges(UNPRICED, OF_GROUP)?,
            shown: BTreeMap::new(),
            groups: BTreeMap::new(),
        })
    }

    /// Another process shows them.
    pub(super) fn hide(&mut self) {
        self.figures.iter().for_each(Gauges::clear);
        self.saved.clear();
        self.unpriced.clear();
        self.shown.clear();
        self.groups.clear();
    }

    /// These are all groups of a region now, and these of their members spot instances.
    pub(super) fn show(&mut self, region: &str, crews: &[Crew], spot: &BTreeSet<String>, known: &Known) {
        let mut keys = BTreeSet::new();
        for crew in crews {
            let mut saving = Saving::default();
            for member in &crew.members {
                if !spot.contains(&member.instance) {
                    continue;
                }
                let figures = member
                    .pool
                    .as_ref()
                    .map(|pool| known.figures(&member.instance, pool));
                saving.add(figures.unwrap_or_default());
                if let (Some(pool), Some(figures)) = (&member.pool, figures) {
                    let parts = [
                        &crew.group,
                        region,
                        &member.instance,
                        &pool.instance_type,
                        &pool.zone,
                    ];
                    self.set(parts, figures);
                    keys.insert(parts.map(str::to_owned));
                }
            }
            let labels = [crew.group.as_str(), region];
            set(&self.saved, labels, saving.dollars());
            self.unpriced.set(labels, count(saving.unpriced));
        }
        let gone = self
            .shown
            .insert(region.to_owned(), keys.clone())
            .unwrap_or_default();
        for key in gone.difference(&keys) {
            let labels = key.each_ref().map(String::as_str);
            self.figures.iter().for_each(|gauges| gauges.remove(labels));
        }
        let groups: BTreeSet<String> = crews.iter().map(|crew| crew.group.clone()).collect();
        let gone = self
            .groups
            .insert(region.to_owned(), groups.clone())
            .unwrap_or_default();
        for group in gone.difference(&groups) {
            self.saved.remove([group, region]);
            self.unpriced.remove([group, region]);
        }
    }

    fn set(&self, labels: [&str; 5], of: Figures) {
        let values = [of.current, of.on_demand, of.on_demand, of.most, of.cost_score];
        for (gauges, value) in self.figures.iter().zip(values) {
            set(gauges, labels, value);
        }
    }
}

fn set<const N: usize>(gauges: &Gauges<N>, labels: [&str; N], value: Option<f64>) {
    match value {
        Some(value) => gauges.set(labels, value),
        None => gauges.remove(labels),
    }
}

/// What the spot instances of a group save.
#[derive(Debug, Default)]
struct Saving {
    dollars: f64,
    priced: usize,
    unpriced: usize,
}

impl Saving {
    fn add(&mut self, of: Figures) {
        if let (Some(on_demand), Some(current)) = (of.on_demand, of.current) {
            self.dollars += on_demand - current;
            self.priced += 1;
        } else {
            self.unpriced += 1;
        }
    }

    /// None: there are spot instances, and nothing is known of any.
    fn dollars(&self) -> Option<f64> {
        (self.priced > 0 || self.unpriced == 0).then_some(self.dollars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saving(of: &[(Option<f64>, Option<f64>)]) -> (Option<f64>, usize) {
        let mut saving = Saving::default();
        for (on_demand, current) in of {
            saving.add(Figures {
                on_demand: *on_demand,
                current: *current,
                ..Figures::default()
            });
        }
        (saving.dollars(), saving.unpriced)
    }

    #[test]
    fn what_is_saved_is_told_of_what_has_both_prices() {
        assert_eq!(saving(&[]), (Some(0.0), 0), "no spot instances save nothing");
        let (cheap, dear) = ((Some(0.5), Some(0.25)), (Some(0.5), Some(0.75)));
        assert_eq!(saving(&[cheap, cheap]), (Some(0.5), 0));
        assert_eq!(saving(&[cheap, (None, Some(0.1))]), (Some(0.25), 1));
        assert_eq!(saving(&[dear]), (Some(-0.25), 0), "it may cost more");
        assert_eq!(saving(&[(None, Some(0.1)), (Some(0.5), None)]), (None, 2));
    }
}
