//! Which volumes are attached to which node, and whose they are: a pod that starts elsewhere waits for its own.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use hollowtrees_domain::drain::Pod;
use serde::{Deserialize, Deserializer};

use super::{
    Change,
    store::{Kept, Store},
    watched::{Meta, watched},
};

/// A `PersistentVolume`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    name: String,
    /// `namespace/name` of the claim it is bound to; empty for none.
    claim: String,
}

/// A `VolumeAttachment`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attachment {
    name: String,
    node: String,
    volume: String,
}

watched! {
    /// A volume.
    WatchedVolume(Volume) as "PersistentVolume" in "", "persistentvolumes"
}
watched! {
    /// A volume on a node.
    WatchedAttachment(Attachment) as "VolumeAttachment" in "storage.k8s.io", "volumeattachments"
}

/// All of them.
#[derive(Default)]
pub(super) struct Volumes {
    /// Claims, by volume.
    claims: HashMap<String, String>,
    /// Volumes, by claim.
    by_claim: HashMap<String, String>,
    /// Nodes, by attachment.
    nodes: HashMap<String, Arc<str>>,
    /// Volumes by attachment, by node.
    attached: HashMap<Arc<str>, BTreeMap<String, String>>,
}

impl Volumes {
    /// The volumes that are attached to the node, but for those of these pods, which stay on it.
    pub(super) fn attached<'a>(&self, node: &str, staying: impl Iterator<Item = &'a Pod>) -> Vec<String> {
        let Some(attached) = self.attached.get(node) else {
            return Vec::new();
        };
        let claims = staying.flat_map(|pod| {
            let namespace = &pod.namespace;
            pod.claims.iter().map(move |claim| format!("{namespace}/{claim}"))
        });
        let theirs: HashSet<&String> = claims.filter_map(|claim| self.by_claim.get(&claim)).collect();
        let mut others: Vec<String> = attached
            .values()
            .filter(|volume| !theirs.contains(volume))
            .cloned()
            .collect();
        others.sort_unstable();
        others
    }

    fn put_volume(&mut self, volume: Volume) {
        self.remove_volume(&volume.name);
        if !volume.claim.is_empty() {
            self.by_claim.insert(volume.claim.clone(), volume.name.clone());
            self.claims.insert(volume.name, volume.claim);
        }
    }

    fn remove_volume(&mut self, name: &str) {
        if let Some(claim) = self.claims.remove(name)
            && self.by_claim.get(&claim).is_some_and(|volume| volume == name)
        {
            self.by_claim.remove(&claim);
        }
    }

    fn put_attachment(&mut self, attachment: Attachment) -> Vec<Change> {
        let mut changes = self.remove_attachment(&attachment.name);
        let node: Arc<str> = attachment.node.into();
        self.nodes.insert(attachment.name.clone(), Arc::clone(&node));
        self.attached
            .entry(Arc::clone(&node))
            .or_default()
            .insert(attachment.name, attachment.volume);
        changes.push(Change::Pods(node));
        changes
    }

    fn remove_attachment(&mut self, name: &str) -> Vec<Change> {
        let Some(node) = self.nodes.remove(name) else {
            return Vec::new();
        };
        if let Some(attached) = self.attached.get_mut(&node) {
            attached.remove(name);
            if attached.is_empty() {
                self.attached.remove(&node);
            }
        }
        vec![Change::Pods(node)]
    }
}

impl Kept for Volume {
    fn put(self, store: &mut Store) -> Vec<Change> {
        store.volumes.put_volume(self);
        Vec::new()
    }

    fn remove(self, store: &mut Store) -> Vec<Change> {
        store.volumes.remove_volume(&self.name);
        Vec::new()
    }

    fn replace(all: Vec<Self>, store: &mut Store) -> Vec<Change> {
        (store.volumes.claims, store.volumes.by_claim) = Default::default();
        all.into_iter().flat_map(|volume| volume.put(store)).collect()
    }
}

impl Kept for Attachment {
    fn put(self, store: &mut Store) -> Vec<Change> {
        store.volumes.put_attachment(self)
    }

    fn remove(self, store: &mut Store) -> Vec<Change> {
        store.volumes.remove_attachment(&self.name)
    }

    fn replace(all: Vec<Self>, store: &mut Store) -> Vec<Change> {
        let kept: HashSet<&String> = all.iter().map(|attachment| &attachment.name).collect();
        let volumes = &mut store.volumes;
        let gone: Vec<String> = volumes
            .nodes
            .keys()
            .filter(|name| !kept.contains(name))
            .cloned()
            .collect();
        let mut changes: Vec<Change> = gone
            .iter()
            .flat_map(|name| volumes.remove_attachment(name))
            .collect();
        changes.extend(all.into_iter().flat_map(|attachment| attachment.put(store)));
        changes
    }
}

#[derive(Deserialize)]
struct RawVolume {
    metadata: Meta,
    #[serde(default)]
    spec: VolumeSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct VolumeSpec {
    claim_ref: Option<ClaimReference>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClaimReference {
    namespace: String,
    name: String,
}

impl<'de> Deserialize<'de> for WatchedVolume {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let RawVolume { metadata, spec } = RawVolume::deserialize(from)?;
        let claim = spec
            .claim_ref
            .map(|claim| format!("{}/{}", claim.namespace, claim.name));
        Ok(Self {
            meta: metadata.for_watcher(),
            content: Volume {
                name: metadata.name,
                claim: claim.unwrap_or_default(),
            },
        })
    }
}

#[derive(Deserialize)]
struct RawAttachment {
    metadata: Meta,
    spec: AttachmentSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttachmentSpec {
    node_name: String,
    source: AttachmentSource,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttachmentSource {
    /// None for a volume that is written in the pod itself.
    #[serde(default)]
    persistent_volume_name: String,
}

impl<'de> Deserialize<'de> for WatchedAttachment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let RawAttachment { metadata, spec } = RawAttachment::deserialize(from)?;
        Ok(Self {
            meta: metadata.for_watcher(),
            content: Attachment {
                name: metadata.name,
                node: spec.node_name,
                volume: spec.source.persistent_volume_name,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn volume(name: &str, claim: Option<&str>) -> Volume {
        let claim = claim.map(|claim| json!({"namespace": "shop", "name": claim}));
        let object = json!({"metadata": {"name": name}, "spec": {"claimRef": claim}});
        serde_json::from_value::<WatchedVolume>(object).unwrap().content
    }

    fn attachment(name: &str, node: &str, volume: &str) -> Attachment {
        let source = json!({"persistentVolumeName": volume});
        let object = json!({"metadata": {"name": name}, "spec": {"nodeName": node, "source": source}});
        serde_json::from_value::<WatchedAttachment>(object)
            .unwrap()
            .content
    }

    #[test]
    fn what_is_attached_to_a_node_is_known_until_it_is_detached() {
        let staying = Pod {
            namespace: "shop".to_owned(),
            claims: vec!["logs".to_owned(), "unbound".to_owned()],
            ..Pod::default()
        };
        let mut store = Store::default();
        let on = |store: &Store, node: &str| store.volumes.attached(node, [&staying].into_iter());
        volume("pv-1", Some("data")).put(&mut store);
        volume("pv-2", Some("logs")).put(&mut store);
        volume("pv-3", None).put(&mut store);
        attachment("a", "n", "pv-1").put(&mut store);
        attachment("b", "n", "pv-2").put(&mut store);
        assert_eq!(on(&store, "n"), ["pv-1"], "the other one's pod stays");
        assert!(on(&store, "m").is_empty());
        // Attached elsewhere by the time the pod runs there.
        attachment("c", "m", "pv-1").put(&mut store);
        assert_eq!(attachment("a", "n", "pv-1").remove(&mut store).len(), 1);
        assert!(on(&store, "n").is_empty());
        assert_eq!(on(&store, "m"), ["pv-1"]);
        Kept::replace(vec![attachment("d", "n", "pv-1")], &mut store);
        assert_eq!((on(&store, "n").len(), on(&store, "m").len()), (1, 0));
        // Another volume of the same claim, after the first was deleted.
        attachment("e", "n", "pv-9").put(&mut store);
        volume("pv-9", Some("logs")).put(&mut store);
        volume("pv-2", Some("logs")).remove(&mut store);
        assert_eq!(on(&store, "n"), ["pv-1"]);
        Kept::replace(Vec::<Volume>::new(), &mut store);
        assert_eq!(on(&store, "n"), ["pv-1", "pv-9"]);
    }
}
