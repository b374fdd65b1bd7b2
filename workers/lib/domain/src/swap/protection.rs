//! Price protection of types by requirements. Auto Scaling keeps it when it launches; EC2, asked which types meet requirements,
//! passes it over (EC2 API reference, `InstanceRequirementsRequest`), so that it is kept here.
//!
//! What Auto Scaling does where a group says nothing of spot prices is not documented in numbers; then nothing is left out for
//! its spot price, and the order by cost alone keeps dear types for the end.

use std::collections::BTreeMap;

use super::{
    choice::{Choice, Offer},
    source::Kind,
    world::{Fitting, Protection},
};

/// Of types on demand, where the group says nothing (Auto Scaling API reference, `InstanceRequirements`).
const ON_DEMAND_OVER_LOWEST: u32 = 20;

/// Takes out pools that are too dear for the requirements their type came by; those, each with the reason in its `why`. What has no
/// known price is not judged.
pub(super) fn protect(
    choices: &mut Vec<Choice>,
    kinds: &[Kind<'_>],
    offer: Offer<'_>,
    spot: bool,
) -> Vec<Choice> {
    let on_demand = |name: &str| offer.on_demand.get(name).map(|price| price.dollars());
    let mut cheapest: BTreeMap<String, f64> = BTreeMap::new();
    if spot {
        for choice in choices.iter() {
            if let Some(price) = choice.price {
                let known = cheapest.entry(choice.instance_type.clone()).or_insert(price);
                *known = known.min(price);
            }
        }
    }
    let limits: BTreeMap<&str, f64> = kinds
        .iter()
        .filter_map(|kind| {
            let (requirements, fitting) = kind.required?;
            let of_spot = |name: &str| cheapest.get(name).copied();
            let limit = limit(requirements.protection, fitting, spot, of_spot, on_demand)?;
            Some((kind.instance_type.as_str(), limit))
        })
        .collect();
    let mut left_out = Vec::new();
    choices.retain_mut(|choice| {
        let price = if spot {
            choice.price
        } else {
            on_demand(&choice.instance_type)
        };
        let limit = limits.get(choice.instance_type.as_str());
        let (Some(price), Some(limit)) = (price, limit) else {
            return true;
        };
        if price <= *limit {
            return true;
        }
        choice.why = format!(
            "${price:.4} an hour is above ${limit:.4}, up to which the group's price protection goes"
        );
        left_out.push(choice.clone());
        false
    });
    left_out
}

fn limit(
    of: Protection,
    fitting: &[Fitting],
    spot: bool,
    spot_price: impl Fn(&str) -> Option<f64>,
    on_demand: impl Fn(&str) -> Option<f64>,
) -> Option<f64> {
    let above = |percent: u32| 1.0 + f64::from(percent) / 100.0;
    if !spot {
        let percent = of.on_demand_over_lowest.unwrap_or(ON_DEMAND_OVER_LOWEST);
        return Some(identified(fitting, on_demand)? * above(percent));
    }
    if let Some(percent) = of.spot_over_lowest {
        return Some(identified(fitting, spot_price)? * above(percent));
    }
    let percent = of.spot_of_on_demand?;
    Some(identified(fitting, on_demand)? * f64::from(percent) / 100.0)
}

/// The price of the cheapest type of a current generation of C, M or R; of a current one, where there is none of these; or of any.
fn identified(fitting: &[Fitting], price: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    let cheapest = |which: fn(&Fitting) -> bool| {
        let prices = fitting
            .iter()
            .filter(|of| which(of))
            .filter_map(|of| price(&of.name));
        prices.reduce(f64::min)
    };
    cheapest(|of| of.current && is_general(&of.name))
        .or_else(|| cheapest(|of| of.current))
        .or_else(|| cheapest(|_| true))
}

fn is_general(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| "cmr".contains(first))
        && letters.next().is_some_and(|next| next.is_ascii_digit())
}
