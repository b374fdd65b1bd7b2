//! How much of a cluster is cordoned for what is only advised.

use std::sync::Arc;

use futures::future::join_all;
use hollowtrees_cluster::cordon::{Cordoned, Extent};
use hollowtrees_domain::drain::cap::Cap;
use hollowtrees_harness::{ControlPlane, Error, eventually};

use crate::support::{BOUND, Ground};

#[tokio::test(flavor = "multi_thread")]
async fn no_more_of_a_cluster_is_cordoned_than_the_cap_allows() {
    const NODES: usize = 10;
    let cap = Cap::Share(30);
    // A cluster of its own: all nodes count.
    let plane = Arc::new(ControlPlane::start().await.unwrap());
    let ground = Ground::on(plane, "cap", NODES).await;
    let cluster = ground.cluster().await;
    let mut nodes = Vec::new();
    for i in 0..NODES {
        nodes.push(ground.node(&cluster, i).await);
    }
    // All at once, before any watch has shown anything.
    let done = join_all(
        nodes
            .iter()
            .map(|node| cluster.cordon_as(Extent::Whole, Some(cap), node, "i-1/1")),
    )
    .await;
    let done: Vec<Cordoned> = done.into_iter().map(Result::unwrap).collect();
    let cordoned: Vec<_> = (0..NODES).filter(|i| done[*i] == Cordoned::Now).collect();
    assert_eq!(cordoned.len(), 3, "{done:?}");
    let refused = |done: &Cordoned| {
        matches!(
            done,
            Cordoned::TooMany {
                cordoned: 3,
                nodes: NODES
            }
        )
    };
    assert_eq!(done.iter().filter(|done| refused(done)).count(), 7, "{done:?}");
    let in_use: Vec<_> = (0..NODES).filter(|i| !cordoned.contains(i)).collect();
    let (held, real, wished) = (&nodes[cordoned[0]], &nodes[in_use[0]], &nodes[in_use[1]]);

    // One that is cordoned may be held by others too; a real interruption has no cap.
    let again = cluster.cordon_as(Extent::Whole, Some(cap), held, "i-2/1").await;
    assert_eq!(again.unwrap(), Cordoned::Now);
    assert_eq!(cluster.cordon(real, "i-3/1").await.unwrap(), Cordoned::Now);
    let refused = cluster
        .cordon_as(Extent::Whole, Some(cap), wished, "i-4/1")
        .await
        .unwrap();
    assert!(matches!(refused, Cordoned::TooMany { .. }), "{refused:?}");

    // What is let go makes room, as soon as that is seen.
    for (node, holder) in [(held, "i-1/1"), (held, "i-2/1"), (real, "i-3/1")] {
        cluster.uncordon(node, holder).await.unwrap();
    }
    eventually("room for another one", BOUND, async || {
        match cluster
            .cordon_as(Extent::Whole, Some(cap), wished, "i-4/1")
            .await
            .unwrap()
        {
            Cordoned::Now => Ok(()),
            refused => Err(Error::new(format!("{refused:?}"))),
        }
    })
    .await;
}
