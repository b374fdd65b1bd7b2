//! Every stream, bucket and consumer, declared once. [`crate::apply`] makes them so; workers verify.

use std::time::Duration;

use async_nats::jetstream::{
    consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};
use hollowtrees_schemas::{
    filter,
    names::{Bucket, Stream, kind},
    token,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MEBIBYTE: i64 = 1024 * 1024;

/// Messages over this many bytes are refused at the door; dead letters may be as large as the server takes.
pub const MAX_MESSAGE_BYTES: i32 = 256 * 1024;
/// How long a stream knows a `Nats-Msg-Id`. Beyond it the ledger and the records answer.
pub const DUPLICATE_WINDOW: Duration = Duration::from_secs(60 * 60);
/// How long messages are kept, dead letters apart.
pub const MAX_AGE: Duration = DAY.saturating_mul(7);
/// How long dead letters are kept.
pub const DEAD_MAX_AGE: Duration = DAY.saturating_mul(30);
/// How long a process counts as alive after its last word.
pub const LIVENESS_MAX_AGE: Duration = Duration::from_secs(4);
/// How long a delivery belongs to its worker without a word.
pub const ACK_WAIT: Duration = Duration::from_secs(5);
/// Messages one subject keeps: a babbling instance pushes out only its own.
const MESSAGES_PER_SUBJECT: i64 = 256;
/// Deliveries of one consumer not settled yet, over all its processes.
const MAX_ACK_PENDING: i64 = 20_000;

/// What the replicas of the metrics worker tell each other: which messages are counted, and what was lost. No other
/// process has a use for it, so it is no part of the schemas.
pub const METRICS: &str = "ht_metrics";
/// Bytes reserved for it: a few records of 100 KiB at most.
const METRICS_BYTES: i64 = 8 * MEBIBYTE;

/// How large and how safe: one server on a desk, or three in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Copies of each stream and bucket (1 or 3).
    pub replicas: usize,
    /// Bytes reserved for each stream.
    pub stream_bytes: i64,
    /// Bytes reserved for each bucket.
    pub bucket_bytes: i64,
}

impl Profile {
    /// One server on a desk: one copy, little room.
    pub const LOCAL: Self = Self {
        replicas: 1,
        stream_bytes: 128 * MEBIBYTE,
        bucket_bytes: 128 * MEBIBYTE,
    };
    /// Three servers: three copies, room for a week.
    pub const CLUSTER: Self = Self {
        replicas: 3,
        stream_bytes: 1024 * MEBIBYTE,
        bucket_bytes: 512 * MEBIBYTE,
    };
}

/// A durable pull consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Durable name: all processes that share it share the work.
    pub name: String,
    /// Stream it reads.
    pub stream: Stream,
    /// Subjects it takes.
    pub filters: Vec<String>,
    /// What it is for.
    pub description: String,
}

impl Consumer {
    /// The router's view of all notices.
    pub fn router_notices() -> Self {
        Self {
            name: "router-notices".to_owned(),
            stream: Stream::Notices,
            filters: vec![filter::notices(None)],
            description: "router: notices become incidents and runs".to_owned(),
        }
    }

    /// The router's view of all outcomes.
    pub fn router_outcomes() -> Self {
        Self {
            name: "router-outcomes".to_owned(),
            stream: Stream::Outcomes,
            filters: vec![filter::outcomes(None, None, None)],
            description: "router: outcomes move runs on".to_owned(),
        }
    }

    /// The metrics workers' view of a whole stream: all of them share it, so that each message is counted once.
    pub fn metrics(stream: Stream) -> Self {
        let word = match stream {
            Stream::Notices => "notices",
            Stream::Actions => "actions",
            Stream::Outcomes => "outcomes",
            Stream::Incidents => "incidents",
            Stream::Dead => "dead",
        };
        Self {
            name: format!("metrics-{word}"),
            stream,
            filters: stream
                .subjects()
                .iter()
                .map(|&subject| subject.to_owned())
                .collect(),
            description: format!("metrics: {word} are counted"),
        }
    }

    /// The actions of some kinds, of one cluster or of all: what the workers called `worker` share.
    pub fn actions(worker: &str, cluster: Option<&str>, kinds: &[&str]) -> Self {
        let name = match cluster {
            None => worker.to_owned(),
            Some(cluster) => format!("{worker}-{}", token::escape(cluster)),
        };
        Self {
            name,
            stream: Stream::Actions,
            filters: kinds.iter().map(|kind| filter::actions(cluster, kind)).collect(),
            description: format!("{worker}: {}", kinds.join(", ")),
        }
    }

    pub(crate) fn config(&self, profile: Profile) -> pull::Config {
        pull::Config {
            durable_name: Some(self.name.clone()),
            description: Some(self.description.clone()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            replay_policy: ReplayPolicy::Instant,
            ack_wait: ACK_WAIT,
            // The worker counts starts and decides; the server never gives up on its own.
            max_deliver: -1,
            filter_subjects: self.filters.clone(),
            max_ack_pending: MAX_ACK_PENDING,
            max_waiting: 512,
            num_replicas: profile.replicas,
            ..pull::Config::default()
        }
    }
}

/// Workers that serve all clusters, with the kinds of action they take.
const CENTRAL: [(&str, &[&str]); 3] = [
    ("asg-swap", &[kind::ASG_SWAP]),
    ("lifecycle", &[kind::DEREGISTER, kind::HOOK]),
    ("notify", &[kind::NOTIFY]),
];
/// Workers that serve one cluster each.
const PER_CLUSTER: [(&str, &[&str]); 1] = [(
    "drain",
    &[kind::CORDON, kind::DRAIN, kind::REMOVE_NODE, kind::UNCORDON],
)];

/// The consumers every installation has. Those of [`of_cluster`], and one's own, come on top.
pub fn consumers() -> Vec<Consumer> {
    let central = CENTRAL
        .iter()
        .map(|(worker, kinds)| Consumer::actions(worker, None, kinds));
    [Consumer::router_notices(), Consumer::router_outcomes()]
        .into_iter()
        .chain(central)
        .chain(Stream::ALL.map(Consumer::metrics))
        .collect()
}

/// The consumers of the workers that serve this cluster alone.
pub fn of_cluster(cluster: &str) -> impl Iterator<Item = Consumer> {
    PER_CLUSTER
        .iter()
        .map(move |(worker, kinds)| Consumer::actions(worker, Some(cluster), kinds))
}

/// All streams, those under the buckets included.
pub fn streams(profile: Profile) -> Vec<Config> {
    let plain = Stream::ALL.iter().map(|&stream| message_stream(stream, profile));
    let buckets = Bucket::ALL.iter().map(|&bucket| bucket_stream(bucket, profile));
    plain.chain(buckets).chain([metrics_stream(profile)]).collect()
}

fn message_stream(stream: Stream, profile: Profile) -> Config {
    let dead = stream == Stream::Dead;
    Config {
        name: stream.name().to_owned(),
        description: Some(description(stream).to_owned()),
        subjects: stream
            .subjects()
            .iter()
            .map(|&subject| subject.to_owned())
            .collect(),
        storage: StorageType::File,
        // Work-queue and interest streams forget the ids of acknowledged messages at a restart.
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_bytes: profile.stream_bytes,
        max_messages: -1,
        max_messages_per_subject: if dead { -1 } else { MESSAGES_PER_SUBJECT },
        max_message_size: if dead { -1 } else { MAX_MESSAGE_BYTES },
        max_age: if dead { DEAD_MAX_AGE } else { MAX_AGE },
        duplicate_window: DUPLICATE_WINDOW,
        num_replicas: profile.replicas,
        allow_direct: true,
        deny_delete: !dead,
        deny_purge: !dead,
        max_consumers: -1,
        ..Config::default()
    }
}

fn description(stream: Stream) -> &'static str {
    match stream {
        Stream::Notices => "what origins say of instances",
        Stream::Actions => "commands to workers",
        Stream::Outcomes => "what came of the commands, and progress",
        Stream::Incidents => "incidents and runs, as they open, change and end",
        Stream::Dead => "messages nobody could use, kept whole",
    }
}

/// The stream under a key-value bucket, as ADR-8 lays it out.
fn bucket_stream(bucket: Bucket, profile: Profile) -> Config {
    let max_age = match bucket {
        Bucket::Workers => LIVENESS_MAX_AGE,
        Bucket::Incidents | Bucket::Runs | Bucket::Ledger | Bucket::Groups => Duration::ZERO,
    };
    kv_stream(bucket.name(), profile.bucket_bytes, max_age, profile)
}

fn metrics_stream(profile: Profile) -> Config {
    kv_stream(METRICS, METRICS_BYTES, Duration::ZERO, profile)
}

fn kv_stream(bucket: &str, max_bytes: i64, max_age: Duration, profile: Profile) -> Config {
    Config {
        name: format!("KV_{bucket}"),
        description: Some(format!("records of {bucket}")),
        subjects: vec![format!("$KV.{bucket}.>")],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        max_bytes,
        max_messages: -1,
        max_messages_per_subject: 1,
        max_message_size: MAX_MESSAGE_BYTES,
        max_age,
        duplicate_window: if max_age.is_zero() {
            Duration::from_secs(120)
        } else {
            max_age
        },
        num_replicas: profile.replicas,
        allow_rollup: true,
        allow_direct: true,
        deny_delete: true,
        max_consumers: -1,
        ..Config::default()
    }
}
