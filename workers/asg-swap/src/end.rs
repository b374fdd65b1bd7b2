//! The last step of a rule that drains after the swap: the old instance, on which no group counts any more, is ended.

use hollowtrees_domain::swap::{
    Drain, Next,
    forecast::Call,
    world::{Life, Standing},
};
use hollowtrees_runtime::worker::{Failure, Report};

use serde_json::json;

use crate::{calls, cloud::backoff, records, report, saga::Saga};

impl Saga<'_> {
    /// Waits for the drain, and ends the old instance if a swap took it out of its group.
    pub(crate) async fn end_old(mut self) -> Result<Report, Failure> {
        let old = self.job.action().instance.clone();
        loop {
            self.go_on()?;
            let around = records::around(&self.job).await?;
            let late = self.job.now() >= self.times.drain;
            if matches!(around.drain, Drain::Pending { .. }) && !late {
                self.pause(self.swapper.settings.poll).await;
                continue;
            }
            if self.job.is_cancelled() && around.drain != Drain::Emptied {
                return Ok(Report::cancelled(format!(
                    "The incident was withdrawn, and {old} may have pods; end it when it has none."
                )));
            }
            if let Some(skipped) = self.left_alone(&old, around.swapped).await? {
                return Ok(skipped);
            }
            if self.job.is_dry_run() {
                let call = Call::Terminate(old.clone());
                let name = calls::name(&call);
                let report = Report::succeeded(format!("Dry run: {old} would be ended, by {name}."));
                return Ok(report::detail(report, json!({"calls": [calls::told(&call, "")]})));
            }
            self.job.fence().await?;
            let Err(refusal) = self.perform(&Next::TerminateOld).await else {
                return Ok(Report::succeeded(format!("{old} is ended.")));
            };
            if self.job.now() >= self.times.end {
                return Ok(Report::failed(
                    "deadline",
                    format!("{old} may still run; it could not be ended: {refusal}."),
                ));
            }
            self.pause(backoff(self.tries, &refusal)).await;
            self.tries += 1;
        }
    }

    /// Why it is not for us to end it.
    async fn left_alone(&mut self, old: &str, swapped: bool) -> Result<Option<Report>, Failure> {
        let skipped = |reason: &str, why: String| Ok(Some(Report::skipped(reason, why)));
        if let Some(member) = self.membership(old).await? {
            let group = &member.group;
            return match member.standing {
                Standing::Leaving => skipped("leaving", format!("{group} lets {old} go by itself already.")),
                _ => skipped("in-group", format!("{old} is in {group}: no swap took it out.")),
            };
        }
        if self
            .instance(old)
            .await?
            .is_none_or(|found| found.life == Life::Gone)
        {
            return skipped("leaving", format!("{old} is gone already."));
        }
        if !swapped {
            return skipped(
                "not-swapped",
                format!("No swap of its incident took {old} out of a group: it is not ours to end."),
            );
        }
        Ok(None)
    }
}
