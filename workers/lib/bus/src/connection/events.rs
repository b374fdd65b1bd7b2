//! What a connection goes through: counted, and said. Each change once; troubles, which may come with every attempt,
//! at a bounded rate.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use async_nats::{ConnectOptions, Event};
use tokio::{sync::watch, time::Instant};

use super::ConnectionCounts;

/// A kind of trouble is spoken of at most this often.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Kinds of trouble, each with a rate of its own.
#[derive(Debug, Default)]
struct Troubles {
    attempt: Rate,
    server: Rate,
    slow: Rate,
}

#[derive(Debug, Default)]
struct Rate(Mutex<Option<Instant>>);

impl Rate {
    /// Whether it may be spoken of now.
    fn allows(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = last.is_none_or(|at| at.elapsed() >= SAY_EVERY);
        if allowed {
            *last = Some(Instant::now());
        }
        allowed
    }
}

pub(super) fn listening(
    connect: ConnectOptions,
    counts: Arc<ConnectionCounts>,
    epoch: watch::Sender<u64>,
) -> ConnectOptions {
    let epoch = Arc::new(epoch);
    let troubles = Arc::new(Troubles::default());
    connect.event_callback(move |event| {
        match &event {
            Event::Connected => epoch.send_modify(|epoch| *epoch += 1),
            Event::Disconnected => {
                counts.disconnects.fetch_add(1, Ordering::Relaxed);
            }
            Event::SlowConsumer(_) => {
                counts.slow_consumers.fetch_add(1, Ordering::Relaxed);
            }
            Event::ServerError(_) | Event::ClientError(_) => {
                counts.server_errors.fetch_add(1, Ordering::Relaxed);
            }
            Event::LameDuckMode | Event::Draining | Event::Closed => {}
        }
        troubles.say(&event);
        std::future::ready(())
    })
}

impl Troubles {
    fn say(&self, event: &Event) {
        match event {
            Event::ClientError(error) if self.attempt.allows() => {
                let cause = error.to_string();
                tracing::warn!(
                    cause,
                    remedy = remedy(&cause),
                    "The bus is not reached; it is tried again for ever."
                );
            }
            Event::ServerError(error) if self.server.allows() => tracing::warn!(
                %error,
                "The bus server reports an error; if it is about permissions, this account needs more of them."
            ),
            Event::SlowConsumer(subscription) if self.slow.allows() => tracing::warn!(
                subscription,
                "Messages came faster than they were taken and one was lost; what was lost comes again."
            ),
            Event::ClientError(_) | Event::ServerError(_) | Event::SlowConsumer(_) => {
                tracing::debug!(%event, "The bus connection is in trouble still.");
            }
            Event::Connected
            | Event::Disconnected
            | Event::LameDuckMode
            | Event::Draining
            | Event::Closed => tracing::info!(%event, "The bus connection changed."),
        }
    }
}

/// What a person can do about a failed attempt. Of its kind the client gives the words only.
fn remedy(cause: &str) -> &'static str {
    let cause = cause.to_ascii_lowercase();
    if cause.contains("auth") || cause.contains("nonce") {
        "check HT_NATS__USER and HT_NATS__PASSWORD, HT_NATS__CREDENTIALS or HT_NATS__NKEY"
    } else if cause.contains("tls") {
        "check HT_NATS__TLS__CA, HT_NATS__TLS__CERT and HT_NATS__TLS__KEY"
    } else {
        "is the server running? check HT_NATS__URL"
    }
}

#[cfg(test)]
mod tests {
    use async_nats::ConnectErrorKind;

    use super::*;

    #[test]
    fn a_failed_attempt_has_the_remedy_of_its_kind() {
        let check = |kind: ConnectErrorKind, expected: &str| {
            assert!(remedy(&kind.to_string()).contains(expected), "{kind}");
        };
        check(ConnectErrorKind::AuthorizationViolation, "HT_NATS__PASSWORD");
        check(ConnectErrorKind::Authentication, "HT_NATS__PASSWORD");
        check(ConnectErrorKind::Tls, "HT_NATS__TLS__CA");
        check(ConnectErrorKind::Io, "HT_NATS__URL");
        check(ConnectErrorKind::Dns, "HT_NATS__URL");
        check(ConnectErrorKind::TimedOut, "HT_NATS__URL");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trouble_is_spoken_of_once_a_minute() {
        let rate = Rate::default();
        assert!(rate.allows());
        assert!(!rate.allows());
        tokio::time::advance(SAY_EVERY).await;
        assert!(rate.allows());
        assert!(!rate.allows());
    }
}
