//! How many nodes of which types make up a sum of vCPUs, memory and GPUs: what Telescopes' clients ask for.
//!
//! The steps are Telescopes' (0.5.3): once with vCPUs as the measure and once with memory, types whose size lies between the
//! sum over the most nodes and the sum over the fewest; spot nodes over several types, their shares of the measure as
//! equal as can be; the cheaper of the two. What differs: where GPUs are asked for they are a third measure, for they may be
//! all that is missing, or most of it; types are ordered by what an hour costs with its interruptions, each type has so
//! much of the other things too that the whole sum is met, and nothing is divided by nothing.

use super::Market;

/// Nodes of one answer at most.
const MOST_NODES: u32 = 10_000;
/// Types listed for each one that gets nodes.
const LISTED: f64 = 1.5;
/// A type has enough of a thing if it lacks less than this share of it.
const TOLERANCE: f64 = 1e-9;

/// So much of each thing together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    /// vCPUs.
    pub vcpus: f64,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// GPUs.
    pub gpus: f64,
}

/// A type that nodes can be of. Its vCPUs and memory are above zero.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeType {
    /// `m5.large`
    pub name: String,
    /// What one node has.
    pub size: Sum,
    /// What an hour costs on spot, interruptions included; none: not to be had, or not known.
    pub spot: Option<f64>,
    /// What an hour costs on demand, where it is known.
    pub on_demand: Option<f64>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Need {
    /// All of it.
    pub sum: Sum,
    /// What of it is to be on demand.
    pub on_demand: Sum,
    /// Nodes at least; at least 1.
    pub least_nodes: u32,
    /// Nodes at most.
    pub most_nodes: u32,
    /// Over how many types spot nodes are spread; none: by how many nodes there are.
    pub spot_types: Option<usize>,
}

/// Nodes of one type; a spot type without a node is the next best.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePool {
    /// The type.
    pub name: String,
    /// How it is bought.
    pub market: Market,
    /// How many.
    pub nodes: u32,
}

/// Why there are no nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoNodes {
    /// Nothing fits.
    #[error(
        "no type that fits makes up this sum in at most {MOST_NODES} nodes; ask for less, or allow more types"
    )]
    Types,
    /// Nothing is asked for.
    #[error("nothing is asked for; ask for more than there is")]
    Nothing,
}

#[derive(Clone, Copy, Debug)]
enum Measure {
    Vcpus,
    Memory,
    Gpus,
}

impl Measure {
    fn of(self, sum: &Sum) -> f64 {
        match self {
            Self::Vcpus => sum.vcpus,
            Self::Memory => sum.memory_gib,
            Self::Gpus => sum.gpus,
        }
    }
}

/// Node pools that make up the sum.
///
/// # Errors
/// Nothing is asked for, or nothing fits.
pub fn nodes(need: &Need, types: &[NodeType]) -> Result<Vec<NodePool>, NoNodes> {
    let measures =
        [Measure::Vcpus, Measure::Memory, Measure::Gpus].map(|measure| (measure, measure.of(&need.sum)));
    if measures.iter().all(|(_, sum)| *sum <= 0.0) {
        return Err(NoNodes::Nothing);
    }
    let plans = measures
        .into_iter()
        .filter(|(_, sum)| *sum > 0.0)
        .filter_map(|(measure, _)| by(measure, need, types));
    let cheapest = plans.min_by(|(a, _), (b, _)| {
        // What is not known is dearer than anything.
        (a.is_none())
            .cmp(&b.is_none())
            .then(a.unwrap_or(0.0).total_cmp(&b.unwrap_or(0.0)))
    });
    cheapest.map(|(_, pools)| pools).ok_or(NoNodes::Types)
}

/// With one thing as the measure: the pools, and what they cost an hour where that is known.
fn by(measure: Measure, need: &Need, types: &[NodeType]) -> Option<(Option<f64>, Vec<NodePool>)> {
    let sum = measure.of(&need.sum);
    let fitting = fitting(measure, need, types);
    let mut pools = Vec::new();
    let mut cost = Some(0.0);
    let mut left = sum;
    let on_demand = measure.of(&need.on_demand).min(sum);
    if on_demand > 0.0 {
        let price = |of: &NodeType| of.on_demand.map(|price| price / measure.of(&of.size));
        let one = fitting.iter().min_by(|a, b| {
            let (of_a, of_b) = (price(a), price(b));
            of_a.is_none()
                .cmp(&of_b.is_none())
                .then(of_a.unwrap_or(0.0).total_cmp(&of_b.unwrap_or(0.0)))
                .then_with(|| a.name.cmp(&b.name))
        })?;
        let nodes = whole(on_demand / measure.of(&one.size))?;
        left -= f64::from(nodes) * measure.of(&one.size);
        cost = one.on_demand.map(|price| price * f64::from(nodes));
        pools.push(NodePool {
            name: one.name.clone(),
            market: Market::OnDemand,
            nodes,
        });
    }
    if left > sum * TOLERANCE {
        let spot = spot(measure, left, need, &fitting)?;
        for (of, nodes) in spot {
            cost = cost
                .zip(of.spot)
                .map(|(cost, price)| cost + price * f64::from(nodes));
            pools.push(NodePool {
                name: of.name.clone(),
                market: Market::Spot,
                nodes,
            });
        }
    }
    Some((cost, pools))
}

/// Types of the right size that have enough of the other things; where none is of the right size, the nearest.
fn fitting<'a>(measure: Measure, need: &Need, types: &'a [NodeType]) -> Vec<&'a NodeType> {
    let sum = measure.of(&need.sum);
    let (least, most) = (
        sum / f64::from(need.most_nodes.max(1)),
        sum / f64::from(need.least_nodes.max(1)),
    );
    let enough = |of: &NodeType| {
        let share = measure.of(&of.size) / sum;
        let has = |had: f64, asked: f64| had + TOLERANCE * asked >= asked.max(0.0) * share;
        let (of, asked) = (&of.size, &need.sum);
        has(of.vcpus, asked.vcpus) && has(of.memory_gib, asked.memory_gib) && has(of.gpus, asked.gpus)
    };
    let enough: Vec<&NodeType> = types
        .iter()
        .filter(|of| measure.of(&of.size) > 0.0 && enough(of))
        .collect();
    let off = |of: &NodeType| {
        let size = measure.of(&of.size);
        (size / size.clamp(least, most.max(least))).ln().abs()
    };
    let nearest = enough.iter().map(|of| off(of)).fold(f64::INFINITY, f64::min);
    enough
        .into_iter()
        .filter(|of| off(of) <= nearest + TOLERANCE)
        .collect()
}

/// Spot nodes for so much of the measure: first those types that get some, then the next best.
fn spot<'a>(
    measure: Measure,
    sum: f64,
    need: &Need,
    fitting: &[&'a NodeType],
) -> Option<Vec<(&'a NodeType, u32)>> {
    let mut types: Vec<(&NodeType, f64)> = fitting
        .iter()
        .filter_map(|of| Some((*of, of.spot? / measure.of(&of.size))))
        .collect();
    types.sort_by(|(a, price_a), (b, price_b)| price_a.total_cmp(price_b).then_with(|| a.name.cmp(&b.name)));
    let sizes: f64 = types.iter().map(|(of, _)| measure.of(&of.size)).sum();
    let mean = sizes / f64::from(u32::try_from(types.len()).ok().filter(|count| *count > 0)?);
    let several = need.spot_types.unwrap_or_else(|| spread_over(sum / mean));
    let several = several.clamp(1, types.len());
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of types"
    )]
    let listed = ((several as f64 * LISTED).ceil() as usize).min(types.len());
    let mut found: Vec<(&NodeType, u32)> = types.iter().take(listed).map(|(of, _)| (*of, 0)).collect();
    let (mut had, mut nodes) = (0.0, 0);
    while had < sum * (1.0 - TOLERANCE) {
        let filled = |(of, nodes): &(&NodeType, u32)| measure.of(&of.size) * f64::from(*nodes);
        let emptiest = found
            .iter_mut()
            .take(several)
            .min_by(|a, b| filled(a).total_cmp(&filled(b)))?;
        emptiest.1 += 1;
        had += measure.of(&emptiest.0.size);
        nodes += 1;
        if nodes > MOST_NODES {
            return None;
        }
    }
    Some(found)
}

/// Over how many types so many nodes are spread.
fn spread_over(nodes: f64) -> usize {
    let steps = [(4.0, 4), (8.0, 4), (15.0, 5), (24.0, 6), (35.0, 7)];
    if nodes <= 4.0 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 4, above 0"
        )]
        return nodes.ceil() as usize;
    }
    steps
        .iter()
        .find(|(most, _)| nodes <= *most)
        .map_or(8, |(_, types)| *types)
}

fn whole(nodes: f64) -> Option<u32> {
    let nodes = (nodes * (1.0 - TOLERANCE)).ceil();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the bounds"
    )]
    (nodes >= 0.0 && nodes <= f64::from(MOST_NODES)).then_some(nodes as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(name: &str, vcpus: f64, memory_gib: f64, spot: f64, on_demand: f64) -> NodeType {
        NodeType {
            name: name.to_owned(),
            size: Sum {
                vcpus,
                memory_gib,
                gpus: 0.0,
            },
            spot: Some(spot),
            on_demand: Some(on_demand),
        }
    }

    fn types() -> Vec<NodeType> {
        vec![
            of("m5.large", 2.0, 8.0, 0.04, 0.1),
            of("m5.xlarge", 4.0, 16.0, 0.07, 0.2),
            of("m4.xlarge", 4.0, 16.0, 0.08, 0.22),
            of("c5.xlarge", 4.0, 8.0, 0.06, 0.17),
            of("r5.xlarge", 4.0, 32.0, 0.09, 0.25),
        ]
    }

    fn need(vcpus: f64, memory_gib: f64, percent: f64) -> Need {
        let sum = Sum {
            vcpus,
            memory_gib,
            gpus: 0.0,
        };
        Need {
            sum,
            on_demand: Sum {
                vcpus: vcpus * percent / 100.0,
                memory_gib: memory_gib * percent / 100.0,
                gpus: 0.0,
            },
            least_nodes: 4,
            most_nodes: 10,
            spot_types: None,
        }
    }

    fn with_gpus() -> Vec<NodeType> {
        let gpus = |gpus: f64, of: NodeType| NodeType {
            size: Sum { gpus, ..of.size },
            ..of
        };
        let mut types = types();
        types.push(gpus(1.0, of("g4dn.xlarge", 4.0, 16.0, 0.2, 0.526)));
        types.push(gpus(4.0, of("g4dn.12xlarge", 48.0, 192.0, 1.6, 3.912)));
        types
    }

    fn told(need: &Need, types: &[NodeType]) -> Vec<String> {
        nodes(need, types)
            .unwrap()
            .iter()
            .map(|pool| format!("{} {:?} {}", pool.name, pool.market, pool.nodes))
            .collect()
    }

    #[test]
    fn a_sum_is_made_up_of_nodes_of_several_types() {
        // 32 vCPUs in 4 to 10 nodes are types of 4; c5.xlarge has too little memory for the sum.
        assert_eq!(
            told(&need(32.0, 100.0, 0.0), &types()),
            ["m5.xlarge Spot 3", "m4.xlarge Spot 3", "r5.xlarge Spot 2"]
        );
        assert_eq!(
            told(&need(32.0, 100.0, 50.0), &types()),
            [
                "m5.xlarge OnDemand 4",
                "m5.xlarge Spot 2",
                "m4.xlarge Spot 1",
                "r5.xlarge Spot 1"
            ]
        );
        assert_eq!(
            told(&need(32.0, 128.0, 100.0), &types()),
            ["m5.xlarge OnDemand 8"]
        );
    }

    /// Telescopes' clients ask for them where a cluster has vCPUs and memory enough.
    #[test]
    fn gpus_are_made_up_where_nothing_else_is_missing() {
        let missing = |vcpus, gpus, percent| {
            let mut need = need(vcpus, 0.0, percent);
            need.least_nodes = 1;
            need.spot_types = Some(1);
            need.sum.gpus = gpus;
            need.on_demand.gpus = gpus * percent / 100.0;
            need
        };
        assert_eq!(
            told(&missing(0.0, 4.0, 0.0), &with_gpus()),
            ["g4dn.xlarge Spot 4", "g4dn.12xlarge Spot 0"]
        );
        assert_eq!(
            told(&missing(0.0, 4.0, 50.0), &with_gpus()),
            [
                "g4dn.xlarge OnDemand 2",
                "g4dn.xlarge Spot 2",
                "g4dn.12xlarge Spot 0"
            ]
        );
        // No type has as many GPUs to a vCPU: these are more vCPUs than are missing.
        assert_eq!(
            told(&missing(2.0, 3.0, 0.0), &with_gpus()),
            ["g4dn.xlarge Spot 3"]
        );
    }

    #[test]
    fn where_no_type_is_of_the_right_size_the_nearest_is_taken() {
        let found = nodes(&need(1_000.0, 1_000.0, 0.0), &types()).unwrap();
        assert!(
            found.iter().all(|pool| pool.name.ends_with(".xlarge")),
            "{found:?}"
        );
    }

    #[test]
    fn what_nothing_makes_up_is_said() {
        assert_eq!(nodes(&need(0.0, 0.0, 0.0), &types()), Err(NoNodes::Nothing));
        assert_eq!(nodes(&need(8.0, 8.0, 0.0), &[]), Err(NoNodes::Types));
        assert_eq!(nodes(&need(1e12, 1.0, 0.0), &types()), Err(NoNodes::Types));
        let mut gpus = need(8.0, 8.0, 0.0);
        gpus.sum.gpus = 1.0;
        assert_eq!(nodes(&gpus, &types()), Err(NoNodes::Types));
    }

    #[test]
    fn spot_nodes_are_spread_over_more_types_the_more_there_are() {
        for (nodes, types) in [
            (0.5, 1),
            (1.0, 1),
            (3.2, 4),
            (4.0, 4),
            (8.0, 4),
            (9.0, 5),
            (24.0, 6),
            (30.0, 7),
            (36.0, 8),
        ] {
            assert_eq!(spread_over(nodes), types, "{nodes}");
        }
    }

    proptest! {
        #[test]
        fn the_sum_is_met(
            vcpus in 0.0..2_000.0_f64, memory_gib in 0.0..8_000.0_f64, gpus in 0_u32..20, percent in 0.0..100.0_f64,
            least in 1_u32..50, more in 0_u32..100, spot_types in prop::option::of(0_usize..9),
        ) {
            let mut need = Need {
                least_nodes: least,
                most_nodes: least + more,
                spot_types,
                ..need(vcpus, memory_gib, percent)
            };
            need.sum.gpus = gpus.into();
            let types = with_gpus();
            if let Ok(pools) = nodes(&need, &types) {
                let has = |what: fn(&Sum) -> f64| -> f64 {
                    pools
                        .iter()
                        .map(|pool| {
                            let of = types.iter().find(|of| of.name == pool.name).unwrap();
                            what(&of.size) * f64::from(pool.nodes)
                        })
                        .sum()
                };
                prop_assert!(has(|of| of.vcpus) + 1e-3 >= vcpus);
                prop_assert!(has(|of| of.memory_gib) + 1e-3 >= memory_gib);
                prop_assert!(has(|of| of.gpus) + 1e-3 >= f64::from(gpus));
            }
        }
    }
}
