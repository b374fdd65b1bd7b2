//! Giving an action to the process that does what it belongs to.

use hollowtrees_bus::{consume::forward::Answer, liveness::Taker};

use super::{
    Handler,
    attempt::{Attempt, Stays},
    claim::Claim,
    execute::{Core, Ended},
};

impl<H: Handler> Core<H> {
    /// Gives it to another process. What that does not take is started here again; where it may have taken it, the ledger's
    /// next write decides.
    pub(super) async fn give(&self, mut attempt: Attempt, claim: &Claim, to: Taker) -> Ended {
        attempt.stays = Stays::Offered;
        let Some(slip) = attempt.parcel.slip() else {
            return Ended::Settled;
        };
        let Ok(revision) = claim.give(to.worker).await else {
            return self.lost(&attempt);
        };
        let answer = self.bus.forward(&to.at, &slip, revision).await;
        self.telemetry.offered(&attempt.order.action.kind, &answer);
        if answer == Answer::Taken {
            if let Some(delivery) = attempt.parcel.take() {
                delivery.abandon();
            }
            return Ended::Settled;
        }
        tracing::debug!(action = %attempt.order.id, to = to.at, ?answer, "An action is done here, for another process does not take it.");
        match claim.give(self.author.worker.clone()).await {
            Ok(_) => Ended::Again(Box::new(attempt), self.author.now()),
            Err(_) => self.lost(&attempt),
        }
    }
}
