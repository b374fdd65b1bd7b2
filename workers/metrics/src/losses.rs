//! Messages that left their stream before a consumer was given them. Pure.
//!
//! Streams discard their oldest messages when they are full, each subject its oldest beyond its share, and all what is
//! too old; the server tells nobody. What a consumer has not been given can be counted: for one that takes the whole
//! stream, every sequence behind its place is either pending or gone. One that takes some subjects only does not show
//! how many of its own went; that its oldest undelivered message went shows all the same. What left its stream in
//! somebody's hands is not counted: it may have been handled, and the server takes it for settled at once (measured on
//! nats-server 2.15).
//!
//! All replicas look, and write what they found into one record by compare-and-set: each loss is counted once, the
//! total is the same everywhere and outlives every process.

use std::collections::BTreeMap;

use hollowtrees_bus::{
    Record,
    lag::{ConsumerState, StreamState},
};
use serde::{Deserialize, Serialize};

/// Layout of the record.
const SCHEMA: u32 = 1;
/// Consumers kept in the record.
const MOST: usize = 512;
/// Key of the record.
pub const KEY: &str = "losses";

/// Every consumer as it was last seen, by stream and name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Losses {
    schema: u32,
    consumers: BTreeMap<String, Seen>,
}

/// One consumer as it was last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Seen {
    deliveries: u64,
    oldest: Option<u64>,
    pending: u64,
    ack_pending: u64,
    /// Counted ones that it may not have passed, at the most: until it is past `mark` nobody can tell.
    gone: u64,
    /// The stream's newest message when `gone` last grew.
    mark: u64,
    /// Messages lost so far, at the least.
    total: u64,
}

/// What a consumer lost, at the least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Since the look before.
    pub news: u64,
    /// Altogether.
    pub total: u64,
}

/// One look at a consumer.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// Its stream, looked at before the consumer: what came in between makes a loss look smaller, never larger.
    pub stream: &'a StreamState,
    /// The consumer.
    pub consumer: &'a ConsumerState,
    /// Sequence of its oldest message that is not acknowledged.
    pub oldest: Option<u64>,
}

impl Default for Losses {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            consumers: BTreeMap::new(),
        }
    }
}

impl Record for Losses {
    fn schema(&self) -> u32 {
        self.schema
    }
}

impl Losses {
    /// Takes a look in.
    pub fn note(&mut self, stream: &str, sight: Sight<'_>) -> Loss {
        let key = format!("{stream}/{}", sight.consumer.name);
        if !self.consumers.contains_key(&key) && self.consumers.len() >= MOST {
            return Loss::default();
        }
        let seen = self.consumers.entry(key).or_default();
        let before = seen.total;
        *seen = after(seen, sight);
        Loss {
            news: seen.total.saturating_sub(before),
            total: seen.total,
        }
    }
}

/// Messages behind the place of a consumer of a whole stream that nobody can give it any more.
pub fn gone(sight: Sight<'_>) -> u64 {
    let Sight { stream, consumer, .. } = sight;
    if !consumer.whole {
        return 0;
    }
    stream
        .last
        .saturating_sub(consumer.delivered)
        .saturating_sub(consumer.pending)
}

/// By how much the stream's oldest message is past what a consumer of all of it has acknowledged.
pub fn behind(sight: Sight<'_>) -> u64 {
    let Sight { stream, consumer, .. } = sight;
    if !consumer.whole {
        return 0;
    }
    stream.first.saturating_sub(consumer.ack_floor + 1)
}

fn after(seen: &Seen, sight: Sight<'_>) -> Seen {
    let consumer = sight.consumer;
    let gone = gone(sight);
    let known = if consumer.delivered >= seen.mark {
        0
    } else {
        seen.gone
    };
    let lost = if consumer.whole {
        gone.saturating_sub(known)
    } else {
        // Nothing was in anybody's hands and nothing was given out since, so what is missing was not handled.
        let untouched = seen.ack_pending == 0 && seen.deliveries == consumer.deliveries;
        match seen.oldest {
            Some(oldest) if untouched && sight.oldest != Some(oldest) => {
                seen.pending.saturating_sub(consumer.pending).max(1)
            }
            _ => 0,
        }
    };
    Seen {
        deliveries: consumer.deliveries,
        oldest: sight.oldest,
        pending: consumer.pending,
        ack_pending: consumer.ack_pending,
        gone: known.max(gone),
        mark: if gone > known {
            sight.stream.last
        } else {
            seen.mark
        },
        total: seen.total.saturating_add(lost),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn stream(first: u64, last: u64) -> StreamState {
        StreamState {
            created: Timestamp::UNIX_EPOCH,
            messages: last + 1 - first,
            bytes: 0,
            limit_bytes: None,
            first,
            last,
        }
    }

    fn consumer(
        whole: bool,
        deliveries: u64,
        delivered: u64,
        pending: u64,
        ack_pending: u64,
    ) -> ConsumerState {
        ConsumerState {
            name: "c".to_owned(),
            filters: Vec::new(),
            whole,
            deliveries,
            delivered,
            ack_floor: delivered - ack_pending,
            pending,
            ack_pending,
            redelivered: 0,
            waiting: 0,
        }
    }

    /// Looks in turn: (stream, consumer, its oldest message), and the total after each.
    fn check(looks: &[(StreamState, ConsumerState, Option<u64>, u64)]) {
        let mut losses = Losses::default();
        for (number, (stream, consumer, oldest, expected)) in looks.iter().enumerate() {
            let sight = Sight {
                stream,
                consumer,
                oldest: *oldest,
            };
            assert_eq!(losses.note("S", sight).total, *expected, "look {number}");
        }
    }

    #[test]
    fn a_consumer_of_everything_shows_each_loss_once() {
        let whole = |delivered, pending| consumer(true, 0, delivered, pending, 0);
        check(&[
            (stream(1, 100), whole(10, 90), Some(11), 0),
            // 11 to 30 are pushed out at the head, and five more in between.
            (stream(31, 120), whole(10, 85), Some(31), 25),
            (stream(31, 120), whole(10, 85), Some(31), 25),
            // More comes in, more goes out.
            (stream(41, 130), whole(10, 85), Some(41), 35),
            // It catches up; then it happens again.
            (stream(41, 130), whole(130, 0), None, 35),
            (stream(140, 150), whole(130, 11), Some(140), 44),
        ]);
        // Ten more came between the looks at stream and consumer, so that less seems to be gone: it was counted.
        check(&[
            (stream(31, 120), whole(0, 90), Some(31), 30),
            (stream(31, 120), whole(0, 100), Some(31), 30),
            (stream(31, 130), whole(5, 100), Some(31), 30),
            (stream(32, 131), whole(5, 100), Some(32), 30),
            (stream(41, 140), whole(5, 100), Some(41), 35),
        ]);
    }

    #[test]
    fn what_comes_between_two_looks_is_no_loss() {
        // The stream was looked at before ten more came.
        let whole = consumer(true, 0, 0, 110, 0);
        check(&[(stream(1, 100), whole, Some(1), 0)]);
    }

    #[test]
    fn one_made_on_an_old_stream_has_lost_nothing() {
        check(&[(stream(500, 600), consumer(true, 0, 499, 101, 0), Some(500), 0)]);
    }

    #[test]
    fn a_consumer_of_some_subjects_shows_that_its_oldest_went() {
        let some = |deliveries, pending, ack_pending| consumer(false, deliveries, 10, pending, ack_pending);
        check(&[
            (stream(1, 100), some(5, 4, 0), Some(20), 0),
            (stream(15, 120), some(5, 4, 0), Some(20), 0),
            // Two went, one came.
            (stream(50, 150), some(5, 3, 0), Some(60), 1),
            (stream(70, 200), some(5, 1, 0), Some(90), 3),
            // Somebody took them: no loss, whatever is the oldest now.
            (stream(70, 200), some(6, 0, 0), None, 3),
            (stream(70, 210), some(6, 2, 1), Some(205), 3),
            (stream(70, 210), some(6, 2, 0), Some(206), 3),
            // The last of them ages out.
            (stream(300, 310), some(6, 0, 0), None, 5),
        ]);
    }

    #[test]
    fn the_floor_behind_the_stream_is_told() {
        for (stream, consumer, expected) in [
            (stream(1, 100), consumer(true, 9, 50, 50, 3), 0),
            (stream(51, 100), consumer(true, 9, 50, 50, 3), 3),
            // All aged out, all handled.
            (stream(101, 100), consumer(true, 9, 100, 0, 0), 0),
            (stream(51, 100), consumer(false, 9, 10, 50, 3), 0),
        ] {
            let sight = Sight {
                stream: &stream,
                consumer: &consumer,
                oldest: None,
            };
            assert_eq!(behind(sight), expected, "{sight:?}");
        }
    }

    #[test]
    fn the_record_stays_small() {
        let mut losses = Losses::default();
        let (stream, mut consumer) = (stream(31, 120), consumer(true, u64::MAX, 10, 85, 0));
        for number in 0..=MOST {
            consumer.name = format!("{}-{number:04}", "c".repeat(200));
            let sight = Sight {
                stream: &stream,
                consumer: &consumer,
                oldest: Some(u64::MAX),
            };
            losses.note("HT_OUTCOMES", sight);
        }
        let bytes = serde_json::to_vec(&losses).unwrap().len();
        assert!(bytes < hollowtrees_bus::store::LARGEST, "{bytes}");
    }
}
