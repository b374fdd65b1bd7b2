//! The last word of a swap.

use hollowtrees_domain::swap::{End, book, checkpoint::Undo};
use hollowtrees_runtime::worker::{Failure, Report};
use hollowtrees_schemas::names::result;

use crate::{
    group::Changed,
    report,
    saga::{Leaves, Saga},
};

impl Saga<'_> {
    pub(crate) fn out_of_time(&self) -> End {
        let what = match (&self.checkpoint.launched, &self.checkpoint.undo) {
            (Some(new), _) => {
                format!("{new} was launched and may still run; what was asked last was not answered.")
            }
            (None, _) if self.checkpoint.in_doubt => {
                format!(
                    "a launch was not answered; look for the tag hollowtrees.io/action={}",
                    self.job.action().id
                )
            }
            (None, Some(Undo::Failed { message, .. })) => message.clone(),
            (None, _) => "nothing was launched.".to_owned(),
        };
        End {
            result: result::FAILED,
            reason: "deadline".to_owned(),
            message: format!("Time ran out: {what}"),
        }
    }

    /// Closes the books and makes the outcome. None: since the last look others have made room in MaxSize, or those who were to take
    /// it back have ended, and it is for this one.
    pub(crate) async fn finish(&mut self, end: End) -> Result<Option<Report>, Failure> {
        let mut group = None;
        if self.checkpoint.has_begun() {
            let name = self.checkpoint.group.clone();
            let (action, now) = (self.job.action().id.clone(), self.job.now());
            if now < self.times.end {
                group = self.group(&name).await?;
            }
            let (word, leaves) = (end.result, self.leaves);
            let closed = self
                .place(&name)
                .change(self.job.bus(), |record| {
                    let is_last = |group| book::is_last_to_put_back(record, &action, group, now);
                    if leaves != Leaves::Knowingly && group.as_ref().is_some_and(is_last) {
                        return Changed::Leave(false);
                    }
                    book::close(record, &action, word, now);
                    Changed::Write(true)
                })
                .await?;
            if !closed {
                return Ok(None);
            }
            self.leave_account(word).await?;
        }
        self.swapper.telemetry.swapped_back(&self.checkpoint, &end);
        let sizes = group.map(|group| group.sizes);
        Ok(Some(report::of(self.job.action(), &self.checkpoint, end, sizes)))
    }
}
