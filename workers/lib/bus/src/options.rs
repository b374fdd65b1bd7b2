//! How to reach the servers.

use std::{fmt, path::PathBuf, time::Duration};

/// Where the servers are and who we are to them.
#[derive(Clone, Debug)]
pub struct Options {
    /// `nats://host:port` or `tls://host:port`, one for each server to try first.
    pub urls: Vec<String>,
    /// Client name the server shows, for example `drain/worker-7f`.
    pub name: String,
    /// How to prove who we are.
    pub auth: Auth,
    /// Transport security.
    pub tls: Tls,
    /// Limit of one attempt to connect.
    pub connect_timeout: Duration,
    /// Limit of one request: a PubAck, a key-value write, an API call.
    pub request_timeout: Duration,
    /// Prefix of reply subjects, where permissions fence them; `_INBOX` if unset.
    pub inbox_prefix: Option<String>,
}

impl Options {
    /// Options for one server without credentials.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            ..Self::default()
        }
    }

    /// The same, under a name of one's own.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            urls: vec!["nats://127.0.0.1:4222".to_owned()],
            name: "hollowtrees".to_owned(),
            auth: Auth::None,
            tls: Tls::default(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(3),
            inbox_prefix: None,
        }
    }
}

/// Credentials. `Debug` never shows a secret.
#[derive(Clone, Default)]
pub enum Auth {
    /// The server asks for none.
    #[default]
    None,
    /// User and password.
    Password {
        /// User name.
        user: String,
        /// Password.
        password: String,
    },
    /// A bearer token.
    Token(String),
    /// A `.creds` file (JWT and seed).
    CredentialsFile(PathBuf),
    /// A file that holds an nkey seed (`SU...`).
    NkeyFile(PathBuf),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Password { user, .. } => write!(f, "Password {{ user: {user:?} }}"),
            Self::Token(_) => f.write_str("Token"),
            Self::CredentialsFile(path) => write!(f, "CredentialsFile({})", path.display()),
            Self::NkeyFile(path) => write!(f, "NkeyFile({})", path.display()),
        }
    }
}

/// Transport security.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// PEM file with the authorities to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// PEM file with our certificate, for mutual TLS.
    pub cert: Option<PathBuf>,
    /// PEM file with its key.
    pub key: Option<PathBuf>,
    /// Refuse a connection without TLS.
    pub required: bool,
    /// Handshake before the server's first word (`handshake_first`).
    pub first: bool,
}
