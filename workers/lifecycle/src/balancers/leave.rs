//! Takes one instance out of its balancers, and waits until they have drained.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use hollowtrees_aws::{Refusal, Standing};
use hollowtrees_runtime::worker::{Failure, Job, Report};
use hollowtrees_schemas::names::when_expired;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    desk::{Desk, ago},
    params::{Params, Wait},
    place::Place,
    report::{self, Told},
};
use crate::{
    checkpoint,
    cloud::backoff,
    find::refused,
    telemetry::Left,
    worker::{ends_by, stopping},
};

/// What was taken out and is seen registered for longer than a change takes to be seen: somebody put it back.
const PUT_BACK_AFTER: Duration = Duration::from_secs(10);

/// For so long an address of a pod counts as the instance's that was seen to be. Amazon's network plugin lets an address rest
/// for 30 s before anybody else gets it (amazon-vpc-cni-k8s, `IP_COOLDOWN_PERIOD`).
const SEEN_FOR: Duration = Duration::from_secs(10);

/// What a later start has to know: written before the first call that changes something.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    places: Vec<Place>,
    /// When they were found.
    since: Timestamp,
}

/// How far one registration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// To be taken out.
    In,
    /// Out since then, and not drained yet, as far as is known.
    Out(Instant),
    /// Drained.
    Gone,
    /// AWS would not.
    Refused(String),
}

/// One instance.
pub(crate) struct Leave {
    job: Job,
    desk: Arc<Desk>,
    params: Params,
    poll: Duration,
    since: Timestamp,
    places: Vec<(Place, Stage)>,
    /// When addresses of pods were seen to be the instance's.
    pods_seen: Option<Instant>,
    /// Rounds in a row in which a call failed that may go better.
    tries: u32,
    trouble: Option<Refusal>,
    told: bool,
}

impl Leave {
    pub(crate) fn new(job: Job, desk: Arc<Desk>, params: Params, poll: Duration) -> Self {
        Self {
            since: job.now(),
            job,
            desk,
            params,
            poll,
            places: Vec::new(),
            pods_seen: None,
            tries: 0,
            trouble: None,
            told: false,
        }
    }

    pub(crate) async fn run(mut self) -> Result<Report, Failure> {
        if let Some(saved) = checkpoint::read::<Checkpoint>(&self.job).await {
            self.since = saved.since;
            self.begin(saved.places);
        } else if let Some(report) = self.find().await? {
            return Ok(report);
        }
        loop {
            if self.job.is_cancelled() {
                return self.undo().await;
            }
            if self.job.is_stopping() {
                return Err(stopping());
            }
            if self.job.now() >= self.until() {
                self.survey().await;
                let left = self.end().or_else(|| self.end_of_time());
                return Ok(self.ended(left.unwrap_or(Left::Deadline)));
            }
            self.trouble = None;
            self.take_out().await?;
            self.tell().await;
            self.look().await?;
            if let Some(left) = self.end() {
                return Ok(self.ended(left));
            }
            self.pause(self.until()).await;
        }
    }

    /// Looks where it is registered; the end, if that is nowhere or was not to be learned.
    async fn find(&mut self) -> Result<Option<Report>, Failure> {
        let instance = self.job.action().instance.clone();
        let places = loop {
            self.pods_seen = Some(Instant::now());
            match self
                .desk
                .find(&instance, &self.params.balancers, self.params.pods)
                .await
            {
                Ok(places) => break places,
                Err(refusal) if refusal.is_definite() => return Err(refused(&refusal)),
                Err(refusal) => self.trouble = Some(refusal),
            }
            if self.job.is_cancelled() {
                return Ok(Some(Report::cancelled("The incident was withdrawn.")));
            }
            if self.job.is_stopping() {
                return Err(stopping());
            }
            if self.job.now() >= self.until() {
                return Ok(Some(self.ended(Left::Deadline)));
            }
            self.pause(self.until()).await;
        };
        if places.is_empty() {
            self.count(Left::NotRegistered);
            return Ok(Some(report::not_registered(&instance)));
        }
        if self.job.is_dry_run() {
            return Ok(Some(report::rehearsed(&instance, &places)));
        }
        self.begin(places);
        self.save().await?;
        Ok(None)
    }

    fn begin(&mut self, places: Vec<Place>) {
        let now = Instant::now();
        let begun = places.into_iter().map(|place| {
            let stage = if place.ours { Stage::In } else { Stage::Out(now) };
            (place, stage)
        });
        self.places = begun.collect();
    }

    async fn save(&self) -> Result<(), Failure> {
        let checkpoint = Checkpoint {
            places: self.places.iter().map(|(place, _)| place.clone()).collect(),
            since: self.since,
        };
        checkpoint::write(&self.job, &checkpoint).await
    }

    /// Takes out what is in.
    async fn take_out(&mut self) -> Result<(), Failure> {
        if !self.places.iter().any(|(_, stage)| *stage == Stage::In) {
            return Ok(());
        }
        let pods = self.pods_are_its_own(|stage| *stage == Stage::In).await;
        self.job.fence().await?;
        let desk = &self.desk;
        let asked = self.places.iter_mut();
        let asked = asked.filter(|(place, stage)| *stage == Stage::In && (pods || !place.of_pod));
        let answers = join_all(asked.map(|(place, stage)| async move {
            match desk.take_out(place).await {
                Ok(()) => *stage = Stage::Out(Instant::now()),
                Err(Refusal::Missing { .. }) => *stage = Stage::Gone,
                Err(refusal) if refusal.is_definite() => *stage = Stage::Refused(refusal.to_string()),
                Err(refusal) => return Some(refusal),
            }
            None
        }));
        let trouble = answers.await.into_iter().flatten().next();
        self.trouble = self.trouble.take().or(trouble);
        Ok(())
    }

    /// Sees which have drained.
    async fn look(&mut self) -> Result<(), Failure> {
        let (desk, fresh) = (&self.desk, ago(self.poll));
        let waiting = self
            .places
            .iter_mut()
            .filter(|(_, stage)| matches!(stage, Stage::Out(_)));
        let answers = join_all(waiting.map(|(place, stage)| async move {
            let Stage::Out(since) = *stage else {
                return (false, None);
            };
            match desk.standing(place, since.max(fresh)).await {
                Ok(None) => *stage = Stage::Gone,
                Ok(Some(Standing::Registered)) if since.elapsed() > PUT_BACK_AFTER => {
                    *stage = Stage::In;
                    return (!std::mem::replace(&mut place.ours, true), None);
                }
                Ok(Some(_)) => {}
                Err(refusal) if refusal.is_definite() => *stage = Stage::Refused(refusal.to_string()),
                Err(refusal) => return (false, Some(refusal)),
            }
            (false, None)
        }));
        let answers = answers.await;
        if answers.iter().any(|(new, _)| *new) {
            self.save().await?;
        }
        let trouble = answers.into_iter().find_map(|(_, trouble)| trouble);
        self.trouble = self.trouble.take().or(trouble);
        Ok(())
    }

    /// Whether addresses of pods may be touched. Those that are not the instance's any more are given up: they may be another
    /// machine's by now.
    async fn pods_are_its_own(&mut self, concerned: impl Fn(&Stage) -> bool) -> bool {
        let is_seen = |at: Instant| at.elapsed() < SEEN_FOR;
        let of_pods = |(place, stage): &&mut (Place, Stage)| place.of_pod && concerned(stage);
        if self.pods_seen.is_some_and(is_seen) || !self.places.iter_mut().any(|place| of_pods(&place)) {
            return true;
        }
        let asked_at = Instant::now();
        let machine = match self.desk.machine(&self.job.action().instance).await {
            Ok(machine) => machine.unwrap_or_default(),
            Err(refusal) => {
                if refusal.is_definite() {
                    for (_, stage) in self.places.iter_mut().filter(of_pods) {
                        *stage = Stage::Refused(refusal.to_string());
                    }
                } else {
                    self.trouble = Some(refusal);
                }
                return false;
            }
        };
        for (place, stage) in self.places.iter_mut().filter(of_pods) {
            if !place.is_still_of(&machine) {
                *stage = Stage::Gone;
            }
        }
        self.pods_seen = Some(asked_at);
        true
    }

    /// Sees what is in still: an earlier start may have taken it out.
    async fn survey(&mut self) {
        let desk = &self.desk;
        let unknown = self.places.iter_mut().filter(|(_, stage)| *stage == Stage::In);
        join_all(unknown.map(|(place, stage)| async move {
            match desk.standing(place, Instant::now()).await {
                Ok(None) => *stage = Stage::Gone,
                Ok(Some(Standing::Draining)) => *stage = Stage::Out(Instant::now()),
                Ok(Some(Standing::Registered)) | Err(_) => {}
            }
        }))
        .await;
    }

    /// Tells once that no new requests come.
    async fn tell(&mut self) {
        let out = |stage: &Stage| matches!(stage, Stage::Out(_) | Stage::Gone);
        if !self.told && self.places.iter().all(|(_, stage)| out(stage)) {
            self.told = true;
            let (message, detail) = report::deregistered(&self.of());
            self.job.progress("deregistered", &message, detail).await;
        }
    }

    /// How it ended, if it did.
    fn end(&self) -> Option<Left> {
        let ended = |stage: &Stage| match stage {
            Stage::In => false,
            Stage::Out(_) => self.params.wait == Wait::No,
            Stage::Gone | Stage::Refused(_) => true,
        };
        let refused = |stage: &Stage| matches!(stage, Stage::Refused(_));
        if !self.places.iter().all(|(_, stage)| ended(stage)) {
            return None;
        }
        let any = self.places.iter().any(|(_, stage)| refused(stage));
        Some(if any { Left::Refused } else { Left::Drained })
    }

    /// How it ended where there is no more time: out of all is enough, unless the whole draining was wanted.
    fn end_of_time(&self) -> Option<Left> {
        let is_out = |stage: &Stage| matches!(stage, Stage::Out(_) | Stage::Gone);
        let enough = self.params.wait == Wait::WhileThereIsTime
            && !self.places.is_empty()
            && self.places.iter().all(|(_, stage)| is_out(stage));
        enough.then_some(Left::Draining)
    }

    /// Puts back what was taken out: the instance stays.
    async fn undo(mut self) -> Result<Report, Failure> {
        let until = ends_by(&self.job);
        self.places.retain(|(place, _)| place.ours);
        for (_, stage) in &mut self.places {
            *stage = Stage::Out(Instant::now());
        }
        loop {
            self.trouble = None;
            let is_out = |stage: &Stage| matches!(stage, Stage::Out(_));
            let pods = self.pods_are_its_own(is_out).await;
            self.job.fence().await?;
            let desk = &self.desk;
            let out = self.places.iter_mut();
            let out = out.filter(|(place, stage)| is_out(stage) && (pods || !place.of_pod));
            let answers = join_all(out.map(|(place, stage)| async move {
                match desk.put_back(place).await {
                    Ok(()) => *stage = Stage::In,
                    // Its balancer is no more.
                    Err(Refusal::Missing { .. }) => *stage = Stage::Gone,
                    Err(refusal) if refusal.is_definite() => *stage = Stage::Refused(refusal.to_string()),
                    Err(refusal) => return Some(refusal),
                }
                None
            }));
            let trouble = answers.await.into_iter().flatten().next();
            self.trouble = self.trouble.take().or(trouble);
            if self.trouble.is_none() || self.job.now() >= until {
                self.count(Left::PutBack);
                return Ok(report::put_back(&self.of()));
            }
            if self.job.is_stopping() {
                return Err(stopping());
            }
            self.pause(until).await;
        }
    }

    fn ended(&self, left: Left) -> Report {
        self.count(left);
        report::ended(&self.of(), left, self.trouble.as_ref())
    }

    fn count(&self, left: Left) {
        let telemetry = &self.desk.cloud().telemetry;
        telemetry.left(&self.job.action().id, left);
    }

    fn of(&self) -> Told<'_> {
        Told {
            instance: &self.job.action().instance,
            places: &self.places,
            after: self.job.now().duration_since(self.since),
        }
    }

    /// Nothing is begun from then on.
    fn until(&self) -> Timestamp {
        let last = ends_by(&self.job);
        if self.job.action().when_expired == when_expired::RUN {
            return last;
        }
        self.job.deadline().map_or(last, |deadline| deadline.min(last))
    }

    async fn pause(&mut self, until: Timestamp) {
        let wait = match &self.trouble {
            Some(refusal) => {
                tracing::warn!(action = self.job.action().id, %refusal, "A load balancer was not reached; it is tried again.");
                self.tries = self.tries.saturating_add(1);
                backoff(self.tries - 1, refusal)
            }
            None => {
                self.tries = 0;
                self.poll.mul_f64(rand::random_range(0.8..=1.2))
            }
        };
        let left = until
            .duration_since(self.job.now())
            .max(SignedDuration::from_millis(50));
        let wait = wait.min(Duration::try_from(left).unwrap_or(wait));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.job.changed() => {}
        }
    }
}
