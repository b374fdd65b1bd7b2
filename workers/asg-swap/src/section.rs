//! Steps that read sizes and members of a group and write them: under its lease, in as short a time as they take.
//!
//! Swaps of a group that are in this process meet at its desk. Whoever has the turn leads: it takes the lease, looks at the
//! group, and everybody decides by that look. What they are to do is joined to one call; then they look again, unless it
//! changed nothing but MaxSize, a process or protection. Where a call for several is refused, each is asked for alone.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use hollowtrees_aws::Refusal;
use hollowtrees_domain::swap::{
    Answer, Next, Seen,
    book::{self, LEASE},
    joint::{Joint, Wish, Write, join},
    note,
    world::Group,
};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::proto;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};

use crate::{
    desk::{Asked, Desk, Round},
    group::{Changed, Place},
    saga::Saga,
    step::OLD,
};

/// Rounds in one section; then others have their turn.
const ROUNDS: usize = 12;
/// A write is started only while the lease lasts this much longer: a call's time limit and a little.
const MARGIN: Duration = Duration::from_secs(22);
/// Between two looks at a lease that somebody holds.
const HELD: Duration = Duration::from_millis(250);
/// Who leads waits so long for what the others decide by its look.
const DECIDES_WITHIN: Duration = Duration::from_secs(3);
/// Steps that are asked for in one round.
const ASKED: usize = 256;

/// What came of a round for a swap that does not lead.
enum Rode {
    /// The next one may be its own.
    On,
    /// It has nothing more to do under the lease, or waits before it asks again.
    Off(Option<Duration>),
}

impl Saga<'_> {
    /// Comes to the group's desk, and does there what is to be done under the lease.
    pub(crate) async fn section(&mut self) -> Result<(), Failure> {
        let place = self.place(&self.checkpoint.group);
        let asked_at = Instant::now();
        let desk = self.swapper.desks.of(&place.key());
        let mut seat = desk.sit();
        // Looks at another desk have other numbers.
        self.seen = None;
        let turn = Arc::clone(&desk.turn).lock_owned();
        tokio::pin!(turn);
        let wait = loop {
            tokio::select! {
                turn = &mut turn => {
                    drop(seat);
                    let led = self.lead(&place, &desk, asked_at).await;
                    drop(turn);
                    break led?;
                }
                Some(round) = seat.rounds.recv() => {
                    if let Rode::Off(wait) = self.ride(round).await? {
                        break wait;
                    }
                }
                // Whose time ends while it waits says so.
                () = tokio::time::sleep(self.time_left()) => return Ok(()),
            }
            self.go_on()?;
        };
        // Others have their turn meanwhile.
        if let Some(wait) = wait {
            self.pause(wait).await;
        }
        Ok(())
    }

    /// Takes the lease, works for all who sit at the desk, and gives it back.
    async fn lead(
        &mut self,
        place: &Place,
        desk: &Desk,
        asked_at: Instant,
    ) -> Result<Option<Duration>, Failure> {
        desk.gather(self.patience()).await;
        if !self.lease(place).await? {
            return Ok(None);
        }
        self.swapper.telemetry.waited_for_lease(asked_at.elapsed());
        let worked = Box::pin(self.under_lease(place, desk)).await;
        let released = self.release(place).await;
        let wait = worked?;
        released?;
        Ok(wait)
    }

    /// How long others are waited for: a part of the time that is left.
    fn patience(&self) -> Duration {
        let ends = self.job.deadline().unwrap_or(self.times.give_up);
        let left = ends.min(self.times.give_up).duration_since(self.job.now());
        Duration::try_from(left.max(SignedDuration::ZERO) / 8).unwrap_or_default()
    }

    /// `false`: no time is left.
    async fn lease(&mut self, place: &Place) -> Result<bool, Failure> {
        loop {
            let (me, action, now) = self.holder();
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

    fn holder(&self) -> (proto::Worker, String, Timestamp) {
        (
            self.job.worker().clone(),
            self.job.action().id.clone(),
            self.job.now(),
        )
    }

    /// How long to wait before the next look, if at all.
    async fn under_lease(&mut self, place: &Place, desk: &Desk) -> Result<Option<Duration>, Failure> {
        // Those that are asked for alone from now on, and have been; none: together.
        let mut alone: Option<BTreeSet<String>> = None;
        // The latest look, and what it shows, where since then nothing was written here that changes who is a member.
        let mut known: Option<(u64, Group)> = None;
        for _ in 0..ROUNDS {
            self.go_on()?;
            let (look, read) = match known.take() {
                Some((look, group)) => {
                    let record = place.read(self.job.bus()).await?;
                    (look, Some((Some(group), record)))
                }
                None => (desk.new_look(), self.read_in_time().await?),
            };
            let Some((group, record)) = read else {
                return Ok(None);
            };
            let (asked, mut heard) = mpsc::channel(ASKED);
            let record = Arc::new(record);
            desk.call(&Round {
                group: group.clone(),
                record: Arc::clone(&record),
                look,
                asked,
            });
            let Some(seen) = self.see_in_time(group, &record, look).await? else {
                return Ok(None);
            };
            let looked_at = Instant::now();
            let own = self.wish(&seen).await?;
            let mut others = Vec::new();
            let everybody = async {
                while let Some(asked) = heard.recv().await {
                    others.push(asked);
                }
            };
            drop(tokio::time::timeout(DECIDES_WITHIN, everybody).await);
            drop(heard);
            let chosen = self.choose_call(&seen, own.as_ref(), &others, alone.as_mut());
            let Some(joint) = chosen else {
                return Ok(None);
            };
            let asked_at = Instant::now();
            if !self.note(place, &joint, &seen).await? {
                // The lease went to somebody else meanwhile.
                return Ok(None);
            }
            self.job.fence().await?;
            let lease = Duration::try_from(LEASE).unwrap_or_default();
            if asked_at.elapsed() + MARGIN > lease || looked_at.elapsed() > OLD {
                continue;
            }
            let answer = self.write(&joint.write).await;
            match &answer {
                Ok(()) => {
                    self.wrote(place, &joint).await?;
                    let shown = seen.group.and_then(|group| joint.write.shown(group));
                    known = shown.map(|group| (look, group));
                }
                // What may have happened shows at the next look. Each is asked once, so that a throttled one was not done.
                Err(Refusal::Unclear { .. }) => {}
                Err(refusal) => {
                    self.was_refused(place, &joint, refusal).await?;
                    if refusal.is_definite() && joint.shares.len() > 1 {
                        tracing::info!(group = self.checkpoint.group, %refusal, "A call for several swaps was refused; each is asked for alone.");
                        alone = Some(BTreeSet::new());
                        continue;
                    }
                }
            }
            for other in others.into_iter().filter(|other| joint.is_of(&other.wish.action)) {
                // Whoever went away meanwhile sees it by itself.
                drop(other.told.send(answer.clone()));
            }
            let Some(own) = own else {
                continue;
            };
            if joint.is_of(&own.action)
                && let Some(wait) = self.heard(&own.step, answer).await?
            {
                return Ok(Some(wait));
            }
        }
        Ok(None)
    }

    /// The call that is made in this round.
    fn choose_call(
        &self,
        seen: &Seen,
        own: Option<&Wish>,
        others: &[Asked],
        alone: Option<&mut BTreeSet<String>>,
    ) -> Option<Joint> {
        let ends = self.job.deadline().unwrap_or(Timestamp::MAX);
        let others = others.iter().map(|other| (other.deadline, &other.wish));
        let mut wishes: Vec<_> = own.map(|own| (ends, own)).into_iter().chain(others).collect();
        wishes.sort_by_key(|(deadline, wish)| (*deadline, wish.action.clone()));
        let mut wishes: Vec<Wish> = wishes.into_iter().map(|(_, wish)| wish.clone()).collect();
        if let Some(tried) = alone {
            wishes.retain(|wish| !tried.contains(&wish.action));
            wishes.truncate(1);
            tried.extend(wishes.iter().map(|wish| wish.action.clone()));
        }
        let joint = join(seen.sizes(), &wishes)?;
        // Sizes that may be old are for nobody to change.
        (!(seen.books.stale && joint.write.changes_sizes())).then_some(joint)
    }

    /// Decides by the look of whoever leads, and hears what came of it.
    async fn ride(&mut self, round: Round) -> Result<Rode, Failure> {
        let Some(seen) = self.see_in_time(round.group, &round.record, round.look).await? else {
            return Ok(Rode::Off(None));
        };
        let Some(wish) = self.wish(&seen).await? else {
            return Ok(Rode::Off(None));
        };
        let (told, hears) = oneshot::channel();
        let step = wish.step.clone();
        let asked = Asked {
            wish,
            deadline: self.job.deadline().unwrap_or(Timestamp::MAX),
            told,
        };
        if round.asked.send(asked).await.is_err() {
            return Ok(Rode::On);
        }
        drop(round.asked);
        match hears.await {
            Ok(answer) => Ok(match self.heard(&step, answer).await? {
                None => Rode::On,
                wait => Rode::Off(wait),
            }),
            // It was not its turn.
            Err(_) => Ok(Rode::On),
        }
    }

    /// The step that is next by this look, if it is one of those under the lease, and still ours to do.
    async fn wish(&mut self, seen: &Seen) -> Result<Option<Wish>, Failure> {
        let was_undone = self.checkpoint.undo.is_some();
        let step = self.decide(seen).await?;
        let turned_back = !was_undone && self.checkpoint.undo.is_some();
        if turned_back || !step.needs_lease() {
            return Ok(None);
        }
        self.job.fence().await?;
        Ok(Some(Wish {
            action: self.job.action().id.clone(),
            old: self.job.action().instance.clone(),
            weight: self.checkpoint.old.weight,
            step,
        }))
    }

    /// How long to wait before it is asked for again, if it was not done.
    async fn heard(&mut self, step: &Next, answer: Result<(), Refusal>) -> Result<Option<Duration>, Failure> {
        match answer {
            Ok(()) => {
                self.took(step, Answer::Done).await?;
                Ok(None)
            }
            // One that is refused for good goes another way at once.
            Err(refusal) => Ok(Some(self.not_done(step, refusal).await?.unwrap_or_default())),
        }
    }

    /// Notes what is about to be written, and holds the lease for that long. `false`: it is not ours any more.
    async fn note(&mut self, place: &Place, joint: &Joint, seen: &Seen) -> Result<bool, Failure> {
        let (me, action, now) = self.holder();
        let sizes = seen.sizes();
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
                    note::settle(record, group, now);
                    note::plan(record, &action, joint, sizes, now);
                }
                Changed::Write(true)
            })
            .await
    }

    async fn wrote(&self, place: &Place, joint: &Joint) -> Result<(), Failure> {
        let (me, action, now) = self.holder();
        place
            .change(self.job.bus(), |record| {
                if !book::holds(record, &me, &action) {
                    return Changed::Leave(());
                }
                note::done(record, &action, joint, now);
                Changed::Write(())
            })
            .await
    }

    async fn was_refused(&self, place: &Place, joint: &Joint, refusal: &Refusal) -> Result<(), Failure> {
        let (me, action, _) = self.holder();
        let unsuspended = joint.write == (Write::Rebalance { suspend: true }) && refusal.is_definite();
        place
            .change(self.job.bus(), |record| {
                if !book::holds(record, &me, &action) {
                    return Changed::Leave(());
                }
                if unsuspended {
                    note::unsuspended(record);
                } else if !note::was_refused(record, &action, &joint.write) {
                    return Changed::Leave(());
                }
                Changed::Write(())
            })
            .await
    }

    async fn release(&self, place: &Place) -> Result<(), Failure> {
        let (me, action, _) = self.holder();
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
