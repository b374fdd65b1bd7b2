//! Giving a delivery to another process of its consumer, which settles it from then on.
//!
//! What is sent is not stored: the ledger decides whose the work is, and a delivery that nobody keeps alive is handed
//! out again. It says where the delivery is settled and so which it is; the message itself is read from its stream.

use std::{pin::Pin, sync::Arc, time::Duration};

use async_nats::{Request, RequestErrorKind, Subject, jetstream};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use hollowtrees_schemas::codec::Wire;
use serde::{Deserialize, Serialize};

use crate::{
    Bus, Deliveries, Delivery, Revision,
    delivery::{Parts, Slip},
    raw,
    topology::Consumer,
    unreadable,
};

use super::slots::{Held, Slot};

/// Who does not answer within this may not have heard it.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Read from their stream at once.
const AT_ONCE: usize = 16;
const TAKEN: &str = "taken";

/// What is sent.
#[derive(Debug, Serialize, Deserialize)]
struct Offer {
    settles_at: String,
    /// Revision of the record that says whose it is.
    revision: u64,
}

/// What came of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The other one settles it; whoever gave it says nothing more of it.
    Taken,
    /// It is not taken, and why.
    Refused(String),
    /// It may be, or may not.
    Silent(String),
}

/// Why nothing can be given to this process.
#[derive(Debug, thiserror::Error)]
#[error(
    "what is sent to {subject} is not heard ({cause}); may this account publish and subscribe to it, and answer there?"
)]
pub struct ForwardError {
    subject: String,
    cause: String,
}

/// Takes what others give, over new connections too.
pub struct Forwards(Pin<Box<dyn Stream<Item = Option<Forwarded>> + Send>>);

/// A delivery that another process gives away. Dropped without an answer it may be that one's or this one's.
#[derive(Debug)]
pub struct Forwarded {
    /// It, if it is taken.
    pub delivery: Delivery,
    /// Revision at which the record says that it is given to this process.
    pub revision: Revision,
    /// What is answered.
    pub word: Word,
}

/// The answer to who gives something.
pub struct Word {
    bus: Bus,
    to: Subject,
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Word").field(&self.to).finish()
    }
}

impl Word {
    /// It is settled here.
    pub async fn taken(self) {
        self.say(TAKEN.to_owned()).await;
    }

    /// It is not taken.
    pub async fn refused(self, why: &str) {
        self.say(why.to_owned()).await;
    }

    /// An answer that is not heard is none: the ledger decides.
    async fn say(self, word: String) {
        if let Err(error) = self.bus.client().publish(self.to, word.into()).await {
            tracing::debug!(%error, "An answer could not be sent.");
        }
    }
}

impl Bus {
    /// Offers a delivery to the process that takes such on `to`; `revision` is that of the record that says that it is given to it.
    pub async fn forward(&self, to: &str, slip: &Slip, revision: Revision) -> Answer {
        let offer = Offer {
            settles_at: slip.0.clone(),
            revision: revision.0,
        };
        match serde_json::to_vec(&offer) {
            Ok(offer) => self.offer(to, offer.into()).await,
            Err(error) => Answer::Refused(error.to_string()),
        }
    }

    async fn offer(&self, to: &str, offer: Bytes) -> Answer {
        let request = Request::new().payload(offer).timeout(Some(ANSWER_WITHIN));
        match self.client().send_request(to.to_owned(), request).await {
            Ok(answer) if answer.payload == TAKEN => Answer::Taken,
            Ok(answer) => Answer::Refused(String::from_utf8_lossy(&answer.payload).into_owned()),
            Err(error) if error.kind() == RequestErrorKind::NoResponders => {
                Answer::Refused("nobody listens".to_owned())
            }
            Err(error) => Answer::Silent(error.to_string()),
        }
    }
}

impl Deliveries {
    /// Takes what other processes of its consumer give to this one on `subject`. Each takes one of the places of this one.
    pub async fn forwards(&self, subject: String) -> Result<Forwards, ForwardError> {
        let failed = |cause: String| ForwardError {
            subject: subject.clone(),
            cause,
        };
        let (bus, declared, held) = (
            self.bus.clone(),
            Arc::new(self.declared.clone()),
            Arc::clone(&self.held),
        );
        let subscribed = bus.client().subscribe(subject.clone()).await;
        let messages = subscribed.map_err(|error| failed(error.to_string()))?;
        let asker = bus.clone();
        let taking = messages
            .map(move |message| receive(bus.clone(), Arc::clone(&declared), Arc::clone(&held), message))
            .buffer_unordered(AT_ONCE);
        let mut forwards = Forwards(Box::pin(taking));
        // Permissions are found wanting by a try alone: nobody is told who may not.
        let heard = async { while forwards.0.next().await.is_some() {} };
        tokio::select! {
            answer = asker.offer(&subject, Bytes::new()) => match answer {
                Answer::Taken => Ok(forwards),
                Answer::Refused(cause) | Answer::Silent(cause) => Err(failed(cause)),
            },
            () = heard => Err(failed("the connection has ended".to_owned())),
        }
    }
}

impl Forwards {
    /// The next one that is given. `None`: there will be no more. Safe to cancel.
    pub async fn next(&mut self) -> Option<Forwarded> {
        loop {
            if let Some(forwarded) = self.0.next().await? {
                return Some(forwarded);
            }
        }
    }
}

/// What was offered, as it is on the stream; none where the answer is given here.
async fn receive(
    bus: Bus,
    declared: Arc<Consumer>,
    held: Arc<Held>,
    message: async_nats::Message,
) -> Option<Forwarded> {
    let word = Word {
        bus: bus.clone(),
        to: message.reply?,
    };
    if message.payload.is_empty() {
        word.taken().await;
        return None;
    }
    match read(&bus, &declared, &held, &message.payload).await {
        Ok((delivery, revision)) => Some(Forwarded {
            delivery,
            revision,
            word,
        }),
        Err(why) => {
            tracing::warn!(why, "What another process gives away is not taken.");
            word.refused(&why).await;
            None
        }
    }
}

async fn read(
    bus: &Bus,
    declared: &Consumer,
    held: &Arc<Held>,
    offer: &[u8],
) -> Result<(Delivery, Revision), String> {
    let offer: Offer = serde_json::from_slice(offer).map_err(|error| format!("no offer ({error})"))?;
    let settles_at = Subject::from(offer.settles_at);
    let (stream, consumer) = (declared.stream.name(), declared.name.as_str());
    let known = jetstream::Message {
        message: async_nats::Message {
            subject: Subject::from_static("_"),
            reply: Some(settles_at.clone()),
            payload: Bytes::new(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        },
        context: bus.context().clone(),
    };
    let info = known.info().map_err(|error| format!("no delivery ({error})"))?;
    if (info.stream, info.consumer) != (stream, consumer) {
        return Err(format!(
            "a delivery of {}/{}, not of {stream}/{consumer}",
            info.stream, info.consumer
        ));
    }
    let source = raw::Source::new(bus.context().clone(), stream, Vec::new());
    let stored = source.at(info.stream_sequence).await?;
    let stored = stored.ok_or_else(|| format!("number {} of {stream} is gone", info.stream_sequence))?;
    if let Some(flaw) = unreadable::flaw(&stored) {
        return Err(flaw);
    }
    let parts = Parts {
        subject: stored.subject,
        stream: stream.to_owned(),
        consumer: consumer.to_owned(),
        sequence: stored.sequence,
        delivered: u64::try_from(info.delivered).unwrap_or(1),
        stored_at: stored.stored_at,
        wire: Wire {
            headers: unreadable::parse(&stored.headers)?,
            body: stored.body,
        },
        settles_at,
    };
    let delivery = Delivery::new(parts, bus.context(), Slot::take(held));
    Ok((delivery, Revision(offer.revision)))
}
