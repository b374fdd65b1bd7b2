//! Numbers by chance, from a seed. The generator is written out here, so that a seed means the same history for good.

/// A stream of numbers (SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// A stream of its own for each purpose and place, so that what one draws moves nothing of another.
    #[must_use]
    pub fn new(seed: u64, purpose: &str, place: u64) -> Self {
        // FNV-1a: only to tell purposes apart.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let bytes = purpose
            .bytes()
            .chain(seed.to_le_bytes())
            .chain(place.to_le_bytes());
        for byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Self(hash)
    }

    /// Any number.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 to below 1, each as likely.
    pub fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Between two numbers, each as likely.
    pub fn within(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.share()
    }

    /// Whether what is so likely happens.
    pub fn happens(&mut self, likely: f64) -> bool {
        self.share() < likely
    }

    /// Of the normal distribution with mean 0 and deviation 1 (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.share()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.share()).cos()
    }

    /// Of the exponential distribution with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.share()).ln()
    }

    /// A value that wanders around 0 with deviation 1 and forgets itself in so many hours (Ornstein and Uhlenbeck, exactly,
    /// hour by hour).
    #[must_use]
    pub fn wander(mut self, hours: usize, memory_hours: f64) -> Vec<f64> {
        let keep = (-1.0 / memory_hours).exp();
        let fresh = (1.0 - keep * keep).sqrt();
        let mut now = self.normal();
        (0..hours)
            .map(|_| {
                now = keep * now + fresh * self.normal();
                now
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_for_good() {
        // The first numbers of the published generator for state 0.
        let mut zero = Chance(0);
        assert_eq!(
            [zero.bits(), zero.bits(), zero.bits()],
            [
                0xe220_a839_7b1d_cdaf,
                0x6e78_9e6a_a1b9_65f4,
                0x06c4_5d18_8009_454f
            ]
        );
        let of = |purpose, place| Chance::new(7, purpose, place).bits();
        assert_eq!(of("pool", 3), of("pool", 3));
        assert!(of("pool", 3) != of("pool", 4) && of("pool", 3) != of("price", 3));
    }

    #[test]
    fn what_wanders_has_the_deviation_and_memory_it_is_said_to() {
        let walk = Chance::new(7, "walk", 0).wander(200_000, 36.0);
        let mean =
            |of: &dyn Fn(usize) -> f64| (0..walk.len() - 36).map(of).sum::<f64>() / (walk.len() - 36) as f64;
        assert!(mean(&|at| walk[at]).abs() < 0.1);
        assert!((mean(&|at| walk[at] * walk[at]) - 1.0).abs() < 0.1);
        assert!((mean(&|at| walk[at] * walk[at + 36]) - (-1.0_f64).exp()).abs() < 0.1);
    }
}
