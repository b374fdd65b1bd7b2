//! The sections every worker understands. Their defaults and their documentation are in `shared.toml`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Secret, problem::Problem};

/// `[log]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// Level, or levels by module.
    pub filter: String,
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors: one object a line.
    Json,
}

/// `[health]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Where `/livez`, `/readyz` and `/metrics` are served.
    pub listen: SocketAddr,
}

/// `[shutdown]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// How long a drain may take.
    #[serde(with = "super::duration")]
    pub grace: Duration,
}

/// `[nats]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    /// Servers, `nats://HOST:PORT` or `tls://HOST:PORT`; at least one.
    pub url: Vec<String>,
    /// Name of the connection; the frame fills an empty one with kind and process id.
    pub name: String,
    /// How long one attempt to connect may take.
    #[serde(with = "super::duration")]
    pub connect_timeout: Duration,
    /// How long one request may take: a PubAck, a key-value write.
    #[serde(with = "super::duration")]
    pub request_timeout: Duration,
    /// Prefix of reply subjects, where permissions fence them.
    pub inbox_prefix: Option<String>,
    /// With `password`.
    pub user: Option<String>,
    /// With `user`.
    pub password: Option<Secret>,
    /// Instead of a user.
    pub token: Option<Secret>,
    /// A credentials file (JWT and seed).
    pub credentials: Option<PathBuf>,
    /// A file with an nkey seed.
    pub nkey: Option<PathBuf>,
    /// `[nats.tls]`
    pub tls: Tls,
}

/// `[nats.tls]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Refuse a connection without TLS.
    pub required: bool,
    /// Handshake before the server's first word (`handshake_first` on the server).
    pub first: bool,
    /// Certificate authorities beside the system's, PEM.
    pub ca: Option<PathBuf>,
    /// Own certificate, PEM; with `key`.
    pub cert: Option<PathBuf>,
    /// Own key, PEM; with `cert`.
    pub key: Option<PathBuf>,
}

impl Nats {
    pub(crate) fn validate(&self, problems: &mut Vec<Problem>) {
        if self.url.is_empty() {
            problems.push(Problem::new(
                "nats.url",
                "is empty; name at least one server, such as nats://127.0.0.1:4222",
            ));
        }
        for url in &self.url {
            let rest = ["nats://", "tls://"]
                .iter()
                .find_map(|scheme| url.strip_prefix(scheme));
            if rest.is_none_or(|rest| rest.is_empty() || rest.contains(char::is_whitespace)) {
                problems.push(Problem::new(
                    "nats.url",
                    format!("`{url}` is not a server's address; write nats://HOST:PORT or tls://HOST:PORT"),
                ));
            } else if rest.is_some_and(|rest| rest.contains('@')) {
                problems.push(Problem::new(
                    "nats.url",
                    "holds a user or password, which would be shown in logs; use nats.user and nats.password",
                ));
            }
        }
        let ways = [
            ("nats.user", self.user.is_some() || self.password.is_some()),
            ("nats.token", self.token.is_some()),
            ("nats.credentials", self.credentials.is_some()),
            ("nats.nkey", self.nkey.is_some()),
        ];
        let given: Vec<_> = ways
            .iter()
            .filter(|(_, given)| *given)
            .map(|(key, _)| *key)
            .collect();
        if let [_, second, ..] = given.as_slice() {
            problems.push(Problem::new(
                *second,
                format!(
                    "is one of several ways to log in ({}); keep one of them",
                    given.join(", ")
                ),
            ));
        }
        if self.user.is_some() != self.password.is_some() {
            problems.push(Problem::new(
                "nats.user",
                "and nats.password go together; give both or neither",
            ));
        }
        if self.tls.cert.is_some() != self.tls.key.is_some() {
            problems.push(Problem::new(
                "nats.tls.cert",
                "and nats.tls.key go together; give both or neither",
            ));
        }
        if self.connect_timeout.is_zero() {
            problems.push(Problem::new(
                "nats.connect_timeout",
                "is zero; give at least a few seconds",
            ));
        }
    }
}

#[cfg(feature = "bus")]
impl Nats {
    /// What the bus takes; fit to connect, since the section was validated.
    pub fn options(&self) -> hollowtrees_bus::Options {
        use hollowtrees_bus::{Auth, Options, Tls};
        let auth = match (
            &self.user,
            &self.password,
            &self.token,
            &self.credentials,
            &self.nkey,
        ) {
            (Some(user), Some(password), ..) => Auth::Password {
                user: user.clone(),
                password: password.expose().to_owned(),
            },
            (_, _, Some(token), ..) => Auth::Token(token.expose().to_owned()),
            (_, _, _, Some(file), _) => Auth::CredentialsFile(file.clone()),
            (.., Some(file)) => Auth::NkeyFile(file.clone()),
            _ => Auth::None,
        };
        Options {
            urls: self.url.clone(),
            name: self.name.clone(),
            auth,
            tls: Tls {
                ca: self.tls.ca.clone(),
                cert: self.tls.cert.clone(),
                key: self.tls.key.clone(),
                required: self.tls.required,
                first: self.tls.first,
            },
            connect_timeout: self.connect_timeout,
            request_timeout: self.request_timeout,
            inbox_prefix: self.inbox_prefix.clone(),
        }
    }
}

impl Log {
    pub(crate) fn validate(&self, problems: &mut Vec<Problem>) {
        if let Err(error) = crate::logs::parse_filter(&self.filter) {
            problems.push(Problem::new("log.filter", error));
        }
    }
}
