//! `GET /api/v1/recommender/{region}`: as spot-recommender 0.0.1 answered, without its defects.
//!
//! For each zone a list of types, all values as texts. Three of them are better than they were, so that an old client that
//! takes the highest `CostScore` takes our first pool:
//!
//! - `CostScore` goes by what an instance costs with its interruptions, not by the current price alone;
//! - `AvgPriceFor24Hours` is that average, over the time that is known of these hours;
//! - `StabilityScore` is the share of such instances that are expected to last a month.
//!
//! `OnDemandPrice` and `SuggestedBidPrice` are `0.0` where the price on demand is not known, as the original wrote what it
//! did not know; EC2 refuses a bid of 0.

use std::collections::BTreeMap;

use hollowtrees_domain::recommend::{Asked, Ranked, cost_score, recommend};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    http::gate::{Ground, Knowledge},
    problem::{Names, Problem},
    query::Query,
};

/// Parameters of the address.
pub const PARAMETERS: [&str; 2] = ["baseInstanceType", "availabilityZones"];

/// Hours of a month, as AWS counts them.
const MONTH_HOURS: f64 = 730.0;
/// What the original wrote for what it did not know.
const UNKNOWN: &str = "0.0";

const NAMES: Names = Names {
    like: "baseInstanceType",
    size: "baseInstanceType",
    most_vcpus: "baseInstanceType",
    most_memory: "baseInstanceType",
    architectures: "baseInstanceType",
    zones: "availabilityZones",
    count: "baseInstanceType",
    percent: "baseInstanceType",
    types: "baseInstanceType",
};

/// The answer.
///
/// # Errors
/// No base type, one that is not offered, or nothing is known.
pub fn answer(knowledge: &Knowledge, region: &str, query: Option<&str>) -> Result<Value, Problem> {
    let query = Query::of(query, &PARAMETERS)?;
    let Some(base) = query.text("baseInstanceType") else {
        return Err(Problem::field(
            "baseInstanceType",
            "`baseInstanceType` is missing; give the type to be like, such as m5.xlarge",
        ));
    };
    let ground = knowledge.ground(region)?;
    let asked = Asked {
        region: region.to_owned(),
        like: Some(base.to_owned()),
        zones: query.list("availabilityZones"),
        count: 1,
        ..Asked::default()
    };
    let (wish, evidence) = ground.wish(&asked, NAMES)?;
    let plan = recommend(&wish, &ground.types.catalogue, &evidence, &ground.taste)?;
    let mut zones: BTreeMap<&str, Vec<&Ranked>> = BTreeMap::new();
    // A type without a price was none of the original's.
    for one in plan.pools.iter().filter(|one| one.cost.is_some()) {
        zones.entry(&one.pool.zone).or_default().push(one);
    }
    let told = zones.into_iter().map(|(zone, pools)| {
        let scores = cost_score::scores(&pools.iter().filter_map(|one| one.cost).collect::<Vec<_>>());
        let types = pools.iter().zip(scores);
        let types: Vec<Value> = types.map(|(one, score)| shown(&ground, one, score)).collect();
        (zone.to_owned(), Value::Array(types))
    });
    Ok(Value::Object(told.collect()))
}

fn shown(ground: &Ground, one: &Ranked, score: f64) -> Value {
    let six = |number: f64| format!("{number:.6}");
    let on_demand = ground
        .types
        .catalogue
        .named(&one.pool.instance_type)
        .and_then(|of| of.on_demand)
        .map_or_else(|| UNKNOWN.to_owned(), |price| six(price.dollars()));
    let lasting = one
        .hazard
        .map_or(0.0, |hazard| (-hazard.per_hour * MONTH_HOURS).exp());
    json!({
        "InstanceTypeName": one.pool.instance_type,
        "CurrentPrice": one.statistics.map_or_else(|| UNKNOWN.to_owned(), |of| six(of.now.dollars())),
        "AvgPriceFor24Hours": day(ground, one).map_or_else(|| UNKNOWN.to_owned(), six),
        "OnDemandPrice": on_demand,
        "SuggestedBidPrice": on_demand,
        "CostScore": six(score),
        "StabilityScore": six(lasting),
    })
}

/// The mean of the last day that is known.
fn day(ground: &Ground, one: &Ranked) -> Option<f64> {
    let history = ground.known.prices.value()?.get(&one.pool)?;
    let until = ground.known.prices.read_at()?.min(ground.now);
    let from = until.checked_sub(SignedDuration::from_hours(24)).ok()?;
    history.statistics(from, until).map(|of| of.mean)
}
