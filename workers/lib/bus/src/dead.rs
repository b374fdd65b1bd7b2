//! Dead letters: what nobody could use, kept whole until someone redrives or discards it.
//!
//! On the bus a dead letter is the original bytes; where it came from and why are headers (`Ht-Dead-*`), and
//! the original's own headers follow under `Ht-Original-`.

use std::fmt;

use bytes::Bytes;
use hollowtrees_schemas::{
    codec::Wire,
    id::MessageId,
    names::{Stream, header},
    proto,
    subject::Subject,
};
use jiff::Timestamp;

use crate::{Bus, Delivery, PublishError, Published, raw, read::Message, unreadable};

/// Prefix under which the headers of the original are kept.
const ORIGINAL: &str = "Ht-Original-";

/// Why nobody could use a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It is no CloudEvent, or its data is not what its type says.
    Undecodable,
    /// It can be read and says something that cannot be.
    Invalid,
    /// Several starts on it ended without a result.
    Poison,
    /// The worker refused it for good.
    Rejected,
}

impl Class {
    /// The word in headers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Invalid => "invalid",
            Self::Poison => "poison",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is said of a dead letter besides its own bytes.
#[derive(Clone, Debug)]
pub struct Reason<'a> {
    /// Kind of failure.
    pub class: Class,
    /// A sentence for a person: what failed, and the remedy.
    pub text: String,
    /// Starts that ended without a settle.
    pub attempts: u32,
    /// Id of the action, where it is one.
    pub action_id: Option<&'a str>,
    /// Cluster it belongs to; empty where it cannot be told.
    pub cluster: &'a str,
    /// Who gives up.
    pub worker: &'a proto::Worker,
}

/// A body that came from outside the bus, and that nobody could use.
#[derive(Clone, Debug)]
pub struct Foreign<'a> {
    /// Who delivered it: a queue, or a way in. The origin in the dead letter's subject.
    pub source: &'a str,
    /// Where it was sent, for a person: a queue's address, a path.
    pub address: &'a str,
    /// What it says, so that the same body put aside twice is kept once.
    pub id: &'a str,
    /// What came with it, secrets left out.
    pub headers: &'a [(String, String)],
    /// The bytes as they came.
    pub body: Bytes,
    /// When it came.
    pub first_at: Timestamp,
}

/// Why a dead letter cannot be shown, redriven or discarded.
#[derive(Debug, thiserror::Error)]
pub enum DeadError {
    /// No dead letter has this number.
    #[error("no dead letter has the number {0}; `hollowtrees dead list` shows those there are")]
    NotFound(u64),
    /// The server did not answer.
    #[error("cannot read HT_DEAD ({0}); is NATS up?")]
    Unavailable(String),
    /// It came from no stream of ours, so there is nowhere to send it.
    #[error(
        "dead letter {sequence} came from {subject:?}, which is no subject of ours; it can only be discarded"
    )]
    NotOurs {
        /// Its number.
        sequence: u64,
        /// Where it came from.
        subject: String,
    },
    /// Sending it again failed.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl Bus {
    /// Keeps a delivery nobody can use; the caller TERMs it once this answered. Doing it twice keeps it once.
    pub async fn dead_letter(
        &self,
        delivery: &Delivery,
        reason: &Reason<'_>,
    ) -> Result<Published, PublishError> {
        let subject = Subject::Dead {
            cluster: reason.cluster.to_owned(),
            origin: delivery.stream.clone(),
            consumer: delivery.consumer.clone(),
        };
        let mut pairs = vec![
            (header::dead::STREAM.to_owned(), delivery.stream.clone()),
            (header::dead::CONSUMER.to_owned(), delivery.consumer.clone()),
            (header::dead::SUBJECT.to_owned(), printable(&delivery.subject)),
            (header::dead::SEQUENCE.to_owned(), delivery.sequence.to_string()),
        ];
        pairs.extend(reason.headers(delivery.stored_at));
        pairs.extend(originals(&delivery.wire.headers));
        let wire = Wire {
            headers: pairs,
            body: delivery.wire.body.clone(),
        };
        let id = MessageId::of(
            &format!("dead/{}/{}", delivery.stream, delivery.consumer),
            &delivery.sequence.to_string(),
        );
        self.publish_wire(&subject, &wire, &id, None).await
    }

    /// Keeps a body from outside the bus that `consumer` could not use. Doing it twice keeps it once.
    ///
    /// # Errors
    /// [`PublishError::TooLarge`] where the server does not take a message of its size.
    pub async fn put_aside(
        &self,
        foreign: &Foreign<'_>,
        consumer: &str,
        reason: &Reason<'_>,
    ) -> Result<Published, PublishError> {
        let subject = Subject::Dead {
            cluster: reason.cluster.to_owned(),
            origin: foreign.source.to_owned(),
            consumer: consumer.to_owned(),
        };
        let mut pairs = vec![
            (header::dead::STREAM.to_owned(), printable(foreign.source)),
            (header::dead::CONSUMER.to_owned(), printable(consumer)),
            (header::dead::SUBJECT.to_owned(), printable(foreign.address)),
        ];
        pairs.extend(reason.headers(foreign.first_at));
        pairs.extend(originals(foreign.headers).map(|(name, value)| (name, printable(&value))));
        let wire = Wire {
            headers: pairs,
            body: foreign.body.clone(),
        };
        let id = MessageId::of(&format!("dead/{}/{consumer}", foreign.source), foreign.id);
        self.publish_wire(&subject, &wire, &id, None).await
    }

    /// One dead letter.
    pub async fn dead_show(&self, sequence: u64) -> Result<proto::DeadLetter, DeadError> {
        let source = raw::Source::new(self.context().clone(), Stream::Dead.name(), Vec::new());
        let found = source.at(sequence).await.map_err(DeadError::Unavailable)?;
        let message = found.ok_or(DeadError::NotFound(sequence))?;
        // Through the API even the headers that the client cannot read are shown.
        let flaw = match unreadable::parse(&message.headers) {
            Ok(headers) => {
                let wire = Wire {
                    headers,
                    body: message.body,
                };
                return Ok(letter(&Message {
                    subject: message.subject,
                    wire,
                    sequence,
                    stored_at: message.stored_at,
                }));
            }
            Err(flaw) => flaw,
        };
        let wire = unreadable::wire(&message, &flaw);
        let shown = [unreadable::UNREADABLE, unreadable::UNREADABLE_HEADERS];
        let headers = wire
            .headers
            .iter()
            .filter(|(name, _)| shown.contains(&name.as_str()));
        let headers = headers.map(|(name, value)| proto::Header {
            name: name.clone(),
            value: value.clone(),
        });
        Ok(proto::DeadLetter {
            sequence,
            headers: headers.collect(),
            reason: format!("It cannot be told where this came from: {flaw}."),
            body: wire.body.to_vec(),
            dead_at: Some(proto::time::to_proto(message.stored_at)),
            ..proto::DeadLetter::default()
        })
    }

    /// Sequences of the first and last dead letter there may be, for walking them with [`Bus::dead_show`];
    /// `None` where there is none.
    pub async fn dead_range(&self) -> Result<Option<(u64, u64)>, DeadError> {
        let stream = self
            .context()
            .get_stream(Stream::Dead.name())
            .await
            .map_err(|error| DeadError::Unavailable(error.to_string()))?;
        let state = &stream.cached_info().state;
        Ok((state.messages > 0).then_some((state.first_sequence, state.last_sequence)))
    }

    /// Sends a dead letter back where it came from: same bytes and `ce-id`, a new `Nats-Msg-Id`, and
    /// `Ht-Redrive` one higher, by which a worker reopens the ledger. `deadline` replaces the action's own.
    /// The dead letter stays until it is discarded; redriving it twice sends it once.
    pub async fn dead_redrive(
        &self,
        sequence: u64,
        deadline: Option<Timestamp>,
    ) -> Result<Published, DeadError> {
        let letter = self.dead_show(sequence).await?;
        let not_ours = || DeadError::NotOurs {
            sequence,
            subject: letter.subject.clone(),
        };
        let subject: Subject = letter.subject.parse().map_err(|_| not_ours())?;
        let mut redrives = 0_u32;
        let mut pairs: Vec<(String, String)> = Vec::with_capacity(letter.headers.len() + 2);
        for header in &letter.headers {
            if header.name.eq_ignore_ascii_case(header::REDRIVE) {
                redrives = header.value.parse().unwrap_or(0);
            } else if !header.name.to_ascii_lowercase().starts_with("nats-")
                && !header.name.eq_ignore_ascii_case(header::DEADLINE)
            {
                pairs.push((header.name.clone(), header.value.clone()));
            }
        }
        pairs.push((header::REDRIVE.to_owned(), redrives.saturating_add(1).to_string()));
        if let Some(deadline) = deadline {
            pairs.push((header::DEADLINE.to_owned(), deadline.to_string()));
        }
        let wire = Wire {
            headers: pairs,
            body: letter.body.clone().into(),
        };
        let id = MessageId::of("redrive", &sequence.to_string());
        Ok(self.publish_wire(&subject, &wire, &id, None).await?)
    }

    /// Removes a dead letter for good.
    pub async fn dead_discard(&self, sequence: u64) -> Result<(), DeadError> {
        self.dead_show(sequence).await?;
        let stream = self
            .context()
            .get_stream_no_info(Stream::Dead.name())
            .await
            .map_err(|error| DeadError::Unavailable(error.to_string()))?;
        stream
            .delete_message(sequence)
            .await
            .map(|_| ())
            .map_err(|error| DeadError::Unavailable(error.to_string()))
    }
}

/// What a message of `HT_DEAD` says: where the original came from, why it is dead, and the original itself.
pub fn letter(message: &Message) -> proto::DeadLetter {
    let mut letter = proto::DeadLetter {
        sequence: message.sequence,
        cluster: match message.subject.parse() {
            Ok(Subject::Dead { cluster, .. }) => cluster,
            Ok(_) | Err(_) => String::new(),
        },
        body: message.wire.body.to_vec(),
        dead_at: Some(proto::time::to_proto(message.stored_at)),
        ..proto::DeadLetter::default()
    };
    for (name, value) in &message.wire.headers {
        let value = value.clone();
        if let Some(original) = name.strip_prefix(ORIGINAL) {
            letter.headers.push(proto::Header {
                name: original.to_owned(),
                value,
            });
            continue;
        }
        match name.as_str() {
            header::dead::STREAM => letter.stream = value,
            header::dead::CONSUMER => letter.consumer = value,
            header::dead::SUBJECT => letter.subject = value,
            header::dead::SEQUENCE => letter.original_sequence = value.parse().unwrap_or(0),
            header::dead::CLASS => letter.error_class = value,
            header::dead::REASON => letter.reason = value,
            header::dead::ATTEMPTS => letter.attempts = value.parse().unwrap_or(0),
            header::dead::WORKER => letter.worker = value,
            header::dead::WORKER_VERSION => letter.worker_version = value,
            header::dead::FIRST_AT => letter.first_at = value.parse().ok().map(proto::time::to_proto),
            header::dead::ACTION_ID => letter.action_id = value,
            _ => {}
        }
    }
    letter
}

impl Reason<'_> {
    /// What is said of any dead letter, whose original came at `first_at`.
    fn headers(&self, first_at: Timestamp) -> Vec<(String, String)> {
        let worker = format!("{}.{}", self.worker.kind, self.worker.process);
        let mut pairs = vec![
            (header::dead::CLASS.to_owned(), self.class.to_string()),
            (header::dead::REASON.to_owned(), printable(&self.text)),
            (header::dead::ATTEMPTS.to_owned(), self.attempts.to_string()),
            (header::dead::WORKER.to_owned(), printable(&worker)),
            (
                header::dead::WORKER_VERSION.to_owned(),
                printable(&self.worker.version),
            ),
            (header::dead::FIRST_AT.to_owned(), first_at.to_string()),
            (header::dead::AT.to_owned(), Timestamp::now().to_string()),
        ];
        if let Some(action_id) = self.action_id {
            pairs.push((header::dead::ACTION_ID.to_owned(), action_id.to_owned()));
        }
        pairs
    }
}

/// The original's own headers, as a dead letter keeps them.
fn originals(headers: &[(String, String)]) -> impl Iterator<Item = (String, String)> + '_ {
    headers
        .iter()
        .map(|(name, value)| (format!("{ORIGINAL}{name}"), value.clone()))
}

/// Header values are one line of text.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
