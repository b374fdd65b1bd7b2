//! What the cluster looked like at the last word of its watches.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use hollowtrees_domain::drain::{Labels, Pod, budget::Budget};

use super::{Change, Node, volumes::Volumes};

/// So few sets of labels are not worth looking through.
const SWEEP_FROM: usize = 256;

#[derive(Default)]
pub(crate) struct Store {
    nodes: HashMap<Arc<str>, Arc<Node>>,
    /// Nodes by the ids of their instances.
    by_instance: HashMap<String, Arc<str>>,
    /// The node of each pod, by `namespace/name`.
    pods: HashMap<String, Arc<str>>,
    by_node: HashMap<Arc<str>, BTreeMap<String, Arc<Pod>>>,
    /// Annotations of pods that somebody looks at.
    annotations: BTreeSet<String>,
    /// Labels, each set of them once.
    labels: HashSet<Arc<Labels>>,
    /// As many of them are looked through for those that nobody has any more.
    sweep_at: usize,
    pub(super) volumes: Volumes,
    /// By namespace, then name.
    budgets: HashMap<String, BTreeMap<String, Arc<Budget>>>,
}

impl Store {
    pub(crate) fn new(annotations: impl IntoIterator<Item = String>) -> Self {
        Self {
            annotations: annotations.into_iter().collect(),
            sweep_at: SWEEP_FROM,
            ..Self::default()
        }
    }

    pub(crate) fn node(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes.get(name)
    }

    pub(crate) fn node_of(&self, instance: &str) -> Option<&Arc<Node>> {
        self.nodes.get(self.by_instance.get(instance)?)
    }

    pub(crate) fn pods_on(&self, node: &str) -> Vec<Arc<Pod>> {
        self.by_node
            .get(node)
            .map(|pods| pods.values().cloned().collect())
            .unwrap_or_default()
    }

    pub(crate) fn budgets_of(&self, pod: &Pod) -> Vec<Arc<Budget>> {
        let budgets = self
            .budgets
            .get(&pod.namespace)
            .into_iter()
            .flat_map(BTreeMap::values);
        budgets.filter(|budget| budget.covers(pod)).cloned().collect()
    }

    pub(crate) fn unschedulable(&self) -> (usize, usize) {
        let all = self.nodes.values();
        let cordoned = all.filter(|node| node.is_unschedulable()).count();
        (cordoned, self.nodes.len())
    }

    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.nodes.len(), self.pods.len())
    }

    fn put_node(&mut self, node: Node) -> Vec<Change> {
        let name = Arc::clone(&node.name);
        if let Some(old) = self.nodes.get(&name).cloned() {
            self.unindex(&old);
        }
        for id in &node.instance_ids {
            self.by_instance.insert(id.clone(), Arc::clone(&name));
        }
        self.nodes.insert(Arc::clone(&name), Arc::new(node));
        vec![Change::Node(name)]
    }

    fn remove_node(&mut self, name: &str) -> Vec<Change> {
        let Some((name, node)) = self.nodes.remove_entry(name) else {
            return Vec::new();
        };
        self.unindex(&node);
        vec![Change::Node(name)]
    }

    fn unindex(&mut self, node: &Node) {
        for id in &node.instance_ids {
            if self.by_instance.get(id) == Some(&node.name) {
                self.by_instance.remove(id);
            }
        }
    }

    fn trim_pod(&mut self, pod: &mut Pod) {
        pod.annotations.retain(|key, _| self.annotations.contains(key));
        pod.labels = self.shared(Arc::clone(&pod.labels));
    }

    fn put_pod(&mut self, mut pod: Pod) -> Vec<Change> {
        self.trim_pod(&mut pod);
        let path = pod.path();
        let mut changes = Vec::new();
        if self.pods.get(&path).is_some_and(|node| **node != *pod.node) {
            changes = self.remove_pod(&path);
        }
        if pod.node.is_empty() {
            return changes;
        }
        let node: Arc<str> = self
            .by_node
            .get_key_value(pod.node.as_str())
            .map_or_else(|| Arc::from(pod.node.as_str()), |(node, _)| Arc::clone(node));
        self.pods.insert(path.clone(), Arc::clone(&node));
        self.by_node
            .entry(Arc::clone(&node))
            .or_default()
            .insert(path, Arc::new(pod));
        changes.push(Change::Pods(node));
        changes
    }

    fn remove_pod(&mut self, path: &str) -> Vec<Change> {
        let Some(node) = self.pods.remove(path) else {
            return Vec::new();
        };
        if let Some(pods) = self.by_node.get_mut(&node) {
            pods.remove(path);
            if pods.is_empty() {
                self.by_node.remove(&node);
            }
        }
        vec![Change::Pods(node)]
    }

    /// The same labels, in the copy that others have.
    fn shared(&mut self, labels: Arc<Labels>) -> Arc<Labels> {
        if let Some(known) = self.labels.get(&labels) {
            return Arc::clone(known);
        }
        if self.labels.len() >= self.sweep_at {
            self.labels.retain(|labels| Arc::strong_count(labels) > 1);
            self.sweep_at = 2 * self.labels.len() + SWEEP_FROM;
        }
        self.labels.insert(Arc::clone(&labels));
        labels
    }

    fn put_budget(&mut self, budget: Budget) -> Vec<Change> {
        let budget = Arc::new(budget);
        let before = self
            .budgets
            .entry(budget.namespace.clone())
            .or_default()
            .insert(budget.name.clone(), Arc::clone(&budget));
        vec![Change::Budget(budget, before.map(|before| before.allowed))]
    }

    fn remove_budget(&mut self, namespace: &str, name: &str) -> Vec<Change> {
        let Some(budgets) = self.budgets.get_mut(namespace) else {
            return Vec::new();
        };
        let gone = budgets.remove(name);
        if budgets.is_empty() {
            self.budgets.remove(namespace);
        }
        gone.map(Change::BudgetGone).into_iter().collect()
    }
}

/// Something that is kept in the store.
pub(crate) trait Kept: Sized {
    fn put(self, store: &mut Store) -> Vec<Change>;
    fn remove(self, store: &mut Store) -> Vec<Change>;
    /// Lets go of what need not be kept, before many of them wait to be put.
    fn trim(&mut self, _store: &mut Store) {}
    /// What is there is all there is.
    fn replace(all: Vec<Self>, store: &mut Store) -> Vec<Change>;
}

impl Kept for Node {
    fn put(self, store: &mut Store) -> Vec<Change> {
        store.put_node(self)
    }

    fn remove(self, store: &mut Store) -> Vec<Change> {
        store.remove_node(&self.name)
    }

    fn replace(all: Vec<Self>, store: &mut Store) -> Vec<Change> {
        let kept: BTreeSet<Arc<str>> = all.iter().map(|node| Arc::clone(&node.name)).collect();
        let gone: Vec<Arc<str>> = store
            .nodes
            .keys()
            .filter(|name| !kept.contains(*name))
            .cloned()
            .collect();
        let mut changes: Vec<Change> = gone.iter().flat_map(|name| store.remove_node(name)).collect();
        changes.extend(all.into_iter().flat_map(|node| store.put_node(node)));
        changes
    }
}

impl Kept for Pod {
    fn trim(&mut self, store: &mut Store) {
        store.trim_pod(self);
    }

    fn put(self, store: &mut Store) -> Vec<Change> {
        store.put_pod(self)
    }

    fn remove(self, store: &mut Store) -> Vec<Change> {
        store.remove_pod(&self.path())
    }

    fn replace(all: Vec<Self>, store: &mut Store) -> Vec<Change> {
        let kept: BTreeSet<String> = all.iter().map(Pod::path).collect();
        let gone: Vec<String> = store
            .pods
            .keys()
            .filter(|path| !kept.contains(*path))
            .cloned()
            .collect();
        let mut changes: Vec<Change> = gone.iter().flat_map(|path| store.remove_pod(path)).collect();
        changes.extend(all.into_iter().flat_map(|pod| store.put_pod(pod)));
        changes
    }
}

impl Kept for Budget {
    fn put(self, store: &mut Store) -> Vec<Change> {
        store.put_budget(self)
    }

    fn remove(self, store: &mut Store) -> Vec<Change> {
        store.remove_budget(&self.namespace, &self.name)
    }

    fn replace(all: Vec<Self>, store: &mut Store) -> Vec<Change> {
        let kept: BTreeSet<(&str, &str)> = all
            .iter()
            .map(|budget| (budget.namespace.as_str(), budget.name.as_str()))
            .collect();
        let gone: Vec<(String, String)> = store
            .budgets
            .values()
            .flat_map(BTreeMap::values)
            .filter(|budget| !kept.contains(&(budget.namespace.as_str(), budget.name.as_str())))
            .map(|budget| (budget.namespace.clone(), budget.name.clone()))
            .collect();
        let mut changes: Vec<Change> = gone
            .iter()
            .flat_map(|(namespace, name)| store.remove_budget(namespace, name))
            .collect();
        changes.extend(all.into_iter().flat_map(|budget| store.put_budget(budget)));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, node: &str) -> Pod {
        Pod {
            name: name.to_owned(),
            namespace: "s".to_owned(),
            node: node.to_owned(),
            ..Pod::default()
        }
    }

    fn on(store: &Store, node: &str) -> Vec<String> {
        store.pods_on(node).iter().map(|pod| pod.name.clone()).collect()
    }

    #[test]
    fn pods_are_found_by_their_node() {
        let mut store = Store::default();
        assert!(pod("unbound", "").put(&mut store).is_empty());
        pod("a", "n1").put(&mut store);
        pod("b", "n1").put(&mut store);
        assert_eq!(on(&store, "n1"), ["a", "b"]);
        // A pod of the same name elsewhere: both nodes changed.
        assert_eq!(pod("a", "n2").put(&mut store).len(), 2);
        assert_eq!((on(&store, "n1").len(), on(&store, "n2").len()), (1, 1));
        pod("b", "n1").remove(&mut store);
        assert!(pod("b", "n1").remove(&mut store).is_empty());
        assert!(on(&store, "n1").is_empty() && store.by_node.len() == 1);
        Kept::replace(vec![pod("c", "n3")], &mut store);
        assert_eq!(
            (store.counts().1, on(&store, "n3").len(), on(&store, "n2").len()),
            (1, 1, 0)
        );
    }

    #[test]
    fn pods_of_one_template_share_their_labels_and_no_others_stay() {
        let labelled = |name: String, labels: Labels| Pod {
            labels: Arc::new(labels),
            annotations: [("wanted", "x"), ("other", "y")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            ..pod(&name, "n")
        };
        let app = |value: &str| Labels::from([("app".to_owned(), value.to_owned())]);
        let mut store = Store::new(["wanted".to_owned()]);
        for i in 0..3 {
            labelled(format!("web-{i}"), app("web")).put(&mut store);
        }
        let pods = store.pods_on("n");
        assert!(pods.iter().all(|pod| Arc::ptr_eq(&pod.labels, &pods[0].labels)));
        assert_eq!(pods[0].annotations.keys().collect::<Vec<_>>(), ["wanted"]);
        // A thousand jobs come and go, each with labels of its own.
        for i in 0..1_000 {
            labelled("job".to_owned(), app(&i.to_string())).put(&mut store);
        }
        assert!(store.labels.len() <= 2 * SWEEP_FROM, "{}", store.labels.len());
    }

    #[test]
    fn a_node_is_found_by_its_instance_as_long_as_it_is_that_one() {
        let node = |name: &str, id: &str| Node {
            name: name.into(),
            instance_ids: vec![id.to_owned()],
            ..Node::default()
        };
        let name = |store: &Store, id: &str| store.node_of(id).map(|node| node.name.to_string());
        let mut store = Store::default();
        node("n", "i-1").put(&mut store);
        assert_eq!(name(&store, "i-1").as_deref(), Some("n"));
        node("n", "i-2").put(&mut store);
        assert_eq!(
            (name(&store, "i-1"), name(&store, "i-2").as_deref()),
            (None, Some("n"))
        );
        Kept::replace(vec![node("m", "i-3")], &mut store);
        assert_eq!(
            (name(&store, "i-2"), name(&store, "i-3").as_deref()),
            (None, Some("m"))
        );
    }
}
