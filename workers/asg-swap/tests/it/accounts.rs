//! Groups of other accounts.

use std::collections::BTreeSet;

use hollowtrees_harness::aws::NewGroup;
use hollowtrees_schemas::proto;

use crate::world::{ACCOUNT, World};

/// Keys of the world's own credentials.
const OWN: &str = "testbed";

/// Keys that calls were signed with, but those that took a role on.
fn keys(world: &World) -> BTreeSet<String> {
    let calls = world.aws.calls().into_iter();
    let calls = calls.filter(|call| call.action != "AssumeRole");
    calls.map(|call| call.key).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_a_role_is_served_under_it_and_another_with_our_own_credentials() {
    let variable = format!("HT_AWS__ROLES__{ACCOUNT}");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/swap");
    let mut world = World::with(&[(&variable, &role)]).await;
    let old = world.group(&NewGroup::new("theirs")).await.remove(0);
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("theirs", &old, (1, 1, 2)).await;
    let assumed: Vec<_> = world.aws.calls();
    let assumed: Vec<_> = assumed
        .iter()
        .filter(|call| call.action == "AssumeRole")
        .collect();
    assert_eq!(assumed[0].get("RoleArn"), Some(role.as_str()));
    assert_eq!(assumed[0].key, OWN);
    assert_eq!(assumed.len(), 1, "its keys are used for all calls");
    let theirs = keys(&world);
    assert!(theirs.len() == 1 && !theirs.contains(OWN), "{theirs:?}");

    let old = world.group(&NewGroup::new("ours")).await.remove(0);
    let mut action = world.action(&old, "certain");
    action.target = action.target.map(|target| proto::Target {
        account: "333344445555".to_owned(),
        ..target
    });
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(keys(&world), [OWN.to_owned()].into());
    worker.stop().await;
}
