//! One run: two groups, a notice, the end of what was interrupted, and what is in service all the time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use hollowtrees_bench::curve::{Curve, Sample, Verdict};
use hollowtrees_bus::{
    Bus,
    read::{From, Until},
};
use hollowtrees_harness as harness;
use hollowtrees_schemas::{
    envelope::{self, DataFormat, Envelope},
    id::{ActionId, IncidentKey},
    names::Stream,
    outgoing, proto,
    proto::time::to_proto,
};
use jiff::{SignedDuration, Timestamp};
use tokio::{task::JoinHandle, time::Instant};

use super::case::{Case, scaled};
use crate::{
    roles::Role,
    setup::{Process, Setup, work_consumer},
};

const CLUSTER: &str = "bench";
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
/// Between two samples.
const EVERY: Duration = Duration::from_millis(20);
/// Longest wait for outcomes after the run.
const OUTCOMES_WITHIN: Duration = Duration::from_secs(45);
/// When an action's outcome is due, so that a swap has as long as with the router's times: it gives up at 335 s of 420,
/// of which the last words and the way back have their fixed shares; of a shorter time they have quarters.
const CLOSES: f64 = 595.0;

/// Outcomes that came, by action.
type Outcomes = Arc<Mutex<BTreeMap<String, proto::Outcome>>>;

/// An AWS, a bus, and the swap worker's replicas between them.
pub(super) struct Lane {
    cloud: harness::Aws,
    setup: Setup,
    outcomes: Outcomes,
    reading: JoinHandle<()>,
    _workers: Vec<Process>,
}

/// A run that was played.
pub(super) struct Played {
    pub(super) case: Case,
    pub(super) verdict: Verdict,
    /// Result, reason and message of each action.
    pub(super) outcomes: Vec<String>,
}

impl Played {
    /// Swaps that succeeded.
    pub(super) fn swapped(&self) -> usize {
        let outcomes = self.outcomes.iter();
        outcomes.filter(|told| told.starts_with("succeeded")).count()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Lane {
    pub(super) async fn start(replicas: usize) -> Result<Self> {
        let cloud = harness::Aws::start().await?;
        let setup = Setup::with(work_consumer()).await?;
        let mut env = cloud.env(REGION).to_vec();
        env.extend([
            ("HT_SWEEP__ORPHANS", "off".to_owned()),
            // The defaults, a twentieth of each: 2 s, 3 min, 10 min.
            ("HT_SWAP__POLL", "100ms".to_owned()),
            ("HT_SWAP__RUNNING_WITHIN", "9s".to_owned()),
            ("HT_SWAP__IN_SERVICE_WITHIN", "30s".to_owned()),
        ]);
        let mut workers = Vec::new();
        for _ in 0..replicas {
            workers.push(setup.process(Role::AsgSwap, &env).await?);
        }
        let outcomes = Outcomes::default();
        let reading = tokio::spawn(read(setup.bus.clone(), Arc::clone(&outcomes)));
        Ok(Self {
            cloud,
            setup,
            outcomes,
            reading,
            _workers: workers,
        })
    }

    pub(super) async fn play(&self, case: Case) -> Result<Played> {
        let cloud = &self.cloud;
        // The groups are there at once.
        cloud.set_delays(harness::aws::Delays::default());
        for (of, zone) in Case::pools() {
            cloud.set_capacity(of, zone, true);
        }
        let [ours, theirs] = ["ours", "alone"].map(|side| format!("{side}-{}", case.seed));
        let mut going = Vec::new();
        for name in [&ours, &theirs] {
            let made = cloud.create(&case.group(name)).await?;
            let members = made.members.into_iter().map(|(id, _)| id);
            going.push(members.take(case.interrupted).collect::<Vec<_>>());
        }
        cloud.set_delays(case.delays());
        for (of, zone) in case.empty_pools() {
            cloud.set_capacity(of, zone, false);
        }
        let [our_going, their_going] = going.try_into().ok().context("two groups")?;

        let notice = Instant::now();
        let mut curve = Curve::default();
        let asked = {
            let sampling = self.sample(notice, (&ours, &theirs), &mut curve);
            let playing = self.interrupt(notice, &our_going, &their_going, case.window());
            tokio::select! {
                failed = sampling => return Err(failed),
                played = playing => played?,
            }
        };
        let outcomes = self.ended(&asked.actions).await;
        for name in [&ours, &theirs] {
            cloud.delete_group(name).await;
        }
        Ok(Played {
            verdict: curve.verdict(case.desired(), asked.apart),
            case,
            outcomes,
        })
    }

    /// Until the other ends.
    async fn sample(
        &self,
        notice: Instant,
        (ours, theirs): (&str, &str),
        curve: &mut Curve,
    ) -> anyhow::Error {
        loop {
            let units = async {
                let found = self.cloud.in_service(&[ours, theirs]).await?;
                <[u32; 2]>::try_from(found).ok().context("two groups")
            };
            match units.await {
                Ok([ours, theirs]) => curve.push(Sample {
                    at: notice.elapsed(),
                    ours,
                    theirs,
                }),
                Err(error) => return error,
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// The notice, and in its time the end.
    async fn interrupt(
        &self,
        notice: Instant,
        ours: &[String],
        theirs: &[String],
        window: Duration,
    ) -> Result<Asked> {
        let mut actions = Vec::new();
        for instance in ours {
            actions.push(self.send(instance).await?);
        }
        tokio::time::sleep_until(notice + Case::notice()).await;
        let mut apart = Duration::ZERO;
        for (ours, theirs) in ours.iter().zip(theirs) {
            let began = Instant::now();
            // Ours last: what is lower in between is the other.
            self.cloud.interrupt(theirs).await?;
            self.cloud.interrupt(ours).await?;
            apart = apart.max(began.elapsed());
        }
        tokio::time::sleep_until(notice + window).await;
        Ok(Asked { actions, apart })
    }

    /// As the router does; the action's id.
    async fn send(&self, instance: &str) -> Result<String> {
        let incident = IncidentKey::new(CLUSTER, instance, "live");
        let now = Timestamp::now();
        let later = |wait: Duration| SignedDuration::try_from(wait).map(|wait| to_proto(now + wait));
        let action = proto::Action {
            id: ActionId::per_instance(&incident, 1, "asg-swap", "certain").to_string(),
            cluster: CLUSTER.to_owned(),
            kind: "asg-swap".to_owned(),
            instance: instance.to_owned(),
            generation: 1,
            certainty: "certain".to_owned(),
            mode: "live".to_owned(),
            noticed_at: Some(to_proto(now)),
            deadline: Some(later(Case::notice())?),
            close_at: Some(later(scaled(CLOSES))?),
            target: Some(proto::Target {
                provider: "aws".to_owned(),
                account: ACCOUNT.to_owned(),
                region: REGION.to_owned(),
                ..proto::Target::default()
            }),
            ..proto::Action::default()
        };
        let id = action.id.clone();
        let envelope = envelope::action(action, "/hollowtrees/bench/router");
        let message = outgoing::action(&envelope, DataFormat::Json)?;
        self.setup.bus.publish(&message, None).await?;
        Ok(id)
    }

    /// What became of these actions.
    async fn ended(&self, actions: &[String]) -> Vec<String> {
        let until = Instant::now() + OUTCOMES_WITHIN;
        loop {
            let told: Vec<_> = {
                let known = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                actions.iter().map(|id| known.get(id).map(told)).collect()
            };
            if told.iter().all(Option::is_some) || Instant::now() >= until {
                let told = told.into_iter();
                return told
                    .map(|told| told.unwrap_or_else(|| "no outcome".to_owned()))
                    .collect();
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

struct Asked {
    actions: Vec<String>,
    apart: Duration,
}

fn told(outcome: &proto::Outcome) -> String {
    format!("{} {}: {}", outcome.result, outcome.reason, outcome.message)
}

/// Keeps outcomes that end an action.
async fn read(bus: Bus, outcomes: Outcomes) {
    let Ok(mut reading) = bus.read(Stream::Outcomes, &[], From::First, Until::Stopped).await else {
        return;
    };
    while let Ok(Some(message)) = reading.next().await {
        let Ok(outcome) = Envelope::<proto::Outcome>::decode(&message.wire) else {
            continue;
        };
        if outcome.data.result != "progress" {
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.insert(outcome.data.action_id.clone(), outcome.data);
        }
    }
}
