//! Hooks of other accounts.

use std::{collections::BTreeSet, time::Duration};

use hollowtrees_harness::aws::Hook;
use hollowtrees_schemas::proto;

use crate::world::{World, word};

/// Keys of the world's own credentials.
const OWN: &str = "testbed";
const HEARTBEAT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_a_role_is_served_under_it_and_another_with_our_own_credentials() {
    let account = "123456789012";
    let variable = format!("HT_AWS__ROLES__{account}");
    let role = format!("arn:aws:iam::{account}:role/hooks");
    let mut world = World::with(&[(&variable, &role)]).await;
    let members = world.group(2, Hook::terminating(HEARTBEAT)).await;
    let worker = world.worker().await;
    for (instance, (of, is_own)) in members
        .into_iter()
        .zip([(account, false), ("333344445555", true)])
    {
        world.terminates(&instance).await;
        world.incident(&instance, "open", Some("token-1")).await;
        world.drain(&instance, "done", "succeeded").await;
        world.aws.forget_calls();
        let mut action = world.action(&instance);
        action.target = action.target.map(|target| proto::Target {
            account: of.to_owned(),
            ..target
        });
        world.send(&action).await;
        let outcome = world.end().await;
        assert_eq!(word(&outcome), ("succeeded", ""), "{of}: {outcome:?}");
        let calls = world.aws.calls();
        let assumed = calls.iter().filter(|call| call.action == "AssumeRole");
        let assumed: Vec<_> = assumed.map(|call| call.get("RoleArn")).collect();
        let expected = if is_own { vec![] } else { vec![Some(role.as_str())] };
        assert_eq!(assumed, expected, "{of}");
        let keys: BTreeSet<_> = calls
            .iter()
            .filter(|call| call.action != "AssumeRole")
            .map(|call| call.key.as_str())
            .collect();
        assert!(keys.len() == 1 && keys.contains(OWN) == is_own, "{of}: {keys:?}");
    }
    worker.stop().await;
}
