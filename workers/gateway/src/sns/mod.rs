//! Topics of SNS that post to the gateway: the same events as in queues, of whom SNS itself says that they are its own.
//!
//! | module | what it does |
//! |---|---|
//! | [`settings`] | `[sns]` |
//! | [`message`] | what a topic posts, and what of it is signed: pure |
//! | [`signature`] | whether SNS signed it |
//!
//! **Nothing is made of a message before its signature is proven**: who knows the address and a client's secret alone
//! cannot speak for a topic.

pub mod message;
pub mod settings;
pub mod signature;

use bytes::Bytes;
use hollowtrees_runtime::Failure;
use hollowtrees_schemas::{id::Hash, proto::time};

use crate::{
    asked::Asked,
    aws_events::{Carrier, Made, made},
    config::Settings,
    problem::Problem,
    settle::{Frame, Part},
    sqs::{Teller, read},
};
use message::{Message, Purpose, place};
use settings::Sns;
use signature::{Certificates, Unproven};

/// Set where a topic posts what it carries and nothing else.
const RAW: &str = "x-amz-sns-rawdelivery";

/// Takes what topics post.
pub struct Topics {
    settings: Sns,
    certificates: Certificates,
    teller: Teller,
}

/// What a post turned out to be.
pub enum Posted {
    /// So many things.
    Parts(Vec<Part>),
    /// SNS about the subscription.
    Nothing,
    /// It cannot be told now; the topic posts it again.
    Later(String),
}

impl Topics {
    /// `teller` tells whose instances events are about.
    ///
    /// # Errors
    /// The system's authorities cannot be read.
    pub(crate) fn new(settings: &Sns, teller: Teller) -> Result<Self, Failure> {
        let certificates =
            Certificates::new(&settings.endpoint).map_err(|error| Failure::unavailable(&error))?;
        Ok(Self {
            settings: settings.clone(),
            certificates,
            teller,
        })
    }

    /// What a request holds.
    ///
    /// # Errors
    /// It is no message of a topic that may post.
    pub async fn posted(&self, asked: &Asked, own: &Settings) -> Result<Posted, Problem> {
        if asked
            .header(RAW)
            .is_some_and(|raw| raw.eq_ignore_ascii_case("true"))
        {
            return Err(Problem::forbidden(
                "",
                "it comes by raw message delivery, which has no signature; switch that off for this subscription",
            ));
        }
        let message: Message = serde_json::from_slice(&asked.body).map_err(|error| Problem {
            forbidden: true,
            ..Problem::json(&error, "a message as a topic of SNS posts it")
        })?;
        if !self.settings.may_post(message.topic()) {
            return Err(Problem::forbidden(
                "TopicArn",
                "is no topic that may post; add it to sns.topics (HT_SNS__TOPICS)",
            ));
        }
        match self.certificates.check(&message, asked.at.as_second()).await {
            Ok(()) => {}
            Err(Unproven::Unreachable(why)) => return Ok(Posted::Later(why)),
            Err(unproven) => return Err(Problem::forbidden("", unproven.to_string())),
        }
        let purpose = message
            .purpose()
            .map_err(|odd| Problem::new("Type", odd.to_string()))?;
        match purpose {
            Purpose::Notification => Ok(self.told(&message, asked, own).await),
            Purpose::Confirmation => self.confirmed(&message).await,
            Purpose::Goodbye => {
                tracing::warn!(
                    topic = message.topic(),
                    "A topic says that it will not post any more; subscribe it again if that is a mistake."
                );
                Ok(Posted::Nothing)
            }
        }
    }

    async fn confirmed(&self, message: &Message) -> Result<Posted, Problem> {
        let topic = message.topic();
        if !self.settings.confirm {
            tracing::warn!(
                topic,
                "A topic asks whether it may post; confirm it by hand, or set sns.confirm."
            );
            return Ok(Posted::Nothing);
        }
        match self.certificates.confirm(message).await {
            Ok(()) => {
                tracing::info!(topic, "A topic may post from now on.");
                Ok(Posted::Nothing)
            }
            Err(Unproven::Unreachable(why)) => Ok(Posted::Later(why)),
            Err(unproven) => Err(Problem::forbidden("SubscribeURL", unproven.to_string())),
        }
    }

    async fn told(&self, message: &Message, asked: &Asked, own: &Settings) -> Posted {
        let (account, region) = place(message.topic());
        let sent_at = time::parse(message.timestamp()).ok();
        let contents = read::contents(message.text(), &self.teller.origin(account, region, sent_at));
        let carrier = Carrier {
            name: message.topic(),
            id: message.id(),
            field: "Message",
            cluster: asked.cluster(&own.cluster),
        };
        let made = match made(&self.teller, &contents, &carrier, asked).await {
            Ok(made) => made,
            Err(why) => return Posted::Later(why),
        };
        let parts = made.into_iter().enumerate();
        Posted::Parts(
            parts
                .map(|(index, made)| part(index, message, asked.body.clone(), made))
                .collect(),
        )
    }
}

/// What is not usable of a message is kept once, whichever part of it that is.
fn part(index: usize, message: &Message, body: Bytes, made: Made) -> Part {
    Part {
        index,
        id: Hash::new("SNS")
            .field(message.topic())
            .field(message.id())
            .finish(),
        body,
        frame: Frame::default(),
        made,
    }
}
