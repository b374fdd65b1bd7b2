//! A type, as Telescopes showed it.

use hollowtrees_domain::recommend::{
    InstanceType, Ranked,
    nodes::{NodeType, Sum},
};
use serde_json::{Value, json};

/// MiB of a GiB: Telescopes' memory is in GiB.
pub const MIB: f64 = 1_024.0;

/// Words of `category`.
pub const CATEGORIES: [&str; 5] = [
    "General purpose",
    "Compute optimized",
    "Memory optimized",
    "GPU instance",
    "Storage optimized",
];
/// Words of `networkPerf`.
pub const NETWORKS: [&str; 4] = ["low", "medium", "high", "extra"];

/// A type and its prices.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// What one has.
    pub size: Sum,
    /// One of [`CATEGORIES`].
    pub category: &'static str,
    /// One of [`NETWORKS`].
    pub network_category: &'static str,
    /// Dollars an hour on demand, where it is known.
    pub on_demand: Option<f64>,
    name: String,
    network: String,
    burstable: bool,
    current_generation: bool,
    zones: Vec<String>,
    /// By zone: what an hour costs with its interruptions, and what is paid on average.
    costs: Vec<(f64, f64)>,
}

impl Machine {
    /// Of a type whose network EC2 describes so.
    #[must_use]
    pub fn new(of: &InstanceType, network: &str) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "MiB of one machine")]
        let memory_gib = of.memory_mib as f64 / MIB;
        Self {
            size: Sum {
                vcpus: of.vcpus.into(),
                memory_gib,
                gpus: of.gpus.into(),
            },
            category: category(of),
            network_category: network_category(network),
            on_demand: of.on_demand.map(|price| price.dollars()),
            name: of.name.clone(),
            network: network.to_owned(),
            burstable: of.burstable,
            current_generation: of.current_generation,
            zones: Vec::new(),
            costs: Vec::new(),
        }
    }

    /// It is offered in this zone, and this is known of it there.
    pub fn in_zone(&mut self, one: &Ranked) {
        self.zones.push(one.pool.zone.clone());
        self.zones.sort_unstable();
        self.zones.dedup();
        self.costs.extend(one.cost.zip(one.statistics.map(|of| of.mean)));
    }

    /// What is paid on spot on average; none: not known.
    #[must_use]
    pub fn average(&self) -> Option<f64> {
        mean(self.costs.iter().map(|(_, paid)| *paid))
    }

    /// For the choice of nodes.
    #[must_use]
    pub fn node_type(&self) -> NodeType {
        NodeType {
            name: self.name.clone(),
            size: self.size,
            spot: mean(self.costs.iter().map(|(cost, _)| *cost)),
            on_demand: self.on_demand,
        }
    }

    /// As Telescopes showed it.
    #[must_use]
    pub fn shown(&self) -> Value {
        json!({
            "type": self.name,
            "avgPrice": self.average(),
            "onDemandPrice": self.on_demand,
            "cpusPerVm": self.size.vcpus,
            "memPerVm": self.size.memory_gib,
            "gpusPerVm": self.size.gpus,
            "burst": self.burstable,
            "currentGen": self.current_generation,
            "zones": self.zones,
            "category": self.category,
            "networkPerf": self.network,
            "networkPerfCategory": self.network_category,
        })
    }
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), number| (sum + number, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// By the letters of its family: EC2 says no such thing.
fn category(of: &InstanceType) -> &'static str {
    let [general, compute, memory, gpu, storage] = CATEGORIES;
    if of.gpus > 0 {
        return gpu;
    }
    let letters = of.name.find(|c: char| !c.is_ascii_lowercase());
    match of.name.get(..letters.unwrap_or_default()).unwrap_or_default() {
        "c" | "hpc" => compute,
        "r" | "x" | "u" | "z" => memory,
        "i" | "im" | "is" | "d" | "h" => storage,
        "p" | "g" | "inf" | "trn" | "dl" | "vt" | "f" => gpu,
        _ => general,
    }
}

/// By EC2's words: `Low to Moderate`, `Up to 10 Gigabit`, `25 Gigabit`.
fn network_category(network: &str) -> &'static str {
    let [low, medium, high, extra] = NETWORKS;
    let gigabits = network
        .split_whitespace()
        .find_map(|word| word.parse::<f64>().ok());
    match (network, gigabits) {
        (_, Some(gigabits)) if network.starts_with("Up to") => {
            if gigabits <= 12.5 {
                high
            } else {
                extra
            }
        }
        (_, Some(gigabits)) if gigabits >= 10.0 => extra,
        (_, Some(_)) | ("High", None) => high,
        ("Moderate", None) => medium,
        _ => low,
    }
}

#[cfg(test)]
mod tests {
    use hollowtrees_domain::recommend::Architecture;

    use super::*;

    #[test]
    fn categories() {
        let of = |name: &str, gpus| {
            category(&InstanceType {
                name: name.to_owned(),
                vcpus: 1,
                memory_mib: 1,
                gpus,
                architecture: Architecture::X86_64,
                burstable: false,
                current_generation: true,
                spot: true,
                on_demand: None,
            })
        };
        for (name, gpus, expected) in [
            ("m5.large", 0, "General purpose"),
            ("t3.nano", 0, "General purpose"),
            ("c6gn.large", 0, "Compute optimized"),
            ("x2iedn.large", 0, "Memory optimized"),
            ("u-6tb1.metal", 0, "Memory optimized"),
            ("i3en.large", 0, "Storage optimized"),
            ("g4dn.xlarge", 1, "GPU instance"),
            ("", 0, "General purpose"),
        ] {
            assert_eq!(of(name, gpus), expected, "{name}");
        }
        for (network, expected) in [
            ("Very Low", "low"),
            ("Low to Moderate", "low"),
            ("", "low"),
            ("Moderate", "medium"),
            ("High", "high"),
            ("Up to 10 Gigabit", "high"),
            ("10 Gigabit", "extra"),
            ("4x 100 Gigabit", "extra"),
        ] {
            assert_eq!(network_category(network), expected, "{network}");
        }
    }
}
