//! What holds for all of a request.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use hollowtrees_schemas::{id::Hash, names::header::REDRIVE};
use http::{HeaderMap, HeaderName, header, request};
use jiff::Timestamp;

use crate::{auth::Client, problem::Problem};

/// The original's header that joins log lines.
pub const CORRELATION: HeaderName = HeaderName::from_static("correlation-id");
/// Parameter of the address that names the cluster, for senders whose bodies do not.
const CLUSTER: &str = "cluster";
/// Parameter of the address that names a queue, whose message the body is.
const QUEUE: &str = "queue";
/// Parameters of the address with a token; the second is that of OAuth 2, which the original took.
const TOKENS: [&str; 2] = ["token", "access_token"];
/// Longest correlation id that is passed on, in bytes.
const CORRELATION_MAX: usize = 128;

/// A request that may be looked into.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who sent it.
    pub client: Arc<Client>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// `cluster` of its address.
    pub cluster: Option<String>,
    /// `queue` of its address.
    pub queue: Option<String>,
    /// Joins its log lines, its messages and its answer.
    pub correlation: String,
    /// When it came.
    pub at: Timestamp,
}

impl Asked {
    /// Its headers as text, those alone that say what the body is: secrets are in others.
    pub fn shown(&self) -> Vec<(String, String)> {
        let wanted = |name: &HeaderName| {
            name == header::CONTENT_TYPE
                || name == header::USER_AGENT
                || name.as_str().starts_with("ce-")
                || name.as_str().starts_with("aeg-")
                || name.as_str().starts_with("sqs-")
        };
        let shown = self.headers.iter().filter(|(name, _)| wanted(name));
        shown
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .chain([(CORRELATION.as_str().to_owned(), self.correlation.clone())])
            .collect()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Where its body can be posted again: its path with what counts of its address, which a token is no part of.
    pub fn address(&self, path: &str) -> String {
        let mut named = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [(CLUSTER, &self.cluster), (QUEUE, &self.queue)] {
            if let Some(value) = value {
                named.append_pair(name, value);
            }
        }
        let named = named.finish();
        if named.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{named}")
        }
    }

    /// Whether its body is that of a dead letter, which is sent again.
    pub fn is_redriven(&self) -> bool {
        self.headers.contains_key(REDRIVE)
    }

    /// The cluster of a body that names none: that of the address, the only one the client speaks for, or the default.
    ///
    /// # Errors
    /// There is none, or the client may not speak for it.
    pub fn cluster(&self, default: &str) -> Result<String, Problem> {
        let named = self.cluster.as_deref().or_else(|| self.client.only_cluster());
        let Some(cluster) = named.or(Some(default)).filter(|cluster| !cluster.is_empty()) else {
            return Err(Problem::new(
                CLUSTER,
                "is not named; add `?cluster=NAME` to the address, or set HT_CLUSTER for all that names none",
            ));
        };
        self.may_speak_for(cluster)?;
        Ok(cluster.to_owned())
    }

    /// Whether its client may say something about this cluster.
    ///
    /// # Errors
    /// It may not.
    pub fn may_speak_for(&self, cluster: &str) -> Result<(), Problem> {
        if self.client.may_speak_for(cluster) {
            return Ok(());
        }
        Err(Problem::forbidden(
            CLUSTER,
            format!("is none that `{}` may speak for", self.client.name),
        ))
    }
}

/// The correlation id of a request: what it says itself, or what follows from its body.
pub fn correlation(headers: &HeaderMap, body: &[u8]) -> String {
    let said = headers.get(CORRELATION).and_then(|value| value.to_str().ok());
    match said.filter(|said| !said.is_empty() && said.len() <= CORRELATION_MAX) {
        Some(said) => said.to_owned(),
        None => Hash::new("request").field(body).finish(),
    }
}

/// Parameters of an address.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    /// A token.
    pub token: Option<String>,
    /// A cluster.
    pub cluster: Option<String>,
    /// A queue.
    pub queue: Option<String>,
}

impl Parameters {
    /// Those of a request.
    pub fn of(head: &request::Parts) -> Self {
        let query = head.uri.query().unwrap_or_default();
        let mut found = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = Some(Cow::into_owned(value));
            if TOKENS.contains(&name.as_ref()) {
                found.token = value;
            } else if name == CLUSTER {
                found.cluster = value;
            } else if name == QUEUE {
                found.queue = value;
            }
        }
        found
    }
}
