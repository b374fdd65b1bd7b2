//! Takes in what the sources read: decides what is to be said, hands it on, and keeps the word about the metadata
//! service in `/readyz`, logs and metrics true.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hollowtrees_bus::Bus;
use hollowtrees_runtime::health::{self, Check};
use jiff::Timestamp;

use crate::{
    decide::{Observation, Reading, Said},
    document::{Document, Garbage, Heard, Identity, ec2},
    metadata,
    notice::Teller,
    spool::Spool,
    telemetry::{Interruption, Telemetry},
};

/// What `/readyz` looks at.
#[derive(Debug)]
pub struct Checks {
    /// Whether the provider is known.
    pub provider: Check,
    metadata: Check,
    bus: Check,
}

impl Checks {
    /// Registers them.
    pub fn register(checks: &health::Checks) -> Self {
        Self {
            provider: checks.register("provider"),
            metadata: checks.register("metadata"),
            bus: checks.register("bus"),
        }
    }

    /// Nothing is read, for this reason.
    pub fn silent(&self, why: &str) {
        self.metadata.tell(why);
    }

    /// Looks after the connection to the bus, for ever.
    pub async fn watch(&self, bus: &Bus, every: Duration) {
        loop {
            if bus.is_connected() {
                self.bus.pass();
            } else {
                self.bus
                    .fail("no connection to NATS; notices are kept until there is one");
            }
            tokio::time::sleep(every).await;
        }
    }
}

/// Why a document could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It could not be read.
    #[error(transparent)]
    Metadata(#[from] metadata::Error),
    /// It could not be understood.
    #[error(transparent)]
    Garbage(#[from] Garbage),
    /// Nothing says who this instance is.
    #[error(
        "the metadata service knows neither {} nor {}; without the instance's id no notice can be given",
        ec2::IDENTITY,
        ec2::INSTANCE_ID
    )]
    Nameless,
    /// It is older than what was read before.
    #[error(
        "{path} is of version {version}, older than one that was read before; it is believed once it has stood for ten \
         seconds"
    )]
    Outdated {
        /// What was asked for.
        path: &'static str,
        /// The provider's number of it.
        version: u64,
    },
}

impl Trouble {
    /// Type of the error, for `hollowtrees_errors_total`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Metadata(error) => error.kind(),
            Self::Garbage(_) => "metadata_garbage",
            Self::Nameless => "metadata_no_identity",
            Self::Outdated { .. } => "metadata_outdated",
        }
    }

    /// Whether the service gave an answer, of whatever kind.
    pub fn answered(&self) -> bool {
        match self {
            Self::Metadata(error) => error.answered(),
            Self::Garbage(_) | Self::Nameless | Self::Outdated { .. } => true,
        }
    }
}

/// Hears all documents of a provider, and remembers what it passed on.
#[derive(Debug)]
pub struct Ear {
    teller: Arc<Teller>,
    spool: Spool,
    telemetry: Telemetry,
    checks: Arc<Checks>,
    said: Mutex<Said>,
    /// What is wrong with each document (with the identity: none) at the moment.
    troubles: Mutex<BTreeMap<Option<Document>, String>>,
}

impl Ear {
    /// Has not heard anything yet.
    pub fn new(teller: Arc<Teller>, spool: Spool, telemetry: Telemetry, checks: Arc<Checks>) -> Self {
        Self {
            teller,
            spool,
            telemetry,
            checks,
            said: Mutex::default(),
            troubles: Mutex::default(),
        }
    }

    /// Who the instance is, once known.
    pub fn identity(&self) -> Option<&Identity> {
        self.teller.identity().map(Arc::as_ref)
    }

    /// Learns who the instance is, or that it cannot be read now.
    pub fn learns(&self, identity: Result<Identity, Trouble>) -> Option<Arc<Identity>> {
        match identity {
            Ok(identity) => {
                self.telemetry.identified(&identity);
                self.telemetry.well(None);
                lock(&self.troubles).remove(&None);
                Some(Arc::clone(self.teller.learn(identity)))
            }
            Err(trouble) => {
                self.troubled(None, &trouble);
                None
            }
        }
    }

    /// Takes in one reading of a document; `None`: there is none.
    pub fn hear(&self, identity: &Identity, document: Document, read: Result<Option<Heard>, Trouble>) {
        let answered = read.as_ref().err().is_none_or(Trouble::answered);
        let reading = match read {
            Ok(Some(heard)) => {
                // What could be read is of use, and the rest is told.
                match &heard.odd {
                    Some(odd) => self.troubled(Some(document), &odd.clone().into()),
                    None => self.well(document),
                }
                Reading::Says(heard)
            }
            Ok(None) => {
                self.well(document);
                Reading::Absent
            }
            Err(trouble) => {
                self.troubled(Some(document), &trouble);
                Reading::Unknown
            }
        };
        let seen = Observation {
            at: Timestamp::now(),
            document,
            reading,
        };
        let mut said = lock(&self.said);
        let (next, facts) = said.decide(&seen);
        *said = next;
        self.show(identity, &seen, answered, &said);
        drop(said);
        for fact in facts {
            match self.teller.tell(identity, fact) {
                Ok(message) => {
                    let kept = self.spool.offer(message.clone());
                    self.telemetry
                        .noticed(&message, identity, &kept, self.spool.len());
                }
                Err(error) => self.telemetry.unsayable(&error),
            }
        }
    }

    fn show(&self, identity: &Identity, seen: &Observation, answered: bool, said: &Said) {
        let says = match &seen.reading {
            Reading::Says(heard) => Some(!heard.words.is_empty()),
            Reading::Absent => Some(false),
            Reading::Unknown => None,
        };
        if seen.document.interrupts() {
            let going = said.going(seen.document);
            let interruption = match (says, going) {
                (None, _) => Interruption::Unknown,
                (Some(true), Some((action, at))) => Interruption::Imminent {
                    action: action.to_owned(),
                    at,
                },
                (Some(_), _) => Interruption::None,
            };
            self.telemetry.interruption(identity, answered, &interruption);
        }
        if let (Document::Ec2Rebalance, Some(recommended)) = (seen.document, says) {
            self.telemetry.rebalance(identity, recommended);
        }
    }

    fn troubled(&self, document: Option<Document>, trouble: &Trouble) {
        let why = trouble.to_string();
        self.checks.metadata.fail(why.as_str());
        lock(&self.troubles).insert(document, why);
        self.telemetry.trouble(document, trouble);
    }

    fn well(&self, document: Document) {
        self.telemetry.well(Some(document));
        let mut troubles = lock(&self.troubles);
        troubles.remove(&Some(document));
        match troubles.values().next() {
            Some(why) => self.checks.metadata.fail(why.as_str()),
            None => self.checks.metadata.pass(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
