//! Ends actions in the ledger that nobody else ends, and keeps there what ended without it.

use hollowtrees_bus::{StoreError, WriteError, store::Presence};
use hollowtrees_domain::{
    run::Ended,
    settle::{Settlement, Why, kept, settle},
};
use hollowtrees_schemas::{envelope, id::ActionId, key, outgoing, proto};

use crate::{
    core::{Core, TRIES},
    drive::Happened,
    trouble::Trouble,
};

impl Core {
    /// Ends an action unless somebody started or ended it; says what is known of it then. The first try is
    /// to create the entry: only its refusal proves that there is one.
    pub(crate) async fn settle(&self, action: &proto::Action, why: Why) -> Result<Option<Happened>, Trouble> {
        let id: ActionId = action
            .id
            .parse()
            .map_err(|error: hollowtrees_schemas::id::IdError| Trouble::Unusable(error.to_string()))?;
        let key = key::ledger(&action.cluster, &id);
        let nonce = nonce();
        let mut found = None;
        for tries in 0..TRIES {
            let now = self.now();
            let known = found
                .as_ref()
                .map(|entry: &hollowtrees_bus::Versioned<proto::LedgerEntry>| &entry.value);
            let served = self.lease.is_served(&action.kind);
            let entry = match settle(why, action, known, &self.me, served, &nonce, now) {
                Settlement::Running => return Ok(Some(Happened::Started(id))),
                Settlement::Done(outcome) => return self.done(id, *outcome).await,
                Settlement::Write(entry) => *entry,
            };
            let written = match &found {
                None => self.bus.ledger().create(&key, &entry).await,
                Some(known) => self.bus.ledger().update(&key, &entry, known.revision).await,
            };
            match written {
                Ok(_) => {
                    self.telemetry.settled(&action.kind, why);
                    return self.done(id, entry.outcome.unwrap_or_default()).await;
                }
                Err(error) if error.is_conflict() => {
                    self.step_back(tries).await;
                    found = self.bus.ledger().get(&key).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble::Contended(key))
    }

    /// Keeps the end of an action in the ledger where the worker that ended it keeps none; whether that was
    /// done now. A ledger that knows the action is left as it is, whatever it says.
    pub(crate) async fn keep(&self, id: &ActionId, outcome: &proto::Outcome) -> Result<bool, Trouble> {
        let key = key::ledger(&outcome.cluster, id);
        match self.bus.ledger().presence(&key).await {
            Ok(Presence::Removed | Presence::Absent) => {}
            Ok(Presence::There) | Err(StoreError::Newer { .. } | StoreError::Unreadable { .. }) => {
                return Ok(false);
            }
            Err(error @ StoreError::Unavailable { .. }) => return Err(error.into()),
        }
        match self.bus.ledger().create(&key, &kept(outcome, &nonce())).await {
            Ok(_) => Ok(true),
            // Too large only with texts beyond any use: the runs that wait have the end all the same.
            Err(WriteError::Conflict { .. } | WriteError::TooLarge { .. }) => Ok(false),
            Err(error @ WriteError::Unavailable { .. }) => Err(error.into()),
        }
    }

    /// The outcome of an action that ended. Our own is said (again: we may have stopped between the ledger
    /// and the stream); a worker says its own itself, until it is acknowledged.
    async fn done(&self, id: ActionId, outcome: proto::Outcome) -> Result<Option<Happened>, Trouble> {
        let Some(ended) = Ended::of(&outcome, self.now()) else {
            let text = format!(
                "the ledger's outcome of {id} has the unknown result `{}`",
                outcome.result
            );
            return Err(Trouble::Unusable(text));
        };
        if outcome
            .worker
            .as_ref()
            .is_some_and(|worker| worker.kind == self.me.kind)
        {
            let source = self.own_source(&outcome.cluster);
            let envelope = envelope::outcome(outcome, source);
            self.publish(outgoing::outcome(&envelope, self.format)).await?;
        }
        Ok(Some(Happened::Ended(id, ended)))
    }
}

/// Tells one write from any other; no id depends on it.
fn nonce() -> String {
    format!("{:032x}", rand::random::<u128>())
}
