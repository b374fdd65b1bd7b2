//! Which messages of a stream are counted, agreed on by all replicas: one record, written by compare-and-set.
//!
//! A message is counted by whoever wrote its sequence into the record. Sequences never leave it, so a read, however
//! old, is right about what it holds; about what it does not hold only the write decides.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_bus::{
    Bus, Record, Store, StoreError, Versioned, WriteError,
    lag::LagError,
    topology::{Consumer, METRICS},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::spans::Spans;

/// Layout of the record.
const SCHEMA: u32 = 1;
/// Processes whose last word is kept.
const MOST_WORDS: usize = 64;
/// More spans than this are looked into: what is acknowledged or gone need not be told apart.
const MANY_SPANS: usize = 1_000;
/// Spans kept in any case: 80 KiB of the 250 KiB a record may take.
const MOST_SPANS: usize = 4_000;
/// First and longest wait while the bus does not answer, and between two writers that meet.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
const STEP_BACK: Duration = Duration::from_millis(20);

/// The sequences of a stream that are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Counted {
    schema: u32,
    /// When the stream was made, microseconds since 1970: one made anew counts from one again.
    created: i64,
    spans: Spans,
    /// The last write of each process, the newest at the end: how a write whose answer was lost is told from one that
    /// never was.
    words: Vec<Word>,
}

/// A write.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Word {
    process: String,
    batch: u64,
    attempt: usize,
}

impl Record for Counted {
    fn schema(&self) -> u32 {
        self.schema
    }
}

impl Counted {
    fn of_stream(created: i64) -> Self {
        Self {
            schema: SCHEMA,
            created,
            ..Self::default()
        }
    }

    /// Which attempt at this batch was written, if one was.
    fn attempt(&self, process: &str, batch: u64) -> Option<usize> {
        let word = self.words.iter().find(|word| word.process == process)?;
        (word.batch == batch).then_some(word.attempt)
    }

    fn speak(&mut self, word: Word) {
        self.words.retain(|known| known.process != word.process);
        self.words.push(word);
        let surplus = self.words.len().saturating_sub(MOST_WORDS);
        self.words.drain(..surplus);
    }
}

/// Why nothing more can be claimed: the process has to end, and a person to look at it.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The record is of another layout, or none at all.
    #[error(transparent)]
    Record(#[from] StoreError),
    /// The record cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Its state cannot be seen.
    #[error(transparent)]
    State(#[from] LagError),
    /// The stream was made anew while this process ran.
    #[error(
        "{stream} was made anew after this process had begun; it starts again from the beginning when the process does"
    )]
    MadeAnew {
        /// Name of the stream.
        stream: &'static str,
    },
}

/// What a claim brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Sequences to count, here and nowhere else.
    pub ours: BTreeSet<u64>,
    /// Sequences that nobody will count: there were too many gaps to keep them apart.
    pub forgone: u64,
}

/// Claims of one process on the messages of one stream.
pub struct Claims {
    bus: Bus,
    store: Store<Counted>,
    consumer: Consumer,
    process: String,
    created: i64,
    batch: u64,
    known: Option<Versioned<Counted>>,
}

impl Claims {
    /// `process`: unique to this start of this process.
    ///
    /// # Errors
    /// The stream cannot be seen.
    pub async fn open(bus: &Bus, consumer: &Consumer, process: &str) -> Result<Self, LagError> {
        let created = bus.stream_state(consumer.stream).await?.created;
        Ok(Self {
            bus: bus.clone(),
            store: bus.metrics(),
            consumer: consumer.clone(),
            process: process.to_owned(),
            created: created.as_microsecond(),
            batch: 0,
            known: None,
        })
    }

    /// Claims those of the sequences `wanted` that nobody has claimed. Waits for the bus for as long as it takes;
    /// dropped, it may or may not have claimed them.
    ///
    /// # Errors
    /// Nothing more can be claimed.
    pub async fn claim(&mut self, wanted: &BTreeSet<u64>) -> Result<Claimed, ClaimError> {
        self.batch += 1;
        let mut attempts = Vec::new();
        let mut wait = RETRY.0;
        loop {
            let pause = match self.attempt(wanted, &mut attempts).await {
                Ok(Some(claimed)) => return Ok(claimed),
                Ok(None) => STEP_BACK,
                Err(error) if is_transient(&error) => {
                    tracing::info!(stream = %self.consumer.stream, %error, "Messages wait to be counted.");
                    let now = wait;
                    wait = wait.saturating_mul(2).min(RETRY.1);
                    now
                }
                Err(error) => return Err(error),
            };
            self.known = None;
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..=1.0))).await;
        }
    }

    /// One attempt; `None`: somebody else wrote meanwhile. `attempts`: what each attempt at this batch was for, since
    /// the answer to any of them may have been lost.
    async fn attempt(
        &mut self,
        wanted: &BTreeSet<u64>,
        attempts: &mut Vec<BTreeSet<u64>>,
    ) -> Result<Option<Claimed>, ClaimError> {
        let key = self.consumer.stream.name();
        let known = match self.known.take() {
            Some(known) => Some(known),
            None => self.store.get(key).await?,
        };
        let mut record = match &known {
            Some(known) if known.value.created > self.created => {
                return Err(ClaimError::MadeAnew { stream: key });
            }
            Some(known) if known.value.created == self.created => known.value.clone(),
            _ => Counted::of_stream(self.created),
        };
        let written = record.attempt(&self.process, self.batch);
        if let Some(ours) = written.and_then(|attempt| attempts.get(attempt)) {
            let ours = ours.clone();
            self.known = known;
            return Ok(Some(Claimed { ours, forgone: 0 }));
        }
        let ours: BTreeSet<u64> = wanted
            .iter()
            .copied()
            .filter(|&sequence| !record.spans.contains(sequence))
            .collect();
        if ours.is_empty() {
            self.known = known;
            return Ok(Some(Claimed::default()));
        }
        if attempts.last() != Some(&ours) {
            attempts.push(ours.clone());
        }
        for &sequence in &ours {
            record.spans.insert(sequence);
        }
        let forgone = self.compact(&mut record).await?;
        record.speak(Word {
            process: self.process.clone(),
            batch: self.batch,
            attempt: attempts.len() - 1,
        });
        let written = match &known {
            Some(known) => self.store.update(key, &record, known.revision).await,
            None => self.store.create(key, &record).await,
        };
        match written {
            Ok(revision) => {
                self.known = Some(Versioned {
                    value: record,
                    revision,
                    stored_at: Timestamp::now(),
                });
                Ok(Some(Claimed { ours, forgone }))
            }
            Err(error) if error.is_conflict() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps the record small. Everything up to the consumer's floor is acknowledged, hence claimed before, or gone.
    async fn compact(&self, record: &mut Counted) -> Result<u64, ClaimError> {
        if record.spans.len() <= MANY_SPANS {
            return Ok(0);
        }
        let consumers = self.bus.consumer_states(self.consumer.stream).await?;
        if let Some(own) = consumers
            .iter()
            .find(|consumer| consumer.name == self.consumer.name)
        {
            record.spans.insert_span(1, own.ack_floor);
        }
        Ok(record.spans.join_lowest(MOST_SPANS))
    }
}

fn is_transient(error: &ClaimError) -> bool {
    matches!(
        error,
        ClaimError::Record(StoreError::Unavailable { .. })
            | ClaimError::Write(WriteError::Unavailable { .. })
            | ClaimError::State(_)
    )
}

/// Where the records are, for who wants to look: `nats kv get ht_metrics HT_NOTICES`.
pub const BUCKET: &str = METRICS;

#[cfg(test)]
mod tests {
    use super::*;

    fn word(process: &str, batch: u64, attempt: usize) -> Word {
        Word {
            process: process.to_owned(),
            batch,
            attempt,
        }
    }

    #[test]
    fn the_last_word_of_each_process_is_kept_and_the_oldest_go() {
        let mut record = Counted::of_stream(1);
        record.speak(word("a", 1, 0));
        record.speak(word("a", 2, 3));
        assert_eq!((record.attempt("a", 1), record.attempt("a", 2)), (None, Some(3)));
        for number in 0..MOST_WORDS {
            record.speak(word(&format!("p{number}"), 1, 0));
        }
        assert_eq!(record.words.len(), MOST_WORDS);
        assert_eq!((record.attempt("a", 2), record.attempt("p0", 1)), (None, Some(0)));
    }

    #[test]
    fn a_record_at_its_largest_fits() {
        let mut record = Counted::of_stream(i64::MAX);
        for number in 0..=MOST_SPANS as u64 {
            record.spans.insert(1_000_000_000 + 2 * number);
        }
        record.spans.join_lowest(MOST_SPANS);
        for number in 0..MOST_WORDS {
            record.speak(word(&format!("{}-{number:03}", "h".repeat(64)), u64::MAX, 9));
        }
        let bytes = serde_json::to_vec(&record).unwrap().len();
        assert!(bytes < 150 * 1024, "{bytes}");
        assert!(bytes < hollowtrees_bus::store::LARGEST);
    }
}
