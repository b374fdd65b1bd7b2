//! What spot pools cost. moto has one price for all, of 2006.

use super::Aws;
use super::query::{Call, escape};
use super::strict::lock;
use crate::http_server::{self, Body};
use http::{Response, StatusCode};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many entries an answer has at most: few, so that who does not ask on sees too little.
const PAGE: usize = 3;

impl Aws {
    /// From now on this is the price of a spot pool, in US dollars an hour; it has none before the first one.
    pub fn set_spot_price(&self, instance_type: &str, zone: &str, dollars: f64) {
        self.set_spot_price_since(instance_type, zone, dollars, Timestamp::now());
    }

    /// Since then this is the price of a spot pool, until the next one.
    pub fn set_spot_price_since(&self, instance_type: &str, zone: &str, dollars: f64, since: Timestamp) {
        lock(&self.strict.prices).set(instance_type, zone, dollars, since);
    }

    /// From now on there is an active spot request of this instance, that says what is paid at most, in US dollars an hour.
    pub fn set_bid(&self, instance: &str, dollars: f64) {
        lock(&self.strict.prices).set_bid(instance, dollars);
    }

    /// From now on this is the placement score of a zone, by its id (`use1-az1`), whatever the types.
    pub fn set_placement_score(&self, zone_id: &str, score: u8) {
        lock(&self.strict.prices).set_score(zone_id, score);
    }
}

#[derive(Clone, Debug)]
struct Price {
    instance_type: String,
    zone: String,
    dollars: String,
    since: Timestamp,
}

/// The history of all prices of the simulated regions, told apart by the names of their zones.
#[derive(Debug, Default)]
pub(super) struct Prices {
    history: Vec<Price>,
    /// Placement scores by the zone's id.
    scores: BTreeMap<String, u8>,
    /// What the requests of spot instances say is paid at most, by instance.
    bids: BTreeMap<String, String>,
}

impl Prices {
    pub(super) fn set(&mut self, instance_type: &str, zone: &str, dollars: f64, since: Timestamp) {
        self.history.push(Price {
            instance_type: instance_type.to_owned(),
            zone: zone.to_owned(),
            dollars: format!("{dollars:.6}"),
            since,
        });
    }

    pub(super) fn set_bid(&mut self, instance: &str, dollars: f64) {
        self.bids.insert(instance.to_owned(), format!("{dollars:.6}"));
    }

    /// Requests that are active: those whose bid was set.
    pub(super) fn requests(&self, call: &Call) -> Response<Body> {
        let from = from(call);
        let mut items = String::new();
        for (instance, dollars) in self.bids.iter().skip(from).take(PAGE) {
            let instance = escape(instance);
            write!(
                items,
                "<item><spotInstanceRequestId>sir-{instance}</spotInstanceRequestId><spotPrice>{dollars}</spotPrice>\
                 <state>active</state><instanceId>{instance}</instanceId></item>"
            )
            .ok();
        }
        let token = token(from, self.bids.len());
        http_server::with_type(
            StatusCode::OK,
            "text/xml",
            format!(
                "<DescribeSpotInstanceRequestsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
                 <requestId>testbed</requestId><spotInstanceRequestSet>{items}</spotInstanceRequestSet>\
                 <nextToken>{token}</nextToken></DescribeSpotInstanceRequestsResponse>"
            ),
        )
    }

    pub(super) fn set_score(&mut self, zone_id: &str, score: u8) {
        self.scores.insert(zone_id.to_owned(), score);
    }

    /// Scores by zone, whatever the types.
    pub(super) fn scores(&self, call: &Call) -> Response<Body> {
        let region = escape(&call.region);
        let mut items = String::new();
        for (zone_id, score) in &self.scores {
            let zone_id = escape(zone_id);
            write!(
                items,
                "<item><region>{region}</region><availabilityZoneId>{zone_id}</availabilityZoneId><score>{score}</score></item>"
            )
            .ok();
        }
        http_server::with_type(
            StatusCode::OK,
            "text/xml",
            format!(
                "<GetSpotPlacementScoresResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
                 <requestId>testbed</requestId><spotPlacementScoreSet>{items}</spotPlacementScoreSet>\
                 </GetSpotPlacementScoresResponse>"
            ),
        )
    }

    /// Those of the call's region, the newest first, as AWS: what came after `StartTime`, and of each pool what was in force
    /// then.
    pub(super) fn answer(&self, call: &Call) -> Response<Body> {
        let types = flat_list(call, "InstanceType");
        let zones = (1..)
            .map_while(|i| Some((i, call.get(&format!("Filter.{i}.Name"))?)))
            .find(|(_, name)| *name == "availability-zone")
            .map(|(i, _)| flat_list(call, &format!("Filter.{i}.Value")))
            .unwrap_or_default();
        let products = flat_list(call, "ProductDescription");
        let start: Option<Timestamp> = call.get("StartTime").and_then(|time| time.parse().ok());
        let is_meant = |list: &[&str], value: &str| list.is_empty() || list.contains(&value);
        let newer_in_force = |of: &Price| {
            self.history.iter().any(|other| {
                (&other.instance_type, &other.zone) == (&of.instance_type, &of.zone)
                    && other.since > of.since
                    && start.is_some_and(|start| other.since <= start)
            })
        };
        let mut found: Vec<_> = self
            .history
            .iter()
            .filter(|price| price.zone.starts_with(&call.region))
            .filter(|price| is_meant(&types, &price.instance_type) && is_meant(&zones, &price.zone))
            .filter(|_| is_meant(&products, "Linux/UNIX"))
            .filter(|price| !newer_in_force(price))
            .collect();
        found.sort_by_key(|price| std::cmp::Reverse(price.since));
        let from = from(call);
        let mut items = String::new();
        for price in found.iter().skip(from).take(PAGE) {
            write!(
                items,
                "<item><instanceType>{}</instanceType><productDescription>Linux/UNIX</productDescription>\
                 <spotPrice>{}</spotPrice><timestamp>{:.3}</timestamp><availabilityZone>{}</availabilityZone></item>",
                escape(&price.instance_type),
                price.dollars,
                price.since,
                escape(&price.zone)
            )
            .ok();
        }
        let token = token(from, found.len());
        http_server::with_type(
            StatusCode::OK,
            "text/xml",
            format!(
                "<DescribeSpotPriceHistoryResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
                 <requestId>testbed</requestId><spotPriceHistorySet>{items}</spotPriceHistorySet>\
                 <nextToken>{token}</nextToken></DescribeSpotPriceHistoryResponse>"
            ),
        )
    }
}

/// Where the page that is asked for begins.
fn from(call: &Call) -> usize {
    call.get("NextToken")
        .and_then(|token| token.strip_prefix("from-"))
        .and_then(|token| token.parse().ok())
        .unwrap_or_default()
}

/// Of the page after the one that begins there. The last page has an empty one, as that of AWS.
fn token(from: usize, entries: usize) -> String {
    if entries > from + PAGE {
        format!("from-{}", from + PAGE)
    } else {
        String::new()
    }
}

/// The values of `name.1` and on: EC2's form of a list.
fn flat_list<'a>(call: &'a Call, name: &str) -> Vec<&'a str> {
    (1..).map_while(|i| call.get(&format!("{name}.{i}"))).collect()
}
