//! Whose launch is next while EC2 takes fewer than there are.
//!
//! EC2 lets an account make so many launches a second in a region (EC2 developer guide, "request throttling": a bucket that
//! fills again at a rate). A wave has more. As long as none is throttled everybody launches at once; then launches go
//! one by one, the earliest deadline first, at a rate that falls with each refusal and rises with each launch.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hollowtrees_aws::Refusal;
use jiff::Timestamp;
use tokio::{sync::oneshot, time::Instant};

/// Between two launches after the first refusal, and at most.
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);
/// What is shorter is nothing.
const SHORTEST: Duration = Duration::from_millis(20);

/// The launches of one region of an account.
#[derive(Default)]
pub(crate) struct Launches(Mutex<State>);

/// A launch that may be made now.
#[derive(Debug)]
pub(crate) struct Turn {
    at: Instant,
}

#[derive(Default)]
struct State {
    /// Between two launches; zero: nothing is refused.
    every: Duration,
    /// When the rate was last lowered. What was launched before then says nothing of it.
    slowed: Option<Instant>,
    /// When the latest turn was.
    latest: Option<Instant>,
    /// By deadline and action.
    waiting: BTreeMap<(Timestamp, String), oneshot::Sender<Turn>>,
    /// Somebody serves them.
    served: bool,
}

impl Launches {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is this action's turn.
    pub(crate) async fn turn(self: &Arc<Self>, deadline: Timestamp, action: &str) -> Turn {
        let told = {
            let mut state = self.state();
            if state.every.is_zero() && state.waiting.is_empty() {
                return state.take();
            }
            let (tell, told) = oneshot::channel();
            state.waiting.insert((deadline, action.to_owned()), tell);
            if !std::mem::replace(&mut state.served, true) {
                tokio::spawn(Arc::clone(self).serve());
            }
            told
        };
        // Dropped by the end of the process, or by the same action, which asks again.
        told.await.unwrap_or_else(|_| Turn { at: Instant::now() })
    }

    /// Until nobody waits.
    async fn serve(self: Arc<Self>) {
        loop {
            let at = self.state().next();
            tokio::time::sleep_until(at).await;
            let mut state = self.state();
            // The rate may have been lowered meanwhile.
            if state.next() > Instant::now() {
                continue;
            }
            // Whoever has gone away meanwhile takes no turn.
            while let Some((_, tell)) = state.waiting.pop_first() {
                if tell.is_closed() {
                    continue;
                }
                let turn = state.take();
                drop(tell.send(turn));
                break;
            }
            if state.waiting.is_empty() {
                state.served = false;
                return;
            }
        }
    }

    /// Takes over what came of a launch.
    pub(crate) fn learn(&self, turn: &Turn, refusal: Option<&Refusal>) {
        let mut state = self.state();
        match refusal {
            Some(Refusal::Throttled { .. }) if state.slowed.is_none_or(|slowed| turn.at >= slowed) => {
                state.every = (state.every * 2).clamp(FIRST, LONGEST);
                state.slowed = Some(Instant::now());
            }
            None if !state.every.is_zero() => {
                state.every = state.every * 9 / 10;
                if state.every < SHORTEST {
                    state.every = Duration::ZERO;
                }
            }
            _ => {}
        }
    }
}

impl State {
    fn next(&self) -> Instant {
        let now = Instant::now();
        self.latest.map_or(now, |latest| now.max(latest + self.every))
    }

    fn take(&mut self) -> Turn {
        let at = Instant::now();
        self.latest = Some(at);
        Turn { at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled() -> Refusal {
        Refusal::Throttled {
            after: Duration::from_secs(1),
            message: String::new(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    async fn waited(launches: &Arc<Launches>, deadline: i64) -> (Turn, Duration) {
        let start = Instant::now();
        let turn = launches.turn(at(deadline), &deadline.to_string()).await;
        (turn, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_until_one_is_refused() {
        let launches = Arc::new(Launches::default());
        let mut turns = Vec::new();
        for deadline in 0..100 {
            let (turn, waited) = waited(&launches, deadline).await;
            assert_eq!(waited, Duration::ZERO);
            turns.push(turn);
        }
        tokio::time::advance(Duration::from_millis(1)).await;
        // All of those are refused for one and the same reason.
        for turn in turns {
            launches.learn(&turn, Some(&throttled()));
        }
        assert_eq!(waited(&launches, 1).await.1, FIRST - Duration::from_millis(1));
        let (turn, after) = waited(&launches, 2).await;
        assert_eq!(after, FIRST);
        launches.learn(&turn, Some(&throttled()));
        let (turn, after) = waited(&launches, 3).await;
        assert_eq!(after, FIRST * 2);
        launches.learn(&turn, None);
        assert_eq!(waited(&launches, 4).await.1, FIRST * 2 * 9 / 10);
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_deadline_goes_first_and_the_rate_comes_back() {
        let launches = Arc::new(Launches::default());
        let (turn, _) = waited(&launches, 0).await;
        launches.learn(&turn, Some(&throttled()));
        let (tell, mut told) = tokio::sync::mpsc::channel(64);
        for deadline in [50, 10, 40, 30, 20] {
            let (launches, tell) = (Arc::clone(&launches), tell.clone());
            tokio::spawn(async move {
                let turn = launches.turn(at(deadline), "a").await;
                launches.learn(&turn, None);
                tell.send(deadline).await.unwrap();
            });
        }
        drop(tell);
        let mut order = Vec::new();
        while let Some(deadline) = told.recv().await {
            order.push(deadline);
        }
        assert_eq!(order, [10, 20, 30, 40, 50]);
        for deadline in 0..40 {
            let (turn, _) = waited(&launches, deadline).await;
            launches.learn(&turn, None);
        }
        assert_eq!(waited(&launches, 1).await.1, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_takes_nobodys_turn() {
        let launches = Arc::new(Launches::default());
        let (turn, _) = waited(&launches, 0).await;
        launches.learn(&turn, Some(&throttled()));
        let gone = tokio::time::timeout(Duration::from_millis(50), launches.turn(at(1), "gone"));
        assert!(gone.await.is_err());
        assert_eq!(waited(&launches, 2).await.1, FIRST - Duration::from_millis(50));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_never_slower_than_that() {
        let launches = Arc::new(Launches::default());
        for deadline in 0..20 {
            let (turn, waited) = waited(&launches, deadline).await;
            assert!(waited <= LONGEST, "{waited:?}");
            tokio::time::advance(Duration::from_millis(1)).await;
            launches.learn(&turn, Some(&throttled()));
        }
        assert_eq!(launches.state().every, LONGEST);
    }
}
