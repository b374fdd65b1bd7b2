//! One message, from its body to its end.

use std::time::Duration;

use bytes::Bytes;
use hollowtrees_aws::Taken;
use hollowtrees_bus::dead::Class;
use hollowtrees_schemas::outgoing::Outgoing;
use jiff::Timestamp;

use crate::ingest::{self, Ingest, Refused};

use super::{
    SENT_AT, WAY,
    pump::Source,
    read::{self, Contents, Event, Unusable},
    telemetry::{Fate, Telemetry},
    teller::{Teller, Told},
};

/// A message that could not be told this often is put aside.
const RECEIVES: u32 = 6;

/// What handles the messages of a queue.
pub(super) struct Handler {
    pub(super) source: Source,
    pub(super) origin: ingest::Origin,
    pub(super) teller: Teller,
    pub(super) ingest: Ingest,
    pub(super) telemetry: Telemetry,
}

/// What came of one event.
enum End {
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
            &self
                .teller
                .origin(&self.source.account, &self.source.region, sent_at),
        );
        for idle in &contents.idle {
            self.telemetry.idle(*idle);
            self.ingest.telemetry().ignored(WAY);
        }
        let told = contents.events.iter().map(|event| Box::pin(self.tell(event)));
        let told = futures::future::join_all(told).await;
        let fate = self.end(taken, sent_at, &contents, told).await;
        let age = sent_at.and_then(|at| Duration::try_from(Timestamp::now().duration_since(at)).ok());
        self.telemetry.ended(&self.source.name, &taken.id, fate, age);
        fate
    }

    async fn end(
        &self,
        taken: &Taken,
        sent_at: Option<Timestamp>,
        contents: &Contents,
        told: Vec<End>,
    ) -> Fate {
        let mut reasons: Vec<String> = contents.unusable.iter().map(ToString::to_string).collect();
        let mut later = None;
        let mut fate = Fate::Idle;
        for one in told {
            match one {
                End::Stored => fate = Fate::Told,
                End::Foreign if fate == Fate::Idle => fate = Fate::Foreign,
                End::Unrouted if matches!(fate, Fate::Idle | Fate::Foreign) => fate = Fate::Unrouted,
                End::Foreign | End::Unrouted => {}
                End::Later(why) => later = Some(why),
                End::Refused(why) => reasons.push(why),
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
        self.put_aside(taken, sent_at, &contents.unusable, &reasons).await;
        Fate::Unusable
    }

    async fn put_aside(
        &self,
        taken: &Taken,
        sent_at: Option<Timestamp>,
        unusable: &[Unusable],
        reasons: &[String],
    ) {
        let mut headers = vec![
            ("sqs-message-id".to_owned(), taken.id.clone()),
            ("sqs-receives".to_owned(), taken.receives.to_string()),
        ];
        headers.extend(sent_at.map(|at| (SENT_AT.to_owned(), at.to_string())));
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
            headers: &headers,
            body: Bytes::copy_from_slice(taken.body.as_bytes()),
            first_at: Timestamp::now(),
        };
        self.ingest.put_aside(&self.origin, &what).await;
    }

    async fn tell(&self, event: &Event) -> End {
        match self.teller.tell(event, &self.source.cluster).await {
            Told::Foreign => End::Foreign,
            Told::Unrouted => End::Unrouted,
            Told::Later(why) => End::Later(why),
            Told::Notices(notices) => {
                let mut end = End::Stored;
                for (_, made) in notices {
                    if let Err(refused) = self.store(made).await {
                        end = End::Refused(refused.to_string());
                    }
                }
                end
            }
        }
    }

    async fn store(&self, made: Result<Outgoing, Refused>) -> Result<(), Refused> {
        self.ingest.store(&self.origin, &made?).await.map(drop)
    }
}
