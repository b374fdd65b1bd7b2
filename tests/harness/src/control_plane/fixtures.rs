//! Objects that tests create.
//!
//! The annotations say how the simulated kubelet treats them; a value is a duration such as `3s`, or `never`.

use serde_json::{Value, json};

/// On a pod: from its binding to phase `Running`.
pub const START_AFTER: &str = "testbed.hollowtrees.io/start-after";
/// On a pod: from `Running` to ready. On a node: from its creation to ready.
pub const READY_AFTER: &str = "testbed.hollowtrees.io/ready-after";
/// On a pod: from `Running` to phase `Succeeded`; never, if not set.
pub const COMPLETE_AFTER: &str = "testbed.hollowtrees.io/complete-after";
/// On a pod: from its deletion until its containers have ended by themselves (at once, if not set). When the grace
/// period is over before, they are killed. `never`: not even then; only a forced deletion removes the pod.
pub const EXIT_AFTER: &str = "testbed.hollowtrees.io/exit-after";
/// On a node: `stopped` makes its kubelet do nothing any more.
pub const KUBELET: &str = "testbed.hollowtrees.io/kubelet";
/// Label of all nodes made by [`node`], with the part of the name before the last dash.
pub const PREFIX: &str = "testbed.hollowtrees.io/prefix";

/// A namespace.
pub fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// A node of an EC2 instance in this zone. It is made ready by the simulated kubelet.
pub fn node(name: &str, zone: &str, instance_id: &str) -> Value {
    let prefix = name.rsplit_once('-').map_or(name, |(prefix, _)| prefix);
    let region = zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/zone": zone,
                "topology.kubernetes.io/region": region,
                PREFIX: prefix,
            },
        },
        "spec": {"providerID": format!("aws:///{zone}/{instance_id}")},
    })
}

/// So many nodes `<prefix>-0` and on, over three zones, with instance ids that contain the number.
pub fn nodes(prefix: &str, count: usize) -> Vec<Value> {
    let zones = ["us-east-1a", "us-east-1b", "us-east-1c"];
    (0..count)
        .map(|i| {
            node(
                &format!("{prefix}-{i}"),
                zones[i % zones.len()],
                &instance_id(prefix, i),
            )
        })
        .collect()
}

/// The instance id of node `i` of [`nodes`]: `i-` and 17 hexadecimal digits, as EC2 has them.
pub fn instance_id(prefix: &str, i: usize) -> String {
    let seed = prefix.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("i-{:010x}{i:07x}", seed >> 24)
}

/// A pod labelled `app: <app>`, with one container and a grace period of 30 s, bound to a node.
pub fn pod(name: &str, app: &str, node: &str) -> Value {
    let mut spec = pod_spec();
    spec["nodeName"] = node.into();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": app}}, "spec": spec})
}

/// A deployment of pods labelled `app: <name>`, on nodes with this [`PREFIX`] only.
pub fn deployment(name: &str, replicas: usize, prefix: &str) -> Value {
    let mut spec = pod_spec();
    spec["nodeSelector"] = json!({PREFIX: prefix});
    workload(
        "apps/v1",
        "Deployment",
        name,
        &json!({"replicas": replicas}),
        &spec,
    )
}

/// A daemon set of pods labelled `app: <name>`, on nodes with this [`PREFIX`] only; cordoned nodes included.
pub fn daemon_set(name: &str, prefix: &str) -> Value {
    let mut spec = pod_spec();
    spec["nodeSelector"] = json!({PREFIX: prefix});
    workload("apps/v1", "DaemonSet", name, &json!({}), &spec)
}

/// A disruption budget for pods labelled `app: <app>`.
pub fn budget(app: &str, min_available: usize) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": app},
        "spec": {"minAvailable": min_available, "selector": {"matchLabels": {"app": app}}},
    })
}

/// The object with an annotation; for a deployment and the like, on its pods.
#[must_use]
pub fn annotated(mut object: Value, annotation: &str, value: &str) -> Value {
    let metadata = if object["spec"].get("template").is_some() {
        &mut object["spec"]["template"]["metadata"]
    } else {
        &mut object["metadata"]
    };
    metadata["annotations"][annotation] = value.into();
    object
}

fn pod_spec() -> Value {
    json!({
        "terminationGracePeriodSeconds": 30,
        "containers": [{"name": "main", "image": "simulated", "resources": {"requests": {"cpu": "10m"}}}],
    })
}

fn workload(version: &str, kind: &str, name: &str, more: &Value, pod_spec: &Value) -> Value {
    let labels = json!({"app": name});
    let mut object = json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec},
        },
    });
    if let (Some(spec), Some(more)) = (object["spec"].as_object_mut(), more.as_object()) {
        spec.extend(more.clone());
    }
    object
}
