//! One message, from its body to its end.

use std::time::Duration;

use bytes::Bytes;
use hollowtrees_aws::Taken;
use hollowtrees_bus::dead::Class;
use hollowtrees_schemas::outgoing::Outgoing;
use jiff::Timestamp;

use crate::{
    ingest::{self, Ingest, Refused},
    problem::Problem,
};

use super::{
    SENT_AT, WAY,
    pump::Source,
    read::{self, Contents, Event},
    telemetry::{Fate, Telemetry},
    teller::{Teller, Untold},
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
#[derive(Default)]
struct End {
    stored: bool,
    refused: Option<Problem>,
    untold: Option<Untold>,
    /// AWS did not say whose it is.
    later: Option<String>,
}

impl End {
    fn fate(&self) -> Fate {
        match &self.untold {
            _ if self.stored => Fate::Told,
            Some(Untold::Unrouted) => Fate::Unrouted,
            Some(Untold::Foreign(_)) => Fate::Foreign,
            None => Fate::Idle,
        }
    }
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
        let unusable = contents.unusable.iter();
        let mut problems: Vec<_> = unusable.map(|what| Problem::unusable("", what)).collect();
        problems.extend(told.iter().filter_map(|one| one.refused.clone()));
        if let Some(why) = told.iter().find_map(|one| one.later.as_deref()) {
            if taken.receives < RECEIVES {
                self.telemetry
                    .given_back(&self.source.name, &taken.id, taken.receives, why);
                return Fate::GivenBack;
            }
            problems.push(Problem::new("", format!("taken {} times: {why}", taken.receives)));
        }
        let fate = if problems.is_empty() {
            told.iter().map(End::fate).max().unwrap_or(Fate::Idle)
        } else {
            Fate::Unusable
        };
        let untold = told.iter().filter_map(|one| one.untold.as_ref());
        let kept = untold.filter(|untold| self.teller.keeps(untold, &self.source.name, &taken.id));
        problems.extend(kept.map(Untold::problem));
        self.put_aside(taken, sent_at, &problems).await;
        fate
    }

    /// Keeps the whole message as a dead letter, where anything in it is no notice and should be one.
    async fn put_aside(&self, taken: &Taken, sent_at: Option<Timestamp>, problems: &[Problem]) {
        let Some(first) = problems.first() else { return };
        let mut headers = vec![
            ("sqs-message-id".to_owned(), taken.id.clone()),
            ("sqs-receives".to_owned(), taken.receives.to_string()),
        ];
        headers.extend(sent_at.map(|at| (SENT_AT.to_owned(), at.to_string())));
        let unreadable = problems
            .iter()
            .find(|problem| problem.class == Class::Undecodable);
        let reason = match problems.len() - 1 {
            0 => first.to_string(),
            others => format!("{first}; and {others} more in the same message"),
        };
        let what = ingest::Unusable {
            address: &self.source.queue_url(),
            id: &taken.id,
            cluster: &self.source.cluster,
            class: unreadable.unwrap_or(first).class,
            reason,
            headers: &headers,
            body: Bytes::copy_from_slice(taken.body.as_bytes()),
            first_at: Timestamp::now(),
        };
        self.ingest.put_aside(&self.origin, &what).await;
    }

    async fn tell(&self, event: &Event) -> End {
        let told = match self.teller.tell(event, &self.source.cluster).await {
            Ok(told) => told,
            Err(why) => {
                return End {
                    later: Some(why),
                    ..End::default()
                };
            }
        };
        let mut end = End {
            untold: told.untold,
            ..End::default()
        };
        for (_, made) in told.notices {
            match self.store(made).await {
                Ok(()) => end.stored = true,
                Err(refused) => end.refused = Some(refused.into()),
            }
        }
        end
    }

    async fn store(&self, made: Result<Outgoing, Refused>) -> Result<(), Refused> {
        self.ingest.store(&self.origin, &made?).await.map(drop)
    }
}
