//! From an alert to a notice. Values in, values out.
//!
//! The identity is `alertname`, all labels and `startsAt`: an alert that is sent again (Prometheus does so every minute,
//! with another `endsAt`) is the same notice, and a resolved one withdraws the fact of the firing one.

use std::collections::BTreeMap;

use hollowtrees_schemas::{
    id::Hash,
    names::{kind, state},
    proto::{self, time::to_proto},
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::document::{self, Alert};
use crate::{auth::Client, problem::Problem};

/// Label that says how certain it is: `advisory` (without it), `scheduled` or `certain`.
pub const CERTAINTY: &str = "hollowtrees_certainty";
/// Label that says what may be touched: `live` (without it), `dry-run` or `test`.
pub const MODE: &str = "hollowtrees_mode";

const ALERTNAME: &str = "alertname";
/// Label with the instance, or with the scrape target, of every alert.
const INSTANCE: &str = "instance";
/// Labels of the original's tokens.
const ORG_ID: &str = "org_id";
const CLUSTER_ID: &str = "cluster_id";

/// Labels that name the rest of a notice; the first one that is there counts.
const NODES: &[&str] = &["node", "kubernetes_node", "nodename"];
const ACCOUNTS: &[&str] = &["account", "account_id", "project_id", "subscription_id"];
const REGIONS: &[&str] = &["region"];
const ZONES: &[&str] = &["zone", "availability_zone"];
const GROUPS: &[&str] = &["asg", "asg_name", "autoscaling_group"];
const TYPES: &[&str] = &["instance_type"];
const PROVIDERS: &[&str] = &["provider", "cloud"];

/// Annotations beyond so many bytes are left out of the notice.
const ANNOTATIONS: usize = 16 * 1024;

/// What holds for all alerts of a request.
#[derive(Clone, Debug)]
pub struct Terms<'a> {
    /// Who sent it.
    pub client: &'a Client,
    /// Cluster of an alert that names none; empty: there is none.
    pub cluster: &'a str,
    /// Labels that name the cluster, the first one the client may speak for counts.
    pub cluster_labels: &'a [String],
    /// Labels that name the instance.
    pub instance_labels: &'a [String],
    /// Joins the log lines and messages of one request.
    pub correlation: &'a str,
    /// Beside it in `detail`: who passed it on.
    pub through: &'a [(&'static str, &'a str)],
    /// When it came.
    pub now: Timestamp,
}

/// `ce-source` of all alerts of a cluster: the same alert is the same notice, whether Prometheus sent it or
/// Alertmanager, and whichever of several did.
pub fn source(cluster: &str) -> String {
    hollowtrees_schemas::envelope::source(&["alerts", cluster])
}

/// What an alert's repetitions have in common. `startsAt` counts to the millisecond: Prometheus cuts it there in today's API
/// and Alertmanager passes that on, while the API before gave it in full.
pub fn identity(alert: &Alert) -> String {
    let starts_at = document::time(&alert.starts_at).ok().flatten();
    let mut hash = Hash::new("alert");
    for (name, value) in &alert.labels {
        hash = hash.field(name).field(value);
    }
    match starts_at {
        Some(at) => hash.field(at.as_millisecond().to_be_bytes()),
        None => hash.field(&alert.starts_at),
    }
    .finish()
}

/// The notice an alert is.
///
/// # Errors
/// The first field that is missing or wrong, with what to do.
pub fn notice(alert: &Alert, terms: &Terms<'_>) -> Result<proto::Notice, Problem> {
    let labels = &alert.labels;
    if first(labels, &[ALERTNAME]).is_none() {
        return Err(Problem::new(
            "labels.alertname",
            "is missing; every alert has a name",
        ));
    }
    let starts_at = time("startsAt", &alert.starts_at)?;
    let ends_at = time("endsAt", &alert.ends_at)?;
    let resolved =
        alert.status.as_str() == Some("resolved") || ends_at.is_some_and(|ends_at| ends_at <= terms.now);
    let noticed_at = if resolved { ends_at } else { starts_at };
    let node = first(labels, NODES).or_else(|| node(labels));
    let Some(instance) = any(labels, terms.instance_labels).or(node) else {
        return Err(Problem::new(
            "labels.instance_id",
            format!(
                "is missing, so nobody knows which instance it is about; add the label to the alert rule, or keep such \
                 alerts away with `alerts.names` or Prometheus' alert_relabel_configs{}",
                match first(labels, &[INSTANCE]) {
                    Some(_) => " (`instance` has a port: it is what was scraped, not a node)",
                    None => "",
                }
            ),
        ));
    };
    let text = |names: &[&str]| first(labels, names).unwrap_or_default().to_owned();
    let provider = match first(labels, PROVIDERS) {
        Some(provider) => provider,
        None => provider(instance),
    };
    Ok(proto::Notice {
        cluster: cluster(alert, terms)?.to_owned(),
        provider: provider.to_owned(),
        account: text(ACCOUNTS),
        region: text(REGIONS),
        zone: text(ZONES),
        instance: instance.to_owned(),
        kind: kind::ALERT.to_owned(),
        state: if resolved { state::RESOLVED } else { state::ACTIVE }.to_owned(),
        certainty: text(&[CERTAINTY]),
        mode: text(&[MODE]),
        event_id: identity(alert),
        provider_action: text(&[ALERTNAME]),
        noticed_at: Some(to_proto(noticed_at.unwrap_or(terms.now).min(terms.now))),
        deadline: None,
        node: node.unwrap_or_default().to_owned(),
        group: text(GROUPS),
        instance_type: text(TYPES),
        labels: labels.clone().into_iter().collect(),
        detail: serde_json::from_value(Value::Object(detail(alert, terms))).ok(),
    })
}

/// The cluster of an alert: that of its labels, as far as its sender may speak for it.
fn cluster<'a>(alert: &'a Alert, terms: &Terms<'a>) -> Result<&'a str, Problem> {
    let labels = &alert.labels;
    // As the original checked its tokens: both labels are those of the token.
    if let Some(tenant) = &terms.client.tenant {
        for (name, expected) in [(ORG_ID, &tenant.org), (CLUSTER_ID, &tenant.cluster)] {
            if first(labels, &[name]) != Some(expected) {
                return Err(Problem::forbidden(
                    format!("labels.{name}"),
                    "is not that of the token; send a token of this cluster",
                ));
            }
        }
    }
    let named: Vec<&str> = terms
        .cluster_labels
        .iter()
        .filter_map(|name| first(labels, &[name]))
        .collect();
    let allowed = named.iter().find(|cluster| terms.client.may_speak_for(cluster));
    if let Some(cluster) = allowed {
        return Ok(cluster);
    }
    let field = || {
        format!(
            "labels.{}",
            terms.cluster_labels.first().map_or("cluster", |name| name)
        )
    };
    if !named.is_empty() {
        return Err(Problem::forbidden(
            field(),
            format!("is no cluster that `{}` may speak for", terms.client.name),
        ));
    }
    let only = terms.client.only_cluster();
    match only.or_else(|| Some(terms.cluster).filter(|cluster| !cluster.is_empty())) {
        Some(cluster) if terms.client.may_speak_for(cluster) => Ok(cluster),
        Some(_) => Err(Problem::forbidden(
            field(),
            format!(
                "is missing, and `{}` may not speak for the default cluster",
                terms.client.name
            ),
        )),
        None => Err(Problem::new(
            field(),
            "is missing; add the label in Prometheus' external_labels, or set HT_CLUSTER for all that names none",
        )),
    }
}

/// `instance` where it is the name of a node, as the original took it, and no `HOST:PORT`.
fn node(labels: &BTreeMap<String, String>) -> Option<&str> {
    first(labels, &[INSTANCE]).filter(|name| !name.contains([':', '/']))
}

/// The provider that writes its ids like this; empty where it cannot be told.
pub fn provider(instance: &str) -> &'static str {
    let all = |text: &str, good: fn(u8) -> bool| !text.is_empty() && text.bytes().all(good);
    if instance
        .strip_prefix("i-")
        .is_some_and(|id| matches!(id.len(), 8 | 17) && all(id, |byte| byte.is_ascii_hexdigit()))
    {
        "aws"
    } else if (15..=20).contains(&instance.len()) && all(instance, |byte| byte.is_ascii_digit()) {
        "gcp"
    } else if instance.len() == 36
        && instance.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && all(instance, |byte| byte.is_ascii_hexdigit() || byte == b'-')
    {
        "azure"
    } else {
        ""
    }
}

fn detail(alert: &Alert, terms: &Terms<'_>) -> Map<String, Value> {
    let mut detail = Map::new();
    let size: usize = alert
        .annotations
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if size <= ANNOTATIONS && !alert.annotations.is_empty() {
        detail.insert("annotations".to_owned(), json!(alert.annotations));
    }
    let texts = [
        ("startsAt", alert.starts_at.as_str()),
        ("endsAt", alert.ends_at.as_str()),
        ("generatorURL", alert.generator_url.as_str()),
        ("correlationId", terms.correlation),
    ];
    for (name, text) in texts.into_iter().chain(terms.through.iter().copied()) {
        if !text.is_empty() && text.len() <= ANNOTATIONS {
            detail.insert(name.to_owned(), json!(text));
        }
    }
    detail
}

fn time(field: &'static str, text: &str) -> Result<Option<Timestamp>, Problem> {
    document::time(text).map_err(|problem| Problem::new(field, problem))
}

/// The first of these labels that is there and not empty.
fn first<'a>(labels: &'a BTreeMap<String, String>, names: &[&str]) -> Option<&'a str> {
    names
        .iter()
        .find_map(|name| labels.get(*name))
        .map(String::as_str)
        .filter(|value| !value.is_empty())
}

fn any<'a>(labels: &'a BTreeMap<String, String>, names: &[String]) -> Option<&'a str> {
    names.iter().find_map(|name| first(labels, &[name]))
}

#[cfg(test)]
mod tests;
