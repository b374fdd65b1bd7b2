//! A cluster whose nodes a worker sees, under the role it is deployed with and no other right.

use hollowtrees_harness::control_plane::Ground;

/// The role the worker asks for, as it is deployed.
const RBAC: &str = include_str!("../../rbac.yaml");

pub(crate) async fn ground(name: &str) -> Ground {
    let roles: Vec<_> = RBAC
        .split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect();
    Ground::new(name, "asg-swap", &roles).await.unwrap()
}
