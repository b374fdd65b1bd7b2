//! What may be special about a server.

use super::config::{Config, TlsFiles};
use super::server::Server;
use super::{Nats, Tls};
use crate::ports::Port;
use crate::{Context, Result, scratch, tls};

/// A user of the server and what it may do.
#[derive(Clone, Debug)]
pub struct User {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) publish: Option<Vec<String>>,
    pub(super) subscribe: Option<Vec<String>>,
}

impl User {
    /// A user who may do anything.
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
            publish: None,
            subscribe: None,
        }
    }

    /// Lets it publish on these subjects only.
    #[must_use]
    pub fn publish(mut self, subjects: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.publish = Some(subjects.into_iter().map(Into::into).collect());
        self
    }

    /// Lets it subscribe to these subjects only.
    #[must_use]
    pub fn subscribe(mut self, subjects: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.subscribe = Some(subjects.into_iter().map(Into::into).collect());
        self
    }
}

/// Builds a [`Nats`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    users: Vec<User>,
    max_payload: Option<u64>,
    tls: Option<ClientCertificates>,
    extra: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientCertificates {
    NotAsked,
    Required,
}

impl Builder {
    /// Adds a user; with the first, anonymous clients are refused.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// The largest message, in bytes (1 MiB if not set).
    #[must_use]
    pub fn max_payload(mut self, bytes: u64) -> Self {
        self.max_payload = Some(bytes);
        self
    }

    /// Serves TLS with a certificate of an authority of its own: see [`Nats::ca_file`].
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = Some(ClientCertificates::NotAsked);
        self
    }

    /// Serves TLS and asks clients for a certificate: see [`Nats::client_certificate`].
    #[must_use]
    pub fn mutual_tls(mut self) -> Self {
        self.tls = Some(ClientCertificates::Required);
        self
    }

    /// Appends lines to the server's configuration file.
    #[must_use]
    pub fn config(mut self, lines: &str) -> Self {
        self.extra.push_str(lines);
        self.extra.push('\n');
        self
    }

    /// Starts it; ready when it returns.
    ///
    /// # Errors
    /// If it does not come up, with the end of its log.
    pub async fn start(self) -> Result<Nats> {
        let directory = scratch::directory("nats")?;
        let path = directory.path();
        let mut tls = None;
        let mut server_files = None;
        if self.tls.is_some() {
            let authority = tls::Authority::new("hollowtrees testbed")?;
            let ca = path.join("ca.crt");
            std::fs::write(&ca, authority.pem()).context(|| format!("cannot write {}", ca.display()))?;
            server_files = Some(
                authority
                    .server(&["localhost", "127.0.0.1"])?
                    .write(path, "server")?,
            );
            tls = Some(Tls { authority, ca });
        }
        let (client, monitor) = (Port::reserve()?, Port::reserve()?);
        let text = Config {
            name: "testbed",
            client: client.addr(),
            monitor: monitor.addr(),
            store: &path.join("store"),
            max_payload: self.max_payload,
            users: &self.users,
            tls: match (&tls, &server_files) {
                (Some(tls), Some(server)) => Some(TlsFiles {
                    ca: &tls.ca,
                    server,
                    verify: self.tls == Some(ClientCertificates::Required),
                }),
                _ => None,
            },
            cluster: None,
            extra: &self.extra,
        }
        .text();
        let server = Server::new("nats-server", path, &text, client, monitor)?;
        server.start().await?;
        Ok(Nats {
            server,
            tls,
            directory,
        })
    }
}
