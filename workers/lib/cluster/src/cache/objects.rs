//! Objects as they are read from a watch: only the fields somebody looks at, so that the rest of a large
//! cluster's objects is neither kept nor even parsed.

use std::{collections::BTreeMap, sync::Arc};

use hollowtrees_domain::drain::{
    Deletion, Owner, Pod,
    budget::{Budget, Requirement, Selector},
    instance::{GKE_INSTANCE_ID, Machine},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Deserializer, de::IgnoredAny};

use super::{
    Node,
    watched::{Meta, watched},
};
use crate::{Refusal, cordon, removal::MARK_ANNOTATION};

/// `terminationGracePeriodSeconds` of a pod that says none.
const DEFAULT_GRACE_SECONDS: u32 = 30;
/// `system-cluster-critical`; `system-node-critical` is above it.
const CRITICAL_PRIORITY: i64 = 2_000_000_000;
/// The kubelet's mark on the picture of a static pod.
const MIRROR: &str = "kubernetes.io/config.mirror";

watched! {
    /// A node.
    WatchedNode(Node) as "Node" in "", "nodes"
}
watched! {
    /// A pod of any namespace.
    WatchedPod(Pod) as "Pod" in "", "pods"
}
watched! {
    /// A budget of any namespace.
    WatchedBudget(Budget) as "PodDisruptionBudget" in "policy", "poddisruptionbudgets"
}

#[derive(Deserialize)]
pub(super) struct RawPod {
    pub(super) metadata: Meta,
    #[serde(default)]
    pub(super) spec: PodSpec,
    #[serde(default)]
    pub(super) status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    pub(super) node_name: String,
    pub(super) termination_grace_period_seconds: Option<i64>,
    pub(super) priority: Option<i64>,
    pub(super) priority_class_name: String,
    pub(super) volumes: Vec<Volume>,
    pub(super) tolerations: Vec<Toleration>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Toleration {
    pub(super) key: String,
    pub(super) operator: String,
    pub(super) value: String,
    pub(super) effect: String,
}

impl Toleration {
    /// Whether it is about our taint (Kubernetes API reference, `Toleration`): an empty effect is about all effects, an
    /// empty key that exists about all keys.
    fn is_about_us(&self) -> bool {
        let effect = self.effect.is_empty() || self.effect == cordon::EFFECT;
        let key = match self.operator.as_str() {
            "Exists" => self.key.is_empty() || self.key == cordon::TAINT,
            "" | "Equal" => self.key == cordon::TAINT && self.value.is_empty(),
            _ => false,
        };
        effect && key
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) empty_dir: Option<IgnoredAny>,
    pub(super) persistent_volume_claim: Option<ClaimSource>,
    /// Its claim is made with the pod and named after it (Kubernetes documentation, "Generic ephemeral volumes").
    pub(super) ephemeral: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ClaimSource {
    pub(super) claim_name: String,
}

impl Volume {
    fn claim(&self, pod: &str) -> Option<String> {
        match (&self.persistent_volume_claim, &self.ephemeral) {
            (Some(source), _) => Some(source.claim_name.clone()),
            (None, Some(_)) => Some(format!("{pod}-{}", self.name)),
            (None, None) => None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodStatus {
    pub(super) phase: String,
    pub(super) start_time: Option<Time>,
    pub(super) conditions: Vec<Condition>,
    pub(super) container_statuses: Vec<ContainerStatus>,
    pub(super) init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerStatus {
    pub(super) state: ContainerState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerState {
    pub(super) running: Option<IgnoredAny>,
    pub(super) terminated: Option<IgnoredAny>,
}

impl PodStatus {
    fn is_ready(&self) -> bool {
        self.conditions.iter().any(Condition::is_ready)
    }

    fn finished(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    /// None runs, and some did: one that waits to be started is not started any more in a pod that is deleted.
    fn containers_ended(&self) -> bool {
        let mut all = self
            .container_statuses
            .iter()
            .chain(&self.init_container_statuses);
        self.finished()
            || (self
                .container_statuses
                .iter()
                .any(|status| status.state.terminated.is_some())
                && all.all(|status| status.state.running.is_none()))
    }
}

impl<'de> Deserialize<'de> for WatchedPod {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        RawPod::deserialize(from).map(Self::from)
    }
}

impl From<RawPod> for WatchedPod {
    fn from(pod: RawPod) -> Self {
        let RawPod {
            metadata,
            spec,
            status,
        } = pod;
        let meta = metadata.for_watcher();
        let annotations = metadata.annotations.unwrap_or_default();
        let owner = match metadata
            .owner_references
            .iter()
            .find(|owner| owner.controller == Some(true))
        {
            None => Owner::None,
            Some(owner) if owner.kind == "DaemonSet" => Owner::DaemonSet,
            Some(_) => Owner::Controller,
        };
        let content = Pod {
            claims: spec
                .volumes
                .iter()
                .filter_map(|volume| volume.claim(&metadata.name))
                .collect(),
            uid: metadata.uid,
            namespace: metadata.namespace,
            name: metadata.name,
            node: spec.node_name,
            labels: Arc::new(metadata.labels.unwrap_or_default()),
            mirror: annotations.contains_key(MIRROR),
            annotations,
            grace_seconds: spec
                .termination_grace_period_seconds
                .map_or(DEFAULT_GRACE_SECONDS, count),
            owner,
            pending: status.phase == "Pending",
            ready: status.is_ready(),
            finished: status.finished(),
            containers_ended: status.containers_ended(),
            critical: spec
                .priority
                .is_some_and(|priority| priority >= CRITICAL_PRIORITY)
                || matches!(
                    spec.priority_class_name.as_str(),
                    "system-cluster-critical" | "system-node-critical"
                ),
            started_at: status.start_time.map(|at| at.0),
            tolerates: spec.tolerations.iter().any(Toleration::is_about_us),
            empty_dir: spec.volumes.iter().any(|volume| volume.empty_dir.is_some()),
            finalizers: metadata.finalizers,
            deletion: metadata.deletion_timestamp.map(|at| Deletion {
                ends_at: at.0,
                grace_seconds: metadata.deletion_grace_period_seconds.map_or(0, count),
            }),
        };
        Self { meta, content }
    }
}

/// Seconds and counts are never below zero, whatever the type says.
fn count(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

#[derive(Deserialize)]
struct RawNode {
    metadata: Meta,
    #[serde(default)]
    spec: NodeSpec,
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeSpec {
    #[serde(rename = "providerID")]
    provider_id: String,
    unschedulable: bool,
    taints: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeStatus {
    node_info: NodeInfo,
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeInfo {
    #[serde(rename = "systemUUID")]
    system_uuid: String,
    #[serde(rename = "bootID")]
    boot_id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
}

impl Condition {
    /// What the node lifecycle controller writes where the kubelet has said nothing for its grace period.
    fn is_silence(&self) -> bool {
        self.kind == "Ready" && self.status == "Unknown"
    }

    fn is_ready(&self) -> bool {
        self.kind == "Ready" && self.status == "True"
    }
}

impl WatchedNode {
    /// From the body of an answer.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map_err(|error| Refusal::Denied {
            message: format!("the answer is no node: {error}"),
        })
    }
}

impl<'de> Deserialize<'de> for WatchedNode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let RawNode {
            metadata,
            spec,
            status,
        } = RawNode::deserialize(from)?;
        let meta = metadata.for_watcher();
        let annotation = |key: &str| metadata.annotations.as_ref().and_then(|all| all.get(key));
        let machine = Machine {
            provider_id: &spec.provider_id,
            system_uuid: &status.node_info.system_uuid,
            gke_instance_id: annotation(GKE_INSTANCE_ID).map_or("", String::as_str),
        };
        let content = Node {
            instance_ids: machine.instance_ids(),
            cordon: cordon::Seen {
                unschedulable: spec.unschedulable,
                taints: spec.taints,
                has_labels: metadata.labels.is_some(),
                exclusion: metadata
                    .labels
                    .as_ref()
                    .and_then(|all| all.get(cordon::EXCLUSION_LABEL))
                    .cloned(),
                has_annotations: metadata.annotations.is_some(),
                holders: annotation(cordon::HOLDERS_ANNOTATION).cloned(),
                boot_id: status.node_info.boot_id,
                is_marked: annotation(MARK_ANNOTATION).is_some(),
            },
            ready: status.conditions.iter().any(Condition::is_ready),
            silent: status.conditions.iter().any(Condition::is_silence),
            provider_id: spec.provider_id,
            name: metadata.name.into(),
            uid: metadata.uid,
        };
        Ok(Self { meta, content })
    }
}

#[derive(Deserialize)]
struct RawBudget {
    metadata: Meta,
    #[serde(default)]
    spec: BudgetSpec,
    #[serde(default)]
    status: BudgetStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BudgetSpec {
    selector: Option<RawSelector>,
    unhealthy_pod_eviction_policy: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawSelector {
    match_labels: BTreeMap<String, String>,
    match_expressions: Vec<RawRequirement>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawRequirement {
    key: String,
    operator: String,
    values: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BudgetStatus {
    disruptions_allowed: i64,
    current_healthy: i64,
    desired_healthy: i64,
    observed_generation: i64,
}

impl<'de> Deserialize<'de> for WatchedBudget {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let RawBudget {
            metadata,
            spec,
            status,
        } = RawBudget::deserialize(from)?;
        let meta = metadata.for_watcher();
        let content = Budget {
            namespace: metadata.namespace,
            name: metadata.name,
            selector: spec.selector.map(|selector| Selector {
                labels: selector.match_labels,
                requirements: selector
                    .match_expressions
                    .into_iter()
                    .map(|required| Requirement {
                        key: required.key,
                        operator: required.operator,
                        values: required.values,
                    })
                    .collect(),
            }),
            allowed: count(status.disruptions_allowed),
            healthy: count(status.current_healthy),
            desired: count(status.desired_healthy),
            observed: status.observed_generation >= metadata.generation,
            spares_unready: spec.unhealthy_pod_eviction_policy == "AlwaysAllow",
        };
        Ok(Self { meta, content })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_pod_is_read_as_far_as_it_matters() {
        let pod: WatchedPod = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "web-1", "namespace": "shop", "uid": "u", "resourceVersion": "7", "labels": {"app": "web"},
                "ownerReferences": [{"kind": "DaemonSet", "controller": true, "name": "x", "uid": "y", "apiVersion": "v1"}],
                "deletionTimestamp": "2026-01-31T12:00:00Z", "deletionGracePeriodSeconds": 45, "finalizers": ["a/b"],
                "managedFields": [{"manager": "m", "fieldsV1": {"f:metadata": {}}}],
            },
            "spec": {"nodeName": "n", "priority": 2_000_001_000_i64, "volumes": [
                {"name": "v", "emptyDir": {}}, {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}},
                {"name": "tmp", "ephemeral": {"volumeClaimTemplate": {}}},
            ]},
            "status": {"phase": "Running", "containerStatuses": [
                {"state": {"terminated": {"exitCode": 0}}}, {"state": {"waiting": {}}},
            ]},
        }))
        .unwrap();
        assert_eq!(
            (
                pod.meta.resource_version.as_deref(),
                pod.meta.managed_fields.as_ref()
            ),
            (Some("7"), None)
        );
        let pod = pod.content;
        assert_eq!(
            (pod.path().as_str(), pod.node.as_str(), pod.grace_seconds),
            ("shop/web-1", "n", 30)
        );
        assert_eq!(pod.owner, Owner::DaemonSet);
        assert_eq!(pod.claims, ["data-web-1", "web-1-tmp"]);
        assert!(pod.critical && pod.empty_dir && pod.containers_ended && !pod.finished && !pod.mirror);
        assert_eq!(pod.deletion.unwrap().grace_seconds, 45);

        let check = |toleration: Value, expected: bool| {
            let pod =
                json!({"metadata": {"name": "p", "namespace": "d"}, "spec": {"tolerations": [toleration]}});
            let pod: WatchedPod = serde_json::from_value(pod).unwrap();
            assert_eq!(pod.content.tolerates, expected, "{toleration}");
        };
        check(json!({"operator": "Exists"}), true);
        check(json!({"key": cordon::TAINT, "operator": "Exists"}), true);
        check(json!({"key": cordon::TAINT, "effect": "NoSchedule"}), true);
        check(
            json!({"key": cordon::TAINT, "operator": "Exists", "effect": "NoExecute"}),
            false,
        );
        check(json!({"key": "other", "operator": "Exists"}), false);
        check(json!({"key": cordon::TAINT, "value": "other"}), false);

        let bare: WatchedPod =
            serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "d"}})).unwrap();
        assert!(!bare.content.containers_ended && bare.content.owner == Owner::None);
    }

    #[test]
    fn a_node_and_a_budget_are_read_as_far_as_they_matter() {
        let node: WatchedNode = serde_json::from_value(json!({
            "metadata": {"name": "n", "uid": "u", "labels": {"a": "b"}},
            "spec": {"providerID": "aws:///us-east-1a/i-1", "taints": [{"key": "k", "effect": "NoSchedule"}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"systemUUID": "EC2"}},
        }))
        .unwrap();
        let node = node.content;
        assert_eq!(node.instance_ids, ["i-1"]);
        assert!(
            node.ready
                && node.cordon.has_labels
                && !node.cordon.has_annotations
                && !node.cordon.unschedulable
        );

        let budget: WatchedBudget = serde_json::from_value(json!({
            "metadata": {"name": "b", "namespace": "s"}, "spec": {"selector": {"matchLabels": {"app": "web"}}},
            "status": {"disruptionsAllowed": 2},
        }))
        .unwrap();
        assert_eq!(
            (
                budget.content.allowed,
                budget.content.selector.unwrap().labels.len()
            ),
            (2, 1)
        );
    }
}
