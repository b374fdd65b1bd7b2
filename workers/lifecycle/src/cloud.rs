//! Calls of AWS, counted, and repeated where that is of use.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use hollowtrees_aws::{Refusal, Region};
use hollowtrees_runtime::health::Check;

use crate::telemetry::Telemetry;

/// First and longest wait before a call is repeated.
const RETRY: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));
/// Longest wait that AWS may ask for: a hook times out.
const ASKED: Duration = Duration::from_secs(10);
/// Calls in a row that had no answer, or a denial, before this process is not ready.
const TROUBLE_AFTER: u32 = 8;

/// AWS is asked this often whether it is there; sooner again where it was not.
const PROBE_EVERY: Duration = Duration::from_secs(60);
const PROBE_AGAIN: Duration = Duration::from_secs(5);
/// No instance has this id: its membership costs nothing to look up.
const NOBODY: &str = "i-00000000000000000";

/// Whether AWS answers us.
#[derive(Clone)]
pub struct Health {
    check: Option<Arc<Check>>,
    in_a_row: Arc<AtomicU32>,
}

impl Health {
    /// Tells it to this check, if there is one, from the first answer on.
    pub fn new(check: Option<Check>) -> Self {
        Self {
            check: check.map(Arc::new),
            // In trouble until the first answer.
            in_a_row: Arc::new(AtomicU32::new(TROUBLE_AFTER)),
        }
    }

    fn answered(&self, trouble: Option<&Refusal>) {
        let Some(check) = &self.check else {
            return;
        };
        match trouble {
            None => {
                if self.in_a_row.swap(0, Ordering::Relaxed) >= TROUBLE_AFTER {
                    check.pass();
                }
            }
            Some(refusal) => {
                if self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= TROUBLE_AFTER {
                    check.fail(refusal.to_string());
                }
            }
        }
    }
}

/// One region.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) region: Region,
    pub(crate) telemetry: Telemetry,
    pub(crate) health: Health,
}

impl Cloud {
    /// Counts a call.
    pub(crate) fn told<T>(&self, call: &'static str, answer: Result<T, Refusal>) -> Result<T, Refusal> {
        let (word, trouble) = match &answer {
            Ok(_) => ("ok", None),
            Err(refusal) => match refusal {
                Refusal::Throttled { .. } => ("throttled", None),
                Refusal::Capacity { .. } => ("capacity", None),
                Refusal::Rejected { .. } => ("rejected", None),
                Refusal::Missing { .. } => ("missing", None),
                Refusal::Denied { .. } => ("denied", Some(refusal)),
                Refusal::Unclear { .. } => ("unclear", Some(refusal)),
            },
        };
        self.telemetry.called(call, word);
        self.health.answered(trouble);
        answer
    }
}

/// Asks now and then whether AWS is there and knows us, so that who cannot work is not ready before there is work.
/// Without a region of its own the process is told one by each action, and has nobody to ask before.
pub(crate) async fn probe(cloud: Option<Cloud>, health: &Health) -> Infallible {
    let Some(cloud) = cloud else {
        health.answered(None);
        return std::future::pending().await;
    };
    loop {
        let answer = cloud.region.membership(NOBODY).await;
        let wait = if cloud.told("describe-membership", answer).is_ok() {
            PROBE_EVERY
        } else {
            PROBE_AGAIN
        };
        tokio::time::sleep(wait).await;
    }
}

/// How long to wait before the `tries`-th repetition: doubling, with jitter, at least what AWS asks for,
/// within reason.
pub(crate) fn backoff(tries: u32, refusal: &Refusal) -> Duration {
    let doubled = RETRY
        .0
        .saturating_mul(2_u32.saturating_pow(tries.min(10)))
        .min(RETRY.1);
    let asked = refusal.retry_after().unwrap_or_default().min(ASKED);
    doubled.mul_f64(rand::random_range(0.5..=1.0)).max(asked)
}
