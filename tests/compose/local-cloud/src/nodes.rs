//! What runs on the instances: a node each, and pods on them.

use hollowtrees_harness::{
    Result,
    control_plane::{Client, fixtures},
};
use serde_json::Value;

use crate::aws::Member;

/// Namespace of the pods.
pub const NAMESPACE: &str = "shop";
/// Prefix of the nodes' names, and what the pods' node selector asks for.
const PREFIX: &str = "local";
const PODS: usize = 4;
/// Lets kwok simulate the kubelet of a node.
const KWOK: (&str, &str) = ("kwok.x-k8s.io/node", "fake");

/// The name of an instance's node.
pub fn name(instance: &str) -> String {
    format!("{PREFIX}-{}", instance.trim_start_matches("i-"))
}

/// The node of an instance, as it joins.
pub fn node(member: &Member) -> Value {
    let (annotation, value) = KWOK;
    let node = fixtures::node(&name(&member.id), &member.zone, &member.id);
    fixtures::annotated(node, annotation, value)
}

/// Makes what is missing: the pods' deployment, and a node for each member.
///
/// # Errors
/// If the API server does not answer, or refuses.
pub async fn ensure(kubernetes: &Client, members: &[Member]) -> Result<()> {
    kubernetes.namespace(NAMESPACE).await?;
    for member in members {
        kubernetes.ensure("/api/v1/nodes", &node(member)).await?;
    }
    let deployments = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments");
    let deployment = fixtures::deployment("shop", PODS, PREFIX);
    kubernetes.ensure(&deployments, &deployment).await
}
