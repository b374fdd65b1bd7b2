//! What a rule and a group allow.

use std::{io::Write, time::Duration};

use hollowtrees_harness::{
    aws::{Delays, NewGroup},
    eventually,
};
use hollowtrees_schemas::proto::{self, time::to_proto};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::world::{BOUND, World, detail, params};

const ZONE: &str = "us-east-1a";

fn group(name: &str) -> NewGroup {
    NewGroup::new(name)
        .zones(&[ZONE])
        .types(&["m5.large", "m4.large", "c5.large"])
        .sizes(1, 1, 2)
        .spot()
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_denied_by_the_group_and_allowed_by_the_rule_and_a_dry_run_says_so() {
    let mut world = World::new().await;
    let tagged = group("types").tag("hollowtrees.io/denied-types", "c5*.*, *.metal", false);
    let old = world.group(&tagged).await.remove(0);
    for (instance_type, dollars) in [("m5.large", 0.05), ("m4.large", 0.04), ("c5.large", 0.03)] {
        world.aws.set_spot_price(instance_type, ZONE, dollars);
    }
    let worker = world.worker().await;
    let rehearsed = proto::Action {
        mode: "dry-run".to_owned(),
        ..world.action(&old, "advisory")
    };
    world.send(&rehearsed).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    for part in [
        "by a m4.large in",
        "number 1 of 3 by cost",
        "takes out 1 of its pools",
    ] {
        assert!(
            outcome.message.contains(part),
            "{part} is not in {}",
            outcome.message
        );
    }
    let told = detail(&outcome);
    assert_eq!(told["left_out"][0]["type"], "c5.large", "{told}");
    assert_eq!(told["left_out"][0]["why"], "its type is denied");
    assert_eq!(told["choices"][0]["type"], "m4.large", "{told}");

    // The rule's word goes before the group's, key by key.
    let action = proto::Action {
        params: params(json!({"denied_types": ["m4.*"]})),
        ..world.action(&old, "certain")
    };
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(
        world.swapped("types", &old, (1, 1, 2)).await.instance_type,
        "c5.large"
    );

    // Nothing is left: nothing is touched.
    let old = world.group(&group("none")).await.remove(0);
    let action = proto::Action {
        params: params(json!({"allowed_types": "r5.*"})),
        ..world.action(&old, "certain")
    };
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "no-choice")
    );
    assert!(
        outcome.message.contains("takes out all 3 pools"),
        "{}",
        outcome.message
    );
    assert_eq!(world.aws.writes().len(), 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_says_nothing_is_refused_with_the_remedy() {
    let mut world = World::new().await;
    let tagged = group("bad").tag("hollowtrees.io/max-open", "many", false);
    let old = world.group(&tagged).await.remove(0);
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "bad-policy")
    );
    for part in [
        "hollowtrees.io/max-open of bad",
        "`many`",
        "1 to 256",
        "correct the tag",
    ] {
        assert!(
            outcome.message.contains(part),
            "{part} is not in {}",
            outcome.message
        );
    }
    assert_eq!(world.aws.writes().len(), 0);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_ceiling_is_judged_where_the_on_demand_price_is_known() {
    let mut file = tempfile();
    write!(
        file.1,
        r#"{{"us-east-1": {{"m4.large": 0.10, "m5.large": 0.096}}}}"#
    )
    .unwrap();
    let path = file.0.to_str().unwrap().to_owned();
    let mut world = World::with(&[("HT_SWAP__ON_DEMAND", &path)]).await;
    let tagged = group("ceiling").tag("hollowtrees.io/price-ceiling", "50", false);
    let old = world.group(&tagged).await.remove(0);
    // m4.large is the cheapest that was not interrupted, at 60 % of on demand; of c5.large that is not known.
    for (instance_type, dollars) in [("m5.large", 0.05), ("m4.large", 0.06), ("c5.large", 0.07)] {
        world.aws.set_spot_price(instance_type, ZONE, dollars);
    }
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert_eq!(
        world.swapped("ceiling", &old, (1, 1, 2)).await.instance_type,
        "c5.large"
    );
    let why = detail(&outcome)["why"].as_str().unwrap().to_owned();
    assert!(
        why.contains("its on-demand price is not known, so that the ceiling is not judged"),
        "{why}"
    );
    worker.stop().await;
    std::fs::remove_file(&file.0).unwrap();
}

fn tempfile() -> (std::path::PathBuf, std::fs::File) {
    let path = std::env::temp_dir().join(format!("hollowtrees-on-demand-{}.json", std::process::id()));
    let file = std::fs::File::create(&path).unwrap();
    (path, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_swaps_than_may_be_are_open_and_the_earliest_deadline_is_next() {
    let mut world = World::new().await;
    let tagged = NewGroup::new("few")
        .sizes(4, 4, 8)
        .tag("hollowtrees.io/max-open", "1", false);
    let members = world.group(&tagged).await;
    world.aws.set_delays(Delays {
        in_service: Duration::from_secs(10),
        ..Delays::default()
    });
    let worker = world.worker().await;
    let due = |old: &str, seconds: i64| {
        let at = |seconds: i64| Some(to_proto(Timestamp::now() + SignedDuration::from_secs(seconds)));
        proto::Action {
            deadline: at(seconds),
            close_at: at(seconds + 300),
            ..world.action(old, "certain")
        }
    };
    let bus = world.bus.clone();
    let open = async || {
        let key = hollowtrees_schemas::key::group(crate::world::ACCOUNT, crate::world::REGION, "few");
        let found = bus.groups().get(&key).await.unwrap();
        let swaps = found.map(|found| found.value.swaps).unwrap_or_default();
        swaps.iter().filter(|swap| swap.result.is_empty()).count()
    };
    // The first goes at once; the others wait, the last to come with the earliest deadline but one that ends too soon.
    world.send(&due(&members[0], 600)).await;
    eventually("the first swap to be open", BOUND, async || open().await == 1).await;
    world.send(&due(&members[1], 500)).await;
    world.send(&due(&members[2], 400)).await;
    world.send(&due(&members[3], 6)).await;
    let mut most = 0;
    let mut ends = Vec::new();
    while ends.len() < 4 {
        most = most.max(open().await);
        let outcome = world.next().await;
        if outcome.result != "progress" {
            ends.push(outcome);
        }
    }
    assert_eq!(most, 1);
    let order: Vec<(&str, &str)> = ends
        .iter()
        .map(|outcome| (outcome.instance.as_str(), outcome.result.as_str()))
        .collect();
    assert_eq!(
        order,
        [
            (members[3].as_str(), "failed"),
            (members[0].as_str(), "succeeded"),
            (members[2].as_str(), "succeeded"),
            (members[1].as_str(), "succeeded"),
        ],
        "{ends:?}"
    );
    assert_eq!(ends[0].reason, "deadline");
    assert!(
        ends[0].message.contains("1 may be at once (max_open)"),
        "{}",
        ends[0].message
    );
    worker.stop().await;
}
