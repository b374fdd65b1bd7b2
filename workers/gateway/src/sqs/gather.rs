//! Asks about instances, gathered for one call: which go together, and when.
//!
//! A single ask waits for nobody. After a few calls in a row the next one waits until it is full, or for [`EVERY`]; and as
//! long as a queue gives full batches, which only brings more, for [`LONGEST`]. So a queue that is slow makes fuller
//! calls and not more of them, and no ask waits for others that are not on their way.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::pace::{EVERY, Pace};

/// How long the first ask of a call waits for others that are on their way.
const LINGER: Duration = Duration::from_millis(50);
/// How long an ask waits at most while a queue gives full batches.
const LONGEST: Duration = EVERY.saturating_mul(3);
/// How often is looked whether it still does.
const LOOK: Duration = Duration::from_millis(500);

/// One that wants to know of an instance.
pub(super) struct Ask<A> {
    pub(super) id: String,
    pub(super) answer: oneshot::Sender<A>,
}

/// Those who wait, by instance.
pub(super) type Waiting<A> = HashMap<String, Vec<oneshot::Sender<A>>>;

/// Polls that expect more, after a full batch. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog(Arc<AtomicUsize>);

/// One poll that expects more, until it is dropped.
#[derive(Debug)]
pub(super) struct Expecting(Backlog);

impl Backlog {
    pub(super) fn expect(&self) -> Expecting {
        self.0.fetch_add(1, Ordering::Relaxed);
        Expecting(self.clone())
    }

    fn is_some(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Expecting {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Gathers the asks of one account and region.
pub(super) struct Gather<A> {
    pub(super) asks: mpsc::Receiver<Ask<A>>,
    pub(super) backlog: Backlog,
    /// A call for so many instances waits for no more.
    pub(super) full: usize,
    /// Instances of one call at most.
    pub(super) most: usize,
    pace: Pace,
}

impl<A> Gather<A> {
    pub(super) fn new(asks: mpsc::Receiver<Ask<A>>, backlog: Backlog, most: usize) -> Self {
        Self {
            asks,
            backlog,
            full: most / 2,
            most,
            pace: Pace::default(),
        }
    }

    /// Those of the next call; none once nobody can ask any more.
    pub(super) async fn next(&mut self) -> Option<Waiting<A>> {
        let mut waiting = Waiting::new();
        add(&mut waiting, self.asks.recv().await?);
        let began = Instant::now();
        let wait = self.pace.wait(began);
        let mut until = began + wait.max(LINGER);
        let mut late = false;
        while waiting.len() < self.full {
            match timeout_at(until, self.asks.recv()).await {
                Ok(Some(ask)) => add(&mut waiting, ask),
                Ok(None) => break,
                Err(_) => {
                    if wait.is_zero() || !self.backlog.is_some() || until >= began + LONGEST {
                        break;
                    }
                    late = true;
                    until = (until + LOOK).min(began + LONGEST);
                }
            }
        }
        while waiting.len() < self.most {
            let Ok(ask) = self.asks.try_recv() else { break };
            add(&mut waiting, ask);
        }
        if late {
            self.pace.goes_late(Instant::now());
        } else {
            self.pace.goes(Instant::now());
        }
        Some(waiting)
    }
}

fn add<A>(waiting: &mut Waiting<A>, ask: Ask<A>) {
    waiting.entry(ask.id).or_default().push(ask.answer);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What came of asks.
    struct Came {
        calls: usize,
        longest: Duration,
        last: Duration,
    }

    /// Asks for `count` instances, one every `apart`; a poll expects more while `backlog` and until the last has come.
    async fn asked(count: usize, apart: Duration, backlog: bool) -> Came {
        let (sender, asks) = mpsc::channel(1_024);
        let more = Backlog::default();
        let mut gather = Gather::new(asks, more.clone(), 200);
        let asking = tokio::spawn(async move {
            let expecting = backlog.then(|| more.expect());
            let mut answers = Vec::new();
            for number in 0..count {
                tokio::time::sleep(apart).await;
                let (answer, answered) = oneshot::channel();
                let id = format!("i-{number}");
                sender.send(Ask { id, answer }).await.unwrap();
                let asked_at = Instant::now();
                answers.push(tokio::spawn(async move {
                    answered.await.unwrap();
                    asked_at.elapsed()
                }));
            }
            drop(expecting);
            // Others may still ask: nothing ends the last call but time.
            let waits = futures::future::join_all(answers).await;
            drop(sender);
            waits.into_iter().map(Result::unwrap).collect::<Vec<_>>()
        });
        let began = Instant::now();
        let (mut calls, mut last) = (0, Duration::ZERO);
        while let Some(waiting) = gather.next().await {
            assert!(waiting.len() <= 200);
            calls += 1;
            last = began.elapsed();
            for answer in waiting.into_values().flatten() {
                answer.send(()).unwrap();
            }
        }
        let waits = asking.await.unwrap();
        assert_eq!(waits.len(), count);
        Came {
            calls,
            longest: waits.into_iter().max().unwrap_or_default(),
            last,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_make_twenty_calls_at_most_at_whatever_pace_a_full_queue_gives_them() {
        for a_second in [5, 6, 7, 10, 18, 30, 50, 100, 1_000, 100_000] {
            let apart = Duration::from_secs(1) / a_second;
            let came = asked(1_000, apart, true).await;
            assert!(came.calls <= 20, "{} calls at {a_second} a second", came.calls);
            assert!(
                came.longest <= LONGEST + LOOK,
                "{:?} at {a_second} a second",
                came.longest
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_of_a_burst_and_what_trickles_wait_for_nobody_who_does_not_come() {
        // All at once: full calls make no other wait.
        let came = asked(1_050, Duration::ZERO, true).await;
        assert!(came.last <= EVERY + LOOK, "{:?}", came.last);
        // No queue that is full.
        for a_second in [1, 6] {
            let came = asked(300, Duration::from_secs(1) / a_second, false).await;
            assert!(came.longest <= EVERY, "{:?} at {a_second} a second", came.longest);
        }
        let came = asked(1, Duration::ZERO, true).await;
        assert!(came.longest <= LINGER, "{:?}", came.longest);
    }
}
