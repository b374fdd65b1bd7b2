//! One run's circumstances, made from a seed.

use std::{fmt, time::Duration};

use hollowtrees_harness::aws::{Delays, NewGroup};

/// Seconds of a cloud that one of ours stands for.
pub(super) const SCALE: f64 = 20.0;
/// What EC2 gives.
const NOTICE: f64 = 120.0;
/// What a swap needs besides a launch, some times over: a time that is as long here as there is twenty times as long.
const CLOSE: f64 = 20.0;
const TYPES: [&str; 3] = ["m5.large", "m4.large", "c5.large"];
const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];

/// Which pools have no capacity from the notice on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empty {
    /// All have some.
    None,
    /// That of the group's first type in one zone.
    One,
    /// Those of the group's first type.
    Type,
    /// All.
    All,
}

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) seed: u64,
    pub(super) instances: u32,
    /// By type.
    weights: Option<[u32; 3]>,
    zones: usize,
    pub(super) interrupted: usize,
    /// Units between desired and MaxSize.
    room: u32,
    /// Seconds from a launch to running.
    starts: f64,
    /// Seconds from then, or from being attached, to in service.
    joins: f64,
    empty: Empty,
}

/// SplitMix64 (Steele, Lea, Flood, 2014): the same numbers whatever is built.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below this; there are few of them.
    fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end.max(1))).unwrap_or_default()
    }

    fn between(&mut self, from: u32, to: u32) -> f64 {
        f64::from(from + self.below(to - from + 1))
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.below(count) == 0
    }
}

impl Case {
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let instances = 1 + dice.below(6);
        let weights = dice.one_in(3).then(|| [0; 3].map(|_| 1 << dice.below(3)));
        let zones = 1 + dice.below(3) as usize;
        let interrupted = 1 + dice.below(instances.min(4)) as usize;
        let room = if dice.one_in(2) { 0 } else { 1 + dice.below(4) };
        let slow = dice.one_in(4);
        let starts = if slow {
            dice.between(90, 180)
        } else {
            dice.between(10, 60)
        };
        let joins = dice.between(1, 20);
        let empty = match dice.below(10) {
            0 => Empty::All,
            1 | 2 => Empty::Type,
            3 => Empty::One,
            _ => Empty::None,
        };
        Self {
            seed,
            instances,
            weights,
            zones,
            interrupted,
            room,
            starts,
            joins,
            empty,
        }
    }

    /// Of which kind it is, by when a replacement can be in service.
    pub(super) fn class(&self) -> String {
        let takes = self.starts + self.joins;
        let circumstances = if self.empty == Empty::All {
            "5. no capacity anywhere"
        } else if takes > NOTICE {
            "4. later than the notice"
        } else if takes > NOTICE - CLOSE {
            "3. in the last 20 s of the notice"
        } else if self.empty == Empty::None {
            "1. in time"
        } else {
            "2. in time, the group's own pools empty"
        };
        let weights = if self.weights.is_some() { ", weights" } else { "" };
        format!("{circumstances}{weights}")
    }

    /// Units of one instance at first.
    fn weight(&self) -> u32 {
        self.weights.map_or(1, |[first, ..]| first)
    }

    pub(super) fn desired(&self) -> u32 {
        self.instances * self.weight()
    }

    pub(super) fn group(&self, name: &str) -> NewGroup {
        let zones: Vec<&str> = ZONES.into_iter().take(self.zones).collect();
        let desired = self.desired();
        let group = NewGroup::new(name)
            .zones(&zones)
            .sizes(0, desired, desired + self.room)
            .spot();
        match self.weights {
            None => group.types(&TYPES),
            Some(weights) => TYPES
                .into_iter()
                .zip(weights)
                .fold(group, |group, (of, weight)| group.weighted(of, weight)),
        }
    }

    pub(super) fn empty_pools(&self) -> Vec<(&'static str, &'static str)> {
        let (types, zones) = match self.empty {
            Empty::None => (0, 0),
            Empty::One => (1, 1),
            Empty::Type => (1, ZONES.len()),
            Empty::All => (TYPES.len(), ZONES.len()),
        };
        TYPES
            .into_iter()
            .take(types)
            .flat_map(|of| ZONES.into_iter().take(zones).map(move |zone| (of, zone)))
            .collect()
    }

    /// All there are.
    pub(super) fn pools() -> impl Iterator<Item = (&'static str, &'static str)> {
        TYPES
            .into_iter()
            .flat_map(|of| ZONES.into_iter().map(move |zone| (of, zone)))
    }

    pub(super) fn delays(&self) -> Delays {
        Delays {
            running: scaled(self.starts),
            in_service: scaled(self.joins),
        }
    }

    /// From the notice to the end of what is interrupted.
    pub(super) fn notice() -> Duration {
        scaled(NOTICE)
    }

    /// From the notice to when Auto Scaling alone has long made up for it.
    pub(super) fn window(&self) -> Duration {
        scaled(NOTICE + self.starts + self.joins + 40.0)
    }
}

/// So many seconds, as long as they last here.
pub(super) fn scaled(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds / SCALE)
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            instances,
            interrupted,
            zones,
            room,
            starts,
            joins,
            empty,
            weights,
            ..
        } = self;
        write!(
            f,
            "{interrupted} of {instances} interrupted, {zones} zones, room {room}, starts in {starts} s, joins in {joins} s, \
             empty pools: {empty:?}, weights {weights:?}"
        )
    }
}
