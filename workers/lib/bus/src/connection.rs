//! One connection and the handles that live on it.

mod events;

use std::{
    io,
    path::Path,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use async_nats::{
    ConnectErrorKind, ConnectOptions,
    jetstream::{self, context::ContextBuilder},
};
use hollowtrees_schemas::{names::Bucket, proto};
use tokio::sync::watch;

use crate::{
    options::{Auth, Options},
    store::{Record, Store},
};

/// Longest wait between two attempts to reconnect.
const RECONNECT_CAP: Duration = Duration::from_secs(4);
/// Shortest wait between two attempts to reconnect.
const RECONNECT_FLOOR: Duration = Duration::from_millis(100);
/// Publishes under way at once on one connection.
const PUBLISHES_IN_FLIGHT: usize = 4_096;

/// A connection to the bus. Cheap to clone; all clones share it.
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

struct Inner {
    client: async_nats::Client,
    context: jetstream::Context,
    connected: watch::Receiver<u64>,
    counts: Arc<ConnectionCounts>,
    incidents: Store<proto::Incident>,
    runs: Store<proto::Run>,
    ledger: Store<proto::LedgerEntry>,
    groups: Store<proto::Group>,
    workers: Store<proto::Liveness>,
}

/// What the connection went through so far.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    /// Times the connection was lost.
    pub disconnects: AtomicU64,
    /// Subscriptions that fell behind and lost a message.
    pub slow_consumers: AtomicU64,
    /// Errors the server reported.
    pub server_errors: AtomicU64,
}

/// Why no connection could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers there.
    #[error("cannot reach NATS at {urls} ({cause}); is the server running? set HT_NATS__URL")]
    Unreachable {
        /// The addresses tried.
        urls: String,
        /// What the last attempt said.
        cause: async_nats::ConnectError,
    },
    /// The server does not know us.
    #[error(
        "NATS at {urls} refused our credentials ({cause}); check HT_NATS__USER and HT_NATS__PASSWORD, HT_NATS__CREDENTIALS or HT_NATS__NKEY"
    )]
    Refused {
        /// The addresses tried.
        urls: String,
        /// What the server said.
        cause: async_nats::ConnectError,
    },
    /// The two sides cannot agree on TLS.
    #[error(
        "TLS with NATS at {urls} failed ({cause}); check HT_NATS__TLS__CA, HT_NATS__TLS__CERT and HT_NATS__TLS__KEY"
    )]
    Tls {
        /// The addresses tried.
        urls: String,
        /// What failed.
        cause: async_nats::ConnectError,
    },
    /// A credentials file cannot be used.
    #[error(
        "cannot use the credentials in {path} ({cause}); it must be readable, and hold a user's JWT and seed for HT_NATS__CREDENTIALS or a user's nkey seed (SU...) for HT_NATS__NKEY"
    )]
    Credentials {
        /// The file.
        path: String,
        /// What failed.
        cause: io::Error,
    },
    /// No address was given.
    #[error("no NATS address is configured; set HT_NATS__URL, for example nats://127.0.0.1:4222")]
    NoAddress,
    /// An address cannot be parsed.
    #[error("{url} is no NATS address ({cause}); write it as nats://host:port or tls://host:port")]
    BadAddress {
        /// The address.
        url: String,
        /// What failed.
        cause: io::Error,
    },
}

impl ConnectError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

impl Bus {
    /// Connects, or says why not. One attempt for each address; the caller decides on more.
    ///
    /// Once connected, a lost connection is made again for ever, with jitter.
    pub async fn connect(options: &Options) -> Result<Self, ConnectError> {
        Self::open(options, false).await
    }

    /// Returns at once and connects in the background: for who must go on working while the bus is away.
    pub async fn connect_in_background(options: &Options) -> Result<Self, ConnectError> {
        Self::open(options, true).await
    }

    async fn open(options: &Options, in_background: bool) -> Result<Self, ConnectError> {
        if options.urls.is_empty() {
            return Err(ConnectError::NoAddress);
        }
        let addresses = options
            .urls
            .iter()
            .map(|url| {
                url.parse::<async_nats::ServerAddr>()
                    .map_err(|cause| ConnectError::BadAddress {
                        url: url.clone(),
                        cause,
                    })
            })
            .collect::<Result<Vec<_>, _>>()?;

        let counts = Arc::new(ConnectionCounts::default());
        let (epoch, connected) = watch::channel(0);
        let mut connect = authenticated(options).await?;
        connect = events::listening(connect, Arc::clone(&counts), epoch);
        if in_background {
            connect = connect.retry_on_initial_connect();
        }

        let client = connect
            .connect(addresses)
            .await
            .map_err(|cause| connect_error(options, cause))?;
        let context = ContextBuilder::new()
            .timeout(options.request_timeout)
            .ack_timeout(options.request_timeout)
            .max_ack_inflight(PUBLISHES_IN_FLIGHT)
            .backpressure_on_inflight(true)
            .build(client.clone());
        Ok(Self {
            inner: Arc::new(Inner {
                incidents: Store::new(context.clone(), Bucket::Incidents.name(), connected.clone()),
                runs: Store::new(context.clone(), Bucket::Runs.name(), connected.clone()),
                ledger: Store::new(context.clone(), Bucket::Ledger.name(), connected.clone()),
                groups: Store::new(context.clone(), Bucket::Groups.name(), connected.clone()),
                workers: Store::new(context.clone(), Bucket::Workers.name(), connected.clone()),
                client,
                context,
                connected,
                counts,
            }),
        })
    }

    /// Incidents, by [`hollowtrees_schemas::key::incident`].
    pub fn incidents(&self) -> &Store<proto::Incident> {
        &self.inner.incidents
    }

    /// Runs, by [`hollowtrees_schemas::key::run`].
    pub fn runs(&self) -> &Store<proto::Run> {
        &self.inner.runs
    }

    /// The ledger of actions, by [`hollowtrees_schemas::key::ledger`].
    pub fn ledger(&self) -> &Store<proto::LedgerEntry> {
        &self.inner.ledger
    }

    /// Auto-scaling groups with swaps under way, by [`hollowtrees_schemas::key::group`].
    pub fn groups(&self) -> &Store<proto::Group> {
        &self.inner.groups
    }

    /// Live processes, by [`hollowtrees_schemas::key::worker`].
    pub fn workers(&self) -> &Store<proto::Liveness> {
        &self.inner.workers
    }

    /// What the replicas of the metrics worker keep in common, in [`crate::topology::METRICS`]; they define the records.
    pub fn metrics<T: Record>(&self) -> Store<T> {
        let (context, connected) = (self.context().clone(), self.connected());
        Store::new(context, crate::topology::METRICS, connected)
    }

    /// What the connection went through so far.
    pub fn counts(&self) -> &ConnectionCounts {
        &self.inner.counts
    }

    /// Whether the connection stands at this moment.
    pub fn is_connected(&self) -> bool {
        self.inner.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Round trip to the server, or `None` if it did not answer within `limit`.
    pub async fn ping(&self, limit: Duration) -> Option<Duration> {
        let started = std::time::Instant::now();
        let answered = tokio::time::timeout(limit, self.inner.context.query_account()).await;
        matches!(answered, Ok(Ok(_))).then(|| started.elapsed())
    }

    /// Sends what is buffered, waiting at most `limit`: acks that were not flushed are lost with the process.
    pub async fn flush(&self, limit: Duration) {
        match tokio::time::timeout(limit, self.inner.client.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "Could not flush the bus connection."),
            Err(_) => tracing::warn!(
                limit_ms = limit.as_millis(),
                "The bus did not take the last messages in time."
            ),
        }
    }

    pub(crate) fn client(&self) -> &async_nats::Client {
        &self.inner.client
    }

    pub(crate) fn context(&self) -> &jetstream::Context {
        &self.inner.context
    }

    /// Counts up each time a connection is made.
    pub(crate) fn connected(&self) -> watch::Receiver<u64> {
        self.inner.connected.clone()
    }
}

async fn authenticated(options: &Options) -> Result<ConnectOptions, ConnectError> {
    let mut connect = ConnectOptions::new()
        .name(&options.name)
        .connection_timeout(options.connect_timeout)
        .request_timeout(Some(options.request_timeout))
        .reconnect_delay_callback(reconnect_delay);
    if let Some(prefix) = &options.inbox_prefix {
        connect = connect.custom_inbox_prefix(prefix);
    }
    if let Some(ca) = &options.tls.ca {
        connect = connect.add_root_certificates(ca.clone());
    }
    if let (Some(cert), Some(key)) = (&options.tls.cert, &options.tls.key) {
        connect = connect.add_client_certificate(cert.clone(), key.clone());
    }
    connect = connect.require_tls(options.tls.required);
    if options.tls.first {
        connect = connect.tls_first();
    }
    match &options.auth {
        Auth::None => Ok(connect),
        Auth::Password { user, password } => Ok(connect.user_and_password(user.clone(), password.clone())),
        Auth::Token(token) => Ok(connect.token(token.clone())),
        Auth::CredentialsFile(path) => connect
            .credentials_file(path)
            .await
            .map_err(|cause| unusable(path, cause)),
        Auth::NkeyFile(path) => {
            let text = tokio::fs::read_to_string(path)
                .await
                .map_err(|cause| unusable(path, cause))?;
            let seed = text.trim();
            // The client tells of a bad seed only when it connects, in the words of a server that refused it.
            nkeys::KeyPair::from_seed(seed)
                .map_err(|flaw| unusable(path, io::Error::new(io::ErrorKind::InvalidData, flaw)))?;
            Ok(connect.nkey(seed.to_owned()))
        }
    }
}

fn unusable(path: &Path, cause: io::Error) -> ConnectError {
    ConnectError::Credentials {
        path: path.display().to_string(),
        cause,
    }
}

/// Doubles from 100 ms to 4 s; the wait is drawn between half and the whole of that, so that a fleet does
/// not come back in one moment.
fn reconnect_delay(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1))
        .unwrap_or(u32::MAX)
        .min(6);
    let whole = RECONNECT_FLOOR
        .saturating_mul(2_u32.saturating_pow(doublings))
        .min(RECONNECT_CAP);
    whole.mul_f64(rand::random_range(0.5..=1.0))
}

fn connect_error(options: &Options, cause: async_nats::ConnectError) -> ConnectError {
    let urls = options.urls.join(", ");
    match cause.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            ConnectError::Refused { urls, cause }
        }
        ConnectErrorKind::Tls => ConnectError::Tls { urls, cause },
        ConnectErrorKind::ServerParse
        | ConnectErrorKind::Dns
        | ConnectErrorKind::TimedOut
        | ConnectErrorKind::Io
        | ConnectErrorKind::MaxReconnects => ConnectError::Unreachable { urls, cause },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnect_waits_stay_in_bounds() {
        for attempts in [0, 1, 2, 5, 7, 1_000, usize::MAX] {
            let wait = reconnect_delay(attempts);
            assert!(
                wait >= RECONNECT_FLOOR / 2 && wait <= RECONNECT_CAP,
                "{attempts}: {wait:?}"
            );
        }
    }
}
