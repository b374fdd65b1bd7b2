//! One step, done once.

use hollowtrees_aws::Refusal;
use hollowtrees_domain::swap::{Answer, Next};
use hollowtrees_runtime::worker::Failure;

use crate::saga::Saga;

impl Saga<'_> {
    /// A step that needs no lease.
    pub(crate) async fn alone(&mut self, step: &Next) -> Result<(), Failure> {
        self.job.fence().await?;
        let wait = match self.perform(step).await {
            Ok(answer) => {
                self.took(step, answer).await?;
                // What ended shows a little later.
                matches!(step, Next::TerminateNew { .. }).then_some(self.swapper.settings.poll)
            }
            Err(refusal) => self.not_done(step, refusal).await?,
        };
        if let Some(wait) = wait {
            self.pause(wait).await;
        }
        Ok(())
    }

    pub(crate) async fn perform(&self, step: &Next) -> Result<Answer, Refusal> {
        let (region, group) = (&self.cloud.region, &self.checkpoint.group);
        let old = &self.job.action().instance;
        let done = match step {
            Next::Launch(launch) => {
                let instance = if self.doubt {
                    Box::pin(region.launch_again(launch)).await
                } else {
                    Box::pin(region.launch(launch)).await
                };
                return self
                    .cloud
                    .told("launch", instance)
                    .map(|instance| Answer::Launched(instance.id));
            }
            Next::MakeRoom { max } | Next::RestoreMax { to: max } => {
                self.cloud.told("set-max", region.set_max(group, *max).await)
            }
            Next::Attach { instance } => self.cloud.told("attach", region.attach(group, instance).await),
            Next::Detach { decrement } => self
                .cloud
                .told("detach", region.detach(group, old, *decrement).await),
            Next::LowerDesired { to } => self
                .cloud
                .told("set-desired", region.set_desired(group, *to).await),
            Next::TerminateOld => self.cloud.told("terminate", region.terminate(old).await),
            Next::TerminateNew { instance } => self.cloud.told("terminate", region.terminate(instance).await),
            Next::TerminateMember { instance, decrement } => self.cloud.told(
                "terminate-member",
                region.terminate_member(instance, *decrement).await,
            ),
            Next::Begin | Next::Wait(_) | Next::Finish(_) => Ok(()),
        };
        done.map(|()| Answer::Done)
    }
}
