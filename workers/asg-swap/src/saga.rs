//! Looks, asks what is next, does it, until the end.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use hollowtrees_aws::Refusal;
use hollowtrees_domain::{
    swap::{
        Checkpoint, Decision, Drain, Next, Orders, Policy, Seen, Strategy, TAG_STRATEGY,
        choice::Claim,
        decide,
        skip::tag,
        world::{Life, Standing},
    },
    words::Certainty,
};
use hollowtrees_runtime::worker::{Failure, Job, Report};
use hollowtrees_schemas::proto::time;
use jiff::SignedDuration;

use crate::{
    cloud::{Cloud, backoff},
    desk::Coming,
    group::Place,
    launches::Turn,
    node::NodeWait,
    params::Params,
    reads::Reads,
    rehearsal, report,
    times::Times,
    worker::{Swapper, stopping},
};

/// One swap, from its start or from where another start left it.
pub(crate) struct Saga<'a> {
    pub(crate) swapper: &'a Swapper,
    pub(crate) job: Job,
    pub(crate) reads: Arc<Reads>,
    pub(crate) checkpoint: Checkpoint,
    /// What the action asks for.
    asked: Option<Strategy>,
    /// What the action allows; the group's tags may allow less where it says nothing.
    pub(crate) policy: Policy,
    pub(crate) times: Times,
    /// The wait for the replacement's node.
    pub(crate) node: NodeWait,
    /// How long its health at load balancers is waited for; zero: not at all.
    pub(crate) healthy_within: Duration,
    /// The next look asks for all that carries our tag.
    pub(crate) whole_look: bool,
    /// The last look did.
    pub(crate) looked_whole: bool,
    /// What the latest look under the lease showed, by its number.
    pub(crate) seen: Option<(u64, Seen)>,
    /// An earlier call of the launch that is tried may have happened.
    pub(crate) doubt: bool,
    /// It may launch.
    pub(crate) turn: Option<Turn>,
    /// Definite refusals in a row.
    pub(crate) strikes: u32,
    /// Calls in a row that were not answered.
    pub(crate) tries: u32,
    told: BTreeSet<&'static str>,
    /// Others of its group wait for it a little, while it is on its way to a step under the lease.
    pub(crate) coming: Option<Coming>,
    /// By the last look.
    pub(crate) leaves: Leaves,
}

/// What a swap that ends leaves of room in MaxSize, and of zones that are not evened out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// There is nothing.
    Nothing,
    /// Others of the group put it back.
    ToOthers,
    /// It could not be put back, or no time is left to.
    Knowingly,
}

impl<'a> Saga<'a> {
    pub(crate) async fn new(
        swapper: &'a Swapper,
        job: Job,
        reads: Arc<Reads>,
        asked: Params,
    ) -> Result<Self, Failure> {
        let checkpoint = match job.checkpoint().await {
            Some(saved) => report::from_struct(&saved).map_err(|error| {
                Failure::rejected("checkpoint", format!("its checkpoint cannot be read: {error}"))
            })?,
            None => Checkpoint::default(),
        };
        let times = Times::of(swapper, &job);
        let node = NodeWait::of(swapper, job.action(), asked.wait_for_node);
        let healthy_within = asked
            .wait_for_targets
            .unwrap_or(swapper.settings.wait_for_targets);
        let doubt = checkpoint.in_doubt;
        // Whoever begins has launched nothing.
        let whole_look = checkpoint.has_begun();
        Ok(Self {
            swapper,
            job,
            reads,
            checkpoint,
            asked: asked.strategy,
            policy: asked.policy,
            times,
            node,
            healthy_within,
            whole_look,
            looked_whole: false,
            seen: None,
            doubt,
            turn: None,
            strikes: 0,
            tries: 0,
            told: BTreeSet::new(),
            coming: None,
            leaves: Leaves::Nothing,
        })
    }

    pub(crate) async fn run(mut self) -> Result<Report, Failure> {
        loop {
            self.go_on()?;
            if self.job.now() >= self.times.end {
                self.leaves = Leaves::Knowingly;
                if let Some(report) = self.finish(self.out_of_time()).await? {
                    return Ok(report);
                }
            }
            self.come();
            let Some(seen) = self.look_in_time().await? else {
                continue;
            };
            let looked_at = Instant::now();
            let was_undone = self.checkpoint.undo.is_some();
            let next = self.decide(&seen).await?;
            if !was_undone && self.checkpoint.undo.is_some() {
                // The way back looks at everything of ours.
                self.whole_look = true;
                continue;
            }
            self.tell(&seen).await;
            match next {
                Next::Begin if self.job.is_dry_run() => return rehearsal::rehearse(&mut self, &seen).await,
                Next::Begin => {
                    if let Some(end) = self.begin(&seen).await?
                        && let Some(report) = self.finish(end).await?
                    {
                        return Ok(report);
                    }
                }
                // Before the last word it looks for strays.
                Next::Finish(_) if self.may_have_strays() && !self.looked_whole => self.whole_look = true,
                Next::Finish(end) => {
                    if let Some(report) = self.finish(end).await? {
                        return Ok(report);
                    }
                }
                Next::Wait(wait) => {
                    tracing::debug!(action = %self.job.action().id, "A swap waits for {}.", wait.as_str());
                    self.wait(wait, &seen).await;
                }
                next if next.needs_lease() => self.section().await?,
                next => self.alone(&next, looked_at).await?,
            }
        }
    }

    /// Whether others of the group, that are about to change it, had better wait a moment for this one.
    fn come(&mut self) {
        let checkpoint = &self.checkpoint;
        let swaps = checkpoint.has_begun() && checkpoint.strategy == Strategy::Swap;
        if !swaps || checkpoint.detached || checkpoint.old_left {
            self.coming = None;
        } else if self.coming.is_none() {
            let key = self.place(&checkpoint.group).key();
            self.coming = Some(self.swapper.desks.of(&key).comes());
        }
    }

    /// Its region.
    pub(crate) fn cloud(&self) -> &Cloud {
        &self.reads.cloud
    }

    /// How sure the interruption is. What cannot be read ends nothing.
    pub(crate) fn certainty(&self) -> Certainty {
        self.job.action().certainty.parse().unwrap_or(Certainty::Certain)
    }

    /// Whether it may have launched more than it knows of: by an earlier choice, or before it was redriven. The token of one
    /// choice is for one instance.
    fn may_have_strays(&self) -> bool {
        let launches = self.checkpoint.has_begun() && self.checkpoint.strategy == Strategy::Swap;
        launches && (self.checkpoint.at > 0 || self.job.action().redrive > 0)
    }

    /// Until the last word.
    pub(crate) fn time_left(&self) -> Duration {
        let left = self.times.end.duration_since(self.job.now());
        Duration::try_from(left).unwrap_or_default()
    }

    /// Whether this process still may.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        if self.job.is_stopping() {
            Err(stopping())
        } else {
            Ok(())
        }
    }

    /// Asks what is next, and saves what that makes of the checkpoint.
    pub(crate) async fn decide(&mut self, seen: &Seen) -> Result<Next, Failure> {
        let orders = self.orders(seen)?;
        let is_changed = seen.books.written_max != 0 || seen.books.rebalance_suspended;
        self.leaves = match (is_changed, seen.books.others_under_way) {
            (false, _) => Leaves::Nothing,
            (true, true) => Leaves::ToOthers,
            (true, false) => Leaves::Knowingly,
        };
        let Decision { checkpoint, next } =
            decide(&self.checkpoint, seen, &orders, self.claim(), self.job.now());
        self.doubt &= checkpoint.in_doubt && checkpoint.at == self.checkpoint.at;
        let waited = checkpoint.node.filter(|_| self.checkpoint.node.is_none());
        self.keep(checkpoint).await?;
        if let Some(waited) = waited {
            self.swapper
                .telemetry
                .waited_for_node(&self.job.action().id, waited);
        }
        Ok(next)
    }

    pub(crate) fn claim(&self) -> Claim<'_> {
        let action = self.job.action();
        Claim {
            action: &action.id,
            redrive: action.redrive,
            old: &action.instance,
        }
    }

    pub(crate) fn orders(&self, seen: &Seen) -> Result<Orders, Failure> {
        let settings = &self.swapper.settings;
        let span = |limit| SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
        let tagged = seen.group.as_ref().and_then(|group| tag(group, TAG_STRATEGY));
        let strategy = match self.asked {
            // Fixed when it began.
            _ if self.checkpoint.has_begun() => self.checkpoint.strategy,
            Some(asked) => asked,
            None => Strategy::of(None, tagged, settings.strategy).map_err(|error| {
                Failure::rejected(
                    "unknown-strategy",
                    format!("the group's tag {TAG_STRATEGY}: {error}; correct the tag and redrive this"),
                )
            })?,
        };
        let now = self.job.now();
        let drain_is_late = matches!(seen.drain, Drain::Pending { until: Some(until) } if until <= now);
        Ok(Orders {
            strategy,
            managed: seen
                .group
                .as_ref()
                .is_some_and(|group| settings.groups.contains(&group.name)),
            certainty: self.certainty(),
            cancelled: self.job.is_cancelled(),
            give_up: now >= self.times.give_up,
            watch: self.watch(),
            drain_over: now >= self.times.drain || drain_is_late,
            running_within: span(settings.running_within),
            node_within: span(self.node.within),
            healthy_within: span(self.healthy_within),
            node_over: self.times.node_is_over(now, self.job.deadline()),
            in_service_within: span(settings.in_service_within),
        })
    }

    /// Saves the checkpoint, if it changed.
    pub(crate) async fn keep(&mut self, checkpoint: Checkpoint) -> Result<(), Failure> {
        if checkpoint == self.checkpoint {
            return Ok(());
        }
        if checkpoint.has_begun() {
            let saved = report::to_struct(&checkpoint)
                .map_err(|error| Failure::transient(format!("the checkpoint cannot be written: {error}")))?;
            self.job.save(saved).await?;
        }
        self.checkpoint = checkpoint;
        Ok(())
    }

    /// Waits, but hears what changes.
    pub(crate) async fn pause(&mut self, wait: Duration) {
        let wait = wait.mul_f64(rand::random_range(0.8..=1.2));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.job.changed() => {}
        }
    }

    /// Repeats a call that only reads until it is answered.
    pub(crate) async fn ask<T, F>(
        &mut self,
        name: &'static str,
        call: impl Fn(Arc<Reads>) -> F + Send,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Refusal>> + Send,
        T: Send,
    {
        let mut tries = 0;
        loop {
            match call(Arc::clone(&self.reads)).await {
                Ok(value) => return Ok(value),
                Err(refusal) if refusal.is_definite() || self.job.now() >= self.times.end => {
                    return Err(Failure::Transient {
                        cause: format!("cannot {name}: {refusal}"),
                        after: Some(Duration::from_secs(2)),
                    });
                }
                Err(refusal) => {
                    self.pause(backoff(tries, &refusal)).await;
                    tries += 1;
                    self.go_on()?;
                }
            }
        }
    }

    pub(crate) fn place(&self, group: &str) -> Place {
        let account = self
            .job
            .action()
            .target
            .as_ref()
            .map_or("", |target| target.account.as_str());
        Place::new(account, self.cloud().region.name(), group)
    }

    /// Tells everyone how far it is; each fact once a start.
    async fn tell(&mut self, seen: &Seen) {
        let Some(new) = self.checkpoint.launched.clone() else {
            return;
        };
        let life = seen
            .ours
            .iter()
            .find(|found| found.id == new)
            .map(|found| found.life);
        let serves = seen.standing(&new) == Some(Standing::InService);
        let group = self.checkpoint.group.clone();
        let old = &seen.old_id;
        let facts = [
            ("launched", true, format!("{new} was launched.")),
            (
                "running",
                life == Some(Life::Running) || self.checkpoint.attached,
                format!("{new} runs."),
            ),
            (
                "node-ready",
                self.checkpoint.node_is_ready(),
                format!("The node of {new} is Ready."),
            ),
            (
                "attached",
                self.checkpoint.attached,
                format!("{new} is attached to {group}."),
            ),
            ("in-service", serves, format!("{new} is in service.")),
            (
                "detached",
                self.checkpoint.detached,
                format!("{old} is out of {group}."),
            ),
        ];
        // Whoever takes over from another process, and finds it in service, has not seen when it began to serve.
        let saw_before = !self.told.is_empty();
        for (fact, is_so, message) in facts {
            if is_so && self.told.insert(fact) {
                self.job.progress(fact, &message, None).await;
                if fact == "in-service" && saw_before {
                    self.count_in_service();
                }
            }
        }
    }

    fn count_in_service(&self) {
        let noticed_at = self.job.action().noticed_at.as_ref();
        if let Some(noticed_at) = noticed_at.and_then(|at| time::from_proto(at).ok()) {
            let took = Duration::try_from(self.job.now().duration_since(noticed_at)).unwrap_or_default();
            let region = self.cloud().region.name();
            self.swapper
                .telemetry
                .in_service(&self.checkpoint.group, region, took);
        }
    }
}
