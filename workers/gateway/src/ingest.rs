//! The one way by which an origin's word gets onto the bus: as a stored notice, or, where it is none, put aside.
//!
//! An origin is told "taken" (2xx, a deleted queue message) only after [`Ingest::store`] or [`Ingest::put_aside`] has
//! answered. Both wait for the bus as long as it takes, bounded in number; who cannot wait that long drops the future
//! and has its origin say it again: the same has the same id and is stored once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hollowtrees_bus::{
    Bus, PublishError, Published,
    dead::{Class, Foreign, Reason},
};
use hollowtrees_domain::notice::{Invalid, Notice};
use hollowtrees_schemas::{
    codec::EncodeError,
    envelope::{self, DataFormat},
    names::GATEWAY,
    outgoing::{self, Outgoing},
    proto,
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

use crate::{config, rate::Rates, telemetry::Telemetry};

/// One attempt to store lasts so long before the connection is looked at again.
const TURN: SignedDuration = SignedDuration::from_secs(5);
/// How often a lost connection is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Of a body the bus takes in no dead letter so much is kept, in bytes.
const HEAD: usize = 128 * 1024;

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The way in, one of a few constants: the label `source` of our metrics.
    pub way: &'static str,
    /// The source's own name, for dead letters and their cap: a queue's name, `alertmanager/prometheus-a`.
    pub source: Arc<str>,
}

impl Origin {
    /// An origin of that way and name.
    pub fn new(way: &'static str, source: impl Into<Arc<str>>) -> Self {
        Self {
            way,
            source: source.into(),
        }
    }
}

/// What could not be used.
#[derive(Clone, Debug)]
pub struct Unusable<'a> {
    /// Where it was sent, for a person: a queue's address, a path.
    pub address: &'a str,
    /// What it says: the same put aside twice is kept once.
    pub id: &'a str,
    /// Cluster it belongs to; empty where it cannot be told.
    pub cluster: &'a str,
    /// Kind of failure.
    pub class: Class,
    /// A sentence for a person, the remedy with it. No part of the body.
    pub reason: String,
    /// What came with it, secrets left out.
    pub headers: &'a [(String, String)],
    /// The bytes as they came.
    pub body: Bytes,
    /// When it came.
    pub first_at: Timestamp,
}

/// What became of a body nobody can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// It is a dead letter.
    Kept,
    /// It is counted only: its source has sent too many.
    Capped,
    /// It is counted only: the bus does not take it, not even its beginning.
    Lost,
}

/// Why a notice cannot be made or stored. None of these passes with time.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A field that cannot be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// An attribute that cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The notices' stream does not take it.
    #[error("the notice is larger than the bus takes ({bytes} bytes); send less detail")]
    TooLarge {
        /// Size of its body.
        bytes: usize,
    },
}

/// A notice as a message for the bus, checked as the router will check it.
///
/// `source` becomes `ce-source`: it names the origin, never a process, so that a repetition has the same.
///
/// # Errors
/// A field the router would refuse, or that has no form as a CloudEvent.
pub fn message(notice: proto::Notice, source: &str, now: Timestamp) -> Result<Outgoing, Refused> {
    Notice::parse(notice.clone(), source, now)?;
    Ok(outgoing::notice(
        &envelope::notice(notice, source),
        DataFormat::Json,
    )?)
}

/// The way onto the bus. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    inner: Arc<Inner>,
}

struct Inner {
    bus: Bus,
    worker: proto::Worker,
    places: Arc<Semaphore>,
    in_flight: usize,
    letters: Rates,
    telemetry: Telemetry,
}

impl Ingest {
    /// `worker` signs dead letters.
    pub fn new(bus: Bus, worker: proto::Worker, settings: &config::Ingest, telemetry: Telemetry) -> Self {
        let a_minute = f64::from(settings.dead_letters_per_minute);
        Self {
            inner: Arc::new(Inner {
                bus,
                worker,
                places: Arc::new(Semaphore::new(settings.in_flight)),
                in_flight: settings.in_flight,
                letters: Rates::new(a_minute / 60.0, a_minute),
                telemetry,
            }),
        }
    }

    /// What is counted.
    pub fn telemetry(&self) -> &Telemetry {
        &self.inner.telemetry
    }

    /// Whether the bus is there right now.
    pub fn is_connected(&self) -> bool {
        self.inner.bus.is_connected()
    }

    /// Stores a notice, however long that takes; answers once the bus has acknowledged.
    ///
    /// # Errors
    /// [`Refused::TooLarge`] only.
    pub async fn store(&self, origin: &Origin, out: &Outgoing) -> Result<Published, Refused> {
        let start = Instant::now();
        let _place = self.place().await;
        let published = loop {
            // Sent into a connection that is down, each attempt would wait in the client's queue and be sent at the end.
            if !self.inner.bus.is_connected() {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            match self.inner.bus.publish(out, Some(Timestamp::now() + TURN)).await {
                Ok(published) => break published,
                Err(PublishError::TimedOut { .. }) => {}
                Err(PublishError::TooLarge { bytes, .. }) => return Err(Refused::TooLarge { bytes }),
            }
        };
        self.inner
            .telemetry
            .stored(origin, out, published, start.elapsed());
        Ok(published)
    }

    /// Keeps what nobody can use as a dead letter, however long that takes. Counts it either way.
    pub async fn put_aside(&self, origin: &Origin, what: &Unusable<'_>) -> Aside {
        let telemetry = &self.inner.telemetry;
        telemetry.refused(origin, what.class);
        if self.inner.letters.take(&origin.source, Instant::now()).is_err() {
            telemetry.not_kept(origin, what.class, what.id);
            return Aside::Capped;
        }
        let _place = self.place().await;
        let mut foreign = Foreign {
            source: &origin.source,
            address: what.address,
            id: what.id,
            headers: what.headers,
            body: what.body.clone(),
            first_at: what.first_at,
        };
        let mut reason = Reason {
            class: what.class,
            text: what.reason.clone(),
            attempts: 1,
            action_id: None,
            cluster: what.cluster,
            worker: &self.inner.worker,
        };
        let mut kept = self.inner.bus.put_aside(&foreign, GATEWAY, &reason).await;
        if matches!(kept, Err(PublishError::TooLarge { .. })) {
            let bytes = what.body.len();
            foreign.body = what.body.slice(..bytes.min(HEAD));
            foreign.headers = &[];
            reason.text = format!("{} (the first {HEAD} of {bytes} bytes are kept)", what.reason);
            kept = self.inner.bus.put_aside(&foreign, GATEWAY, &reason).await;
        }
        match kept {
            Ok(_) => {
                telemetry.put_aside(origin, what.class, what.id);
                Aside::Kept
            }
            Err(error) => {
                telemetry.lost(origin, what.id, &error);
                Aside::Lost
            }
        }
    }

    /// One of the places for what is under way.
    async fn place(&self) -> Option<Place<'_>> {
        let permit = Arc::clone(&self.inner.places).acquire_owned().await.ok()?;
        self.show();
        Some(Place {
            ingest: self,
            permit: Some(permit),
        })
    }

    fn show(&self) {
        let held = self.inner.in_flight - self.inner.places.available_permits().min(self.inner.in_flight);
        self.inner.telemetry.in_flight(held);
    }
}

struct Place<'a> {
    ingest: &'a Ingest,
    permit: Option<tokio::sync::OwnedSemaphorePermit>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.ingest.show();
    }
}
