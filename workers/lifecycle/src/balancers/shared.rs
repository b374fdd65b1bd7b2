//! Many actions, few calls: what one reads all share, and what several ask goes in one call.

use std::{
    future::Future,
    sync::{Arc, Mutex as Short, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hollowtrees_aws::Refusal;
use tokio::sync::{
    Mutex,
    oneshot::{self, error::TryRecvError},
};

use crate::cloud::backoff;

/// Who asks first waits this long for others who ask the same.
const LINGER: Duration = Duration::from_millis(100);

/// A value of AWS's, read by who needs it first. Others wait for that reading, and share it. A refusal is shared too,
/// until it is worth asking again.
pub(crate) struct Fresh<T> {
    reading: Mutex<Option<Reading<T>>>,
}

struct Reading<T> {
    /// When it began: what AWS did before is in it.
    began: Instant,
    answer: Result<Arc<T>, Refusal>,
    /// Refusals in a row.
    tries: u32,
    /// No next one before.
    next_from: Instant,
}

impl<T> Default for Fresh<T> {
    fn default() -> Self {
        Self {
            reading: Mutex::default(),
        }
    }
}

impl<T> Fresh<T> {
    /// The value as a reading has it that began `since` then; `read` is polled only if there is none.
    pub(crate) async fn get(
        &self,
        since: Instant,
        read: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<Arc<T>, Refusal> {
        let mut reading = self.reading.lock().await;
        let began = Instant::now();
        let mut tries = 0;
        if let Some(last) = reading.as_ref() {
            match &last.answer {
                Ok(value) if last.began >= since => return Ok(Arc::clone(value)),
                Err(refusal) if began < last.next_from => return Err(refusal.clone()),
                Ok(_) => {}
                Err(_) => tries = last.tries,
            }
        }
        let answer = read.await.map(Arc::new);
        let now = Instant::now();
        let next_from = answer
            .as_ref()
            .err()
            .map_or(now, |refusal| now + backoff(tries, refusal));
        *reading = Some(Reading {
            began,
            answer: answer.clone(),
            tries: tries.saturating_add(1),
            next_from,
        });
        answer
    }
}

type Asked<I, O> = (I, oneshot::Sender<Result<O, Refusal>>);

/// Things that are asked of AWS one by one, and go to it together.
pub(crate) struct Together<I, O> {
    asked: Short<Vec<Asked<I, O>>>,
    turn: Mutex<()>,
}

impl<I, O> Default for Together<I, O> {
    fn default() -> Self {
        Self {
            asked: Short::default(),
            turn: Mutex::default(),
        }
    }
}

impl<I: Clone, O> Together<I, O> {
    /// Asks this, with what others ask meanwhile, `at_once` of them a call. `call` answers in the order of the items.
    /// Where AWS refuses for one of them, each is asked alone.
    pub(crate) async fn ask<F>(
        &self,
        item: I,
        at_once: usize,
        call: impl Fn(Vec<I>) -> F,
    ) -> Result<O, Refusal>
    where
        F: Future<Output = Result<Vec<O>, Refusal>>,
    {
        let mut told = self.put(item.clone());
        tokio::time::sleep(LINGER).await;
        loop {
            let _turn = self.turn.lock().await;
            match told.try_recv() {
                Ok(answer) => return answer,
                // Whoever asked for us was ended in the middle of it.
                Err(TryRecvError::Closed) => told = self.put(item.clone()),
                Err(TryRecvError::Empty) => {}
            }
            let batch = self.take(at_once);
            let items: Vec<_> = batch.iter().map(|(item, _)| item.clone()).collect();
            match call(items).await {
                Ok(answers) => {
                    for ((_, tell), answer) in batch.into_iter().zip(answers) {
                        drop(tell.send(Ok(answer)));
                    }
                }
                Err(refusal) if refusal.is_of_a_target() && batch.len() > 1 => {
                    for (item, tell) in batch {
                        let alone = call(vec![item]).await;
                        if let Some(answer) = alone.map(|answers| answers.into_iter().next()).transpose() {
                            drop(tell.send(answer));
                        }
                    }
                }
                Err(refusal) => {
                    for (_, tell) in batch {
                        drop(tell.send(Err(refusal.clone())));
                    }
                }
            }
        }
    }

    fn put(&self, item: I) -> oneshot::Receiver<Result<O, Refusal>> {
        let (tell, told) = oneshot::channel();
        lock(&self.asked).push((item, tell));
        told
    }

    /// The oldest that somebody still waits for.
    fn take(&self, at_once: usize) -> Vec<Asked<I, O>> {
        let mut asked = lock(&self.asked);
        asked.retain(|(_, tell)| !tell.is_closed());
        let count = asked.len().min(at_once);
        asked.drain(..count).collect()
    }
}

pub(crate) fn lock<T>(mutex: &Short<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    fn throttled() -> Refusal {
        Refusal::Throttled {
            after: Duration::from_secs(1),
            message: "slow down".to_owned(),
        }
    }

    #[tokio::test]
    async fn one_reading_for_all_who_want_it() {
        let (fresh, reads) = (Fresh::default(), AtomicUsize::new(0));
        let read = async || {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(reads.fetch_add(1, Ordering::Relaxed))
        };
        let since = Instant::now();
        let all = join_all((0..50).map(|_| fresh.get(since, read()))).await;
        assert!(all.into_iter().all(|found| *found.unwrap() == 0));
        // Who wants to see what happened meanwhile has it read again.
        assert_eq!(*fresh.get(Instant::now(), read()).await.unwrap(), 1);
        assert_eq!(*fresh.get(since, read()).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_refusal_is_shared_until_it_is_worth_asking_again() {
        let (fresh, reads) = (Fresh::<()>::default(), AtomicUsize::new(0));
        let read = async || {
            reads.fetch_add(1, Ordering::Relaxed);
            Err(throttled())
        };
        let all = join_all((0..50).map(|_| fresh.get(Instant::now(), read()))).await;
        assert!(all.into_iter().all(|found| found == Err(throttled())));
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        assert_eq!(
            fresh.get(Instant::now(), async { Ok(()) }).await,
            Err(throttled())
        );
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        assert!(fresh.get(Instant::now(), async { Ok(()) }).await.is_ok());
    }

    #[tokio::test]
    async fn few_calls_for_many_who_ask() {
        let (together, calls) = (Together::default(), AtomicUsize::new(0));
        let call = |items: Vec<usize>| {
            calls.fetch_add(1, Ordering::Relaxed);
            async move { Ok(items.into_iter().map(|item| item * 2).collect()) }
        };
        let all = join_all((0..50).map(|item| together.ask(item, 20, call))).await;
        for (item, answer) in all.into_iter().enumerate() {
            assert_eq!(answer, Ok(item * 2));
        }
        assert_eq!(calls.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn one_that_is_refused_does_not_spoil_it_for_others() {
        let together = Together::default();
        let call = |items: Vec<u32>| async move {
            if items.contains(&3) {
                return Err(Refusal::Rejected {
                    code: "InvalidTarget".to_owned(),
                    message: "3".to_owned(),
                });
            }
            Ok(vec![(); items.len()])
        };
        let all = join_all((0..5).map(|item| together.ask(item, 20, call))).await;
        let refused: Vec<_> = (0..5).filter(|item| all[*item].is_err()).collect();
        assert_eq!(refused, [3]);
    }

    #[tokio::test]
    async fn who_asks_for_others_may_be_ended() {
        let together = Arc::new(Together::default());
        let slow = Arc::clone(&together);
        let first = tokio::spawn(async move {
            let never = |_: Vec<u32>| std::future::pending::<Result<Vec<()>, Refusal>>();
            slow.ask(1, 20, never).await
        });
        let second = Arc::clone(&together);
        let second = tokio::spawn(async move {
            let call = |items: Vec<u32>| async move { Ok(vec![(); items.len()]) };
            second.ask(2, 20, call).await
        });
        tokio::time::sleep(LINGER * 3).await;
        first.abort();
        let answer = tokio::time::timeout(Duration::from_secs(10), second).await;
        assert_eq!(answer.unwrap().unwrap(), Ok(()));
    }
}
