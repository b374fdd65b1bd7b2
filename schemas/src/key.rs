//! Keys of the KV buckets. Each part is a name, escaped by [`crate::token`]; parts are joined by dots, so
//! that a watch or a permission can name a cluster by its first part.

use crate::id::{ActionId, IncidentKey};
use crate::names::mode;
use crate::token;

fn join(parts: &[&str]) -> String {
    let mut key = String::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            key.push('.');
        }
        token::escape_into(part, &mut key);
    }
    key
}

/// Key in `ht_incidents`: `<cluster>.<instance>` for a live incident, `<cluster>.<instance>.<mode>` for a
/// test or dry run, which is a record of its own and never joins or withdraws a live one.
pub fn incident(incident: &IncidentKey) -> String {
    match incident.mode() {
        mode::LIVE => join(&[incident.cluster(), incident.instance()]),
        other => join(&[incident.cluster(), incident.instance(), other]),
    }
}

/// Key in `ht_runs`: `<cluster>.<instance>.<generation>.<rule>.<certainty>`; the generation of a test or dry
/// run has its mode behind it (`3-test`).
pub fn run(incident: &IncidentKey, generation: u64, rule: &str, certainty: &str) -> String {
    let generation = match incident.mode() {
        mode::LIVE => generation.to_string(),
        other => format!("{generation}-{other}"),
    };
    join(&[
        incident.cluster(),
        incident.instance(),
        &generation,
        rule,
        certainty,
    ])
}

/// Key in `ht_ledger`: `<cluster>.<action id>`.
pub fn ledger(cluster: &str, action: &ActionId) -> String {
    join(&[cluster, action.as_str()])
}

/// Key in `ht_workers`: `<kind>.<process>`.
pub fn worker(kind: &str, process: &str) -> String {
    join(&[kind, process])
}

/// Key in `ht_groups`: `<account>.<region>.<asg>`.
pub fn group(account: &str, region: &str, asg: &str) -> String {
    join(&[account, region, asg])
}

/// Filter for a watch: every key whose first part is this name (a cluster, a kind of worker, an account).
pub fn all_of(first: &str) -> String {
    format!("{}.>", token::escape(first))
}
