//! Subject filters for consumers and subscriptions: what [`crate::subject::Subject`] writes, with `*` where
//! anything goes. Arguments are names, escaped here; `None` is `*`.

use crate::token;

fn join(domain: &str, tokens: &[Option<&str>]) -> String {
    let mut filter = format!("ht.{domain}.v1");
    for name in tokens {
        filter.push('.');
        match name {
            Some(name) => token::escape_into(name, &mut filter),
            None => filter.push('*'),
        }
    }
    filter
}

/// Where agents of a cluster say that their machine is ready for an event of its provider. Stored nowhere.
pub fn ready(cluster: &str, event: &str) -> String {
    join("ready", &[Some(cluster), Some(event)])
}

/// Where a process takes actions that others of its kind, which serve the same cluster (`None`: all), give to it. Stored nowhere.
pub fn forward(cluster: Option<&str>, worker: &str, process: &str) -> String {
    join(
        "forward",
        &[Some(cluster.unwrap_or_default()), Some(worker), Some(process)],
    )
}

/// All notices of a cluster.
pub fn notices(cluster: Option<&str>) -> String {
    join("notice", &[cluster, None, None])
}

/// All actions of a kind: what the worker of that kind takes.
pub fn actions(cluster: Option<&str>, kind: &str) -> String {
    join("action", &[cluster, Some(kind), None])
}

/// All actions of every kind: what an observer takes.
pub fn all_actions(cluster: Option<&str>) -> String {
    join("action", &[cluster, None, None])
}

/// Outcomes of a kind of action (`None`: every kind) with a result (`None`: every result).
pub fn outcomes(cluster: Option<&str>, action: Option<&str>, result: Option<&str>) -> String {
    join("outcome", &[cluster, action, result, None])
}

/// All events of incidents.
pub fn incidents(cluster: Option<&str>) -> String {
    join("incident", &[cluster, None, None])
}

/// All events of runs.
pub fn runs(cluster: Option<&str>) -> String {
    join("run", &[cluster, None, None])
}

/// All dead letters of a stream or source (`None`: of every one).
pub fn dead(cluster: Option<&str>, origin: Option<&str>) -> String {
    join("dead", &[cluster, origin, None])
}
