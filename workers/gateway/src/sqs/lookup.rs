//! Looks up whose an instance is: one call for many, an answer kept for a while.
//!
//! Asks of one account and region wait for each other as `gather` says: a burst of a thousand messages makes few calls,
//! and a single one waits for nobody.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hollowtrees_aws::{Aws, Machine, Refusal, Region, Role, lookup::AT_ONCE};
use tokio::sync::{mpsc, oneshot};

use super::{
    gather::{Ask, Backlog, Gather, Waiting},
    settings::{self, Sqs},
    telemetry::{Asked, Telemetry},
};

/// Answers kept, at most.
const KEPT: usize = 20_000;
/// Asks that wait for a place with one region.
const WAITING: usize = 1024;
/// Accounts and regions at once; nobody has so many.
const PLACES: usize = 512;

/// What came of a look-up.
pub(crate) type Answer = Result<Option<Arc<Machine>>, Refusal>;

/// Where an instance is asked for: account and region.
type Place = (String, String);
/// A hook: where, group, name.
type Hook = (Place, String, String);
/// An answer about a hook; held while it is asked for, so that it is asked for once.
type HookAnswer = Arc<tokio::sync::Mutex<Option<(Instant, Option<Duration>)>>>;

/// Looks up instances and hooks with one set of credentials. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Lookup {
    inner: Arc<Inner>,
}

struct Inner {
    aws: Aws,
    settings: settings::Lookup,
    access: Sqs,
    telemetry: Telemetry,
    /// AWS under the role of each account, where there is one.
    accounts: tokio::sync::Mutex<HashMap<String, Aws>>,
    places: Mutex<HashMap<Place, mpsc::Sender<Ask<Answer>>>>,
    /// By region.
    backlogs: Mutex<HashMap<String, Backlog>>,
    known: Mutex<HashMap<(Place, String), Known>>,
    hooks: Mutex<HashMap<Hook, HookAnswer>>,
}

struct Known {
    until: Instant,
    machine: Option<Arc<Machine>>,
}

impl Lookup {
    /// Asks with these credentials, unless the settings name a role.
    pub(crate) fn new(aws: Aws, settings: &Sqs, telemetry: Telemetry) -> Self {
        Self {
            inner: Arc::new(Inner {
                aws,
                settings: settings.lookup.clone(),
                access: settings.clone(),
                telemetry,
                accounts: tokio::sync::Mutex::default(),
                places: Mutex::default(),
                backlogs: Mutex::default(),
                known: Mutex::default(),
                hooks: Mutex::default(),
            }),
        }
    }

    /// Where polls of this region's queues say that they expect more.
    pub(super) fn backlog(&self, region: &str) -> Backlog {
        let mut backlogs = lock(&self.inner.backlogs);
        if backlogs.len() >= PLACES {
            backlogs.clear();
        }
        backlogs.entry(region.to_owned()).or_default().clone()
    }

    /// An instance; none if EC2 knows none of this id.
    ///
    /// # Errors
    /// AWS did not say.
    pub(crate) async fn machine(&self, account: &str, region: &str, id: &str) -> Answer {
        let place = (account.to_owned(), region.to_owned());
        let key = (place.clone(), id.to_owned());
        let now = Instant::now();
        let known = lock(&self.inner.known)
            .get(&key)
            .filter(|known| known.until > now)
            .map(|known| known.machine.clone());
        if let Some(machine) = known {
            self.inner.telemetry.looked_up(Asked::Kept);
            return Ok(machine);
        }
        let (answer, answered) = oneshot::channel();
        let ask = Ask {
            id: id.to_owned(),
            answer,
        };
        let sender = self.sender(&place).await?;
        let gone = || Refusal::Unclear {
            message: "the look-up of instances has ended".to_owned(),
        };
        sender.send(ask).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// How long a hook waits; none if there is no such hook.
    ///
    /// # Errors
    /// AWS did not say.
    pub(crate) async fn hook(
        &self,
        account: &str,
        region: &str,
        group: &str,
        hook: &str,
    ) -> Result<Option<Duration>, Refusal> {
        let place = (account.to_owned(), region.to_owned());
        let slot = {
            let mut hooks = lock(&self.inner.hooks);
            if hooks.len() >= KEPT {
                hooks.clear();
            }
            let key = (place.clone(), group.to_owned(), hook.to_owned());
            Arc::clone(hooks.entry(key).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some((until, waits)) = *slot
            && until > Instant::now()
        {
            return Ok(waits);
        }
        let region = self.region(&place).await?;
        let asked = region.hook_timeout(group, hook).await;
        self.inner.telemetry.called("DescribeLifecycleHooks", &asked);
        let waits = asked?;
        *slot = Some((Instant::now() + self.inner.settings.fresh, waits));
        Ok(waits)
    }

    async fn region(&self, (account, region): &Place) -> Result<Region, Refusal> {
        let role = &self.inner.settings.role;
        if role.is_empty() {
            return Ok(self.inner.aws.region(region));
        }
        let mut accounts = self.inner.accounts.lock().await;
        if let Some(aws) = accounts.get(account) {
            return Ok(aws.region(region));
        }
        let role = Role {
            arn: role.replace("{account}", account),
            external_id: None,
        };
        let aws = Box::pin(Aws::connect(&self.inner.access.access(Some(role))))
            .await
            .map_err(|error| Refusal::Unclear {
                message: error.to_string(),
            })?;
        let found = aws.region(region);
        accounts.insert(account.clone(), aws);
        Ok(found)
    }

    async fn sender(&self, place: &Place) -> Result<mpsc::Sender<Ask<Answer>>, Refusal> {
        if let Some(sender) = lock(&self.inner.places).get(place) {
            return Ok(sender.clone());
        }
        let region = self.region(place).await?;
        let backlog = self.backlog(&place.1);
        let mut places = lock(&self.inner.places);
        if places.len() >= PLACES {
            // Those that are asked still answer, then end.
            places.clear();
        }
        let sender = places.entry(place.clone()).or_insert_with(|| {
            let (sender, asks) = mpsc::channel(WAITING);
            let gatherer = Gatherer {
                region,
                place: place.clone(),
                inner: Arc::downgrade(&self.inner),
                telemetry: self.inner.telemetry.clone(),
            };
            tokio::spawn(gatherer.run(Gather::new(asks, backlog, AT_ONCE)));
            sender
        });
        Ok(sender.clone())
    }
}

impl Inner {
    fn learn(&self, place: &Place, id: &str, machine: Option<Arc<Machine>>) {
        let now = Instant::now();
        let life = if machine.is_some() {
            self.settings.fresh
        } else {
            self.settings.absent
        };
        let mut known = lock(&self.known);
        if known.len() >= KEPT {
            known.retain(|_, known| known.until > now);
        }
        if known.len() >= KEPT {
            known.clear();
        }
        let key = (place.clone(), id.to_owned());
        known.insert(
            key,
            Known {
                until: now + life,
                machine,
            },
        );
    }
}

/// Makes the calls of one account and region.
struct Gatherer {
    region: Region,
    place: Place,
    inner: std::sync::Weak<Inner>,
    telemetry: Telemetry,
}

impl Gatherer {
    async fn run(self, mut gather: Gather<Answer>) {
        while let Some(waiting) = gather.next().await {
            self.ask(waiting).await;
        }
    }

    async fn ask(&self, mut waiting: Waiting<Answer>) {
        let ids: Vec<_> = waiting.keys().cloned().collect();
        let asked = self.region.machines(&ids).await;
        self.telemetry.called("DescribeInstances", &asked);
        let answers: Vec<(String, Answer)> = match asked {
            Ok(found) => {
                let mut found: HashMap<_, _> = found
                    .into_iter()
                    .map(|machine| (machine.id.clone(), Arc::new(machine)))
                    .collect();
                let told = ids.into_iter().map(|id| {
                    let machine = found.remove(&id);
                    self.telemetry.looked_up(if machine.is_some() {
                        Asked::Found
                    } else {
                        Asked::Absent
                    });
                    if let Some(inner) = self.inner.upgrade() {
                        inner.learn(&self.place, &id, machine.clone());
                    }
                    (id, Ok(machine))
                });
                told.collect()
            }
            Err(refusal) => ids
                .into_iter()
                .map(|id| {
                    self.telemetry.looked_up(Asked::Failed);
                    (id, Err(refusal.clone()))
                })
                .collect(),
        };
        for (id, answer) in answers {
            for sender in waiting.remove(&id).unwrap_or_default() {
                // Who asked may have gone.
                drop(sender.send(answer.clone()));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
