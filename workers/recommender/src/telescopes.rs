//! Node pools for a cluster, as Telescopes 0.5.3 answered (`POST`: a new one, `PUT`: more nodes of its types).
//!
//! | part | what it does |
//! |---|---|
//! | [`read`] | the bodies that are sent |
//! | [`machine`] | a type, as it is shown |
//!
//! How many nodes of which types is decided in `hollowtrees_domain::recommend::nodes`. Only types of x86_64, as Telescopes
//! knew no others. `avgPrice` is the mean over the time looked at and the zones; a price that is not known is null.

pub mod machine;
pub mod read;

use std::collections::BTreeMap;

use hollowtrees_domain::recommend::{
    Asked, Evidence, InstanceType, Market, Wish,
    nodes::{Need, NodePool, NodeType, Sum, nodes},
    recommend,
};
use http::StatusCode;
use serde_json::{Value, json};

use self::{
    machine::{MIB, Machine},
    read::{Cluster, Filters, ScaleOut},
};
use crate::{
    http::{
        gate::{Ground, Knowledge},
        route::Place,
    },
    problem::{Names, Problem},
};

/// Nodes that a scale-out adds at most.
const MOST_ADDED: u32 = 127;

const NAMES: Names = Names {
    like: "sumCpu",
    size: "sumCpu",
    most_vcpus: "sumCpu",
    most_memory: "sumMem",
    architectures: "sumCpu",
    zones: "zone",
    count: "sumCpu",
    percent: "onDemandPct",
    types: "includes, excludes",
};

/// Nodes for a new cluster.
///
/// # Errors
/// The body cannot be read, nothing fits, or nothing is known.
pub fn cluster(knowledge: &Knowledge, place: &Place, body: &[u8]) -> Result<Value, Problem> {
    let asked = Cluster::read(body)?;
    let ground = ground(knowledge, place)?;
    let machines = machines(&ground, &asked.filters)?;
    let share = f64::from(asked.on_demand_percent) / 100.0;
    let need = Need {
        sum: asked.sum,
        on_demand: scaled(&asked.sum, share),
        least_nodes: asked.least_nodes,
        most_nodes: asked.most_nodes,
        spot_types: None,
    };
    let pools = made_up(&need, &machines, &asked.filters)?;
    Ok(told(place, &asked.filters, &machines, &pools))
}

/// More nodes of the types that a cluster has.
///
/// # Errors
/// The body cannot be read, the cluster has enough, nothing fits, or nothing is known.
pub fn scale_out(knowledge: &Knowledge, place: &Place, body: &[u8]) -> Result<Value, Problem> {
    let asked = ScaleOut::read(body)?;
    let ground = ground(knowledge, place)?;
    let mut has = Sum::default();
    let mut on_demand = Sum::default();
    for pool in &asked.layout {
        let of = ground.types.catalogue.named(&pool.instance_type).ok_or_else(|| {
            Problem::field(
                "actualLayout",
                format!(
                    "`{}` is not offered in {}, or not looked at (sources.types)",
                    pool.instance_type, place.region
                ),
            )
        })?;
        let size = scaled(&size(of), f64::from(pool.nodes));
        add(&mut has, &size);
        if pool.market == Market::OnDemand {
            add(&mut on_demand, &size);
        }
    }
    let missing = less(&asked.sum, &has);
    if missing.vcpus <= 0.0 && missing.memory_gib <= 0.0 && missing.gpus <= 0.0 {
        return Err(Problem::field(
            "desiredCpu",
            "the cluster has as much already; ask for more than its layout holds",
        ));
    }
    let share = f64::from(asked.on_demand_percent) / 100.0;
    let spot = asked
        .layout
        .iter()
        .filter(|pool| pool.market == Market::Spot && pool.nodes > 0);
    let need = Need {
        sum: missing,
        on_demand: less(&scaled(&asked.sum, share), &on_demand),
        least_nodes: 1,
        most_nodes: MOST_ADDED,
        spot_types: Some(spot.count().max(1)),
    };
    let machines = machines(&ground, &asked.filters)?;
    let pools = made_up(&need, &machines, &asked.filters)?;
    Ok(told(place, &asked.filters, &machines, &pools))
}

fn ground(knowledge: &Knowledge, place: &Place) -> Result<Ground, Problem> {
    if place.provider != "amazon" {
        let detail = format!(
            "provider `{}` is not looked at here; ask for `amazon`",
            place.provider
        );
        return Err(Problem {
            field: "provider".to_owned(),
            ..Problem::new(StatusCode::NOT_FOUND, detail)
        });
    }
    knowledge.ground(&place.region)
}

fn size(of: &InstanceType) -> Sum {
    #[allow(clippy::cast_precision_loss, reason = "MiB of one machine")]
    let memory_gib = of.memory_mib as f64 / MIB;
    Sum {
        vcpus: of.vcpus.into(),
        memory_gib,
        gpus: of.gpus.into(),
    }
}

fn scaled(sum: &Sum, by: f64) -> Sum {
    Sum {
        vcpus: sum.vcpus * by,
        memory_gib: sum.memory_gib * by,
        gpus: sum.gpus * by,
    }
}

fn add(to: &mut Sum, sum: &Sum) {
    to.vcpus += sum.vcpus;
    to.memory_gib += sum.memory_gib;
    to.gpus += sum.gpus;
}

fn less(sum: &Sum, by: &Sum) -> Sum {
    Sum {
        vcpus: (sum.vcpus - by.vcpus).max(0.0),
        memory_gib: (sum.memory_gib - by.memory_gib).max(0.0),
        gpus: (sum.gpus - by.gpus).max(0.0),
    }
}

/// The types that fit the filters, each with what it costs over its zones.
fn machines(ground: &Ground, filters: &Filters) -> Result<BTreeMap<String, Machine>, Problem> {
    let asked = Asked {
        region: ground.region.clone(),
        vcpus: Some(1),
        gpus: Some(u32::from(filters.gpus)),
        architectures: vec!["x86_64".to_owned()],
        zones: filters.zone.clone().into_iter().collect(),
        count: 1,
        allowed: filters.includes.clone(),
        denied: filters.excludes.clone(),
        burstable: Some(filters.burstable),
        older_generations: Some(filters.older_generations),
        ..Asked::default()
    };
    let (wish, evidence): (Wish, Evidence) = ground.wish(&asked, NAMES)?;
    let plan = recommend(&wish, &ground.types.catalogue, &evidence, &ground.taste)?;
    let mut found: BTreeMap<String, Machine> = BTreeMap::new();
    for one in &plan.pools {
        let Some(of) = ground.types.catalogue.named(&one.pool.instance_type) else {
            continue;
        };
        let machine = found.entry(of.name.clone()).or_insert_with(|| {
            let network = ground.types.networks.get(&of.name).map_or("", String::as_str);
            Machine::new(of, network)
        });
        machine.in_zone(one);
    }
    found.retain(|_, machine| {
        (filters.categories.is_empty() || filters.categories.contains(&machine.category))
            && (filters.networks.is_empty() || filters.networks.contains(&machine.network_category))
    });
    Ok(found)
}

fn made_up(
    need: &Need,
    machines: &BTreeMap<String, Machine>,
    filters: &Filters,
) -> Result<Vec<NodePool>, Problem> {
    let types: Vec<NodeType> = machines.values().map(Machine::node_type).collect();
    nodes(need, &types).map_err(|error| {
        let detail = format!("{error} ({} types pass the filters {filters})", types.len());
        Problem::field("sumCpu", detail)
    })
}

fn told(place: &Place, filters: &Filters, machines: &BTreeMap<String, Machine>, pools: &[NodePool]) -> Value {
    let mut all = Sum::default();
    let [mut regular, mut spot] = [(0_u32, Some(0.0)); 2];
    let mut shown = Vec::new();
    for pool in pools {
        let Some(machine) = machines.get(&pool.name) else {
            continue;
        };
        let nodes = f64::from(pool.nodes);
        add(&mut all, &scaled(&machine.size, nodes));
        let (group, price, class) = match pool.market {
            Market::OnDemand => (&mut regular, machine.on_demand, "regular"),
            Market::Spot => (&mut spot, machine.average(), "spot"),
        };
        group.0 += pool.nodes;
        if pool.nodes > 0 {
            group.1 = group.1.zip(price).map(|(sum, price)| sum + price * nodes);
        }
        shown.push(json!({
            "vm": machine.shown(),
            "sumNodes": pool.nodes,
            "vmClass": class,
            "role": "worker",
        }));
    }
    let worker = regular.1.zip(spot.1).map(|(regular, spot)| regular + spot);
    let zone = filters.zone.as_deref().unwrap_or_default();
    json!({
        "provider": place.provider,
        "service": place.service,
        "region": place.region,
        "zone": zone,
        "nodePools": shown,
        "accuracy": {
            "memory": all.memory_gib,
            "cpu": all.vcpus,
            "nodes": regular.0.saturating_add(spot.0),
            "zone": zone,
            "regularPrice": regular.1,
            "regularNodes": regular.0,
            "spotPrice": spot.1,
            "spotNodes": spot.0,
            "workerPrice": worker,
            "masterPrice": 0.0,
            "totalPrice": worker,
        },
    })
}
