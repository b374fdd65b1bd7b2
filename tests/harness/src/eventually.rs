//! Waiting for a fact instead of for a time.

use std::fmt;
use std::panic::Location;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The awaited fact did not come true in time.
#[derive(Clone, PartialEq, Eq)]
pub struct TimedOut {
    /// What was awaited.
    pub what: String,
    /// How long it was awaited.
    pub waited: Duration,
    /// What the last look at it showed.
    pub last: String,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "waited {:.1?} in vain for {}; last seen: {}",
            self.waited, self.what, self.last
        )
    }
}

impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TimedOut {}

impl From<TimedOut> for crate::Error {
    fn from(error: TimedOut) -> Self {
        Self::new(error.to_string())
    }
}

/// What a look at the world answers: the awaited value, or what is there instead.
///
/// Implemented for `Result` (the error says what is there), `Option` and `bool`.
pub trait Look {
    /// The awaited value.
    type Value;

    /// The value, or a description of what is there instead.
    ///
    /// # Errors
    /// The description.
    fn seen(self) -> Result<Self::Value, String>;
}

impl<T, E: fmt::Display> Look for Result<T, E> {
    type Value = T;

    fn seen(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}

impl<T> Look for Option<T> {
    type Value = T;

    fn seen(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

impl Look for bool {
    type Value = ();

    fn seen(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("false".to_owned()) }
    }
}

/// Looks again and again, at growing intervals up to 100 ms, until `look` shows the awaited fact.
///
/// # Panics
/// When it does not come within `timeout`: says what was awaited and what was seen last, at the caller's line.
#[track_caller]
pub fn eventually<L: Look, F: Future<Output = L>>(
    what: impl Into<String>,
    timeout: Duration,
    look: impl FnMut() -> F,
) -> impl Future<Output = L::Value> {
    let caller = Location::caller();
    let waiting = try_eventually(what, timeout, look);
    async move {
        match waiting.await {
            Ok(value) => value,
            Err(error) => panic!("{caller}: {error}"),
        }
    }
}

/// As [`eventually`], for callers that can do something about it.
///
/// # Errors
/// [`TimedOut`].
pub async fn try_eventually<L: Look, F: Future<Output = L>>(
    what: impl Into<String>,
    timeout: Duration,
    mut look: impl FnMut() -> F,
) -> Result<L::Value, TimedOut> {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut last = "nothing yet, the first look did not end".to_owned();
    loop {
        let left = timeout.saturating_sub(start.elapsed());
        match tokio::time::timeout(left, look()).await {
            Ok(answer) => match answer.seen() {
                Ok(value) => return Ok(value),
                Err(seen) => last = seen,
            },
            Err(_) => {
                return Err(TimedOut {
                    what: what.into(),
                    waited: start.elapsed(),
                    last,
                });
            }
        }
        if start.elapsed() >= timeout {
            return Err(TimedOut {
                what: what.into(),
                waited: start.elapsed(),
                last,
            });
        }
        tokio::time::sleep(pause.min(timeout.saturating_sub(start.elapsed()))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
