//! Waiting for a fact of the cluster while an action lasts.

use std::time::Duration;

use hollowtrees_runtime::worker::{Failure, Job};
use jiff::Timestamp;

use crate::worker::{Drainer, stopping};

/// How a wait ended.
pub(crate) enum Over<T> {
    /// What was waited for came.
    Came(T),
    /// There is no time any more.
    Late,
    /// The incident was withdrawn.
    Withdrawn,
}

/// Waits for `fact`, but not beyond `until` and not for an incident that is withdrawn.
pub(crate) async fn wait<T>(
    drainer: &Drainer,
    job: &mut Job,
    until: Timestamp,
    fact: impl Future<Output = T>,
) -> Result<Over<T>, Failure> {
    let mut fact = std::pin::pin!(fact);
    loop {
        if job.is_stopping() {
            return Err(stopping());
        }
        if job.is_cancelled() {
            return Ok(Over::Withdrawn);
        }
        let left = Duration::try_from(until.duration_since(job.now())).unwrap_or_default();
        tokio::select! {
            came = &mut fact => return Ok(Over::Came(came)),
            () = tokio::time::sleep(left) => return Ok(Over::Late),
            () = job.changed() => drainer.cluster.clock().correct(job.now()),
        }
    }
}
