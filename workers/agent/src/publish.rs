//! Publishes what waits, for as long as it takes: a notice past its deadline is late, not lost.

use std::time::Duration;

use hollowtrees_bus::{Bus, PublishError};
use hollowtrees_runtime::Failure;
use jiff::{SignedDuration, Timestamp};

use crate::{spool::Spool, telemetry::Telemetry};

/// One notice is tried for so long before the next has its turn.
const TURN: SignedDuration = SignedDuration::from_secs(5);
/// How often a lost connection is looked at, while something waits.
const LOOK: Duration = Duration::from_millis(100);

/// Publishes for ever.
///
/// # Errors
/// Never.
pub async fn run(bus: Bus, spool: Spool, telemetry: Telemetry) -> Result<(), Failure> {
    loop {
        let message = spool.next().await;
        // Sent into a connection that is down, each attempt would wait in the client's queue and be sent at the end.
        // What was given up meanwhile is not sent: it is counted as dropped.
        if !bus.is_connected() {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        let id = &message.outgoing.message_id;
        match bus
            .publish(&message.outgoing, Some(Timestamp::now() + TURN))
            .await
        {
            Ok(published) => {
                spool.remove(id);
                telemetry.published(&message, published, spool.len());
            }
            Err(error @ PublishError::TimedOut { .. }) => {
                spool.postpone(id);
                telemetry.delayed(&message, &error);
            }
            Err(error @ PublishError::TooLarge { .. }) => {
                spool.remove(id);
                telemetry.refused(&message, &error, spool.len());
            }
        }
    }
}
