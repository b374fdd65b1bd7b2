//! Holds a hook open while work is under way, and answers it.

use std::time::Duration;

use hollowtrees_aws::{Answer, Refusal};
use hollowtrees_cluster::Nodes;
use hollowtrees_domain::hook::{Awaited, Bounds, Next, Work, decide};
use hollowtrees_runtime::worker::{Failure, Job, Report};
use hollowtrees_schemas::envelope::DataFormat;
use jiff::{SignedDuration, Timestamp};

use crate::{
    checkpoint::Checkpoint,
    cloud::{Cloud, backoff},
    extend,
    params::{Params, Policy},
    report::{self, Ended},
    telemetry::End,
    work,
    worker::{ends_by, stopping},
};

/// Between two tries to tell of a later deadline.
const TELL_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// One hook, from where it was found or another start left it.
pub(crate) struct Hold {
    pub(crate) job: Job,
    pub(crate) cloud: Cloud,
    /// Nodes of the action's cluster, where they are seen.
    pub(crate) nodes: Option<Nodes>,
    pub(crate) params: Params,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) poll: Duration,
    /// How notices are written.
    pub(crate) format: DataFormat,
    /// A heartbeat failed: the next one not before.
    pub(crate) heartbeat_from: Option<Timestamp>,
    /// A later deadline could not be told: not again before.
    pub(crate) tell_from: Option<Timestamp>,
    /// Calls in a row that failed.
    pub(crate) tries: u32,
    /// What is waited for, as it was seen last.
    pub(crate) waited: Vec<Awaited>,
}

impl Hold {
    pub(crate) async fn run(mut self) -> Result<Report, Failure> {
        if let Some(answer) = self.checkpoint.answering() {
            // Another start was at it when it ended: whether AWS heard of it, its answer tells.
            let (work, waited) = self.work().await;
            self.waited = waited;
            return self.answer(work, answer, true).await;
        }
        let last_words = self.job.ends_by().duration_since(ends_by(&self.job));
        loop {
            if self.job.is_cancelled() {
                self.ended(End::Left);
                let message = format!(
                    "The incident was withdrawn; hook {} of {} was left to time out.",
                    self.checkpoint.hook, self.checkpoint.group
                );
                return Ok(Report::cancelled(message));
            }
            if self.job.is_stopping() {
                return Err(stopping());
            }
            if self.is_unseen() {
                // No time brings a node that is not looked for.
                let (work, waited) = self.work().await;
                self.waited = waited;
                let policy = self.params.no_node.unwrap_or(Policy::Leave);
                return self.follow(work, policy).await;
            }
            let (work, waited) = self.work().await;
            self.waited = waited;
            if work == Work::UnderWay {
                self.tell_extension().await;
            }
            let bounds = Bounds {
                deadline: self.job.deadline(),
                ends_by: self.job.ends_by() - last_words,
                heartbeat_from: self.heartbeat_from,
            };
            let now = self.job.now();
            match decide(&self.checkpoint.times(), work, &bounds, now) {
                Next::Wait(until) => self.pause(until.duration_since(now)).await,
                Next::Heartbeat => {
                    if let Some(over) = self.heartbeat(now).await? {
                        return Ok(over);
                    }
                }
                Next::Answer(work) => {
                    let (policy, _) = self.params.after(work, &self.waited);
                    return self.follow(work, policy).await;
                }
            }
        }
    }

    /// It is one of launches, and nobody here sees the nodes of its cluster.
    fn is_unseen(&self) -> bool {
        self.checkpoint.launching && self.nodes.is_none()
    }

    async fn follow(self, work: Work, policy: Policy) -> Result<Report, Failure> {
        match policy {
            Policy::Answer(answer) => self.answer(work, answer, false).await,
            Policy::Leave => {
                self.ended(End::Left);
                Ok(self.report(work, Ended::Left))
            }
        }
    }

    /// What the hook waits for: with a launch the node of the instance, else the other work of the incident.
    async fn work(&self) -> (Work, Vec<Awaited>) {
        if self.checkpoint.launching {
            work::of_node(self.nodes.as_ref(), &self.job.action().instance)
        } else {
            work::of(&self.job).await
        }
    }

    /// Has the hook wait on; the end, where it does not wait any more.
    async fn heartbeat(&mut self, now: Timestamp) -> Result<Option<Report>, Failure> {
        let wait = self.checkpoint.wait(&self.job.action().instance);
        let answer = self.cloud.region.prolong(wait).await;
        match self.cloud.told("heartbeat", answer) {
            Ok(true) => {
                self.checkpoint.prolong(now);
                (self.heartbeat_from, self.tries) = (None, 0);
                self.checkpoint.save(&self.job).await?;
                Ok(None)
            }
            Ok(false) => {
                self.ended(End::Over);
                Ok(Some(report::over(
                    &self.job.action().instance,
                    &self.checkpoint,
                    &self.waited,
                )))
            }
            Err(refusal) => {
                tracing::warn!(action = self.job.action().id, %refusal, "A lifecycle hook was not prolonged.");
                let wait = backoff(self.tries, &refusal);
                self.tries = self.tries.saturating_add(1);
                let wait = SignedDuration::try_from(wait).unwrap_or_default();
                self.heartbeat_from = self.job.now().checked_add(wait).ok();
                Ok(None)
            }
        }
    }

    /// Tells of the time that heartbeats have won for the work, where the rule wants it. What cannot be told is tried
    /// again, and is no more than time that is not used.
    async fn tell_extension(&mut self) {
        let now = self.job.now();
        let Some(deadline) = extend::deadline(&self.checkpoint, &self.params) else {
            return;
        };
        if self.tell_from.is_some_and(|from| now < from) {
            return;
        }
        let action = &self.job.action().id;
        match extend::tell(&self.job, &self.checkpoint, deadline, self.format).await {
            Ok(()) => {
                tracing::info!(action, %deadline, "A lifecycle hook was prolonged: its work has more time.");
                (self.checkpoint.extended_to, self.tell_from) = (Some(deadline), None);
            }
            Err(error) => {
                tracing::warn!(action, %deadline, error, "A later deadline could not be told; it is tried again.");
                self.tell_from = Some(now + TELL_AGAIN);
            }
        }
    }

    /// Answers the hook, until AWS has said whether it was. `asked`: an earlier call may have been heard.
    async fn answer(mut self, work: Work, answer: Answer, mut asked: bool) -> Result<Report, Failure> {
        self.checkpoint.answering = Some(answer.as_str().to_owned());
        if !asked {
            self.checkpoint.save(&self.job).await?;
        }
        self.tries = 0;
        loop {
            self.job.fence().await?;
            let wait = self.checkpoint.wait(&self.job.action().instance);
            let told = self.cloud.region.answer(wait, answer).await;
            let refusal = match self.cloud.told("answer", told) {
                Ok(true) => return Ok(self.answered(work, answer, true)),
                // Ours, or its time-out: nobody can tell.
                Ok(false) if asked => return Ok(self.answered(work, answer, false)),
                Ok(false) | Err(Refusal::Missing { .. }) => {
                    self.ended(End::Over);
                    let instance = &self.job.action().instance;
                    return Ok(report::over(instance, &self.checkpoint, &self.waited));
                }
                Err(refusal) => refusal,
            };
            asked |= refusal.may_have_happened();
            let wait = backoff(self.tries, &refusal);
            let until = self.job.ends_by() - SignedDuration::from_secs(2);
            let next = SignedDuration::try_from(wait)
                .ok()
                .and_then(|wait| self.job.now().checked_add(wait).ok());
            if refusal.is_definite() || next.is_none_or(|next| next >= until) {
                self.ended(End::Left);
                let why = refusal.to_string();
                return Ok(report::unanswered(&self.checkpoint, answer, &self.waited, &why));
            }
            tracing::warn!(action = self.job.action().id, %refusal, "A lifecycle hook was not answered; it is tried again.");
            self.tries = self.tries.saturating_add(1);
            tokio::time::sleep(wait).await;
            if self.job.is_stopping() {
                return Err(stopping());
            }
        }
    }

    fn answered(&self, work: Work, answer: Answer, confirmed: bool) -> Report {
        self.ended(match answer {
            Answer::Continue => End::Continue,
            Answer::Abandon => End::Abandon,
        });
        self.report(work, Ended::Answered { answer, confirmed })
    }

    fn report(&self, work: Work, ended: Ended) -> Report {
        let action = self.job.action();
        if self.is_unseen() {
            return report::sees_no_nodes(&action.cluster, &self.checkpoint, ended, &self.waited);
        }
        let (_, without_node) = self.params.after(work, &self.waited);
        let work = (work, without_node);
        report::ended(&action.instance, &self.checkpoint, work, ended, &self.waited)
    }

    fn ended(&self, end: End) {
        self.cloud.telemetry.ended(&self.job.action().id, end);
    }

    async fn pause(&mut self, at_most: SignedDuration) {
        let at_most = Duration::try_from(at_most).unwrap_or_default();
        let wait = self.poll.mul_f64(rand::random_range(0.8..=1.2)).min(at_most);
        let nodes = self.nodes.as_ref().filter(|_| self.checkpoint.launching);
        let instance = self.job.action().instance.clone();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = work::changed(nodes, &instance) => {}
            () = self.job.changed() => {}
        }
    }
}
