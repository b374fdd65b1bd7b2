//! `[alerts]`

use hollowtrees_runtime::config::Problem;
use serde::{Deserialize, Serialize};

use super::check;

/// Which alerts are taken, and what their labels mean.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Alerts {
    /// Names of alerts; empty: all.
    pub names: Vec<String>,
    /// Labels that name the cluster.
    pub cluster_labels: Vec<String>,
    /// Labels that name the instance.
    pub instance_labels: Vec<String>,
}

impl Alerts {
    pub(super) fn validate(&self, problems: &mut Vec<Problem>) {
        for (key, labels) in [
            ("alerts.cluster_labels", &self.cluster_labels),
            ("alerts.instance_labels", &self.instance_labels),
        ] {
            let good = !labels.is_empty() && labels.iter().all(|label| is_label(label));
            check(problems, good, key, "expected names of labels, at least one");
        }
    }
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`, as Prometheus has it.
fn is_label(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
