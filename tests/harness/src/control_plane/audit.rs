//! The API server's record of requests, for tests that count them.

use crate::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

/// Who asked for what and what came of it; no bodies but those of bindings and evictions. One entry a request: a watch when it starts, others at their end.
pub(super) const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    nonResourceURLs: ['/healthz*', '/readyz*', '/livez*', '/openapi*', '/version']
  - level: Metadata
    verbs: [watch]
    omitStages: [RequestReceived, ResponseComplete]
  - level: Request
    resources: [{ group: '', resources: [pods/binding, pods/eviction] }]
    omitStages: [RequestReceived, ResponseStarted]
  - level: Metadata
    omitStages: [RequestReceived, ResponseStarted]
";

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Who asked: `system:serviceaccount:<namespace>:<name>` for a service account.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Such as `pods`, or with a subresource `pods/eviction`.
    pub resource: String,
    /// The object's namespace, empty for a node and the like.
    pub namespace: String,
    /// The object's name, empty for a list.
    pub name: String,
    /// The status of the answer.
    pub code: u16,
    /// What sent it, by its own account.
    pub user_agent: String,
    /// Of a `pods/binding`, the node the pod went to; empty else.
    pub bound_to: String,
    /// Of a `pods/eviction`, the uid of the pod it is about, where it says so; empty else.
    pub uid: String,
    /// When the server received it.
    pub at: Timestamp,
}

impl Entry {
    /// Done, and said so.
    #[must_use]
    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Who asked went away before the answer, or time ran out: the server records 504 and may have done it all the same,
    /// for it does not take back what it has begun to write.
    #[must_use]
    pub fn may_be_done(&self) -> bool {
        self.code == 504
    }
}

/// Reads the record.
#[derive(Clone, Debug)]
pub struct Audit {
    path: PathBuf,
    from: u64,
}

impl Audit {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, from: 0 }
    }

    /// The same record, from now on only.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn from_now(&self) -> Result<Self> {
        let length = std::fs::metadata(&self.path)
            .context(|| format!("cannot read {}", self.path.display()))?
            .len();
        Ok(Self {
            path: self.path.clone(),
            from: length,
        })
    }

    /// All requests so far. The server writes an entry before the client has its answer.
    ///
    /// # Errors
    /// If the record cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let doing = || format!("cannot read {}", self.path.display());
        let mut file = File::open(&self.path).context(doing)?;
        file.seek(SeekFrom::Start(self.from)).context(doing)?;
        let mut text = String::new();
        file.read_to_string(&mut text).context(doing)?;
        // The last line may still be in the making.
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .map(|line| entry(&line))
            .collect())
    }

    /// How many requests of each verb and resource this user made, say `("create", "pods/eviction")`.
    ///
    /// # Errors
    /// If the record cannot be read.
    pub fn count_by(&self, user: &str) -> Result<BTreeMap<(String, String), usize>> {
        let mut counts = BTreeMap::new();
        for entry in self.entries()?.into_iter().filter(|entry| entry.user == user) {
            *counts.entry((entry.verb, entry.resource)).or_default() += 1;
        }
        Ok(counts)
    }

    /// The requests of this user that may change something; tests of a dry run want none.
    ///
    /// # Errors
    /// If the record cannot be read.
    pub fn writes_by(&self, user: &str) -> Result<Vec<Entry>> {
        let reads = ["get", "list", "watch"];
        Ok(self
            .entries()?
            .into_iter()
            .filter(|e| e.user == user && !reads.contains(&e.verb.as_str()))
            .collect())
    }
}

fn entry(line: &Value) -> Entry {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &line["objectRef"];
    let (resource, subresource) = (text(&object["resource"]), text(&object["subresource"]));
    Entry {
        user: text(&line["user"]["username"]),
        verb: text(&line["verb"]),
        resource: if subresource.is_empty() {
            resource
        } else {
            format!("{resource}/{subresource}")
        },
        namespace: text(&object["namespace"]),
        name: text(&object["name"]),
        code: line["responseStatus"]["code"]
            .as_u64()
            .and_then(|code| code.try_into().ok())
            .unwrap_or_default(),
        user_agent: text(&line["userAgent"]),
        bound_to: text(&line["requestObject"]["target"]["name"]),
        uid: text(&line["requestObject"]["deleteOptions"]["preconditions"]["uid"]),
        at: text(&line["requestReceivedTimestamp"])
            .parse()
            .unwrap_or(Timestamp::MIN),
    }
}
