//! A JSON Patch (RFC 6902) of a node.

use serde_json::{Value, json};

/// Can only be replaced as a whole.
pub(crate) const TAINTS: &str = "/spec/taints";

/// Operations under tests: nothing happens unless all of them hold. A test for null holds where nothing is.
pub(crate) struct Patch(Vec<Value>);

impl Patch {
    /// Of this very object.
    pub(crate) fn of(uid: &str) -> Self {
        let mut patch = Self(Vec::new());
        patch.test("/metadata/uid", &json!(uid));
        patch
    }

    /// Of this very object as it was read.
    pub(crate) fn of_version(uid: &str, version: &str) -> Self {
        let mut patch = Self::of(uid);
        patch.test("/metadata/resourceVersion", &json!(version));
        patch
    }

    pub(crate) fn test(&mut self, path: &str, value: &Value) {
        self.push(json!({"op": "test", "path": path, "value": value}));
    }

    /// Adds to a map that may not be there.
    pub(crate) fn add_to(&mut self, map: &str, is_there: bool, key: &str, value: &str) {
        if is_there {
            self.push(json!({"op": "add", "path": pointer(map, key), "value": value}));
        } else {
            self.test(map, &Value::Null);
            self.push(json!({"op": "add", "path": map, "value": {key: value}}));
        }
    }

    pub(crate) fn push(&mut self, operation: Value) {
        self.0.push(operation);
    }
}

impl From<Patch> for Value {
    fn from(patch: Patch) -> Self {
        Self::Array(patch.0)
    }
}

/// RFC 6901: `/` in a key is `~1`, `~` is `~0`.
pub(crate) fn pointer(map: &str, key: &str) -> String {
    format!("{map}/{}", key.replace('~', "~0").replace('/', "~1"))
}
