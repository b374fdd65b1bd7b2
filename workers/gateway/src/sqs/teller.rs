//! One event to its notices: whose instance it is about is looked up first.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use hollowtrees_aws::{Machine, Refusal};
use hollowtrees_schemas::outgoing::Outgoing;
use jiff::Timestamp;

use crate::{
    ingest::{self, Refused},
    problem::Problem,
};

use super::{
    lookup::Lookup,
    read::{Deadline, Event, Origin},
    route::Routes,
    settings::Strangers,
    telemetry::Telemetry,
    tell,
};

/// Between two looks at what AWS did not say.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What an event is.
pub(crate) struct Told {
    /// A notice for each cluster that is spoken for.
    pub(crate) notices: Vec<(String, Result<Outgoing, Refused>)>,
    /// Of whom it is that cannot be told.
    pub(crate) untold: Option<Untold>,
}

/// Why an event, or the part of it that is another cluster's, is no notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Untold {
    /// Its instance is of these clusters, which are not spoken for.
    Foreign(BTreeSet<String>),
    /// Nothing says whose its instance is.
    Unrouted,
}

impl Untold {
    /// What is missing, and the remedy.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Foreign(clusters) => {
                let names: Vec<_> = clusters.iter().map(|name| format!("`{name}`")).collect();
                Problem::rejected(
                    "cluster",
                    format!(
                        "of the instance is {}, not in sqs.clusters; add it there (HT_SQS__CLUSTERS) and redrive this, \
                         or redrive it to a gateway that speaks for it",
                        names.join(", ")
                    ),
                )
            }
            Self::Unrouted => Problem::new(
                "cluster",
                "of the instance is not known: no tag, group or account says it; tag instances with \
                 hollowtrees.io/cluster, or set sqs.groups, sqs.accounts or a cluster (HT_CLUSTER, or `?cluster=NAME` \
                 in the address), and redrive this",
            ),
        }
    }
}

/// Tells events by one set of credentials. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Teller {
    pub(super) routes: Arc<Routes>,
    pub(super) lookup: Lookup,
    pub(super) telemetry: Telemetry,
    /// How long a look-up that fails is tried again.
    pub(super) patience: Duration,
    /// The way in, last word of `ce-source`.
    pub(super) way: &'static str,
    /// Whether hooks of launches are told.
    pub(super) launches: bool,
    /// What becomes of events of clusters that are not spoken for.
    pub(super) foreign: Strangers,
}

impl Teller {
    /// Tells of what cannot be told, and whether that is put aside, and not just counted. `source`, `id`: what carried it.
    pub(crate) fn keeps(&self, untold: &Untold, source: &str, id: &str) -> bool {
        let kept = *untold == Untold::Unrouted || self.foreign == Strangers::Keep;
        self.telemetry.untold(source, id, untold, kept);
        kept
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// What a source in this account and region says of its events.
    pub(crate) fn origin(&self, account: &str, region: &str, sent_at: Option<Timestamp>) -> Origin {
        Origin {
            account: account.to_owned(),
            region: region.to_owned(),
            sent_at,
            launches: self.launches,
        }
    }

    /// `otherwise`: the cluster of an instance that nothing else names; or empty.
    ///
    /// # Errors
    /// AWS did not say whose it is, and nothing else does.
    pub(crate) async fn tell(&self, event: &Event, otherwise: &str) -> Result<Told, String> {
        let patience = Patience::new(self.patience);
        let found = loop {
            let asked = self
                .lookup
                .machine(&event.account, &event.region, &event.instance)
                .await;
            match asked {
                Ok(machine) => break Ok(machine),
                Err(refusal) => {
                    if let Err(refusal) = patience.bear(refusal).await {
                        break Err(refusal);
                    }
                }
            }
        };
        let (machine, refusal) = match found {
            Ok(machine) => (machine, None),
            Err(refusal) => {
                self.telemetry.not_looked_up(&event.instance, &refusal);
                (None, Some(refusal))
            }
        };
        let routed = self.routes.route(event, machine.as_deref(), otherwise);
        let untold = match (routed.to.is_empty(), routed.foreign.is_empty()) {
            (true, true) => match refusal {
                Some(refusal) => {
                    return Err(format!(
                        "whose instance it is about cannot be looked up ({refusal})"
                    ));
                }
                None => Some(Untold::Unrouted),
            },
            (_, true) => None,
            (_, false) => Some(Untold::Foreign(routed.foreign)),
        };
        let hook = match routed.to.is_empty() {
            true => None,
            false => self.hook(event).await,
        };
        let notices = routed.to.into_iter().map(|cluster| {
            let made = self.made(event, machine.as_deref(), &cluster, hook);
            (cluster, made)
        });
        Ok(Told {
            notices: notices.collect(),
            untold,
        })
    }

    fn made(
        &self,
        event: &Event,
        machine: Option<&Machine>,
        cluster: &str,
        hook: Option<Duration>,
    ) -> Result<Outgoing, Refused> {
        let (notice, source) = tell::notice(event, machine, cluster, hook, self.way);
        ingest::message(notice, &source, Timestamp::now())
    }

    /// How long the event's hook waits, where it has one.
    async fn hook(&self, event: &Event) -> Option<Duration> {
        let Deadline::Hook(hook) = &event.deadline else {
            return None;
        };
        let group = &event.group;
        let patience = Patience::new(self.patience);
        let asked = loop {
            let asked = self.lookup.hook(&event.account, &event.region, group, hook).await;
            match asked {
                Ok(waits) => break Ok(waits),
                Err(refusal) => {
                    if let Err(refusal) = patience.bear(refusal).await {
                        break Err(refusal);
                    }
                }
            }
        };
        match asked {
            Ok(Some(waits)) => return Some(waits),
            Ok(None) => self.telemetry.no_hook(group, hook, "the group has no such hook"),
            Err(refusal) => self.telemetry.no_hook(group, hook, &refusal.to_string()),
        }
        None
    }
}

/// How long an unclear answer is borne.
struct Patience {
    until: Instant,
}

impl Patience {
    fn new(lasts: Duration) -> Self {
        Self {
            until: Instant::now() + lasts,
        }
    }

    /// Waits until the same may be asked again.
    ///
    /// # Errors
    /// The refusal, where the same would be answered again, or where there is no time left.
    async fn bear(&self, refusal: Refusal) -> Result<(), Refusal> {
        let Some(after) = refusal.retry_after() else {
            return Err(refusal);
        };
        let wait = after.max(LOOK_AGAIN).mul_f64(rand::random_range(0.75..=1.0));
        if Instant::now() + wait > self.until {
            return Err(refusal);
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }
}
