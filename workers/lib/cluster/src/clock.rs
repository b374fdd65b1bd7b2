//! The time deadlines are compared with.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// Less than this is the time between two looks at a clock, not a correction.
const SMALLEST: SignedDuration = SignedDuration::from_millis(500);

/// This machine's clock and how far the right time is ahead of it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_micros: Arc<AtomicI64>,
    /// Changes with the correction.
    steps: watch::Sender<()>,
}

impl Clock {
    /// The right time.
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.ahead()).unwrap_or(now)
    }

    /// Takes over the right time from who knows it.
    pub fn correct(&self, right: Timestamp) {
        let found = right.duration_since(Timestamp::now());
        let ahead = if found.abs() < SMALLEST {
            SignedDuration::ZERO
        } else {
            found
        };
        if (ahead - self.ahead()).abs() < SMALLEST {
            return;
        }
        let micros = i64::try_from(ahead.as_micros()).unwrap_or(0);
        self.ahead_micros.store(micros, Ordering::Relaxed);
        self.steps.send_replace(());
    }

    /// Every correction from now on.
    pub(crate) fn steps(&self) -> watch::Receiver<()> {
        self.steps.subscribe()
    }

    fn ahead(&self) -> SignedDuration {
        SignedDuration::from_micros(self.ahead_micros.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_a_correction_and_not_a_jitter() {
        let clock = Clock::default();
        let mut steps = clock.steps();
        let mut check = |ahead: SignedDuration, expected: SignedDuration, stepped: bool| {
            clock.correct(Timestamp::now() + ahead);
            let found = clock.now().duration_since(Timestamp::now());
            assert!((found - expected).abs() < SMALLEST, "{found} for {ahead}");
            assert_eq!(steps.has_changed().unwrap(), stepped, "{ahead}");
            steps.borrow_and_update();
        };
        let (hour, none) = (SignedDuration::from_hours(1), SignedDuration::ZERO);
        check(SignedDuration::from_millis(20), none, false);
        check(hour, hour, true);
        check(hour + SignedDuration::from_millis(20), hour, false);
        check(-hour, -hour, true);
        check(none, none, true);
    }
}
