//! A handler that runs for as long as it may, which a deadline that moves later makes longer.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle},
};

use super::job::Control;

/// A task that ends with who holds it.
pub(super) struct AbortOnDrop<T>(pub(super) JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a task answers within its limit under the deadline there is; else that limit.
pub(super) async fn within<T>(
    running: &mut JoinHandle<T>,
    mut control: watch::Receiver<Control>,
    limit: impl Fn(Option<Timestamp>) -> Duration,
) -> Result<Result<T, JoinError>, Duration> {
    let began = Instant::now();
    loop {
        let limit = limit(control.borrow_and_update().deadline);
        tokio::select! {
            answer = &mut *running => return Ok(answer),
            () = tokio::time::sleep(limit.saturating_sub(began.elapsed())) => return Err(limit),
            Ok(()) = control.changed() => {}
        }
    }
}

/// As far from a moment as there is time.
pub(super) fn later(at: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| at.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}
