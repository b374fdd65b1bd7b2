//! Making the servers hold what [`crate::topology`] declares, and refusing to work where they do not.
//!
//! Nothing is ever deleted or made anew. What cannot be changed in place is reported, with what to do.

use std::{fmt, time::Duration};

use async_nats::jetstream::{
    ErrorCode,
    consumer::pull,
    context::{CreateStreamError, CreateStreamErrorKind, GetStreamErrorKind},
    stream::{self, ConsumerError, ConsumerErrorKind},
};
use tokio::time::Instant;

use crate::{
    Bus,
    topology::{self, Consumer, Profile},
};

/// How long a write may go unanswered. It is answered by the leader of what it makes, and where the servers'
/// first vote fails they hold the next one 4 to 9 s later (nats-server, `raft.go`): longer than a request waits.
const ELECTIONS: Duration = Duration::from_secs(20);

/// One setting that is not as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Stream or `stream/consumer`.
    pub what: String,
    /// The setting.
    pub setting: &'static str,
    /// As declared.
    pub declared: String,
    /// As it is; empty where the whole thing is missing.
    pub actual: String,
    /// How much it matters.
    pub weight: Weight,
}

/// How much a difference matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Room and copies: an operator may choose otherwise.
    Sizing,
    /// Work would be lost or done twice; `apply` can change it.
    Meaning,
    /// The same, and it cannot be changed in place.
    Fixed,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.actual.is_empty() {
            return write!(f, "{}: missing", self.what);
        }
        write!(
            f,
            "{}: {} is {}, declared {}",
            self.what, self.setting, self.actual, self.declared
        )
    }
}

/// Why the servers do not hold what is declared.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The server did not answer, or refused.
    #[error("{what}: {cause}; may this account use the JetStream API, and has the stream a leader?")]
    Server {
        /// Stream or `stream/consumer`.
        what: String,
        /// What the server said.
        cause: String,
    },
    /// Something is not as declared.
    #[error("the bus is not as declared: {}; run `hollowtrees bus apply`", list(.0))]
    Drift(Vec<Difference>),
    /// Something is not as declared and cannot be changed in place.
    #[error("cannot be changed in place: {}; make a new stream under another account or migrate by hand, nothing is deleted here", list(.0))]
    Fixed(Vec<Difference>),
}

fn list(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Creates what is missing, updates what may be updated, and returns what was changed.
pub async fn apply(
    bus: &Bus,
    profile: Profile,
    consumers: &[Consumer],
) -> Result<Vec<Difference>, ApplyError> {
    let mut changed = Vec::new();
    for declared in topology::streams(profile) {
        changed.extend(apply_stream(bus, &declared).await?);
    }
    for declared in consumers {
        changed.extend(apply_consumer(bus, declared, profile).await?);
    }
    Ok(changed)
}

/// What of the streams and consumers is not as declared; nothing is changed.
pub async fn check(
    bus: &Bus,
    profile: Profile,
    consumers: &[Consumer],
) -> Result<Vec<Difference>, ApplyError> {
    let mut differences = Vec::new();
    for declared in topology::streams(profile) {
        differences.extend(match actual_stream(bus, &declared.name).await? {
            Some(actual) => stream_differences(&declared, &actual),
            None => vec![missing(declared.name)],
        });
    }
    for declared in consumers {
        differences.extend(consumer_drift(bus, declared, profile).await?);
    }
    Ok(differences)
}

/// Refuses streams and buckets that are not as declared, sizing apart. What a worker calls at its start.
pub async fn verify(bus: &Bus) -> Result<(), ApplyError> {
    let found = check(bus, Profile::LOCAL, &[]).await?;
    refuse(found)
}

pub(crate) async fn check_consumer(bus: &Bus, declared: &Consumer) -> Result<(), ApplyError> {
    refuse(consumer_drift(bus, declared, Profile::LOCAL).await?)
}

fn refuse(mut found: Vec<Difference>) -> Result<(), ApplyError> {
    found.retain(|difference| difference.weight > Weight::Sizing);
    if found.is_empty() {
        Ok(())
    } else {
        Err(ApplyError::Drift(found))
    }
}

async fn apply_stream(bus: &Bus, declared: &stream::Config) -> Result<Vec<Difference>, ApplyError> {
    let failed = |cause: String| ApplyError::Server {
        what: declared.name.clone(),
        cause,
    };
    let Some(actual) = actual_stream(bus, &declared.name).await? else {
        answered(|| bus.context().create_stream(declared))
            .await
            .map_err(|error| failed(error.to_string()))?;
        return Ok(vec![missing(declared.name.clone())]);
    };
    let differences = stream_differences(declared, &actual);
    let fixed: Vec<_> = differences
        .iter()
        .filter(|found| found.weight == Weight::Fixed)
        .cloned()
        .collect();
    if !fixed.is_empty() {
        return Err(ApplyError::Fixed(fixed));
    }
    if !differences.is_empty() {
        // Settings nobody declares (placement, compression, metadata) stay as the operator chose them.
        let merged = stream::Config {
            subjects: declared.subjects.clone(),
            discard: declared.discard,
            max_bytes: declared.max_bytes,
            max_messages: declared.max_messages,
            max_messages_per_subject: declared.max_messages_per_subject,
            max_message_size: declared.max_message_size,
            max_age: declared.max_age,
            duplicate_window: declared.duplicate_window,
            num_replicas: declared.num_replicas,
            allow_rollup: declared.allow_rollup,
            allow_direct: declared.allow_direct,
            ..actual
        };
        answered(|| bus.context().update_stream(&merged))
            .await
            .map_err(|error| failed(error.to_string()))?;
    }
    Ok(differences)
}

/// Creates or updates one consumer.
pub async fn apply_consumer(
    bus: &Bus,
    declared: &Consumer,
    profile: Profile,
) -> Result<Vec<Difference>, ApplyError> {
    let differences = consumer_drift(bus, declared, profile).await?;
    if differences.is_empty() {
        return Ok(differences);
    }
    let fixed: Vec<_> = differences
        .iter()
        .filter(|found| found.weight == Weight::Fixed)
        .cloned()
        .collect();
    if !fixed.is_empty() {
        return Err(ApplyError::Fixed(fixed));
    }
    answered(|| {
        bus.context()
            .create_consumer_on_stream(declared.config(profile), declared.stream.name())
    })
    .await
    .map_err(|error| ApplyError::Server {
        what: consumer_name(declared),
        cause: error.to_string(),
    })?;
    Ok(differences)
}

/// Writes again what nobody answered; a write that was carried out unheard is answered like the first.
async fn answered<T, E: Unanswered, F>(write: impl Fn() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let until = Instant::now() + ELECTIONS;
    loop {
        match write().await {
            Err(error) if error.unanswered() && Instant::now() < until => {}
            result => return result,
        }
    }
}

/// Whether a request failed for want of an answer.
trait Unanswered {
    fn unanswered(&self) -> bool;
}

impl Unanswered for CreateStreamError {
    fn unanswered(&self) -> bool {
        self.kind() == CreateStreamErrorKind::TimedOut
    }
}

impl Unanswered for ConsumerError {
    fn unanswered(&self) -> bool {
        self.kind() == ConsumerErrorKind::TimedOut
    }
}

async fn consumer_drift(
    bus: &Bus,
    declared: &Consumer,
    profile: Profile,
) -> Result<Vec<Difference>, ApplyError> {
    use async_nats::jetstream::consumer::Consumer as Handle;
    let found: Result<Handle<pull::Config>, _> = bus
        .context()
        .get_consumer_from_stream(&declared.name, declared.stream.name())
        .await;
    match found {
        Ok(handle) => Ok(consumer_differences(
            declared,
            profile,
            &handle.cached_info().config,
        )),
        Err(error) if is_not_found(&error) => Ok(vec![missing(consumer_name(declared))]),
        Err(error) => Err(ApplyError::Server {
            what: consumer_name(declared),
            cause: error.to_string(),
        }),
    }
}

async fn actual_stream(bus: &Bus, name: &str) -> Result<Option<stream::Config>, ApplyError> {
    match bus.context().get_stream(name).await {
        Ok(handle) => Ok(Some(handle.cached_info().config.clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(cause) if cause.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                Ok(None)
            }
            _ => Err(ApplyError::Server {
                what: name.to_owned(),
                cause: error.to_string(),
            }),
        },
    }
}

fn is_not_found(error: &ConsumerError) -> bool {
    matches!(error.kind(), ConsumerErrorKind::JetStream(cause)
        if [ErrorCode::CONSUMER_NOT_FOUND, ErrorCode::STREAM_NOT_FOUND].contains(&cause.error_code()))
}

fn consumer_name(declared: &Consumer) -> String {
    format!("{}/{}", declared.stream.name(), declared.name)
}

fn missing(what: String) -> Difference {
    Difference {
        what,
        setting: "existence",
        declared: "present".to_owned(),
        actual: String::new(),
        weight: Weight::Meaning,
    }
}

/// Collects the settings that differ.
struct Comparison {
    what: String,
    found: Vec<Difference>,
}

impl Comparison {
    fn of(what: String) -> Self {
        Self {
            what,
            found: Vec::new(),
        }
    }

    fn compare<V: PartialEq + fmt::Debug>(
        mut self,
        setting: &'static str,
        declared: &V,
        actual: &V,
        weight: Weight,
    ) -> Self {
        if declared != actual {
            self.found.push(Difference {
                what: self.what.clone(),
                setting,
                declared: format!("{declared:?}"),
                actual: format!("{actual:?}"),
                weight,
            });
        }
        self
    }
}

fn stream_differences(declared: &stream::Config, actual: &stream::Config) -> Vec<Difference> {
    Comparison::of(declared.name.clone())
        .compare("subjects", &declared.subjects, &actual.subjects, Weight::Meaning)
        .compare("retention", &declared.retention, &actual.retention, Weight::Fixed)
        .compare("storage", &declared.storage, &actual.storage, Weight::Fixed)
        .compare("no_ack", &declared.no_ack, &actual.no_ack, Weight::Fixed)
        .compare("discard", &declared.discard, &actual.discard, Weight::Meaning)
        .compare("max_age", &declared.max_age, &actual.max_age, Weight::Meaning)
        .compare(
            "duplicate_window",
            &declared.duplicate_window,
            &actual.duplicate_window,
            Weight::Meaning,
        )
        .compare(
            "allow_rollup",
            &declared.allow_rollup,
            &actual.allow_rollup,
            Weight::Meaning,
        )
        .compare(
            "allow_direct",
            &declared.allow_direct,
            &actual.allow_direct,
            Weight::Meaning,
        )
        .compare(
            "max_msgs_per_subject",
            &declared.max_messages_per_subject,
            &actual.max_messages_per_subject,
            Weight::Meaning,
        )
        .compare(
            "max_msg_size",
            &declared.max_message_size,
            &actual.max_message_size,
            Weight::Meaning,
        )
        .compare(
            "max_bytes",
            &declared.max_bytes,
            &actual.max_bytes,
            Weight::Sizing,
        )
        .compare(
            "num_replicas",
            &declared.num_replicas,
            &actual.num_replicas,
            Weight::Sizing,
        )
        .found
}

fn consumer_differences(
    declared: &Consumer,
    profile: Profile,
    actual: &async_nats::jetstream::consumer::Config,
) -> Vec<Difference> {
    let wanted = declared.config(profile);
    let filters = |many: &[String], one: &str| {
        let mut filters = many.to_vec();
        if filters.is_empty() && !one.is_empty() {
            filters.push(one.to_owned());
        }
        filters.sort();
        filters
    };
    Comparison::of(consumer_name(declared))
        .compare(
            "ack_policy",
            &wanted.ack_policy,
            &actual.ack_policy,
            Weight::Fixed,
        )
        .compare(
            "deliver_policy",
            &wanted.deliver_policy,
            &actual.deliver_policy,
            Weight::Fixed,
        )
        .compare("ack_wait", &wanted.ack_wait, &actual.ack_wait, Weight::Meaning)
        .compare(
            "max_deliver",
            &wanted.max_deliver,
            &actual.max_deliver,
            Weight::Meaning,
        )
        .compare("backoff", &wanted.backoff, &actual.backoff, Weight::Meaning)
        .compare(
            "filter_subjects",
            &filters(&wanted.filter_subjects, &wanted.filter_subject),
            &filters(&actual.filter_subjects, &actual.filter_subject),
            Weight::Meaning,
        )
        .compare(
            "max_ack_pending",
            &wanted.max_ack_pending,
            &actual.max_ack_pending,
            Weight::Sizing,
        )
        .compare(
            "max_waiting",
            &wanted.max_waiting,
            &actual.max_waiting,
            Weight::Sizing,
        )
        .found
}
