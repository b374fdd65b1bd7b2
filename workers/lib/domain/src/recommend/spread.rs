//! How many instances from each pool.
//!
//! A reclaim takes many instances of one pool at once, so the next instance of a pool is dearer than the one before it.
//! Each instance goes where it is cheapest at that point, which is the cheapest sum of all; raising one pool's cost never
//! gives it more.

/// What instances of a pool cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rising {
    /// The first.
    pub first: f64,
    /// How much more the last would cost if all were here.
    pub rise: f64,
}

/// Splits `count` over pools, listed best first: as many as asked for, none where there are no pools. No pool gets more
/// than `most_share` of them, rounded up, unless there are too few pools for that.
#[must_use]
pub fn spread(count: u32, pools: &[Rising], most_share: f64) -> Vec<u32> {
    let Ok(among) = u32::try_from(pools.len()) else {
        return Vec::new();
    };
    if among == 0 {
        return Vec::new();
    }
    let all = f64::from(count);
    let even = count.div_ceil(among);
    let most = |of: u32| of < even || f64::from(of) < all * most_share;
    let mut counts = vec![0; pools.len()];
    for _ in 0..count {
        let cheapest = pools
            .iter()
            .zip(&mut counts)
            .map(|(pool, of)| (pool.first + pool.rise * f64::from(*of) / all, of))
            .filter(|(_, of)| most(**of))
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        if let Some((_, of)) = cheapest {
            *of += 1;
        }
    }
    counts
}

/// Splits `count` evenly, the first getting what is left over.
#[must_use]
pub fn evenly(count: u32, pools: usize) -> Vec<u32> {
    spread(
        count,
        &vec![
            Rising {
                first: 0.0,
                rise: 0.0
            };
            pools
        ],
        1.0,
    )
}
