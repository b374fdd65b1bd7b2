//! `GET /api/v1/pools/{region}`: pools in order, how many instances from each, and why.

use hollowtrees_domain::recommend::{Asked, Market, Plan, Ranked, recommend};
use serde_json::{Value, json};

use crate::{
    http::gate::{Ground, Knowledge},
    problem::{Names, Problem},
    query::Query,
};

/// Parameters of the address.
pub const PARAMETERS: [&str; 15] = [
    "like",
    "vcpus",
    "most_vcpus",
    "memory_mib",
    "most_memory_mib",
    "gpus",
    "architectures",
    "zones",
    "count",
    "on_demand_percent",
    "on_demand_count",
    "allowed",
    "denied",
    "burstable",
    "older_generations",
];

const NAMES: Names = Names {
    like: "like",
    size: "like",
    most_vcpus: "most_vcpus",
    most_memory: "most_memory_mib",
    architectures: "architectures",
    zones: "zones",
    count: "count",
    percent: "on_demand_percent",
    types: "allowed, denied",
};

/// The answer.
///
/// # Errors
/// The wish cannot be read, nothing fits, or nothing is known.
pub fn answer(knowledge: &Knowledge, region: &str, query: Option<&str>) -> Result<Value, Problem> {
    let asked = asked(region, &Query::of(query, &PARAMETERS)?)?;
    let ground = knowledge.ground(region)?;
    let (wish, evidence) = ground.wish(&asked, NAMES)?;
    let plan = recommend(&wish, &ground.types.catalogue, &evidence, &ground.taste)?;
    Ok(told(&ground, &plan))
}

fn asked(region: &str, query: &Query) -> Result<Asked, Problem> {
    Ok(Asked {
        region: region.to_owned(),
        like: query.text("like").map(str::to_owned),
        vcpus: query.number("vcpus")?,
        most_vcpus: query.number("most_vcpus")?,
        memory_mib: query.number("memory_mib")?,
        most_memory_mib: query.number("most_memory_mib")?,
        gpus: query.number("gpus")?,
        architectures: query.list("architectures"),
        zones: query.list("zones"),
        count: query.number("count")?.unwrap_or(1),
        on_demand_percent: query.number("on_demand_percent")?.unwrap_or_default(),
        on_demand_count: query.number("on_demand_count")?.unwrap_or_default(),
        allowed: query.list("allowed"),
        denied: query.list("denied"),
        burstable: query.flag("burstable")?,
        older_generations: query.flag("older_generations")?,
    })
}

fn told(ground: &Ground, plan: &Plan) -> Value {
    let tally = ground.book.tally(&ground.region);
    let mut sources = ground.known.shown(ground.now, &ground.taste);
    if let Some(sources) = sources.as_object_mut() {
        let on_demand = ground.files.on_demand(&ground.region).map(|of| of.len());
        let advisor = ground.files.bands(&ground.region).map(|of| of.len());
        sources.insert("on_demand".to_owned(), json!({"types": on_demand}));
        sources.insert("advisor".to_owned(), json!({"types": advisor}));
        sources.insert(
            "interruptions".to_owned(),
            json!({"counted": tally.placed, "of_unknown_pools": tally.unplaced, "read": tally.caught_up}),
        );
    }
    let pools: Vec<Value> = plan.pools.iter().map(|one| pool(ground, one)).collect();
    json!({
        "region": ground.region,
        "stale": plan.stale,
        "sources": sources,
        "pools": pools,
    })
}

fn pool(ground: &Ground, one: &Ranked) -> Value {
    let of = ground.types.catalogue.named(&one.pool.instance_type);
    let reasons: Vec<String> = one.reasons.iter().map(ToString::to_string).collect();
    json!({
        "instance_type": one.pool.instance_type,
        "zone": one.pool.zone,
        "market": match one.market {
            Market::Spot => "spot",
            Market::OnDemand => "on-demand",
        },
        "count": one.count,
        "cost": one.cost,
        "spot_price": one.statistics.map(|of| json!({
            "now": of.now.dollars(),
            "mean": of.mean,
            "high": of.high,
            "volatility": of.volatility,
            "changes": of.changes,
            "covered_seconds": of.covered.as_secs(),
        })),
        "on_demand_price": of.and_then(|of| of.on_demand).map(|price| price.dollars()),
        "interruptions_per_1000_hours": one.hazard.map(|hazard| hazard.per_hour * 1_000.0),
        "own_interruptions": one.hazard.map(|hazard| hazard.ours.count),
        "vcpus": of.map(|of| of.vcpus),
        "memory_mib": of.map(|of| of.memory_mib),
        "gpus": of.map(|of| of.gpus),
        "architecture": of.map(|of| of.architecture.as_str()),
        "reasons": reasons,
    })
}
