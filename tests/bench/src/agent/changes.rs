//! From a change in the metadata to its place on the bus.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};
use async_nats::jetstream;
use bytes::Bytes;
use hollowtrees_bench::{
    sample::{Latencies, milliseconds},
    table::Table,
};
use hollowtrees_bus::read::{From, Reading, Until};
use hollowtrees_harness::{
    Error, Metadata,
    http_client::Client,
    metadata::{Gcp, Instance},
    proxy::Seen,
    try_eventually,
};
use hollowtrees_schemas::{
    envelope::Envelope,
    names::{Stream, state},
    proto::Notice,
};
use http::{Method, header};
use jiff::Timestamp;
use tokio_util::task::AbortOnDropHandle;

use super::ground::{Agent, Ground};
use crate::{floor, setup};

/// Changes whose latency is taken.
const CHANGES: u64 = 200;
/// How often the document is read while latencies are taken: a poll's own share is at most this and a tenth.
const POLL: Duration = Duration::from_millis(20);
/// What 99 of 100 changes that are waited for may take, in milliseconds: an agent asks at most once in this time.
const WAITED: f64 = 20.0;
/// The longest wait for one change, or for an agent to ask.
const BOUND: Duration = Duration::from_secs(30);
const PREEMPTED: &str = "instance/preempted";
const MAINTENANCE: &str = "instance/maintenance-event";

/// Prints the rows of each way in which an agent comes to know.
pub(super) async fn rows(table: &mut Table, program: &Path) -> Result<()> {
    let plain = Ground::plain().await?;
    polled(table, program, &plain).await?;
    let gcp = Gcp::start().await?;
    let event = |change| gcp.set(MAINTENANCE, Some(&format!("EVENT_{change}")));
    let maintenance = Way {
        provider: "gcp",
        url: gcp.url(),
        document: MAINTENANCE,
        change: &event,
        calm: None,
        seen: &|| gcp.seen(),
    };
    let preempted = Way {
        document: PREEMPTED,
        change: &|_| gcp.preempt(),
        // It is not taken back of the same instance: each has an agent of its own.
        calm: Some(&|| gcp.set(PREEMPTED, Some("FALSE"))),
        ..maintenance.clone()
    };
    let tls = Ground::tls().await?;
    for (what, way, ground) in [
        ("Google waited for", &maintenance, &plain),
        ("Google's preemption waited for", &preempted, &plain),
        ("Google waited for, TLS", &maintenance, &tls),
    ] {
        // Nothing is announced yet when an agent comes.
        gcp.set(MAINTENANCE, Some("NONE"));
        gcp.set(PREEMPTED, Some("FALSE"));
        let ours = way.latencies(program, ground).await?.all;
        let floor = way.floor(ground).await?;
        let what = format!("agent, {what}, change -> on the bus");
        waited(table, &what, &ours, &floor);
    }
    Ok(())
}

async fn polled(table: &mut Table, program: &Path, ground: &Ground) -> Result<()> {
    let ec2 = Metadata::start(Instance::new("i-0123456789abcdef0", "eu-west-1a")).await?;
    let way = Way {
        provider: "aws",
        url: ec2.url(),
        document: "spot/instance-action",
        change: &|change| {
            // Each is news: it is sooner by more than a second, also after rounding.
            ec2.interrupt("terminate", Duration::from_secs(3_600 - 4 * change));
        },
        calm: None,
        seen: &|| ec2.seen(),
    };
    let found = way.latencies(program, ground).await?;
    // A poll may be a tenth of its period late, and the change have come just after the one before.
    let period = milliseconds(POLL) * 1.1;
    let what = format!("agent, EC2 polled every {POLL:?}");
    for (what, found, limit) in [
        (format!("{what}, change -> on the bus"), &found.all, period + 5.0),
        (
            format!("{what}, the poll that finds it -> on the bus"),
            &found.ours,
            5.0,
        ),
    ] {
        for (name, share) in QUANTILES {
            let limit = (name == LIMITED).then_some(limit);
            let time = milliseconds(found.quantile(share));
            table.limit(&format!("{what}, {name}"), time, "ms", limit);
        }
    }
    Ok(())
}

const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), (LIMITED, 0.99), ("max", 1.0)];
/// The limit is for 99 of 100.
const LIMITED: &str = "p99";

fn waited(table: &mut Table, what: &str, ours: &Latencies, floor: &Latencies) {
    for (name, share) in QUANTILES {
        let (ours, floor) = (ours.quantile(share), floor.quantile(share));
        let figures = [ours, floor, ours.saturating_sub(floor)];
        let limit = (name == LIMITED).then(|| (format!("<= {WAITED} ms"), milliseconds(ours) <= WAITED));
        let figures = figures.map(|time| format!("{:.2} ms", milliseconds(time)));
        table.beside(&format!("{what}, {name}"), &figures, limit);
    }
}

/// How an agent comes to know of a change.
#[derive(Clone)]
struct Way<'a> {
    provider: &'static str,
    url: String,
    /// End of the path that tells it.
    document: &'static str,
    change: &'a dyn Fn(u64),
    /// Undoes a change that an agent tells once in its life, before the next agent comes.
    calm: Option<&'a dyn Fn()>,
    seen: &'a dyn Fn() -> Vec<Seen>,
}

/// Of all changes.
struct Found {
    /// From the change to its place on the bus.
    all: Latencies,
    /// From the first question that was answered with the change.
    ours: Latencies,
}

impl Way<'_> {
    /// How long each of many changes takes to be on the bus, by the server's clock, which is this machine's.
    async fn latencies(&self, program: &Path, ground: &Ground) -> Result<Found> {
        let mut agent = Some(self.agent(program, ground, 0).await?);
        let mut reading = next_notices(ground).await?;
        let (mut all, mut ours) = (Vec::new(), Vec::new());
        for number in 0..CHANGES {
            if let (1.., Some(calm)) = (number, self.calm) {
                // The one before has gone first, so that it does not ask in the other's place.
                agent = None;
                calm();
            }
            if agent.is_none() {
                agent = Some(self.agent(program, ground, number).await?);
            }
            pause(number).await;
            let before = (self.seen)().len();
            let began = Timestamp::now();
            (self.change)(number);
            let changed = Timestamp::now();
            let stored = announced(&mut reading).await?;
            let seen = (self.seen)();
            let mut asked = seen
                .iter()
                .skip(before)
                .filter(|seen| seen.path.contains(self.document));
            // Who was asking already may have been told with the change.
            let asked = asked
                .find(|seen| seen.at >= changed)
                .map(|seen| seen.at)
                .filter(|at| *at <= stored)
                .unwrap_or(changed);
            all.push(between(began, stored));
            ours.push(between(asked, stored));
        }
        Ok(Found {
            all: Latencies::of(all),
            ours: Latencies::of(ours),
        })
    }

    /// One that has read the document as it is. Each is of a cluster of its own, or two that tell the same within a second would
    /// tell it once.
    async fn agent(&self, program: &Path, ground: &Ground, number: u64) -> Result<Agent> {
        let interval = format!("{}ms", POLL.as_millis());
        let cluster = format!("c{number}");
        let env = [("HT_POLL__INTERVAL", interval.as_str()), ("HT_CLUSTER", &cluster)];
        let before = self.asked();
        let agent = ground.agent(program, self.provider, &self.url, &env).await?;
        self.asked_since(before).await?;
        Ok(agent)
    }

    /// The same changes without an agent: a bare request that waits, and what it is answered with published by the bare client.
    async fn floor(&self, ground: &Ground) -> Result<Latencies> {
        let mut reading = next_notices(ground).await?;
        let before = self.asked();
        let url = format!("{}/computeMetadata/v1/{}", self.url, self.document);
        let telling = tell(url, ground.bare().await?);
        let mut telling = AbortOnDropHandle::new(tokio::spawn(telling));
        self.asked_since(before).await?;
        let mut all = Vec::new();
        for number in 0..CHANGES {
            if let Some(calm) = self.calm {
                let before = self.asked();
                calm();
                self.asked_since(before).await?;
            }
            pause(number).await;
            let began = Timestamp::now();
            // Not one of those that ours was told.
            (self.change)(CHANGES + number);
            let stored = tokio::select! {
                stored = announced(&mut reading) => stored?,
                ended = &mut telling => ended?.context("the floor of an agent")?,
            };
            all.push(between(began, stored));
        }
        Ok(Latencies::of(all))
    }

    /// How often the document was asked for, as far as that was answered.
    fn asked(&self) -> usize {
        let seen = (self.seen)();
        seen.iter()
            .filter(|seen| seen.path.contains(self.document))
            .count()
    }

    /// Waits until it was asked for once more.
    async fn asked_since(&self, before: usize) -> Result<()> {
        let what = format!("another question for {}", self.document);
        try_eventually(what, BOUND, async || match self.asked() {
            now if now > before => Ok(()),
            now => Err(Error::new(format!("asked {now} times"))),
        })
        .await?;
        Ok(())
    }
}

/// Waits for each change of one of Google's documents, and publishes a notice of it.
async fn tell(url: String, jetstream: jetstream::Context) -> Result<Timestamp> {
    let client = Client::plain()?;
    let flavor = [("metadata-flavor", "Google".to_owned())];
    let mut last = "0".to_owned();
    let mut told = 0;
    loop {
        let waiting = format!("{url}?wait_for_change=true&last_etag={last}&timeout_sec=60");
        let answer = client.send(Method::GET, &waiting, &flavor, Bytes::new()).await?;
        let etag = answer.headers().get(header::ETAG).context("no ETag")?;
        let etag = etag.to_str()?.to_owned();
        let is_first = last == "0";
        let is_news = etag != last && !is_first && answer.body() != "FALSE";
        last = etag;
        if is_news {
            told += 1;
            let notice = setup::notice(&format!("i-{told}"))?;
            floor::publish(&jetstream, notice.subject.to_string(), &notice).await?;
        }
    }
}

async fn next_notices(ground: &Ground) -> Result<Reading> {
    Ok(ground
        .bus
        .read(Stream::Notices, &[], From::Next, Until::Stopped)
        .await?)
}

/// Not in step with the polls, whose periods are at random, a tenth more or less.
async fn pause(number: u64) {
    tokio::time::sleep(Duration::from_millis(100 + number * 7 % 41)).await;
}

/// When the next notice was stored that announces something; the event in whose place it is, is taken back by another.
async fn announced(reading: &mut Reading) -> Result<Timestamp> {
    let next = async {
        loop {
            let message = reading.next().await?.context("the stream ended")?;
            let notice = Envelope::<Notice>::decode(&message.wire)?.data;
            if notice.state != state::CANCELLED {
                return Ok(message.stored_at);
            }
        }
    };
    tokio::time::timeout(BOUND, next)
        .await
        .context("no notice came of a change")?
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}
