//! What a rule and a group allow.

use std::{io::Write, time::Duration};

use hollowtrees_harness::{
    aws::{Delays, NewGroup, Service},
    eventually,
};
use hollowtrees_schemas::proto::{self, time::to_proto};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::world::{BOUND, World, detail, params, replicas};

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
    let mut order: Vec<(&str, &str)> = ends
        .iter()
        .map(|outcome| (outcome.instance.as_str(), outcome.result.as_str()))
        .collect();
    // Between replicas goes whoever asks first.
    if replicas() > 1 && order[2].0 == members[1] {
        order.swap(2, 3);
    }
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

/// EC2 has no spot instances to give.
fn no_spot(world: &World) {
    let fault = Service::Ec2
        .fault("InsufficientInstanceCapacity", 500)
        .containing("Action=RunInstances&")
        .containing("MarketType=spot");
    world.aws.inject(fault);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_spot_pool_gives_one_it_is_on_demand_if_the_group_says_so() {
    let mut world = World::new().await;
    no_spot(&world);
    let worker = world.worker().await;
    let tagged = group("falls-back").tag("hollowtrees.io/fallback", "on-demand", false);
    let old = world.group(&tagged).await.remove(0);
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("falls-back", &old, (1, 1, 2)).await;
    assert_eq!((new.spot, new.instance_type.as_str()), (false, "m5.large"));
    let told = detail(&outcome);
    assert_eq!(told["choices_tried"], 4.0, "three on spot first: {told}");

    // A rule may say otherwise.
    let tagged = group("spot-only").tag("hollowtrees.io/fallback", "on-demand", false);
    let old = world.group(&tagged).await.remove(0);
    let action = proto::Action {
        params: params(json!({"fallback": "none"})),
        ..world.action(&old, "certain")
    };
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "no-capacity"),
        "{outcome:?}"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_are_launched_on_demand_as_lack_of_the_share_however_many_go_at_once() {
    let mut world = World::new().await;
    let group = group("share")
        .sizes(5, 5, 5)
        .tag("hollowtrees.io/on-demand", "1, 40%", false);
    let olds = world.group(&group).await;
    let workers = [world.worker().await, world.worker().await];
    for old in &olds[..4] {
        world.send(&world.action(old, "certain")).await;
    }
    for _ in &olds[..4] {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    }
    let mut on_demand = 0;
    for old in &olds[..4] {
        let new = world.swapped("share", old, (5, 5, 5)).await;
        on_demand += usize::from(!new.spot);
        // On purpose, not for want of spot.
        assert!(!new.tags.contains_key("hollowtrees.io/fell-back"), "{new:?}");
    }
    assert_eq!(on_demand, 2, "40 % of five");
    // The share is there: the next one is spot.
    world.send(&world.action(&olds[4], "certain")).await;
    assert_eq!(world.end().await.result, "succeeded");
    assert!(world.swapped("share", &olds[4], (5, 5, 5)).await.spot);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_larger_while_swaps_go_on_has_no_larger_share() {
    let mut world = World::new().await;
    let group = group("larger")
        .sizes(5, 5, 5)
        .tag("hollowtrees.io/on-demand", "40%", false);
    let olds = world.group(&group).await;
    // Attached ones are members for long before the old ones go.
    world.aws.set_delays(Delays {
        in_service: Duration::from_secs(12),
        ..Delays::default()
    });
    let worker = world.worker().await;
    for old in &olds[..2] {
        world.send(&world.action(old, "certain")).await;
    }
    let mut attached = 0;
    while attached < 2 {
        let outcome = world.next().await;
        assert_eq!(outcome.result, "progress", "{outcome:?}");
        attached += usize::from(outcome.reason == "attached");
    }
    assert_eq!(world.members("larger").await.len(), 7);
    // Two of five are on demand; three of seven would be needed.
    world.send(&world.action(&olds[2], "certain")).await;
    for _ in 0..3 {
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    }
    let mut spot = Vec::new();
    for old in &olds[..3] {
        spot.push(world.swapped("larger", old, (5, 5, 5)).await.spot);
    }
    assert_eq!(spot, [false, false, true]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_rests_between_two_swaps() {
    let mut world = World::new().await;
    let tagged = group("rests")
        .sizes(2, 2, 3)
        .tag("hollowtrees.io/cooldown", "4s", false);
    let olds = world.group(&tagged).await;
    let worker = world.worker().await;
    world.send(&world.action(&olds[0], "certain")).await;
    let first = world.end().await;
    assert_eq!(first.result, "succeeded", "{first:?}");
    world.send(&world.action(&olds[1], "certain")).await;
    let second = world.end().await;
    assert_eq!(second.result, "succeeded", "{second:?}");
    let record = world.record("rests").await;
    let of = |action: &str| {
        let found = record.swaps.iter().find(|swap| swap.action_id == action);
        found.unwrap().clone()
    };
    let ended = of(&first.action_id).ended_at.unwrap();
    let opened = of(&second.action_id).opened_at.unwrap();
    let rested = opened.seconds - ended.seconds;
    assert!((3..60).contains(&rested), "it rested {rested} s");
    worker.stop().await;
}

/// Open swaps of all groups.
async fn open(world: &World, groups: &[&str]) -> usize {
    let mut open = 0;
    for group in groups {
        let key = hollowtrees_schemas::key::group(crate::world::ACCOUNT, crate::world::REGION, group);
        let record = world.bus.groups().get(&key).await.unwrap();
        let swaps = record.map(|found| found.value.swaps).unwrap_or_default();
        open += swaps.iter().filter(|swap| swap.result.is_empty()).count();
    }
    open
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_no_more_open_swaps_than_it_may_over_groups_and_processes() {
    let mut world = World::with(&[("HT_SWAP__MAX_OPEN_ACCOUNT", "2")]).await;
    let groups = ["one", "two", "three"];
    let mut olds = Vec::new();
    for name in groups {
        olds.extend(world.group(&group(name).sizes(2, 2, 4)).await);
    }
    world.aws.set_delays(Delays {
        running: Duration::from_secs(1),
        in_service: Duration::from_secs(1),
    });
    let workers = [world.worker().await, world.worker().await];
    for old in &olds {
        world.send(&world.action(old, "certain")).await;
    }
    let mut ended = 0;
    let mut most = 0;
    while ended < olds.len() {
        most = most.max(open(&world, &groups).await);
        ended += usize::from(world.next().await.result == "succeeded");
    }
    assert_eq!(most, 2, "as many as may be, and no more");
    assert_eq!(world.aws.instances().await.unwrap().len(), 2 * olds.len());
    assert_eq!(open(&world, &groups).await, 0);
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_its_group_holds_up_no_other_of_its_account() {
    let mut world = World::with(&[("HT_SWAP__MAX_OPEN_ACCOUNT", "2")]).await;
    let narrow = group("narrow").tag("hollowtrees.io/max-open", "1", false);
    let narrow = world.group(&narrow.sizes(2, 2, 4)).await;
    let wide = world.group(&group("wide")).await.remove(0);
    world.aws.set_delays(Delays {
        running: Duration::ZERO,
        in_service: Duration::from_secs(25),
    });
    let worker = world.worker().await;
    let due = |instance: &str, seconds: i64| proto::Action {
        deadline: Some(to_proto(Timestamp::now() + SignedDuration::from_secs(seconds))),
        ..world.action(instance, "certain")
    };
    let [first, second, other] = [due(&narrow[0], 300), due(&narrow[1], 200), due(&wide, 250)];
    world.send(&first).await;
    world.fact("attached").await;
    // The most urgent one, whose group is full.
    let looks = world.aws.count("DescribeAutoScalingInstances");
    world.send(&second).await;
    let waits = async || world.aws.count("DescribeAutoScalingInstances") >= looks + 2;
    eventually("it to be tried twice", BOUND, waits).await;
    world.send(&other).await;
    let launched = loop {
        let outcome = world.next().await;
        assert_eq!(
            outcome.result, "progress",
            "it waited for another group's: {outcome:?}"
        );
        if outcome.reason == "launched" {
            break outcome;
        }
    };
    assert_eq!(launched.instance, wide);
    worker.crash().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_forgets_a_swap_whose_action_has_ended_without_a_word() {
    let mut world = World::with(&[("HT_SWAP__MAX_OPEN_ACCOUNT", "1")]).await;
    let old = world.group(&group("later")).await.remove(0);
    let dead = world.action("i-0123456789abcdef0", "certain");
    let record = proto::Group {
        schema: 1,
        swaps: vec![proto::GroupSwap {
            action_id: dead.id.clone(),
            cluster: dead.cluster.clone(),
            instance: dead.instance.clone(),
            opened_at: Some(to_proto(Timestamp::now() - SignedDuration::from_secs(120))),
            ..proto::GroupSwap::default()
        }],
        ..proto::Group::default()
    };
    let key = hollowtrees_schemas::key::group(crate::world::ACCOUNT, "*", "");
    world.bus.groups().put(&key, &record).await.unwrap();
    let worker = world.worker().await;
    world.send(&world.action(&old, "certain")).await;
    // It is open as far as anybody knows: the other one waits.
    let waits = async || world.aws.count("DescribeAutoScalingGroups") >= 2;
    eventually("some looks", BOUND, waits).await;
    assert_eq!(world.aws.count("RunInstances"), 0);
    let entry = proto::LedgerEntry {
        schema: 1,
        state: "done".to_owned(),
        ..proto::LedgerEntry::default()
    };
    let key = hollowtrees_schemas::key::ledger(crate::world::CLUSTER, &dead.id.parse().unwrap());
    world.bus.ledger().put(&key, &entry).await.unwrap();
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    worker.stop().await;
}
