//! How fast look-ups may follow each other: pure, but for the times it is given.

use std::time::Duration;

use tokio::time::Instant;

/// Calls that may go at once after a quiet time.
const AT_ONCE: u32 = 4;
/// After those, one in this long, unless it is full: a small part of the 120 s of a spot warning.
/// EC2's buckets for such calls are shared by all who ask in the account (EC2 API reference, "Request throttling").
pub(super) const EVERY: Duration = Duration::from_secs(5);

/// When the next call may go.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the last of those at once will be free again.
    ahead: Option<Instant>,
}

impl Pace {
    /// How long a call that is not full waits for company, at most [`EVERY`].
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let free_from = EVERY * (AT_ONCE - 1);
        self.ahead
            .map(|ahead| ahead.saturating_duration_since(now).saturating_sub(free_from))
            .unwrap_or_default()
    }

    /// A call goes. A full one goes whenever it likes; no other waits the longer for it.
    pub(super) fn goes(&mut self, now: Instant) {
        let ahead = self.ahead.map_or(now, |ahead| ahead.max(now)) + EVERY;
        self.ahead = Some(ahead.min(now + EVERY * AT_ONCE));
    }

    /// A call goes for which others were waited for longer: that saves nothing up for the next.
    pub(super) fn goes_late(&mut self, now: Instant) {
        self.ahead = Some(now + EVERY * AT_ONCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_at_a_time() {
        let start = Instant::now();
        let mut pace = Pace::default();
        for _ in 0..AT_ONCE {
            assert_eq!(pace.wait(start), Duration::ZERO);
            pace.goes(start);
        }
        assert_eq!(pace.wait(start), EVERY);
        let later = start + EVERY;
        assert_eq!(pace.wait(later), Duration::ZERO);
        pace.goes(later);
        assert_eq!(pace.wait(later), EVERY);
        // Quiet: the burst is there again.
        let much_later = start + Duration::from_secs(60);
        for _ in 0..AT_ONCE {
            assert_eq!(pace.wait(much_later), Duration::ZERO);
            pace.goes(much_later);
        }
        assert_eq!(pace.wait(much_later), EVERY);
        // However many full ones went.
        for _ in 0..50 {
            pace.goes(much_later);
        }
        assert_eq!(pace.wait(much_later), EVERY);
    }

    #[test]
    fn waiting_longer_saves_nothing_up() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.goes_late(start);
        assert_eq!(pace.wait(start), EVERY);
        assert_eq!(pace.wait(start + EVERY), Duration::ZERO);
    }
}
