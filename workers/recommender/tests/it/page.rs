//! docs/recommender.md says what is done.

use std::collections::BTreeSet;

use hollowtrees_harness::{aws::Policy, eventually};
use http::Method;
use serde_json::Value;

use crate::world::{BOUND, Ground, R};

const PAGE: &str = include_str!("../../../../docs/recommender.md");

fn block<'a>(after: &str, fence: &str) -> &'a str {
    let rest = PAGE.split(after).nth(1).unwrap();
    let rest = rest.split(&format!("```{fence}\n")).nth(1).unwrap();
    rest.split("```").next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_allows_just_the_calls_that_are_made() {
    let text = block("### Permissions", "json");
    let policy: Value = serde_json::from_str(text).unwrap();
    let statement = policy["Statement"].as_array().unwrap().iter();
    let allowed: BTreeSet<String> = statement
        .flat_map(|one| one["Action"].as_array().unwrap())
        .map(|action| action.as_str().unwrap().to_owned())
        .collect();
    let ground = Ground::new().await;
    let process = ground
        .recommender(&[("HT_SOURCES__PLACEMENT_TYPES", "m5.large,m5.xlarge,c5.xlarge")])
        .await;
    let calls = || -> BTreeSet<String> {
        let calls = ground.aws.calls().into_iter();
        calls.map(|call| format!("ec2:{}", call.action)).collect()
    };
    eventually("all calls to be made", BOUND, async || {
        let made = calls();
        if made.len() >= allowed.len() {
            Ok(())
        } else {
            Err(format!("{made:?}"))
        }
    })
    .await;
    process.pools("like=m5.xlarge").await;
    assert_eq!(calls(), allowed);
    ground.aws.judge(&Policy::parse(text).unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_answered() {
    let ground = Ground::new().await;
    let process = ground.recommender(&[]).await;
    let mut asked = 0;
    let lines = block("### Asking", "sh").replace("\\\n", " ");
    for line in lines.lines().filter(|line| line.starts_with("curl ")) {
        // curl -s [-X METHOD -d 'BODY'] 'http://127.0.0.1:9192/PATH'
        let path = line
            .split("http://127.0.0.1:9192")
            .nth(1)
            .unwrap()
            .trim_end_matches('\'');
        let path = path.replace("eu-west-1", R);
        let method = line.split("-X ").nth(1).and_then(|rest| rest.split(' ').next());
        let method = method.map_or(Method::GET, |method| method.parse().unwrap());
        let body = line.split("-d '").nth(1).and_then(|rest| rest.split('\'').next());
        let answer = process
            .send(method, &path, &[], body.unwrap_or_default().to_owned())
            .await;
        assert!(answer.status().is_success(), "{line}: {answer:?}");
        asked += 1;
    }
    assert!(asked >= 4, "{lines}");
}
