//! What a request holds, part by part, onto the bus; and what became of each.

use std::fmt;

use bytes::{Bytes, BytesMut};
use futures::future::join_all;
use hollowtrees_schemas::outgoing::Outgoing;
use jiff::Timestamp;

use crate::{
    ingest::{Aside, Ingest, Origin, Unusable},
    problem::Problem,
};

/// One thing that was sent.
#[derive(Debug)]
pub struct Part {
    /// Its place in the request, from 0.
    pub index: usize,
    /// What it says: its repetitions have the same.
    pub id: String,
    /// Its bytes as they came.
    pub body: Bytes,
    /// What makes of them a request of their own.
    pub frame: Frame,
    /// Its notice; `None` if it is known and says nothing of an instance that goes.
    pub made: Result<Option<Outgoing>, Problem>,
}

/// What stands around one thing of a list where it is sent alone: a dead letter is kept so that it can be posted again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    before: Bytes,
    after: &'static str,
}

impl Frame {
    /// Of one of an array.
    pub const LIST: Self = Self {
        before: Bytes::from_static(b"["),
        after: "]",
    };

    /// Anything.
    pub fn new(before: impl Into<Bytes>, after: &'static str) -> Self {
        Self {
            before: before.into(),
            after,
        }
    }

    fn around(&self, body: &Bytes) -> Bytes {
        if self.before.is_empty() && self.after.is_empty() {
            return body.clone();
        }
        let mut alone = BytesMut::with_capacity(self.before.len() + body.len() + self.after.len());
        alone.extend_from_slice(&self.before);
        alone.extend_from_slice(body);
        alone.extend_from_slice(self.after.as_bytes());
        alone.freeze()
    }
}

/// The request that it came in.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Who sent it.
    pub origin: Origin,
    /// Its path, with the cluster that its address named.
    pub address: String,
    /// The cluster of who sent it, where there can be no other; else empty: who may not speak for a cluster puts no dead
    /// letter there either.
    pub cluster: String,
    /// Its headers, secrets left out.
    pub headers: Vec<(String, String)>,
    /// When it came.
    pub at: Timestamp,
    /// Whether it is a dead letter that is sent again: what is refused of it is one already.
    pub redriven: bool,
}

/// One thing that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its place in the request, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {}: {}", self.index, self.problem)
    }
}

/// What became of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Notices stored.
    pub stored: usize,
    /// Notices the bus had already.
    pub repeated: usize,
    /// Known, and no notice.
    pub ignored: usize,
    /// Refused, and put aside.
    pub refused: Vec<Refusal>,
    /// How many of these were not kept, for their source has sent too many.
    pub not_kept: usize,
}

impl Report {
    /// How many were taken.
    pub fn taken(&self) -> usize {
        self.stored + self.repeated + self.ignored
    }
}

enum Fate {
    Stored,
    Repeated,
    Ignored,
    Refused(Refusal, Aside),
}

/// Stores what is a notice and puts aside what cannot be used; answers once the bus has it all.
pub async fn settle(ingest: &Ingest, delivery: &Delivery, parts: Vec<Part>) -> Report {
    let fates = join_all(parts.into_iter().map(|part| one(ingest, delivery, part))).await;
    let mut report = Report::default();
    for fate in fates {
        match fate {
            Fate::Stored => report.stored += 1,
            Fate::Repeated => report.repeated += 1,
            Fate::Ignored => report.ignored += 1,
            Fate::Refused(refusal, aside) => {
                report.refused.push(refusal);
                report.not_kept += usize::from(aside != Aside::Kept);
            }
        }
    }
    report
}

async fn one(ingest: &Ingest, delivery: &Delivery, part: Part) -> Fate {
    let problem = match &part.made {
        Ok(None) => {
            ingest.telemetry().ignored(delivery.origin.way);
            return Fate::Ignored;
        }
        Ok(Some(out)) => match ingest.store(&delivery.origin, out).await {
            Ok(published) if published.duplicate => return Fate::Repeated,
            Ok(_) => return Fate::Stored,
            Err(refused) => Problem::from(refused),
        },
        Err(problem) => problem.clone(),
    };
    let refusal = Refusal {
        index: part.index,
        problem: problem.clone(),
    };
    if delivery.redriven {
        ingest.telemetry().refused(&delivery.origin, problem.class);
        return Fate::Refused(refusal, Aside::Kept);
    }
    let what = Unusable {
        address: &delivery.address,
        id: &part.id,
        cluster: &delivery.cluster,
        class: problem.class,
        reason: problem.to_string(),
        headers: &delivery.headers,
        body: part.frame.around(&part.body),
        first_at: delivery.at,
    };
    let aside = ingest.put_aside(&delivery.origin, &what).await;
    Fate::Refused(refusal, aside)
}
