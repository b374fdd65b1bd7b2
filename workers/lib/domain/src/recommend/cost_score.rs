//! How the original spot-recommender scored costs: by where the price of a type lies among those of the types like it, zone by zone.

use std::collections::BTreeMap;

use super::{InstanceType, Pool, Price};

/// The types it compared with one: those with as many vCPUs and as much memory, and where there are any, with the next
/// larger number of vCPUs, the next larger memory, or both. Not from the original: only what can be had as a spot instance
/// and has the same architecture, for what runs on the one does not run on the other.
pub fn alike<'a>(base: &InstanceType, types: &'a [InstanceType]) -> impl Iterator<Item = &'a InstanceType> {
    let fitting = || types.iter().filter(|one| one.spot);
    let vcpus = fitting().map(|one| one.vcpus);
    let memory = fitting().map(|one| one.memory_mib);
    let next_vcpus = vcpus.filter(|size| *size > base.vcpus).min();
    let next_memory = memory.filter(|size| *size > base.memory_mib).min();
    let (vcpus, memory, architecture) = (base.vcpus, base.memory_mib, base.architecture);
    types.iter().filter(move |one| {
        one.spot
            && one.architecture == architecture
            && (one.vcpus == vcpus || Some(one.vcpus) == next_vcpus)
            && (one.memory_mib == memory || Some(one.memory_mib) == next_memory)
    })
}

/// 1 for the cheapest of these costs, 0 for the dearest; 1 for all of them where they are the same.
#[must_use]
pub fn scores(costs: &[f64]) -> Vec<f64> {
    let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
    let most = costs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let score = |cost: f64| {
        if most > least {
            1.0 - (cost - least) / (most - least)
        } else {
            1.0
        }
    };
    costs.iter().map(|cost| score(*cost)).collect()
}

/// The score of a pool by these prices. None: the type is not known, or the pool has no price.
#[must_use]
pub fn of(pool: &Pool, types: &[InstanceType], prices: &BTreeMap<Pool, Price>) -> Option<f64> {
    let base = types.iter().find(|one| one.name == pool.instance_type)?;
    let own = prices.get(pool)?.dollars();
    let others = alike(base, types)
        .filter(|one| one.name != base.name)
        .filter_map(|one| prices.get(&Pool::new(&one.name, &pool.zone)))
        .map(|price| price.dollars());
    let costs: Vec<f64> = std::iter::once(own).chain(others).collect();
    scores(&costs).first().copied()
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{instance_type, price, types},
        *,
    };

    fn named(of: &str) -> Vec<String> {
        let types = types();
        let base = types.iter().find(|one| one.name == of).unwrap();
        alike(base, &types).map(|one| one.name.clone()).collect()
    }

    #[test]
    fn alike_are_the_same_and_the_next_size_of_either() {
        let same = ["m5.xlarge", "m5a.xlarge", "m4.xlarge", "t3.xlarge"];
        let larger = ["m5.2xlarge", "g4dn.xlarge"];
        assert_eq!(named("m5.xlarge"), [same.as_slice(), &larger].concat());
        assert_eq!(named("m6g.xlarge"), ["m6g.xlarge"], "of one architecture");
        let next = ["c5.xlarge", "g4dn.xlarge"];
        assert_eq!(named("c5.xlarge"), [same.as_slice(), &next].concat());
        assert_eq!(named("m5.4xlarge"), ["m5.4xlarge"], "there is no next size");
        let mac = instance_type("mac1.xlarge", 4, 16, 1.0);
        assert_eq!(alike(&mac, std::slice::from_ref(&mac)).count(), 0, "no spot");
    }

    /// With one price in a zone the original's score was 0/0.
    #[test]
    fn one_price_has_a_score() {
        assert_eq!(scores(&[0.1]), [1.0]);
        assert_eq!(scores(&[0.1, 0.1]), [1.0, 1.0]);
        assert_eq!(scores(&[1.0, 3.0, 2.0]), [1.0, 0.0, 0.5]);
        assert_eq!(scores(&[]), [0.0; 0]);
    }

    #[test]
    fn a_pool_is_scored_in_its_own_zone() {
        let at = |name: &str, zone: &str, dollars| (Pool::new(name, zone), price(dollars));
        let prices = BTreeMap::from([
            at("m5.xlarge", "a", 0.08),
            at("m5a.xlarge", "a", 0.06),
            at("m4.xlarge", "a", 0.10),
            at("m6g.xlarge", "a", 0.01),
            at("m5.4xlarge", "a", 0.9),
            at("m5.xlarge", "b", 0.08),
            at("x9.mega", "a", 0.02),
        ]);
        let check = |name: &str, zone: &str, expected: Option<f64>| {
            let found = of(&Pool::new(name, zone), &types(), &prices);
            let near = match (found, expected) {
                (Some(found), Some(expected)) => f64::abs(found - expected) < 1e-9,
                (found, expected) => found == expected,
            };
            assert!(near, "{name} in {zone}: {found:?}, not {expected:?}");
        };
        check("m5.xlarge", "a", Some(0.5));
        check("m5a.xlarge", "a", Some(1.0));
        check("m4.xlarge", "a", Some(0.0));
        check("m5.xlarge", "b", Some(1.0));
        check("m5a.xlarge", "b", None);
        check("x9.mega", "a", None);
    }
}
