//! Steps that read sizes and members of a group and write them: under its lease, in as short a time as they take. Swaps
//! of one group are side by side otherwise.

use std::time::{Duration, Instant};

use hollowtrees_aws::Refusal;
use hollowtrees_domain::swap::{
    Next, Seen,
    book::{self, LEASE},
};
use hollowtrees_runtime::worker::Failure;

use crate::{
    group::{Changed, Place},
    saga::Saga,
};

/// Steps in one section; then others have their turn.
const STEPS: usize = 6;
/// A write is started only while the lease lasts this much longer: a call's time limit and a little.
const MARGIN: Duration = Duration::from_secs(22);
/// Between two looks at a lease that somebody holds.
const HELD: Duration = Duration::from_millis(250);

impl Saga<'_> {
    /// Takes the lease, does what is to be done under it, and gives it back.
    pub(crate) async fn section(&mut self) -> Result<(), Failure> {
        let place = self.place(&self.checkpoint.group);
        let asked_at = Instant::now();
        let lock = self.swapper.lock_of(&place.key());
        // Whose time ends while it waits says so.
        let Ok(turn) = tokio::time::timeout(self.time_left(), lock.lock()).await else {
            return Ok(());
        };
        if !self.lease(&place).await? {
            return Ok(());
        }
        self.swapper.telemetry.waited_for_lease(asked_at.elapsed());
        let worked = Box::pin(self.under_lease(&place)).await;
        let released = self.release(&place).await;
        drop(turn);
        let wait = worked?;
        released?;
        // Others have their turn meanwhile.
        if let Some(wait) = wait {
            self.pause(wait).await;
        }
        Ok(())
    }

    /// `false`: no time is left.
    async fn lease(&mut self, place: &Place) -> Result<bool, Failure> {
        loop {
            let (me, action, now) = (
                self.job.worker().clone(),
                self.job.action().id.clone(),
                self.job.now(),
            );
            let taken = place
                .change(self.job.bus(), |record| {
                    match book::lease(record, &me, &action, now) {
                        Ok(()) => Changed::Write(true),
                        Err(_) => Changed::Leave(false),
                    }
                })
                .await?;
            if taken {
                return Ok(true);
            }
            if self.time_left().is_zero() {
                return Ok(false);
            }
            self.pause(HELD).await;
            self.go_on()?;
        }
    }

    /// How long to wait before the next look, if at all.
    async fn under_lease(&mut self, place: &Place) -> Result<Option<Duration>, Failure> {
        for _ in 0..STEPS {
            self.go_on()?;
            let Some(seen) = self.look_in_time().await? else {
                return Ok(None);
            };
            let was_undone = self.checkpoint.undo.is_some();
            let step = self.decide(&seen).await?;
            let turned_back = !was_undone && self.checkpoint.undo.is_some();
            if turned_back || !step.needs_lease() {
                return Ok(None);
            }
            let asked_at = Instant::now();
            if !self.note(place, &step, &seen).await? {
                // The lease went to somebody else meanwhile.
                return Ok(None);
            }
            self.job.fence().await?;
            let lease = Duration::try_from(LEASE).unwrap_or_default();
            if asked_at.elapsed() + MARGIN > lease {
                continue;
            }
            match self.perform(&step).await {
                Ok(answer) => {
                    self.wrote(place, &step).await?;
                    self.took(&step, answer).await?;
                }
                // What may have happened shows at the next look.
                Err(refusal) => {
                    // Each is asked once, so that a throttled one was not done either.
                    if !matches!(refusal, Refusal::Unclear { .. }) {
                        self.was_refused(place).await?;
                    }
                    return self.not_done(&step, refusal).await;
                }
            }
        }
        Ok(None)
    }

    /// Notes what is about to be written, and holds the lease for that long. `false`: it is not ours any more.
    async fn note(&mut self, place: &Place, step: &Next, seen: &Seen) -> Result<bool, Failure> {
        let (me, action, now) = (
            self.job.worker().clone(),
            self.job.action().id.clone(),
            self.job.now(),
        );
        let (sizes, weight) = (seen.sizes(), self.checkpoint.old.weight);
        let Some(group) = &seen.group else {
            return Ok(false);
        };
        place
            .change(self.job.bus(), |record| {
                if !book::holds(record, &me, &action) || book::lease(record, &me, &action, now).is_err() {
                    return Changed::Leave(false);
                }
                // What another swap noted is not settled by what may be old; then ours changes no size.
                if !seen.books.stale {
                    book::settle(record, group, now);
                    book::plan(record, &action, step, sizes, weight, now);
                }
                Changed::Write(true)
            })
            .await
    }

    async fn wrote(&self, place: &Place, step: &Next) -> Result<(), Failure> {
        let (me, action, now) = (
            self.job.worker().clone(),
            self.job.action().id.clone(),
            self.job.now(),
        );
        place
            .change(self.job.bus(), |record| {
                if !book::holds(record, &me, &action) {
                    return Changed::Leave(());
                }
                if book::is_noted(record, &action) {
                    book::wrote(record, now);
                }
                if matches!(
                    step,
                    Next::Detach { decrement: false } | Next::TerminateMember { decrement: false, .. }
                ) {
                    book::gave_back(record, &action);
                }
                Changed::Write(())
            })
            .await
    }

    async fn was_refused(&self, place: &Place) -> Result<(), Failure> {
        let (me, action) = (self.job.worker().clone(), self.job.action().id.clone());
        place
            .change(self.job.bus(), |record| {
                if !book::holds(record, &me, &action) || !book::is_noted(record, &action) {
                    return Changed::Leave(());
                }
                book::was_refused(record);
                Changed::Write(())
            })
            .await
    }

    async fn release(&self, place: &Place) -> Result<(), Failure> {
        let (me, action) = (self.job.worker().clone(), self.job.action().id.clone());
        place
            .change(self.job.bus(), |record| {
                if !book::holds(record, &me, &action) {
                    return Changed::Leave(());
                }
                record.lease = None;
                Changed::Write(())
            })
            .await
    }
}
