//! What a budget allows is spent where it is needed first, and nothing is asked that it would refuse. The witness is
//! the API server's audit log.

use std::time::Duration;

use hollowtrees_domain::drain::{Force, Options, Wish};
use hollowtrees_harness::{
    Error,
    control_plane::{Audit, fixtures},
    eventually,
};
use serde_json::{Value, json};

use crate::support::{BOUND, Ground, assert_empty, drain, paths, within};

/// Evictions that were asked for: of which pod, and what was answered.
fn evictions(audit: &Audit, ground: &Ground) -> Vec<(String, u16)> {
    let writes = audit.writes_by(&ground.user()).unwrap();
    writes
        .into_iter()
        .filter(|entry| entry.resource == "pods/eviction")
        .map(|entry| (entry.name, entry.code))
        .collect()
}

fn needs(available: usize) -> Value {
    json!({"spec": {"minAvailable": available}})
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_that_a_budget_would_refuse() {
    let ground = Ground::new("unasked", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    let pods = (0..6).map(|i| fixtures::pod(&format!("db-{i}"), "db", "unasked-0"));
    ground.post_pods(pods).await;
    ground.budget("db", 6, 0).await;
    ground.seen(&cluster, &node, 6).await;
    let audit = ground.audit();
    cluster.cordon(&node, "i-1/1").await.unwrap();
    let mut ticket = cluster.drain(&node, Wish::PATIENT, None);
    let blocked = tokio::time::timeout(Duration::from_secs(3), ticket.ended()).await;
    assert!(blocked.is_err(), "{blocked:?}");
    assert_eq!(evictions(&audit, &ground), [], "all six would be refused");
    assert_eq!(cluster.counts().kept, 6);

    // Two may go, then no more: the pods have nobody who starts them again.
    let budget = format!("{}/db", ground.budgets_path());
    ground.admin.patch(&budget, &needs(4)).await.unwrap();
    eventually("two to be gone", BOUND, async || {
        match cluster.pods_on(&node.name).len() {
            4 => Ok(()),
            left => Err(Error::new(format!("{left} are there"))),
        }
    })
    .await;
    ground.admin.patch(&budget, &needs(0)).await.unwrap();
    let summary = tokio::time::timeout(BOUND, ticket.ended())
        .await
        .expect("the drain to end")
        .unwrap();
    assert_empty(&summary);
    assert_eq!(summary.evicted.len(), 6);
    let asked = evictions(&audit, &ground);
    assert!(asked.iter().all(|(_, code)| *code == 201), "{asked:?}");
    assert_eq!(asked.len(), 6, "{asked:?}");
    assert_eq!(cluster.counts().kept, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_budget_allows_is_spent_where_the_deadline_is_nearest() {
    let ground = Ground::new("nearest", 3).await;
    let cluster = ground.cluster().await;
    let mut tickets = Vec::new();
    let pods = (0..3).map(|i| fixtures::pod(&format!("db-{i}"), "db", &format!("nearest-{i}")));
    ground.post_pods(pods).await;
    ground.budget("db", 3, 0).await;
    let audit = ground.audit();
    for (i, seconds) in [(0, 3_000), (1, 1_000), (2, 2_000)] {
        let node = ground.node(&cluster, i).await;
        ground.seen(&cluster, &node, 1).await;
        cluster.cordon(&node, "i-1/1").await.unwrap();
        tickets.push(cluster.drain(&node, within(seconds, Force::Never), None));
    }
    eventually("three to wait", BOUND, async || match cluster.counts().kept {
        3 => Ok(()),
        kept => Err(Error::new(format!("{kept} wait"))),
    })
    .await;
    let budget = format!("{}/db", ground.budgets_path());
    for (left, first) in [(2, "db-1"), (1, "db-2"), (0, "db-0")] {
        ground.admin.patch(&budget, &needs(left)).await.unwrap();
        eventually(format!("{first} to go"), BOUND, async || {
            let asked = evictions(&audit, &ground);
            if asked.len() == 3 - left && asked.last().is_some_and(|(name, _)| name == first) {
                Ok(())
            } else {
                Err(Error::new(format!("{asked:?}")))
            }
        })
        .await;
    }
    for mut ticket in tickets {
        assert_empty(&ticket.ended().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_under_two_budgets_is_asked_for_by_nobody_and_forced_past_both() {
    let ground = Ground::new("torn", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    ground
        .post_pods([fixtures::annotated(
            fixtures::pod("db", "db", "torn-0"),
            fixtures::EXIT_AFTER,
            "1s",
        )])
        .await;
    ground.budget("db", 0, 1).await;
    let mut second = fixtures::budget("db", 0);
    second["metadata"]["name"] = "second".into();
    ground.admin.post(&ground.budgets_path(), &second).await.unwrap();
    ground.seen(&cluster, &node, 1).await;
    eventually("both budgets to be seen", BOUND, async || {
        let status = ground
            .admin
            .get(&format!("{}/second", ground.budgets_path()))
            .await?;
        match status["status"]["disruptionsAllowed"].as_u64() {
            Some(1) => Ok(()),
            _ => Err(Error::new(status.to_string())),
        }
    })
    .await;
    let audit = ground.audit();
    // 30 s of grace: its last moment is in 3 s.
    let summary = drain(&cluster, &node, within(33, Force::Always)).await;
    assert_empty(&summary);
    let forced = summary.forced.get("torn/db").expect("it was forced");
    assert_eq!(forced.budgets, ["db", "second"]);
    assert!(forced.refusal.contains("db, second"), "{forced:?}");
    assert_eq!(evictions(&audit, &ground), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_not_ready_goes_where_its_budget_does_not_count_it() {
    let ground = Ground::new("unready", 1).await;
    let cluster = ground.cluster().await;
    let node = ground.node(&cluster, 0).await;
    let pod = fixtures::pod("ill", "db", "unready-0");
    let ill = fixtures::annotated(pod, fixtures::READY_AFTER, "never");
    ground
        .post_pods([ill, fixtures::pod("well", "db", "unready-0")])
        .await;
    let mut budget = fixtures::budget("db", 2);
    budget["spec"]["unhealthyPodEvictionPolicy"] = "AlwaysAllow".into();
    ground.admin.post(&ground.budgets_path(), &budget).await.unwrap();
    ground.budget_allows("db", 0).await;
    ground.seen(&cluster, &node, 2).await;
    let audit = ground.audit();
    let summary = drain(&cluster, &node, within(33, Force::Always)).await;
    assert_empty(&summary);
    assert_eq!(summary.evicted, paths(&ground, &["ill"]));
    assert_eq!(
        summary.forced.keys().cloned().collect::<Vec<_>>(),
        paths(&ground, &["well"])
    );
    assert_eq!(evictions(&audit, &ground), [("ill".to_owned(), 201)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_pods_of_one_budget_go_with_hardly_a_refusal() {
    let ground = Ground::new("rolling", 4).await;
    let cluster = ground.cluster_with(Options::default()).await;
    // One takes half a second to come back elsewhere, where there is an elsewhere: the last node stays.
    let mut rolling = fixtures::deployment("web", 24, "rolling");
    rolling["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1.into();
    let deployments = format!("/apis/apps/v1/namespaces/{}/deployments", ground.name);
    ground.admin.post(&deployments, &rolling).await.unwrap();
    ground.budget("web", 21, 3).await;
    let mut tickets = Vec::new();
    let audit = ground.audit();
    for i in 0..3 {
        let node = ground.node(&cluster, i).await;
        cluster.cordon(&node, "i-1/1").await.unwrap();
        tickets.push(cluster.drain(&node, within(600, Force::Never), None));
    }
    let mut evicted = 0;
    for ticket in &mut tickets {
        let summary = tokio::time::timeout(BOUND, ticket.ended())
            .await
            .expect("the drain to end")
            .unwrap();
        assert_empty(&summary);
        evicted += summary.evicted.len();
    }
    let asked = evictions(&audit, &ground);
    let refused = asked.iter().filter(|(_, code)| *code != 201).count();
    assert!(evicted >= 12, "{evicted}");
    // The budget's controller changes what is allowed meanwhile too.
    assert!(refused <= evicted / 4, "{refused} refused of {asked:?}");
}
