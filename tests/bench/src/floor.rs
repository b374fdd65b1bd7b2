//! The same calls on the bare client, and nothing else.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use async_nats::{
    HeaderMap,
    jetstream::{
        self,
        consumer::{Consumer, PullConsumer, pull},
        kv,
    },
};
use bytes::Bytes;
use futures::StreamExt;
use hollowtrees_schemas::outgoing::Outgoing;
use tokio::sync::Semaphore;

use crate::setup;

/// The bare router as a process of its own, as ours is: takes notices until it is ended.
pub(crate) async fn router(url: &str) -> Result<()> {
    let bare = Bare::connect(url).await?;
    bare.take(
        "HT_NOTICES",
        "router-notices",
        usize::MAX,
        256,
        Bare::work_on_notice,
    )
    .await
}

/// A bare connection with the buckets open.
#[derive(Clone)]
pub(crate) struct Bare {
    pub(crate) jetstream: jetstream::Context,
    incidents: kv::Store,
    runs: kv::Store,
    ledger: kv::Store,
}

/// One message, and its acknowledgement.
pub(crate) async fn publish(jetstream: &jetstream::Context, subject: String, out: &Outgoing) -> Result<()> {
    let mut headers = HeaderMap::new();
    for (name, value) in &out.wire.headers {
        headers.insert(name.as_str(), value.as_str());
    }
    headers.insert("Nats-Msg-Id", out.message_id.as_str());
    jetstream
        .publish_with_headers(subject, headers, out.wire.body.clone())
        .await?
        .await?;
    Ok(())
}

/// A record about as large as ours.
fn record() -> Bytes {
    Bytes::from(format!("{{\"schema\":1,\"filler\":\"{}\"}}", "x".repeat(900)))
}

impl Bare {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let jetstream = jetstream::new(async_nats::connect(url).await?);
        Ok(Self {
            incidents: jetstream.get_key_value("ht_incidents").await?,
            runs: jetstream.get_key_value("ht_runs").await?,
            ledger: jetstream.get_key_value("ht_ledger").await?,
            jetstream,
        })
    }

    pub(crate) async fn publish(&self, subject: String, out: &Outgoing) -> Result<()> {
        publish(&self.jetstream, subject, out).await
    }

    /// All the router calls for a notice.
    pub(crate) async fn work_on_notice(self, instance: String) -> Result<()> {
        let action = setup::action(&instance)?;
        let revision = self.route(&instance, &action).await?;
        self.note(&instance, revision, &action).await
    }

    /// What it calls before an action can be taken: incident, run, action.
    async fn route(&self, key: &str, action: &Outgoing) -> Result<u64> {
        self.incidents.update(key, record(), 0).await?;
        let revision = self.runs.update(key, record(), 0).await?;
        self.publish(action.subject.to_string(), action).await?;
        Ok(revision)
    }

    /// What it calls after it: the note in the run, and two events.
    async fn note(&self, key: &str, revision: u64, action: &Outgoing) -> Result<()> {
        let noted = async { Ok::<_, anyhow::Error>(self.runs.update(key, record(), revision).await?) };
        let opened = self.publish(format!("ht.incident.v1.c1.opened.{key}"), action);
        let started = self.publish(format!("ht.run.v1.c1.started.{key}"), action);
        tokio::try_join!(noted, opened, started)?;
        Ok(())
    }

    /// What a worker calls before its handler: the claim, and a look at the incident.
    pub(crate) async fn claim(&self, key: &str) -> Result<u64> {
        let (claimed, looked) = tokio::join!(self.ledger.update(key, record(), 0), self.incidents.get(key));
        looked?;
        Ok(claimed?)
    }

    /// What it calls after it: the end in the ledger, and the outcome.
    pub(crate) async fn conclude(&self, key: &str, revision: u64, outcome: &Outgoing) -> Result<()> {
        self.ledger.update(key, record(), revision).await?;
        self.publish(format!("ht.outcome.v1.c1.work.succeeded.{key}"), outcome)
            .await
    }

    async fn consumer(&self, stream: &str, name: &str) -> Result<PullConsumer> {
        let consumer: Consumer<pull::Config> = self.jetstream.get_consumer_from_stream(name, stream).await?;
        Ok(consumer)
    }

    /// Takes `count` messages and handles up to `at_once` of them at a time, acknowledging each at its end.
    pub(crate) async fn take<F>(
        &self,
        stream: &str,
        name: &str,
        count: usize,
        at_once: usize,
        handle: impl Fn(Self, String) -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let mut messages = self
            .consumer(stream, name)
            .await?
            .stream()
            .max_messages_per_batch(at_once)
            .heartbeat(Duration::from_secs(5))
            .messages()
            .await?;
        let slots = Arc::new(Semaphore::new(at_once));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..count {
            let message = messages.next().await.context("the stream goes on")??;
            let slot = Arc::clone(&slots).acquire_owned().await?;
            let instance = message.subject.rsplit('.').next().unwrap_or_default().to_owned();
            let handling = handle(self.clone(), instance);
            tasks.spawn(async move {
                handling.await?;
                message.ack().await.map_err(|error| anyhow::anyhow!(error))?;
                drop(slot);
                Ok::<_, anyhow::Error>(())
            });
            while let Some(ended) = tasks.try_join_next() {
                ended??;
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}
