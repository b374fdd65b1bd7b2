//! Queues of SQS: events of EventBridge, Auto Scaling and AWS Health as notices.
//!
//! | module | what it does |
//! |---|---|
//! | [`settings`] | `[sqs]` |
//! | [`read`] | the body of a message to what it says: pure |
//! | [`route`] | whose an instance is: pure |
//! | [`tell`] | to the notice: pure |
//! | `teller` | looks up whose an event is, and tells it |
//! | `lookup`, `gather`, `pace` | instances and hooks, asked for together |
//! | `pump` | polls a queue, as often as it pays |
//! | `handle` | one message, from the body to its end |
//! | `held` | keeps what was taken out of sight while it is held |
//! | `delete` | deletes what is done, in batches |
//! | [`telemetry`] | metrics |
//!
//! **A message is deleted only after the bus has acknowledged all it says**, or holds it as a dead letter, or it says
//! nothing of interest. Whatever happens before, it comes again, and the same event has the same id.

mod delete;
mod gather;
mod handle;
mod held;
mod lookup;
mod pace;
mod pump;
pub mod read;
pub mod route;
pub mod settings;
pub mod telemetry;
pub mod tell;
mod teller;

use std::{collections::HashMap, sync::Arc};

use hollowtrees_aws::{Aws, Role};
use hollowtrees_runtime::{Context, Failure, exit::Code};

use crate::{
    aws_events::{Door, Posts},
    config::Settings,
    ingest::Ingest,
    ways,
};
use lookup::Lookup;
use pump::{Pump, Source};
use route::Routes;
use settings::Sqs;
use telemetry::Telemetry;

pub(crate) use teller::{Teller, Untold};

/// The label of this way in.
pub const WAY: &str = "sqs";
/// Header of a dead letter: when its message was sent, RFC 3339. What the message does not say itself follows from it.
pub const SENT_AT: &str = "sqs-sent-at";

/// Reads all queues of the settings until the process drains; what was taken and is not told by then is given back.
///
/// Returns at once where there is no queue. The caller waits for it: the end of a queue's work is a part of it.
///
/// # Errors
/// Settings by which AWS cannot be reached.
pub async fn start(context: &Context<Settings>, ingest: &Ingest) -> Result<Running, Failure> {
    let own = &context.config.own;
    let settings = &own.sqs;
    let mut running = Running::default();
    if settings.queues.is_empty() && own.sns.topics.is_empty() && !settings.posts {
        return Ok(running);
    }
    let telemetry = Telemetry::register(&context.metrics)?;
    let mut doors = Doors::new(settings, telemetry.clone());
    if !own.sns.topics.is_empty() {
        let (_, teller) = doors.open(None, ways::SNS).await?;
        running.teller = Some(teller);
    }
    if !settings.queues.is_empty() {
        ingest.telemetry().announce(WAY);
    }
    let mut doors_of_queues = HashMap::new();
    for queue in &settings.queues {
        let (aws, teller) = doors.open(queue.role(), WAY).await?;
        let region = queue
            .region()
            .or_else(|| aws.default_region())
            .ok_or_else(|| Failure::new(Code::Refused, NoRegion(queue.url.clone())))?
            .to_owned();
        let source = Source {
            queue: aws.region(&region).queue(&queue.url),
            name: Arc::from(queue.name()),
            account: queue.account().to_owned(),
            region,
            cluster: if queue.cluster.is_empty() {
                own.cluster.clone()
            } else {
                queue.cluster.clone()
            },
        };
        let posted = doors.open(queue.role(), ways::EVENTBRIDGE).await?.1;
        doors_of_queues.insert(queue.url.clone(), source.door(posted));
        telemetry.announce(&source.name);
        let pump = Pump::new(source, settings, teller, ingest.clone(), telemetry.clone());
        let check = context.checks.register(WAY);
        running.tasks.spawn(pump.run(context.shutdown.clone(), check));
    }
    if settings.posts || !settings.queues.is_empty() {
        let (aws, teller) = doors.open(None, ways::EVENTBRIDGE).await?;
        let door = Door {
            teller,
            account: String::new(),
            region: aws.default_region().unwrap_or_default().to_owned(),
            cluster: String::new(),
        };
        running.posts = Some(Posts::new(door, doors_of_queues));
    }
    Ok(running)
}

/// One AWS for each role, so that all that read by it share what is known of instances.
struct Doors<'a> {
    settings: &'a Sqs,
    routes: Arc<Routes>,
    telemetry: Telemetry,
    open: HashMap<Option<Role>, (Aws, Lookup)>,
}

impl<'a> Doors<'a> {
    fn new(settings: &'a Sqs, telemetry: Telemetry) -> Self {
        Self {
            settings,
            routes: Arc::new(settings.routes()),
            telemetry,
            open: HashMap::new(),
        }
    }

    async fn open(&mut self, role: Option<Role>, way: &'static str) -> Result<(Aws, Teller), Failure> {
        let (aws, lookup) = if let Some(door) = self.open.get(&role) {
            door.clone()
        } else {
            let aws = Box::pin(Aws::connect(&self.settings.access(role.clone())))
                .await
                .map_err(|error| Failure::new(Code::Refused, error))?;
            let lookup = Lookup::new(aws.clone(), self.settings, self.telemetry.clone());
            self.open.entry(role).or_insert((aws, lookup)).clone()
        };
        let teller = Teller {
            routes: Arc::clone(&self.routes),
            lookup,
            telemetry: self.telemetry.clone(),
            patience: self.settings.lookup.patience,
            way,
            launches: self.settings.launches,
            foreign: self.settings.foreign,
        };
        Ok((aws, teller))
    }
}

/// Queues that are read.
#[derive(Default)]
pub struct Running {
    tasks: tokio::task::JoinSet<()>,
    teller: Option<Teller>,
    posts: Option<Posts>,
}

impl Running {
    /// What tells events that come from topics of SNS, where there are any.
    pub(crate) fn teller(&self) -> Option<Teller> {
        self.teller.clone()
    }

    /// What takes events that are posted, where any are.
    pub(crate) fn posts(&mut self) -> Option<Posts> {
        self.posts.take()
    }

    /// Waits until all of them have ended, after the process began to drain.
    pub async fn ended(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "The reader of a queue broke off.");
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the queue {0} names no region; set sqs.region (HT_SQS__REGION), or AWS_REGION")]
struct NoRegion(String);
