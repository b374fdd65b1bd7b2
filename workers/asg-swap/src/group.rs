//! The group's record on the bus.

use std::time::Duration;

use hollowtrees_bus::{Bus, Options, StoreError, WriteError, store::SCHEMA};
use hollowtrees_runtime::worker::Failure;
use hollowtrees_schemas::{key, proto};

/// First and longest wait before an unanswered read or write is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Tries at a record that is not answered.
const TRIES: u32 = 12;

/// A connection of its own, for what is done beside the worker loop. `what` it is for.
pub(crate) async fn connected(options: &Options, what: &str, again: Duration) -> Bus {
    loop {
        match Bus::connect(options).await {
            Ok(bus) => return bus,
            // The worker loop, which has the same trouble, says it loudly.
            Err(error) => tracing::debug!(%error, what, "The bus cannot be reached."),
        }
        tokio::time::sleep(again).await;
    }
}

/// Where a group's record is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    account: String,
    region: String,
    name: String,
}

impl Place {
    pub(crate) fn new(account: &str, region: &str, name: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn key(&self) -> String {
        key::group(&self.account, &self.region, &self.name)
    }

    /// The record as it is read now; empty where there is none.
    pub(crate) async fn read(&self, bus: &Bus) -> Result<proto::Group, Failure> {
        let read = bus.groups().get(&self.key()).await;
        Ok(read
            .map_err(unread)?
            .map_or_else(|| self.empty(), |found| found.value))
    }

    /// Changes the record by compare-and-set, again on what somebody else made of it meanwhile. `change` says whether
    /// it is still to be written.
    pub(crate) async fn change<T>(
        &self,
        bus: &Bus,
        mut change: impl FnMut(&mut proto::Group) -> Changed<T>,
    ) -> Result<T, Failure> {
        let (store, key) = (bus.groups(), self.key());
        let mut tries = 0;
        loop {
            let found = store.get(&key).await.map_err(unread)?;
            let (mut record, revision) = match found {
                Some(found) => (found.value, Some(found.revision)),
                None => (self.empty(), None),
            };
            let value = match change(&mut record) {
                Changed::Write(value) => value,
                Changed::Leave(value) => return Ok(value),
            };
            record.nonce = format!("{:016x}", rand::random::<u64>());
            let written = match revision {
                Some(revision) => store.update(&key, &record, revision).await,
                None => store.create(&key, &record).await,
            };
            match written {
                Ok(_) => return Ok(value),
                Err(WriteError::Conflict { .. }) => {}
                Err(error @ WriteError::TooLarge { .. }) => return Err(Failure::transient(error)),
                Err(error) if tries >= TRIES => return Err(Failure::transient(error)),
                // It may have happened: every change here may be made twice.
                Err(error @ WriteError::Unavailable { .. }) => {
                    tracing::debug!(%error, "The record of a group was not answered; it is written again.");
                }
            }
            let wait = RETRY
                .0
                .saturating_mul(2_u32.saturating_pow(tries.min(10)))
                .min(RETRY.1);
            tries += 1;
            tokio::time::sleep(wait.mul_f64(rand::random_range(0.1..=1.0))).await;
        }
    }

    fn empty(&self) -> proto::Group {
        proto::Group {
            schema: SCHEMA,
            account: self.account.clone(),
            region: self.region.clone(),
            name: self.name.clone(),
            ..proto::Group::default()
        }
    }
}

/// What a change made of the record.
pub(crate) enum Changed<T> {
    /// It is to be written.
    Write(T),
    /// It stays.
    Leave(T),
}

fn unread(error: StoreError) -> Failure {
    Failure::transient(error)
}
