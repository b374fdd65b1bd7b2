//! How many requests may be under way, as the API server lets us know.
//!
//! Priority and fairness answers 429 when it has had enough: the limit is halved and everything waits as long as was
//! asked; then it grows again with each request that went well (the way of TCP). A server that takes long has too many
//! as well, though it does not say so: more at once would make each take longer and none come sooner. Then the limit is
//! lowered by a little, once for all that were under way.
//!
//! While nodes are being cordoned only a few requests are made: a cordon is short and keeps new pods away, and a server
//! that is busy with evictions would keep it waiting.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A pause the server did not give a length.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);
/// The longest pause it may ask for.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// An answer that took longer says that fewer requests would do.
const SLOW: Duration = Duration::from_secs(2);
/// What is left of the limit then, and the least it comes down to by that.
const SLOWED: (f64, f64) = (0.8, 8.0);

/// Requests under way while nodes are being cordoned.
const BESIDE_CORDONS: usize = 8;
/// In a burst the next cordon comes within this.
const NEXT_CORDON: SignedDuration = SignedDuration::from_millis(50);

#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    limit: f64,
    in_flight: usize,
    paused_until: Timestamp,
    /// Slow answers to requests of before say nothing new.
    slowed_at: Timestamp,
    /// Cordons under way.
    cordons: usize,
    /// When the last of them is long enough ago.
    cordoned_by: Timestamp,
}

impl Pace {
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self {
            most,
            limit: as_f64(most),
            in_flight: 0,
            paused_until: Timestamp::MIN,
            slowed_at: Timestamp::MIN,
            cordons: 0,
            cordoned_by: Timestamp::MIN,
        }
    }

    /// Takes a slot, if one is free.
    pub(super) fn start(&mut self, now: Timestamp) -> bool {
        let gives_way = self.gives_way(now) && self.in_flight >= BESIDE_CORDONS;
        let free = now >= self.paused_until && as_f64(self.in_flight) < self.limit && !gives_way;
        if free {
            self.in_flight += 1;
        }
        free
    }

    /// A node is being cordoned.
    pub(super) fn cordon_began(&mut self) {
        self.cordons += 1;
    }

    /// It is, or could not be.
    pub(super) fn cordon_ended(&mut self, now: Timestamp) {
        self.cordons = self.cordons.saturating_sub(1);
        self.cordoned_by = now.checked_add(NEXT_CORDON).unwrap_or(now);
    }

    /// Whether fewer requests are made than could be.
    pub(super) fn is_slowed(&self, now: Timestamp) -> bool {
        self.gives_way(now) || now < self.paused_until
    }

    /// Whether few requests are made because of cordons.
    fn gives_way(&self, now: Timestamp) -> bool {
        self.cordons > 0 || now < self.cordoned_by
    }

    /// When it stops giving way, should no other cordon come; the end of the last one is told.
    pub(super) fn gives_way_until(&self, now: Timestamp) -> Option<Timestamp> {
        (self.cordons == 0 && now < self.cordoned_by).then_some(self.cordoned_by)
    }

    /// The slot was not needed.
    pub(super) fn give_back(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// A request was answered after so long.
    pub(super) fn end(&mut self, took: Duration, now: Timestamp) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if took < SLOW {
            self.limit = (self.limit + 1.0 / self.limit).min(as_f64(self.most));
            return;
        }
        let asked_at = now.checked_sub(took).unwrap_or(now);
        let (left, least) = SLOWED;
        if asked_at >= self.slowed_at && self.limit > least {
            self.limit = (self.limit * left).max(least);
            self.slowed_at = now;
        }
    }

    /// A request was turned away for being one too many.
    pub(super) fn throttled(&mut self, now: Timestamp, after: Option<Duration>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let pause = after
            .and_then(|after| SignedDuration::try_from(after).ok())
            .unwrap_or(PAUSE)
            .min(LONGEST_PAUSE);
        // Those that were under way together are turned away together: that is one word, not many.
        if now >= self.paused_until {
            self.limit = (self.limit / 2.0).max(1.0);
        }
        let until = now.checked_add(pause).unwrap_or(now);
        self.paused_until = self.paused_until.max(until);
    }

    /// The clock was set: a pause is no longer than the longest.
    pub(super) fn clock_stepped(&mut self, now: Timestamp) {
        let latest = now.checked_add(LONGEST_PAUSE).unwrap_or(now);
        self.paused_until = self.paused_until.min(latest);
        self.cordoned_by = self.cordoned_by.min(now);
        self.slowed_at = self.slowed_at.min(now);
    }

    pub(super) fn paused_until(&self) -> Timestamp {
        self.paused_until
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }
}

/// Exact up to 2^32, more than any process has under way.
fn as_f64(number: usize) -> f64 {
    u32::try_from(number).map_or_else(|_| f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(100);

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(1_900_000_000_000 + millisecond).unwrap()
    }

    fn taken(pace: &mut Pace, now: Timestamp) -> usize {
        std::iter::repeat_with(|| pace.start(now))
            .take_while(|taken| *taken)
            .count()
    }

    #[test]
    fn it_slows_down_when_told_and_recovers() {
        let mut pace = Pace::new(16);
        assert_eq!(taken(&mut pace, at(0)), 16);
        for _ in 0..8 {
            pace.throttled(at(0), Some(Duration::from_secs(2)));
        }
        for _ in 0..8 {
            pace.end(QUICK, at(0));
        }
        assert_eq!(pace.in_flight(), 0);
        assert_eq!(taken(&mut pace, at(1_999)), 0, "all wait as long as was asked");
        // Halved once, and grown a little by the eight that went well.
        assert_eq!(taken(&mut pace, at(2_000)), 9);
        for _ in 0..200 {
            pace.end(QUICK, at(0));
        }
        assert_eq!(taken(&mut pace, at(3_000)), 16);
    }

    #[test]
    fn it_asks_for_less_of_a_server_that_takes_long() {
        let mut pace = Pace::new(64);
        assert_eq!(taken(&mut pace, at(0)), 64);
        // All of them were asked together: one word.
        for _ in 0..64 {
            pace.end(Duration::from_secs(3), at(3_000));
        }
        assert_eq!(taken(&mut pace, at(3_000)), 52);
        for second in 6..200 {
            pace.end(Duration::from_secs(3), at(second * 1_000 + 3_000));
            pace.start(at(second * 1_000 + 3_000));
        }
        assert!((pace.limit - 8.0).abs() < 0.001, "{pace:?}");
        for _ in 0..5_000 {
            pace.end(QUICK, at(300_000));
        }
        assert_eq!(taken(&mut pace, at(300_000)), 64);
    }

    #[test]
    fn it_gives_way_to_cordons_but_never_stops() {
        let mut pace = Pace::new(16);
        pace.cordon_began();
        pace.cordon_began();
        assert_eq!(taken(&mut pace, at(0)), BESIDE_CORDONS);
        pace.cordon_ended(at(0));
        assert_eq!(
            (taken(&mut pace, at(10)), pace.gives_way_until(at(10))),
            (0, None)
        );
        pace.end(QUICK, at(10));
        assert_eq!(taken(&mut pace, at(10)), 1);
        pace.cordon_ended(at(20));
        assert_eq!(pace.gives_way_until(at(20)), Some(at(70)));
        assert_eq!(taken(&mut pace, at(69)), 0, "another one may come");
        assert_eq!(taken(&mut pace, at(70)), 8);
    }
}
