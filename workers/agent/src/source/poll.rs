//! Documents that are read again and again: EC2's, Azure's, Alibaba's.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{jittered, newest::Newest};
use crate::{
    approve::{self, Pending},
    document::{Document, Heard, Identity, Pauses, alibaba, azure, ec2},
    listen::{Ear, Trouble},
    metadata::{Client, Question},
    provider::Provider,
    settings::Settings,
};

/// "Due to the potential delay of the first request, up to two minutes": Azure, which switches scheduled events on for
/// who asks for them.
const FIRST_ANSWER: Duration = Duration::from_secs(125);

/// A document and when it is read next.
struct Row {
    document: Document,
    every: Duration,
    next: Instant,
}

struct Poller {
    client: Client,
    provider: Provider,
    pauses: Pauses,
    /// EC2's older document of an interruption.
    old: Option<Row>,
    /// What it said last.
    old_says: Heard,
    /// Azure has answered.
    answered: bool,
    /// The newest list of Azure's events that was read.
    newest: Newest,
    /// Azure's events that wait for an approval, where somebody gives one.
    pending: Option<watch::Sender<Vec<Pending>>>,
}

/// Reads for ever.
pub(super) async fn run(
    client: Client,
    provider: Provider,
    settings: &Settings,
    ear: &Ear,
    pending: Option<watch::Sender<Vec<Pending>>>,
) {
    let poll = &settings.poll;
    let now = Instant::now();
    let row = |document, every: Duration| Row {
        document,
        every,
        next: now,
    };
    let mut rows = match provider {
        Provider::Azure => vec![row(Document::AzureEvents, poll.interval)],
        Provider::Alibaba => vec![row(Document::AlibabaSpot, poll.interval)],
        _ => vec![
            row(Document::Ec2Spot, poll.interval),
            row(Document::Ec2Rebalance, poll.rebalance),
            row(Document::Ec2Lifecycle, poll.lifecycle),
            row(Document::Ec2Maintenance, poll.maintenance),
        ],
    };
    rows.retain(|row| !row.every.is_zero());
    let old = row(Document::Ec2Spot, poll.termination_time);
    let mut poller = Poller {
        client,
        provider,
        pauses: settings.maintenance.pauses,
        old: Some(old).filter(|old| !old.every.is_zero()),
        old_says: Heard::default(),
        answered: false,
        newest: Newest::default(),
        pending,
    };
    let identity = loop {
        match ear.learns(poller.identity().await) {
            Some(identity) => break identity,
            None => sleep(jittered(poll.interval)).await,
        }
    };
    loop {
        poller.round(&mut rows, &identity, ear).await;
        let Some(next) = rows.iter().map(|row| row.next).min() else {
            return std::future::pending().await;
        };
        sleep_until(next).await;
    }
}

impl Poller {
    /// Reads what is due. Whoever does not answer the first question is not asked the others now.
    async fn round(&mut self, rows: &mut [Row], identity: &Identity, ear: &Ear) {
        let now = Instant::now();
        let mut answers = true;
        for row in rows.iter_mut().filter(|row| row.next <= now) {
            row.next = Instant::now() + jittered(row.every);
            if !answers {
                continue;
            }
            let read = self.read(row.document, identity).await;
            answers = read.as_ref().err().is_none_or(Trouble::answered);
            ear.hear(identity, row.document, read);
        }
    }

    async fn read(&mut self, document: Document, identity: &Identity) -> Result<Option<Heard>, Trouble> {
        let (path, parse): (_, fn(&[u8]) -> _) = match document {
            Document::Ec2Spot => return self.spot().await,
            Document::AzureEvents => return self.events(&identity.name).await,
            Document::Ec2Rebalance => (ec2::REBALANCE, ec2::rebalance),
            Document::Ec2Maintenance => (ec2::MAINTENANCE, ec2::maintenance),
            Document::Ec2Lifecycle => (ec2::LIFECYCLE, ec2::lifecycle),
            Document::AlibabaSpot => (alibaba::TERMINATION_TIME, alibaba::termination_time),
            Document::GcpPreempted | Document::GcpMaintenance => return Ok(None),
        };
        let body = self.client.document(path).await?;
        Ok(body.map(|body| parse(&body)).transpose()?)
    }

    /// The newer document, and where there is none now and then the older.
    async fn spot(&mut self) -> Result<Option<Heard>, Trouble> {
        if let Some(body) = self.client.document(ec2::INSTANCE_ACTION).await? {
            return Ok(Some(ec2::instance_action(&body)?));
        }
        let now = Instant::now();
        if let Some(old) = self.old.as_mut().filter(|old| old.next <= now) {
            old.next = now + jittered(old.every);
            let body = self.client.document(ec2::TERMINATION_TIME).await?;
            let says = body.map(|body| ec2::termination_time(&body)).transpose()?;
            self.old_says = says.unwrap_or_default();
        }
        Ok(Some(&self.old_says)
            .filter(|says| !says.words.is_empty())
            .cloned())
    }

    async fn events(&mut self, name: &str) -> Result<Option<Heard>, Trouble> {
        let question = Question {
            query: azure::EVENTS_QUERY,
            patience: if self.answered {
                Duration::ZERO
            } else {
                FIRST_ANSWER
            },
            ..Question::of(azure::EVENTS)
        };
        let document = self.client.ask(&question).await?;
        self.answered = true;
        let heard = document.map(|document| azure::events(&document.body, name, self.pauses));
        let heard = heard.transpose()?;
        if let Some(version) = heard.as_ref().and_then(|heard| heard.version)
            && self.newest.outdates(version, Instant::now())
        {
            return Err(Trouble::Outdated {
                path: azure::EVENTS,
                version,
            });
        }
        if let (Some(pending), Some(heard)) = (&self.pending, &heard) {
            let now = approve::pending(heard, name);
            pending.send_if_modified(|before| {
                *before != now && {
                    *before = now;
                    true
                }
            });
        }
        Ok(heard)
    }

    async fn identity(&mut self) -> Result<Identity, Trouble> {
        let question = match self.provider {
            Provider::Azure => Question {
                query: azure::COMPUTE_QUERY,
                ..Question::of(azure::COMPUTE)
            },
            Provider::Alibaba => Question::of(alibaba::IDENTITY),
            _ => Question::of(ec2::IDENTITY),
        };
        match (self.provider, self.client.ask(&question).await?) {
            (Provider::Azure, Some(document)) => Ok(azure::identity(&document.body)?),
            (Provider::Alibaba, Some(document)) => Ok(alibaba::identity(&document.body)?),
            (_, Some(document)) => Ok(ec2::identity(&document.body)?),
            (Provider::Azure, None) => Err(Trouble::Nameless),
            (Provider::Alibaba, None) => {
                let id = self.client.document(ec2::INSTANCE_ID).await?;
                let identity = ec2::instance_id(&id.ok_or(Trouble::Nameless)?)?;
                Ok(Identity {
                    provider: Provider::Alibaba,
                    ..identity
                })
            }
            (_, None) => {
                let id = self.client.document(ec2::INSTANCE_ID).await?;
                Ok(ec2::instance_id(&id.ok_or(Trouble::Nameless)?)?)
            }
        }
    }
}
