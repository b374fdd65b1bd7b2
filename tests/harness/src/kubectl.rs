//! The drain of kubectl, run as a program: what ours is compared with.

use crate::testbed::{self, Program};
use crate::{Error, Result, Worker};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// A drain to be run, with kubectl's own defaults but for the client's limits, which are the library's (5 requests a
/// second, 10 at once).
#[derive(Clone, Debug, Default)]
pub struct Drain {
    args: Vec<String>,
}

/// What became of the nodes, in the order they were asked for.
#[derive(Clone, Debug)]
pub struct Report {
    /// One a node.
    pub nodes: Vec<Drained>,
    /// From the first request to the end of the last drain.
    pub took: Duration,
}

/// What became of a node and its pods, which are called `namespace/name`. Times count from the first request.
#[derive(Clone, Debug)]
pub struct Drained {
    /// Its name.
    pub node: String,
    /// When it was cordoned; `None` where it was not.
    pub cordoned: Option<Duration>,
    /// When its drain ended, well or not.
    pub drained: Duration,
    /// The pods that the filters let go.
    pub delete: Vec<String>,
    /// The pods because of which the whole node is refused, and why.
    pub refused: BTreeMap<String, String>,
    /// The warnings, in one line.
    pub warnings: String,
    /// The pods whose eviction or deletion was asked for.
    pub asked: Vec<String>,
    /// Those that were then waited for until they were gone.
    pub gone: Vec<String>,
    /// Empty where the drain succeeded.
    pub errors: Vec<String>,
}

impl Drain {
    /// Of these nodes, one after another.
    pub fn of<N: AsRef<str>>(nodes: impl IntoIterator<Item = N>) -> Self {
        let nodes: Vec<_> = nodes.into_iter().map(|node| node.as_ref().to_owned()).collect();
        Self::default().with("nodes", nodes.join(","))
    }

    /// With a flag of the program `kubectl-drain` (see its `--help`), say `("force", true)`.
    #[must_use]
    pub fn with(mut self, flag: &str, value: impl std::fmt::Display) -> Self {
        self.args.push(format!("--{flag}={value}"));
        self
    }

    /// With other limits of the client.
    #[must_use]
    pub fn client(self, qps: u32, burst: u32) -> Self {
        self.with("qps", qps).with("burst", burst)
    }

    /// Runs it to its end; the program is built first if need be.
    ///
    /// # Errors
    /// If it cannot be built, does not end in time, or does not say what it did. A drain that failed is no error, see
    /// [`Drained::errors`].
    pub async fn run(self, kubeconfig: &Path, timeout: Duration) -> Result<Report> {
        let program = testbed::binary_async(Program::KubectlDrain).await?;
        let worker = Worker::builder("kubectl-drain", program)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(&self.args)
            .start()?;
        worker.exited(timeout).await?;
        let log = worker.log()?;
        let nothing = || worker.with_log(&Error::new("kubectl-drain does not say what it did"));
        let document = log
            .lines()
            .rfind(|line| line.starts_with('{'))
            .ok_or_else(nothing)?;
        let document: Value = serde_json::from_str(document).map_err(|_| nothing())?;
        Ok(Report {
            nodes: each(&document["nodes"]).iter().map(Drained::read).collect(),
            took: milliseconds(&document["took_ms"]).unwrap_or_default(),
        })
    }
}

impl Drained {
    fn read(node: &Value) -> Self {
        let refused = node["refused"].as_object().into_iter().flatten();
        Self {
            node: text(&node["name"]),
            cordoned: milliseconds(&node["cordoned_ms"]),
            drained: milliseconds(&node["drained_ms"]).unwrap_or_default(),
            delete: each(&node["delete"]).iter().map(text).collect(),
            refused: refused.map(|(pod, why)| (pod.clone(), text(why))).collect(),
            warnings: text(&node["warnings"]),
            asked: each(&node["asked"]).iter().map(text).collect(),
            gone: each(&node["gone"]).iter().map(text).collect(),
            errors: each(&node["errors"]).iter().map(text).collect(),
        }
    }
}

fn each(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn milliseconds(value: &Value) -> Option<Duration> {
    value.as_u64().map(Duration::from_millis)
}
