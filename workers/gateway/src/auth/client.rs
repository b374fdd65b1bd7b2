//! Who speaks, and for what.

use std::collections::BTreeSet;

/// Somebody who was recognised, or anybody where nobody has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its name: in logs, dead letters, and what its rate is counted by.
    pub name: String,
    /// Clusters it may speak for.
    pub scope: Scope,
    /// Ways in that it may use; `None`: all.
    pub ways: Option<BTreeSet<String>>,
    /// Whose token it showed, in the original's form: its alerts have to carry the same labels.
    pub tenant: Option<Tenant>,
}

/// Clusters somebody may speak for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Any.
    All,
    /// These.
    Only(BTreeSet<String>),
}

/// `clusters/<org>/<cluster>` of a token's `sub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Label `org_id`.
    pub org: String,
    /// Label `cluster_id`.
    pub cluster: String,
}

impl Client {
    /// Who may say anything.
    pub fn unlimited(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            scope: Scope::All,
            ways: None,
            tenant: None,
        }
    }

    /// Whether it may say something about this cluster.
    pub fn may_speak_for(&self, cluster: &str) -> bool {
        match &self.scope {
            Scope::All => true,
            Scope::Only(clusters) => clusters.contains(cluster),
        }
    }

    /// The cluster it speaks for where there can be no other.
    pub fn only_cluster(&self) -> Option<&str> {
        match &self.scope {
            Scope::Only(clusters) if clusters.len() == 1 => clusters.first().map(String::as_str),
            Scope::All | Scope::Only(_) => None,
        }
    }

    /// Whether it may use this way in.
    pub fn may_use(&self, way: &str) -> bool {
        self.ways.as_ref().is_none_or(|ways| ways.contains(way))
    }
}

impl Tenant {
    /// Of a `sub` in the original's form; `None` for any other.
    pub fn parse(subject: &str) -> Option<Self> {
        let mut parts = subject.split('/');
        let tenant = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("clusters"), Some(org), Some(cluster), None) => Self {
                org: org.to_owned(),
                cluster: cluster.to_owned(),
            },
            _ => return None,
        };
        Some(tenant).filter(|tenant| !tenant.org.is_empty() && !tenant.cluster.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_originals_subject_has_three_parts() {
        let tenant = Tenant::parse("clusters/1/42").unwrap();
        assert_eq!((tenant.org.as_str(), tenant.cluster.as_str()), ("1", "42"));
        // The second and third of these brought the original down.
        for other in [
            "",
            "users/1",
            "clusters/x",
            "clusters/1/",
            "clusters//2",
            "clusters/1/2/3",
        ] {
            assert_eq!(Tenant::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_client_speaks_for_its_clusters() {
        let mut client = Client::unlimited("a");
        assert!(client.may_speak_for("any") && client.only_cluster().is_none() && client.may_use("x"));
        client.scope = Scope::Only(["prod".to_owned()].into());
        client.ways = Some(["alerts".to_owned()].into());
        assert!(client.may_speak_for("prod") && !client.may_speak_for("any"));
        assert_eq!(client.only_cluster(), Some("prod"));
        assert!(client.may_use("alerts") && !client.may_use("events"));
    }
}
