//! How long swaps took, by group: in every process, for each counts its own, whether groups are read or not.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hollowtrees_runtime::metrics::{Definition, Error, Histograms, Metrics, bounded::OTHER};

use super::LABELS;

/// From the start of a swap to a replacement in service.
pub const IN_SERVICE: Definition = Definition::new(
    "hollowtrees_asg_swap_in_service_seconds",
    "From the notice of an instance to its replacement in service, by group, where this process saw it; of groups beyond the first 200 of a process together, as other.",
);

const BUCKETS: [f64; 9] = [10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 900.0];
/// Groups that are told apart: twelve series each.
const GROUPS: usize = 200;

/// Durations of swaps. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Durations {
    histograms: Histograms<2>,
    seen: Arc<Mutex<Seen>>,
}

/// Groups told apart, by name and region. Nobody can make them up: a group has had a swap.
#[derive(Default)]
struct Seen(BTreeSet<(String, String)>);

impl Durations {
    /// # Errors
    /// The name is taken.
    pub(crate) fn register(metrics: &Metrics) -> Result<Self, Error> {
        Ok(Self {
            histograms: metrics.histograms(IN_SERVICE, LABELS, &BUCKETS)?,
            seen: Arc::default(),
        })
    }

    pub(crate) fn observe(&self, group: &str, region: &str, took: Duration) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.histograms.observe([seen.label(group, region), region], took);
    }
}

impl Seen {
    fn label<'g>(&mut self, group: &'g str, region: &str) -> &'g str {
        let key = (group.to_owned(), region.to_owned());
        if self.0.contains(&key) {
            return group;
        }
        if self.0.len() >= GROUPS {
            return OTHER;
        }
        self.0.insert(key);
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_told_apart_up_to_a_bound() {
        let mut seen = Seen::default();
        let long = "g".repeat(255);
        assert_eq!(seen.label(&long, "us-east-1"), long);
        for number in 2..=GROUPS {
            let name = format!("g{number}");
            assert_eq!(seen.label(&name, "us-east-1"), name);
        }
        assert_eq!(seen.label("g2", "us-east-1"), "g2");
        assert_eq!(seen.label("g2", "eu-west-1"), OTHER, "it is another group");
        assert_eq!(seen.label("more", "us-east-1"), OTHER);
        assert_eq!(seen.label(&long, "us-east-1"), long);
    }
}
