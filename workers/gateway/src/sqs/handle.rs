//! One message, from its body to its end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hollowtrees_aws::{Machine, Refusal, Taken};
use hollowtrees_bus::dead::Class;
use jiff::Timestamp;

use crate::ingest::{self, Ingest};

use super::{
    WAY,
    lookup::Lookup,
    pump::Source,
    read::{self, Contents, Deadline, Event, Unusable},
    route::{Routed, Routes},
    telemetry::{Fate, Telemetry},
    tell,
};

/// A message that could not be told this often is put aside.
const RECEIVES: u32 = 6;
/// Between two looks at what AWS did not say.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What handles the messages of a queue.
pub(super) struct Handler {
    pub(super) source: Source,
    pub(super) origin: ingest::Origin,
    pub(super) routes: Arc<Routes>,
    pub(super) lookup: Lookup,
    pub(super) ingest: Ingest,
    pub(super) telemetry: Telemetry,
    /// How long a look-up that fails is tried again.
    pub(super) patience: Duration,
}

/// What came of one event.
enum Told {
    Stored,
    Foreign,
    Unrouted,
    /// AWS did not say whose it is.
    Later(String),
    Refused(String),
}

impl Handler {
    /// What became of the message: all but [`Fate::GivenBack`] may be deleted.
    pub(super) async fn handle(&self, taken: &Taken) -> Fate {
        let sent_at = taken.sent_at.and_then(|at| {
            let at = i64::try_from(at).ok()?;
            Timestamp::from_millisecond(at).ok()
        });
        let contents = read::contents(
            &taken.body,
            &read::Origin {
                account: self.source.account.clone(),
                region: self.source.region.clone(),
                sent_at,
            },
        );
        for idle in &contents.idle {
            self.telemetry.idle(*idle);
            self.ingest.telemetry().ignored(WAY);
        }
        let told = contents.events.iter().map(|event| Box::pin(self.tell(event)));
        let told = futures::future::join_all(told).await;
        let fate = self.end(taken, &contents, told).await;
        let age = sent_at.and_then(|at| Duration::try_from(Timestamp::now().duration_since(at)).ok());
        self.telemetry.ended(&self.source.name, &taken.id, fate, age);
        fate
    }

    async fn end(&self, taken: &Taken, contents: &Contents, told: Vec<Told>) -> Fate {
        let mut reasons: Vec<String> = contents.unusable.iter().map(ToString::to_string).collect();
        let mut later = None;
        let mut fate = Fate::Idle;
        for one in told {
            match one {
                Told::Stored => fate = Fate::Told,
                Told::Foreign if fate == Fate::Idle => fate = Fate::Foreign,
                Told::Unrouted if matches!(fate, Fate::Idle | Fate::Foreign) => fate = Fate::Unrouted,
                Told::Foreign | Told::Unrouted => {}
                Told::Later(why) => later = Some(why),
                Told::Refused(why) => reasons.push(why),
            }
        }
        if let Some(why) = later {
            if taken.receives < RECEIVES {
                self.telemetry
                    .given_back(&self.source.name, &taken.id, taken.receives, &why);
                return Fate::GivenBack;
            }
            reasons.push(format!("taken {} times: {why}", taken.receives));
        }
        if reasons.is_empty() {
            return fate;
        }
        self.put_aside(taken, &contents.unusable, &reasons).await;
        Fate::Unusable
    }

    async fn put_aside(&self, taken: &Taken, unusable: &[Unusable], reasons: &[String]) {
        let unreadable = unusable.iter().any(|why| !why.is_readable());
        let first = reasons.first().map(String::as_str).unwrap_or_default();
        let others = reasons.len().saturating_sub(1);
        let reason = match others {
            0 => first.to_owned(),
            _ => format!("{first}; and {others} more in the same message"),
        };
        let what = ingest::Unusable {
            address: &self.source.queue_url(),
            id: &taken.id,
            cluster: &self.source.cluster,
            class: if unreadable {
                Class::Undecodable
            } else {
                Class::Invalid
            },
            reason,
            headers: &[
                ("sqs-message-id".to_owned(), taken.id.clone()),
                ("sqs-receives".to_owned(), taken.receives.to_string()),
            ],
            body: Bytes::copy_from_slice(taken.body.as_bytes()),
            first_at: Timestamp::now(),
        };
        self.ingest.put_aside(&self.origin, &what).await;
    }

    async fn tell(&self, event: &Event) -> Told {
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
        let clusters = match self.routes.route(event, machine.as_deref(), &self.source.cluster) {
            Routed::To(clusters) => clusters,
            Routed::Foreign => return Told::Foreign,
            Routed::Nowhere => {
                return refusal.map_or(Told::Unrouted, |refusal| {
                    Told::Later(format!(
                        "whose instance it is about cannot be looked up ({refusal})"
                    ))
                });
            }
        };
        let hook = self.hook(event).await;
        let mut told = Told::Stored;
        for cluster in clusters {
            if let Err(why) = self.store(event, machine.as_deref(), &cluster, hook).await {
                told = Told::Refused(why);
            }
        }
        told
    }

    async fn store(
        &self,
        event: &Event,
        machine: Option<&Machine>,
        cluster: &str,
        hook: Option<Duration>,
    ) -> Result<(), String> {
        let (notice, source) = tell::notice(event, machine, cluster, hook);
        let out =
            ingest::message(notice, &source, Timestamp::now()).map_err(|refused| refused.to_string())?;
        self.ingest
            .store(&self.origin, &out)
            .await
            .map(drop)
            .map_err(|refused| refused.to_string())
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
