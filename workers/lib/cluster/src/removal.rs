//! What is left of a node whose instance is gone: its pods are given up, its volumes let go, the object removed.
//!
//! None of it happens to a node whose kubelet still speaks, whatever was said of its instance: the out-of-service taint
//! starts pods elsewhere while they may run here, and tears volumes from under them. Every write therefore bears the
//! resource version of a read that showed the node silent; a kubelet that comes back in between makes it fail.

use serde_json::{Value, json};

use crate::{
    Refusal,
    cache::{Cache, Node, WatchedNode},
    cordon::{Patch, TAINTS},
    request::Requests,
};

/// Well-known taint: the pod garbage collector deletes what is ending on the node at once, and the attach-detach controller
/// detaches its volumes (Kubernetes documentation, "Non-graceful node shutdown").
pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// Its value, as the documentation has it.
const VALUE: &str = "nodeshutdown";
/// Its effect: pods that do not tolerate it are deleted.
const EFFECT: &str = "NoExecute";
/// Says that the taint is ours: the uncordon of a machine that comes back takes it off.
pub const MARK_ANNOTATION: &str = "hollowtrees.io/out-of-service";
/// Others who write the same node between a look and a write, before it is given up for now.
const TRIES: usize = 8;

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It was done now.
    Now,
    /// It was done before.
    Already,
    /// Its kubelet speaks: nothing was touched.
    Speaks,
    /// There is no such node any more.
    NodeGone,
}

/// A node as a read shows it.
struct Read {
    node: Node,
    version: String,
}

impl Read {
    fn is_out_of_service(&self) -> bool {
        let of_key = |taint: &Value| taint.get("key").and_then(Value::as_str) == Some(OUT_OF_SERVICE);
        self.node.cordon.taints().iter().any(of_key)
    }

    /// A JSON Patch, good for just what was read.
    fn mark(&self) -> Value {
        let ours = json!({"key": OUT_OF_SERVICE, "value": VALUE, "effect": EFFECT});
        let seen = &self.node.cordon;
        let all: Vec<&Value> = seen.taints().iter().chain([&ours]).collect();
        let mut patch = Patch::of_version(&self.node.uid, &self.version);
        patch.push(json!({"op": "add", "path": TAINTS, "value": all}));
        patch.add_to(
            "/metadata/annotations",
            seen.has_annotations,
            MARK_ANNOTATION,
            "true",
        );
        patch.into()
    }
}

/// A write about a silent node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Write {
    /// Mark it out of service.
    Mark,
    /// Delete the object.
    Delete,
}

/// Does it, unless the kubelet speaks.
pub(crate) async fn write(requests: &Requests, node: &Node, what: Write) -> Result<Removal, Refusal> {
    for _ in 0..TRIES {
        let Some(read) = look(requests, node).await? else {
            return Ok(Removal::NodeGone);
        };
        if !read.node.silent {
            return Ok(Removal::Speaks);
        }
        let done = match what {
            Write::Mark if read.is_out_of_service() => return Ok(Removal::Already),
            Write::Mark => requests.patch_node(&node.name, &read.mark()).await.map(drop),
            Write::Delete => requests.delete_node(&node.name, &node.uid, &read.version).await,
        };
        match done {
            Ok(()) => return Ok(Removal::Now),
            Err(Refusal::Changed | Refusal::Replaced) => {}
            Err(Refusal::Missing) => return Ok(Removal::NodeGone),
            Err(refusal) => return Err(refusal),
        }
    }
    Err(Refusal::Transient {
        message: format!("others changed the node {TRIES} times meanwhile"),
        after: None,
    })
}

/// The same node, if it is there.
async fn look(requests: &Requests, node: &Node) -> Result<Option<Read>, Refusal> {
    let read = match requests.node(&node.name).await {
        Ok(body) => WatchedNode::read(&body)?,
        Err(Refusal::Missing) => return Ok(None),
        Err(refusal) => return Err(refusal),
    };
    Ok((read.content.uid == node.uid).then(|| Read {
        version: read.meta.resource_version.unwrap_or_default(),
        node: read.content,
    }))
}

/// Waits until nobody is left on the node but static pods, and no volume is attached to it; at once where there is no such
/// node.
pub(crate) async fn emptied(cache: &Cache, node: &Node) {
    let (mut contents, mut nodes) = (cache.contents(), cache.arrivals());
    loop {
        contents.borrow_and_update();
        nodes.borrow_and_update();
        let is_there = cache.node(&node.name).is_some_and(|seen| seen.uid == node.uid);
        let left = left(cache, node);
        if !is_there || (left.pods.is_empty() && left.volumes.is_empty()) {
            return;
        }
        // The cache that they come from is ours, so that they do not end.
        tokio::select! {
            _ = contents.changed() => {}
            _ = nodes.changed() => {}
        }
    }
}

/// What is still on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// `namespace/name`; static ones end with their kubelet and are not counted.
    pub pods: Vec<String>,
    /// Volumes that are attached.
    pub volumes: Vec<String>,
}

pub(crate) fn left(cache: &Cache, node: &Node) -> Left {
    let pods = cache.pods_on(&node.name);
    let pods = pods.iter().filter(|pod| !pod.mirror);
    Left {
        pods: pods.map(|pod| pod.path()).collect(),
        volumes: cache.attached(&node.name, std::iter::empty()),
    }
}
