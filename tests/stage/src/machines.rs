//! Instances of auto-scaling groups, with their nodes in the cluster.

use std::time::Duration;

use hollowtrees_harness::{
    Aws, Error, Result,
    aws::{Instance, NewGroup},
    control_plane::{Client, fixtures},
    try_eventually,
};
use hollowtrees_schemas::proto;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::rig::{CLUSTER, REGION};

/// Account of every instance.
pub const ACCOUNT: &str = "123456789012";
/// Nodes that pods may run on are told by this, whatever their name begins with.
pub const POOL: &str = "stage";
/// Where the groups are.
const ZONES: [&str; 2] = ["us-east-1a", "us-east-1b"];
/// What they launch.
const TYPES: [&str; 2] = ["m5.large", "m5a.large"];
/// How long pods may take to start.
const START: Duration = Duration::from_secs(300);

/// An instance of a group, and its node.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Name of its node.
    pub node: String,
    /// `i-...`
    pub instance: String,
    /// `us-east-1a`
    pub zone: String,
    /// Its auto-scaling group.
    pub group: String,
}

impl Machine {
    /// A notice of this kind about it, as its metadata service would give it; it goes in so many seconds.
    pub fn notice(&self, kind: &str, seconds_left: i64) -> proto::Notice {
        let now = Timestamp::now();
        proto::Notice {
            cluster: CLUSTER.to_owned(),
            provider: "aws".to_owned(),
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            zone: self.zone.clone(),
            instance: self.instance.clone(),
            node: self.node.clone(),
            kind: kind.to_owned(),
            state: "active".to_owned(),
            mode: "live".to_owned(),
            noticed_at: Some(proto::time::to_proto(now)),
            deadline: Some(proto::time::to_proto(
                now + SignedDuration::from_secs(seconds_left),
            )),
            ..proto::Notice::default()
        }
    }
}

/// Makes a group of `count` spot instances and a node for each of them.
///
/// # Errors
/// A server refuses.
pub async fn make(aws: &Aws, kubernetes: &Client, group: &str, count: u32, max: u32) -> Result<Vec<Machine>> {
    let shape = NewGroup::new(group)
        .zones(&ZONES)
        .sizes(0, count, max)
        .types(&TYPES)
        .spot();
    aws.create(&shape).await?;
    let mut machines = Vec::new();
    for (number, instance) in aws
        .instances()
        .await?
        .into_iter()
        .filter(|instance| instance.group.as_deref() == Some(group))
        .enumerate()
    {
        machines.push(Machine {
            node: format!("{group}-{number}"),
            instance: instance.id,
            zone: instance.zone,
            group: group.to_owned(),
        });
    }
    if machines.len() != count as usize {
        return Err(Error::new(format!(
            "{group} has {} instances of {count}",
            machines.len()
        )));
    }
    let nodes = machines
        .iter()
        .map(|machine| pooled(fixtures::node(&machine.node, &machine.zone, &machine.instance)));
    kubernetes.post_all("/api/v1/nodes", nodes).await?;
    Ok(machines)
}

/// The node of an instance that was launched: it is ready a moment later.
///
/// # Errors
/// The API server refuses.
pub async fn join(kubernetes: &Client, instance: &Instance) -> Result<()> {
    let node = fixtures::node(&instance.id, &instance.zone, &instance.id);
    kubernetes.post("/api/v1/nodes", &pooled(node)).await?;
    Ok(())
}

/// So many nodes that stay.
///
/// # Errors
/// The API server refuses.
pub async fn make_steady(kubernetes: &Client, count: usize) -> Result<()> {
    let nodes = fixtures::nodes("steady", count).into_iter().map(pooled);
    kubernetes.post_all("/api/v1/nodes", nodes).await
}

/// A deployment over the nodes there are, all its pods running when this returns.
///
/// # Errors
/// They do not come up within five minutes.
pub async fn deploy(kubernetes: &Client, namespace: &str, replicas: usize) -> Result<()> {
    kubernetes.namespace(namespace).await?;
    // Each takes a moment to end, as programs do.
    let deployment = fixtures::annotated(
        fixtures::deployment("shop", replicas, POOL),
        fixtures::EXIT_AFTER,
        "1s",
    );
    kubernetes
        .post(
            &format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
            &deployment,
        )
        .await?;
    running(kubernetes, namespace, replicas, START).await
}

/// Waits until just so many pods run, none of them on its way out.
///
/// # Errors
/// They do not within the bound.
pub async fn running(kubernetes: &Client, namespace: &str, replicas: usize, bound: Duration) -> Result<()> {
    try_eventually(format!("{replicas} pods to run"), bound, || async {
        let pods = pods(kubernetes, namespace)
            .await
            .map_err(|error| error.to_string())?;
        let running = pods
            .iter()
            .filter(|pod| {
                pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
            })
            .count();
        if running == replicas && pods.len() == replicas {
            Ok(())
        } else {
            Err(format!("{running} of {} run", pods.len()))
        }
    })
    .await
    .map_err(|error| Error::new(error.to_string()))
}

/// The pods of a namespace as the API server has them.
///
/// # Errors
/// It does not answer.
pub async fn pods(kubernetes: &Client, namespace: &str) -> Result<Vec<Value>> {
    kubernetes
        .list(&format!("/api/v1/namespaces/{namespace}/pods"))
        .await
}

fn pooled(mut node: Value) -> Value {
    node["metadata"]["labels"][fixtures::PREFIX] = POOL.into();
    node
}
