//! One step, done once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hollowtrees_aws::Refusal;
use hollowtrees_domain::swap::{Answer, Next, balance::REBALANCE, fresh::SHOWS_WITHIN, joint::Write};
use hollowtrees_runtime::worker::Failure;
use jiff::Timestamp;

use crate::{cloud::Cloud, saga::Saga};

/// Nothing is asked for by a look that is older: a process may have stood still, and what was asked before may have come to be. As
/// long as what is asked for is waited for.
pub(crate) const OLD: Duration = SHOWS_WITHIN.unsigned_abs();

impl Saga<'_> {
    /// A step that needs no lease, by a look of then.
    pub(crate) async fn alone(&mut self, step: &Next, looked_at: Instant) -> Result<(), Failure> {
        if matches!(step, Next::Launch(_)) && !self.has_turn().await {
            return Ok(());
        }
        self.job.fence().await?;
        if looked_at.elapsed() > OLD {
            return Ok(());
        }
        let answer = self.perform(step).await;
        if let Some(turn) = self.turn.take() {
            self.reads.launches.learn(&turn, answer.as_ref().err());
        }
        let throttled = matches!((step, &answer), (Next::Launch(_), Err(Refusal::Throttled { .. })));
        let wait = match answer {
            Ok(answer) => {
                self.took(step, answer).await?;
                // What ended shows a little later.
                matches!(step, Next::TerminateNew { .. }).then_some(self.swapper.settings.poll)
            }
            Err(refusal) => self.not_done(step, refusal).await?,
        };
        // Who launches is told when by its turn.
        let wait = wait.filter(|_| !throttled);
        if let Some(wait) = wait {
            self.pause(wait).await;
        }
        Ok(())
    }

    /// Waits until it may launch. `false`: it waited so long, or something changed, that it looks again first.
    async fn has_turn(&mut self) -> bool {
        if self.turn.is_some() {
            return true;
        }
        let deadline = self.job.deadline().unwrap_or(Timestamp::MAX);
        let (launches, action) = (Arc::clone(&self.reads.launches), self.job.action().id.clone());
        let asked_at = Instant::now();
        tokio::select! {
            turn = launches.turn(deadline, &action) => self.turn = Some(turn),
            () = tokio::time::sleep(self.time_left()) => {}
            () = self.job.changed() => {}
        }
        self.turn.is_some() && asked_at.elapsed() < self.swapper.settings.poll
    }

    pub(crate) async fn perform(&self, step: &Next) -> Result<Answer, Refusal> {
        let region = &self.cloud().region;
        let done = match step {
            Next::Launch(launch) => {
                let instance = if self.doubt {
                    Box::pin(region.launch_again(launch)).await
                } else {
                    Box::pin(region.launch(launch)).await
                };
                return self
                    .cloud()
                    .told("launch", instance)
                    .map(|instance| Answer::Launched(instance.id));
            }
            Next::TerminateOld => {
                let old = &self.job.action().instance;
                self.reads.terminate(old).await
            }
            Next::TerminateNew { instance } => self.reads.terminate(instance).await,
            // Those under the lease are calls of their own.
            _ => Ok(()),
        };
        done.map(|()| Answer::Done)
    }

    /// A call under the lease, for one swap or several.
    pub(crate) async fn write(&self, write: &Write) -> Result<(), Refusal> {
        self::write(self.cloud(), &self.checkpoint.group, write).await
    }
}

/// A call that changes a group, made by who holds its lease.
pub(crate) async fn write(cloud: &Cloud, group: &str, write: &Write) -> Result<(), Refusal> {
    let region = &cloud.region;
    match write {
        Write::SetMax { to } => cloud.told("set-max", region.set_max(group, *to).await),
        Write::Attach { instances } => cloud.told("attach", region.attach(group, instances).await),
        Write::Protect { instances } => cloud.told("protect", region.protect(group, instances).await),
        Write::Detach { instances, decrement } => {
            cloud.told("detach", region.detach(group, instances, *decrement).await)
        }
        Write::SetDesired { to } => cloud.told("set-desired", region.set_desired(group, *to).await),
        Write::Rebalance { suspend } => {
            let word = if *suspend { "suspend" } else { "resume" };
            cloud.told(word, region.suspend(group, REBALANCE, *suspend).await)
        }
        Write::TerminateMember { instance, decrement } => cloud.told(
            "terminate-member",
            region.terminate_member(instance, *decrement).await,
        ),
    }
}
