//! Whether the queue, at the rate it goes, ends too late for somebody's deadline.

use hollowtrees_domain::drain::order::BUCKET_SECONDS;
use jiff::{SignedDuration, Timestamp};

use super::queue::Queue;

/// Between two looks at the whole queue.
const EVERY: SignedDuration = SignedDuration::from_secs(1);
/// A rate is known after so many answers.
const FIRST_ANSWERS: u32 = 16;
/// What the newest second counts in the rate.
const NEWEST: f64 = 0.5;

#[derive(Debug, Default)]
pub(super) struct Hurry {
    answered: u32,
    since: Option<Timestamp>,
    /// When the queue was empty last.
    began: Option<Timestamp>,
    /// Answers a second.
    rate: Option<f64>,
    is_on: bool,
}

impl Hurry {
    /// A pod was evicted or deleted.
    pub(super) fn answered(&mut self) {
        self.answered = self.answered.saturating_add(1);
    }

    /// Whether it is time to hurry, as of the last look.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Looks whether it is time to hurry. `slowed`: fewer requests than usual are made, so their rate says nothing.
    pub(super) fn look(&mut self, queue: &Queue, slowed: bool, now: Timestamp) -> bool {
        if queue.is_empty() {
            *self = Self::default();
            return false;
        }
        let (since, began) = (*self.since.get_or_insert(now), *self.began.get_or_insert(now));
        let passed = now.duration_since(since);
        if slowed || passed < SignedDuration::ZERO {
            (self.since, self.answered) = (Some(now), 0);
        } else if passed >= EVERY && (self.rate.is_some() || self.answered >= FIRST_ANSWERS) {
            let newest = f64::from(self.answered) / passed.as_secs_f64();
            let rate = self.rate.map_or(newest, |rate| rate + NEWEST * (newest - rate));
            (self.since, self.answered, self.rate) = (Some(now), 0, Some(rate));
            self.is_on = is_too_slow(queue, rate, began, now);
        }
        self.is_on
    }
}

/// Whether any pod's turn comes after its latest start, at this rate. Those that were too late from the beginning, because
/// they have more grace than there is time, do not count.
fn is_too_slow(queue: &Queue, rate: f64, began: Timestamp, now: Timestamp) -> bool {
    let mut before = 0_u32;
    queue.latest_starts().any(|latest| {
        before = before.saturating_add(1);
        let left = latest.duration_since(now).as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "a few seconds")]
        let bucket = BUCKET_SECONDS as f64;
        latest > began && f64::from(before) / rate.max(0.001) > left + bucket
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hollowtrees_domain::drain::{Tier, order::Place};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + second).unwrap()
    }

    fn queue(pods: usize, latest: impl Fn(usize) -> i64) -> Queue {
        let mut queue = Queue::default();
        for i in 0..pods {
            let uid = Arc::from(i.to_string());
            queue.insert(Place::new(
                Some(at(latest(i))),
                Arc::from("n"),
                Tier::Ordinary,
                uid,
            ));
        }
        queue
    }

    fn after_a_second(queue: &Queue, answers: u32, slowed: bool) -> bool {
        let mut hurry = Hurry::default();
        assert!(!hurry.look(queue, slowed, at(0)), "nothing is known yet");
        for _ in 0..answers {
            hurry.answered();
        }
        hurry.look(queue, slowed, at(1))
    }

    #[test]
    fn it_hurries_where_the_rate_is_too_low_for_a_deadline() {
        // 100 a second: 5,000 pods take 50 s.
        assert!(!after_a_second(&queue(5_000, |_| 90), 100, false));
        assert!(after_a_second(&queue(5_000, |_| 40), 100, false));
        // The first thousand are in time, one in the middle is not.
        let middle = |i| if i < 1_000 { 12 } else { 600 };
        assert!(!after_a_second(&queue(5_000, middle), 100, false));
        assert!(after_a_second(
            &queue(5_000, |i| if i < 3_000 { 12 } else { 600 }),
            100,
            false
        ));
    }

    #[test]
    fn what_is_too_late_anyway_makes_no_hurry() {
        assert!(!after_a_second(&queue(5_000, |_| -480), 100, false));
        assert!(
            !after_a_second(&queue(5_000, |_| 40), 100, true),
            "a rate of few requests says nothing"
        );
        assert!(
            !after_a_second(&queue(10, |_| 1), 10, false),
            "ten answers say nothing"
        );
    }

    #[test]
    fn it_calms_down() {
        let mut hurry = Hurry::default();
        let many = queue(5_000, |_| 40);
        hurry.look(&many, false, at(0));
        for second in 1..=5 {
            for _ in 0..100 {
                hurry.answered();
            }
            assert!(hurry.look(&many, false, at(second)));
        }
        let few = queue(100, |_| 40);
        assert!(!hurry.look(&few, false, at(6)));
        assert!(!hurry.look(&Queue::default(), false, at(7)));
    }
}
